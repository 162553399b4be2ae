"""Worker classes for these tests: the real ones with shorter leases, so that the same code path takes seconds."""

from typing import Any

from rq import SimpleWorker, SpawnWorker, Worker
from rq.supervision import remote
from rq.supervision.courier import Courier
from tests.crash import jobs
from tests.crash.sizes import PAUSES, QUICK_LEASE, SILENCE

Courier.pauses = PAUSES
remote.ASK_SECONDS, remote.ANSWER_SECONDS = SILENCE


class Default(Worker):
    """With the defaults."""


class Quick(Worker):
    """Leases of 2 s."""

    lease_seconds = QUICK_LEASE
    renew_interval = 0.5
    rescue_interval = 0.5


class Told(Quick):
    """Tells the witness of killed horses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, work_horse_killed_handler=jobs.horse_killed, **kwargs)


class QuickSimple(SimpleWorker):
    """Runs jobs in its own process."""

    renew_interval = 0.5
    rescue_interval = 0.5


class _Telling:
    """Tells the witness of killed horses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # in a spawned horse the worker is made again, by other words
        super().__init__(*args, **{'work_horse_killed_handler': jobs.horse_killed, **kwargs})


class QuickSpawn(_Telling, SpawnWorker):
    """Runs each job in an interpreter of its own."""

    lease_seconds = QUICK_LEASE
    renew_interval = 0.5
    rescue_interval = 0.5


class ToldDefault(_Telling, Worker):
    """With the defaults, and tells."""


class DefaultSimple(SimpleWorker):
    """With the defaults, in its own process."""


class DefaultSpawn(_Telling, SpawnWorker):
    """With the defaults, an interpreter for each job."""
