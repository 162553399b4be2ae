"""What the workers of `bench/faults.py` run, under either implementation: jobs and handlers that write to a witness."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import string
import subprocess
import time
from pathlib import Path
from typing import Any

from rq import get_current_job


def say(event: str, who: str = '') -> None:
    """One line in the witness, in one write."""
    job = None if who else get_current_job()
    line = f'{who or (job.id if job else "?")}\t{event}\t{os.getpid()}\t{time.time():.6f}\n'
    with Path(os.environ['WITNESS']).open('a') as out:
        out.write(line)


def work(seconds: float = 0.0) -> str:
    """Takes its time."""
    say('begin')
    time.sleep(seconds)
    say('end')
    return 'done'


def die(signum: int = 9) -> None:
    """Its process is killed."""
    say('begin')
    os.kill(os.getpid(), signum)


def leave(code: int) -> None:
    """Its process exits."""
    say('begin')
    os._exit(code)


def kill_worker() -> None:
    """Takes its worker along, whatever lies between them."""
    say('begin')
    os.kill(int(os.environ['WORKER_PID_FILE'] and Path(os.environ['WORKER_PID_FILE']).read_text()), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def raise_long() -> None:
    """An exception with ten million characters that do not compress."""
    say('begin')
    raise ValueError(''.join(random.choices(string.ascii_letters, k=10_000_000)))


def big() -> bytes:
    """Three million bytes."""
    say('begin')
    return bytes(3_000_000)


def leave_child() -> None:
    """A child in a session of its own, and then too much time."""
    say('begin')
    child = subprocess.Popen(['sleep', '600'], start_new_session=True)
    say('child', str(child.pid))
    time.sleep(600)


def hold_lock() -> None:
    """C code that holds the interpreter's lock, so that no signal handler of Python runs."""
    say('begin')
    _ = 3**200_000_000  # no signal interrupts it: sleep and read would return


def disarm() -> None:
    """Uses the alarm for itself."""
    say('begin')
    signal.alarm(0)
    with contextlib.suppress(Exception):
        time.sleep(600)


def fail() -> None:
    """Raises."""
    say('begin')
    raise ValueError('on purpose')


def bad_callback(job: Any, connection: Any, *args: Any) -> None:
    """A callback that raises."""
    raise RuntimeError('of the callback')


def told(job: Any, *exc_info: Any) -> bool:
    """An exception handler."""
    say(f'told {exc_info[0].__name__ if exc_info and exc_info[0] else "nothing"}', job.id)
    return True


def hang(job: Any, *exc_info: Any) -> bool:
    """An exception handler that hangs."""
    say('told', job.id)
    time.sleep(600)
    return True


def on_failure(job: Any, connection: Any, *exc_info: Any) -> None:
    """A failure callback."""
    say('on_failure', job.id)
