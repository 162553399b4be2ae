"""What the workers of these tests run: jobs and handlers that say to the witness what they do."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from rq import get_current_job


def say(event: str, who: str = '') -> None:
    """One line in the witness, in one write."""
    job = None if who else get_current_job()
    line = f'{who or (job.id if job else "?")}\t{event}\t{os.getpid()}\t{time.time():.6f}\n'
    descriptor = os.open(os.environ['RQ_WITNESS'], os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def deaf(seconds: float) -> None:
    """Lets nothing disturb it, not even its timeout."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            time.sleep(0.1)
        except Exception:
            continue


def work(number: int, seconds: float = 0.0) -> int:
    """A tenth of them raises."""
    say('begin')
    if seconds:
        time.sleep(seconds)
    if number % 10 == 9:
        raise ValueError(f'number {number} is one of the tenth')
    say('end')
    return number


def quiet(number: int) -> int:
    """Does its work, and the witness hears nothing of it."""
    return number


def long(seconds: float) -> str:
    """Takes its time."""
    say('begin')
    time.sleep(seconds)
    say('end')
    return 'done'


def kill_myself(signum: int = signal.SIGKILL) -> None:
    """The horse dies."""
    say('begin')
    os.kill(os.getpid(), signum)


def leave(code: int) -> None:
    """The horse leaves without a word."""
    say('begin')
    os._exit(code)


def freeze() -> None:
    """The horse stops."""
    say('begin')
    os.kill(os.getpid(), signal.SIGSTOP)


def kill_worker() -> None:
    """The worker dies, and the horse with it: a poison."""
    say('begin')
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def raises() -> None:
    """Raises."""
    say('begin')
    raise ValueError('on purpose')


def told(job: Any, *exc_info: Any) -> bool:
    """An exception handler."""
    say(f'told {exc_info[0].__name__}', job.id)
    return True


def dying_handler(job: Any, *exc_info: Any) -> bool:
    """An exception handler that kills its process."""
    say(f'told {exc_info[0].__name__}', job.id)
    os.kill(os.getpid(), signal.SIGKILL)
    return True


def horse_killed(job: Any, retpid: int, ret_val: int, rusage: Any) -> None:
    """A work_horse_killed_handler."""
    say(f'horse killed {ret_val} {"with" if rusage.ru_maxrss else "without"} peak', job.id)


def long_at_first() -> None:
    """Takes a minute, but not when it is tried again."""
    say('begin')
    if Path(os.environ['RQ_WITNESS']).read_text().count('\tbegin\t') == 1:
        time.sleep(60)
    say('end')


def patient(job: Any, *exc_info: Any) -> None:
    """An exception handler that talks to a slow tracker."""
    say(f'told {exc_info[0].__name__}', job.id)
    time.sleep(0.2)
