"""Jobs and callbacks of group C."""

import time
from typing import Any

from rq import get_current_job
from rq.job import Job
from tests.crash.jobs import say


def quick() -> str:
    """Done at once."""
    say('begin')
    say('end')
    return 'done'


def succeeded(job: Job, connection: Any, result: Any) -> None:
    """An on_success."""
    say('told success', job.id)


def failed(job: Job, connection: Any, *exc_info: Any) -> None:
    """An on_failure."""
    say('told failure', job.id)


def fails_after(seconds: float) -> str:
    """Takes its time, and raises at its first attempt."""
    say('begin')
    job = get_current_job()
    if job is not None and job.retries_left:
        time.sleep(seconds)
        raise ValueError('at first')
    say('end')
    return 'done'


def long_in_steps(seconds: float) -> None:
    """Sleeps in small steps, and says that it lives."""
    say('begin')
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.1)
    say('end')
