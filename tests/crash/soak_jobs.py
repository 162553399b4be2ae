"""What the workers of the soak run. Each job says to the witness when it begins and how it comes to its end."""

import os
import random
import resource
import signal
import subprocess
import time
from typing import Any

from rq import Retry, get_current_job
from tests.crash.jobs import deaf, say


def _begin() -> Any:
    """The job at hand. A fault may have lowered the limit of descriptors: the witness must hear of us all the same."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    say('begin')
    return get_current_job()


def short(seconds: float = 0.0) -> float:
    """Does its work."""
    _begin()
    if seconds:
        time.sleep(seconds)
    say('end')
    return seconds


def raising(size: int = 0) -> None:
    """Raises; with a size, an error with so much random text."""
    _begin()
    say('raise')
    raise ValueError(random.Random(size).randbytes(size // 2).hex() if size else 'on purpose')


def flaky(failures: int, retries: int) -> str:
    """Raises at its first attempts."""
    job = _begin()
    if retries - (job.retries_left or 0) < failures:
        say('raise')
        raise ValueError('not yet')
    say('end')
    return 'at last'


def asking(times: int, most: int, interval: int) -> Any:
    """Asks for another attempt so many times, by what it returns."""
    job = _begin()
    if (job.number_of_retries or 0) < times:
        say('ask')
        return Retry(max=most, interval=interval)
    say('end')
    return 'enough'


def sleepy(seconds: float) -> str:
    """Sleeps beyond its timeout."""
    _begin()
    time.sleep(seconds)
    say('end')
    return 'slept'


def stubborn(seconds: float) -> str:
    """Lets nothing disturb it, not even its timeout."""
    _begin()
    deaf(seconds)
    say('end')
    return 'slept'


def dying(how: str) -> None:
    """Ends its process: by a signal, or by leaving."""
    _begin()
    say('die')
    if how == 'leave':
        os._exit(3)
    os.kill(os.getpid(), getattr(signal, how))
    time.sleep(60)


def with_children(number: int) -> None:
    """Leaves children behind, one of them in a session of its own, and dies."""
    _begin()
    for away in (False, True):
        subprocess.Popen(['sleep', f'{600 + number / 1e6:.6f}'], start_new_session=away)
    say('die')
    os.kill(os.getpid(), signal.SIGKILL)


def worked(job: Any, connection: Any, result: Any) -> None:
    """on_success"""
    say('success', job.id)


def broke(job: Any, connection: Any, kind: type, value: Any, trace: Any) -> None:
    """on_failure"""
    say(f'failure {kind.__name__}', job.id)


def was_stopped(job: Any, connection: Any) -> None:
    """on_stopped"""
    say('stopped', job.id)


def told(job: Any, *exc_info: Any) -> bool:
    """The exception handler of every worker."""
    say(f'told {exc_info[0].__name__}', job.id)
    return True
