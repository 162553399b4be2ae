"""Workers for the tests of health answers: one whose main thread gets stuck, one of a pool."""

import time
from typing import Any

from tests.crash.jobs import say
from tests.crash.sizes import FULL
from tests.crash.workers import Default, Quick, QuickSimple

Sized: type[Any] = Default if FULL else Quick


def deaf(job: Any, retpid: int, ret_val: int, rusage: Any) -> None:
    """A work_horse_killed_handler that no limit gets through to, for some time."""
    say('stuck', job.id)
    until = time.monotonic() + (120 if FULL else 6)
    while time.monotonic() < until:
        try:
            time.sleep(1)
        except BaseException:
            continue
    say('free', job.id)


class Stuck(Sized):
    """Its main thread gets stuck when a horse is killed."""

    turn_seconds = 90.0 if FULL else 3.0
    handler_timeout = 60.0 if FULL else 1.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, work_horse_killed_handler=deaf, **kwargs)


class Inline(QuickSimple):
    """Runs jobs in its own thread, which is then away from the loop for longer than it may be without a job."""

    turn_seconds = 1.0
