"""Workers of group F: handlers with short limits in the fast profile."""

from typing import Any

from tests.crash import jobs_f, workers
from tests.crash.sizes import FULL

LIMIT = 60.0 if FULL else 1.0
_Base: type[Any] = workers.Default if FULL else workers.Quick


class Handling(_Base):
    """Handlers have a second."""

    handler_timeout = LIMIT


class KilledHanging(_Base):
    """Its handler of killed horses hangs, for longer than a lease lasts."""

    handler_timeout = 60.0 if FULL else 5.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, work_horse_killed_handler=jobs_f.killed_hanging, **kwargs)


class KilledDeaf(Handling):
    """Its handler of killed horses takes no notice of its limit."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, work_horse_killed_handler=jobs_f.killed_deaf, **kwargs)


class KilledRaising(_Base):
    """Its handler of killed horses raises."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, work_horse_killed_handler=jobs_f.killed_raising, **kwargs)
