"""Worker classes for these tests: the real ones with shorter leases, so that the same code path takes seconds."""

from typing import Any

from rq import Worker
from tests.crash import jobs


class Default(Worker):
    """With the defaults."""


class Quick(Worker):
    """Leases of 3 s."""

    lease_seconds = 3
    renew_interval = 0.5
    rescue_interval = 0.5


class Told(Quick):
    """Tells the witness of killed horses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, work_horse_killed_handler=jobs.horse_killed, **kwargs)
