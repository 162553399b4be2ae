"""What the tests of retries run as jobs, and the functions of intervals that their Retries name."""

import os
from typing import Any

from rq import Backoff, DoNotRetry, Retry, RetryLater, get_current_job
from rq.job import Job


class Weather(ConnectionError):
    """A failure that passes."""


class Storm(Weather):
    """One of those."""


class Hopeless(DoNotRetry):
    """A failure that does not pass."""


class Busy(RetryLater):
    """A reason to come back."""


class Odd(RetryLater):
    """Its words are no words."""

    @property
    def after(self) -> Any:
        raise RuntimeError('no')

    @after.setter
    def after(self, value: Any) -> None:
        """Nothing is kept."""


class Leaving(Odd):
    """Wants to leave when it is asked."""

    @property
    def after(self) -> Any:
        raise SystemExit

    max = after  # type: ignore[assignment]

    @after.setter
    def after(self, value: Any) -> None:
        """Nothing is kept."""

    @max.setter
    def max(self, value: Any) -> None:
        """Nothing is kept."""


def job() -> Job:
    """The one that runs."""
    found = get_current_job()
    assert found is not None
    return found


def mark(word: object) -> None:
    """Leave a word where the test can read it."""
    job().connection.rpush('test:marks', str(word))


KINDS: dict[str, type[BaseException]] = {
    'Storm': Storm, 'Weather': Weather, 'ValueError': ValueError, 'Hopeless': Hopeless, 'DoNotRetry': DoNotRetry,
    'Odd': Odd, 'Leaving': Leaving, 'SystemExit': SystemExit,
}  # fmt: skip


def fails(kind: str = 'ValueError') -> None:
    mark(f'ran final={job().is_final_attempt}')
    raise KINDS[kind]('it broke')


def dies() -> None:
    mark('ran')
    os.kill(os.getpid(), 9)


def comes_back(after: Any = 0, most: int = 10, kind: str = 'RetryLater') -> None:
    mark('ran')
    raise {'RetryLater': RetryLater, 'Busy': Busy}[kind]('not yet', after=after, max=most)


def comes_back_once() -> str:
    mark('ran')
    if job().connection.incr('test:count') == 1:
        raise RetryLater('not yet', after=0)
    return 'there'


def returns_retry(most: int, deadline: Any = None) -> Retry:
    mark('ran')
    return Retry(most, Backoff(base=50, cap=50, jitter=False), deadline=deadline)


def returns_asking(most: int) -> Retry:
    mark('ran')
    return Retry(most, seconds_by_attempt)


def seconds_by_attempt(attempt: int, error: BaseException | None) -> int:
    return 100 * attempt + (7 if isinstance(error, Storm) else 0)


def broken_interval(attempt: int, error: BaseException | None) -> int:
    raise KeyError('a bug in the interval')


def nonsense_interval(attempt: int, error: BaseException | None) -> Any:
    return 'soon'


def deadly_interval(attempt: int, error: BaseException | None) -> int:
    os.kill(os.getpid(), 9)
    return 5


def on_failure(job: Job, connection: Any, cls: Any, error: Any, trace: Any) -> None:
    connection.rpush('test:told', f'on_failure {cls.__name__} final={job.is_final_attempt}')


def handler(job: Job, cls: Any, error: Any, trace: Any) -> None:
    job.connection.rpush('test:told', f'handler {cls.__name__} final={job.is_final_attempt}')


def gives_more(job: Job, *exc_info: Any) -> None:
    job.retries_left = 1 if job.number_of_retries is None and not job.meta else 0
