"""Jobs that fail for good, and who is told of it."""

import os
import threading
from typing import Any

from rq import Retry, get_current_job

_NEVER = threading.Event()


def raises_differently() -> None:
    """Each attempt raises another exception, from another line."""
    job: Any = get_current_job()
    attempt = job.connection.incr('test:attempts')
    if attempt == 1:
        raise KeyError('first')
    if attempt == 2:
        raise OSError('second')
    raise ZeroDivisionError('third')


def asks_for_ever() -> Retry:
    """A Retry is what it returns, each time."""
    return Retry(max=1)


def _say(job: Any, word: str, exc_info: tuple[Any, ...]) -> None:
    error = f'{exc_info[0].__name__} {exc_info[1]}'.partition(';')[0]
    job.connection.rpush('test:told', f'{word} {error} {job.is_final_attempt}')


def on_failure(job: Any, connection: Any, *exc_info: Any) -> None:
    _say(job, 'failure', exc_info)


def on_final(job: Any, connection: Any, *exc_info: Any) -> None:
    _say(job, 'final', exc_info)


def on_final_raises(job: Any, connection: Any, *exc_info: Any) -> None:
    _say(job, 'final', exc_info)
    raise LookupError('the callback broke')


def on_final_dies(job: Any, connection: Any, *exc_info: Any) -> None:
    _say(job, 'final', exc_info)
    os._exit(5)


def handler(job: Any, *exc_info: Any) -> None:
    _say(job, 'handler', exc_info)


def gives_up(job: Any, *exc_info: Any) -> None:
    _say(job, 'handler', exc_info)
    job.retries_left = 0


def grants_one(job: Any, *exc_info: Any) -> None:
    """One more attempt, once."""
    if job.connection.incr('test:granted') == 1:
        job.retries_left = 1


def final(job: Any, *exc_info: Any) -> bool:
    """Its answer means nothing."""
    _say(job, 'end', exc_info)
    return False


def final_raises(job: Any, *exc_info: Any) -> None:
    _say(job, 'end', exc_info)
    raise LookupError('the final handler broke')


def final_dies(job: Any, *exc_info: Any) -> None:
    _say(job, 'deadly', exc_info)
    os._exit(5)


def final_hangs(job: Any, *exc_info: Any) -> None:
    """And takes no notice of its limit."""
    _say(job, 'hanging', exc_info)
    while True:
        try:
            _NEVER.wait(20)
        except Exception:
            continue


def final_grants(job: Any, *exc_info: Any) -> None:
    """Too late."""
    _say(job, 'end', exc_info)
    job.retries_left = 5
