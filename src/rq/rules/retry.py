"""`Retry`, and how long to wait before the next attempt.

There are two countings: retries after an exception count down, those a job returns count up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil, isfinite
from numbers import Real
from typing import Any, NamedTuple

from rq.rules.backoff import LONGEST_WAIT, Backoff
from rq.rules.naming import exception_names, function_name
from rq.rules.policy import Policy, policy_text, read_policy

#: how many waits of a policy are written down for workers of RQ 3.0: those before the last retries
WRITTEN = 64


class Retry:
    """How often a failed job is tried again, after how many seconds each time, after which failures, and until when.

    `interval`: seconds, a list of them, a `Backoff`, or a function of the number of the attempt and its exception.
    `on`, `never`: exception classes or their dotted names; subclasses count. `deadline`: seconds or a timedelta after
    the job was first enqueued, or an aware datetime; no attempt is begun later.
    """

    def __init__(
        self,
        max: int,
        interval: int | Iterable[int] | Backoff | Callable[..., Any] | str = 0,
        enqueue_at_front: bool = False,
        *,
        on: Any = None,
        never: Any = None,
        deadline: float | timedelta | datetime | None = None,
    ) -> None:
        if max < 1:
            raise ValueError(f'max={max!r} allows no retry: give 1 or more, or leave the Retry out')
        self.max = max
        backoff = interval if isinstance(interval, Backoff) else None
        asks = backoff is None and (callable(interval) or _is_name(interval))
        grows = backoff or (Backoff() if asks else None)
        self.intervals: list[int] = _written(grows, max) if grows else _checked_intervals(interval)
        self.enqueue_at_front = enqueue_at_front
        function = function_name(interval) if asks else ''
        words: dict[str, Any] = {
            'on': exception_names('on', on),
            'never': exception_names('never', never),
            **_ends(deadline),
        }
        if backoff or function or any(words.values()):
            # a text, because RQ 3.0 must be able to load a Retry that a job has returned
            self._policy = policy_text(Policy(max, backoff, function, **words))

    @classmethod
    def exponential(
        cls,
        max: int,
        base: float = 1,
        cap: float = 600,
        factor: float = 2,
        jitter: bool = True,
        enqueue_at_front: bool = False,
        **more: Any,
    ) -> Retry:
        """A Retry whose waits grow: base, base * factor, ... up to cap, each cut at random unless `jitter=False`."""
        return cls(max, Backoff(base, factor, cap, jitter), enqueue_at_front, **more)

    @property
    def policy(self) -> Policy | None:
        """What it says that RQ 3.0 does not know; None for a plain one."""
        text = self.__dict__.get('_policy')
        return read_policy(text) if text else None

    def __repr__(self) -> str:
        policy = self.policy
        front = ', enqueue_at_front=True' if self.enqueue_at_front else ''
        if policy is None:
            return f'Retry(max={self.max!r}, interval={self.intervals!r}{front})'
        words = {'on': list(policy.on), 'never': list(policy.never), 'deadline': policy.deadline or policy.moment}
        more = ''.join(f', {word}={value!r}' for word, value in words.items() if value)
        return f'Retry(max={self.max!r}, interval={policy.backoff or policy.function or self.intervals!r}{front}{more})'

    @classmethod
    def get_interval(cls, count: int, intervals: int | list[int] | None) -> int:
        """Seconds before the retry that follows `count` others; the last interval serves all beyond it."""
        return interval_of_returned(intervals, count)


# Its public address. RQ 3.0 unpickles a returned Retry under it, and so must find it in what we write.
Retry.__module__ = 'rq.job'


def _is_name(interval: Any) -> bool:
    return isinstance(interval, str)


def _written(backoff: Backoff, max: int) -> list[int]:
    """The longest waits, aligned with the last retries as RQ reads them."""
    return [backoff.longest(attempt) for attempt in range(max - min(max, WRITTEN) + 1, max + 1)]


def _ends(deadline: Any) -> dict[str, float]:
    """The words of a policy for a deadline."""
    if deadline is None:
        return {}
    if isinstance(deadline, datetime):
        if deadline.tzinfo is None:
            raise ValueError(f'deadline={deadline!r} has no time zone: give an aware datetime, or seconds')
        return {'moment': deadline.timestamp()}
    seconds = deadline.total_seconds() if isinstance(deadline, timedelta) else deadline
    if isinstance(seconds, bool) or not isinstance(seconds, Real):
        raise TypeError(
            f'deadline={deadline!r} ({type(deadline).__name__}) is no time: give seconds, a timedelta, '
            'or an aware datetime'
        )
    if not isfinite(seconds) or seconds <= 0:
        raise ValueError(f'deadline={deadline!r} leaves no time for a retry: give seconds above 0, or leave it out')
    return {'deadline': float(seconds)}


def _checked_intervals(interval: Any) -> list[int]:
    """One interval or many as a list, each a number of seconds that is not negative."""
    try:
        intervals: list[Any] = [interval] if isinstance(interval, Real) else list(interval)
    except TypeError:
        raise TypeError(
            f'interval {interval!r} ({type(interval).__name__}) is no number of seconds, no list of them, no Backoff '
            'and no function'
        ) from None
    for seconds in intervals:
        if not isinstance(seconds, Real):
            raise TypeError(f'interval {seconds!r} ({type(seconds).__name__}) is no number of seconds')
        if not isfinite(seconds):
            raise ValueError(f'interval {seconds!r} is no finite number of seconds: give one')
        if seconds < 0:
            raise ValueError(f'interval {seconds!r} is negative: give 0 to retry at once, or more')
    return intervals


def checked_default(retry: Any) -> Retry | None:
    """The `default_retry` of a queue or worker."""
    if retry is not None and not isinstance(retry, Retry):
        raise TypeError(f'default_retry={retry!r} is no Retry; write default_retry=Retry(max=3)')
    return retry


def checked_wait(seconds: Any) -> int:
    """What a function of intervals, or an exception of a job, says of the wait, in whole seconds."""
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    if isinstance(seconds, bool) or not isinstance(seconds, Real):
        raise TypeError(f'{seconds!r} ({type(seconds).__name__}) is no wait: give seconds, or a timedelta')
    if not isfinite(seconds) or seconds < 0:
        raise ValueError(f'{seconds!r} is no wait: give seconds, 0 or more')
    return min(int(ceil(seconds)), LONGEST_WAIT)


def interval_after_failure(retry_intervals: Sequence[int] | None, retries_left: int | None) -> int:
    """Seconds to wait after an exception, `retries_left` counted before this retry is used up.

    The list is aligned with the *last* retries: when it is shorter than they are many, its first
    interval serves the surplus at the start.
    """
    if not retry_intervals:
        return 0
    used = max(len(retry_intervals) - (retries_left or 0), 0)
    return retry_intervals[min(used, len(retry_intervals) - 1)]


def retries_used(attempts: Sequence[Mapping[str, Any]]) -> int:
    """How many of the attempts that failed led to another one; older ones than those remembered count as such."""
    if not attempts:
        return 0
    forgotten: int = attempts[0]['number'] - 1
    return forgotten + sum(1 for one in attempts if not one.get('final'))


def interval_of_returned(intervals: int | Sequence[int] | None, number_of_retries: int | None) -> int:
    """Seconds to wait when a job returned `Retry` after `number_of_retries` earlier ones."""
    if not intervals:
        return 0
    if isinstance(intervals, int):
        return intervals
    return intervals[min(len(intervals) - 1, number_of_retries or 0)]


class TryAgain(NamedTuple):
    """Another attempt after `interval` seconds; so many retries are left then."""

    interval: float
    retries_left: int


class GiveUp(NamedTuple):
    """The job has failed; `why` it is not tried again although retries are left."""

    why: str = ''


class Stop(NamedTuple):
    """Somebody stopped it: nobody's error, and not tried again."""


class HandBack(NamedTuple):
    """Its worker had to leave: back to the queue, uncharged."""


Decision = TryAgain | GiveUp | Stop | HandBack


class Case(NamedTuple):
    """What is known of one failure beside its kind."""

    mro: Collection[str] = ()  # dotted names of the class of its exception and of what that inherits from
    is_refused: bool = False  # the job has said that no attempt makes sense
    is_asked: bool = False  # the job has asked for another attempt, ...
    wish: float | None = None  # ... in so many seconds
    advised: float | None = None  # what the policy's own function has said
    least: float = 0  # seconds that the failure itself demands
    draw: float = 1  # a random number above 0, at most 1
    now: float = 0  # epoch seconds
    enqueued: float | None = None  # when the job was first enqueued


PLAIN = Case()


def decide(
    kind: str,
    retries_left: int | None,
    interval: float,
    retryable: bool = True,
    policy: Policy | None = None,
    case: Case = PLAIN,
) -> Decision:
    """What becomes of an execution that ended as `kind`: failed, stopped or interrupted.

    `interval`: the wait by the intervals that are written down; a policy may know better.
    """
    if kind == 'stopped':
        return Stop()
    if kind == 'interrupted':
        return HandBack()
    if not retryable or retries_left is None or retries_left <= 0:
        return GiveUp()
    if case.is_refused:
        return GiveUp('the job asked for no other attempt')
    if policy is not None and not case.is_asked and not policy.covers(case.mro):
        return GiveUp('its retries are not for this exception')
    wait = _wait(policy, retries_left, interval, case)
    end = None if policy is None else policy.end(case.enqueued)
    if end is not None and case.now + wait > end:
        return GiveUp('its retries end before that')
    return TryAgain(wait, retries_left - 1)


def _wait(policy: Policy | None, retries_left: int, interval: float, case: Case) -> float:
    wait = interval
    if case.is_asked and case.wish is not None:
        wait = case.wish
    elif case.advised is not None:
        wait = case.advised
    elif policy is not None and policy.backoff is not None:
        wait = policy.backoff.wait(policy.attempt(retries_left), case.draw)
    return max(wait, case.least)


def decide_returned(
    made: int, most: int, interval: float, policies: Collection[Policy], case: Case = PLAIN
) -> TryAgain | GiveUp:
    """What becomes of a job that returned a Retry after `made` others; `policies`: that of the Retry and the job's."""
    if made >= most:
        return GiveUp(f'it asked for more than {most} retries')
    wait = interval if case.advised is None else case.advised
    ends = [policy.end(case.enqueued) for policy in policies]
    if any(end is not None and case.now + wait > end for end in ends):
        return GiveUp('its retries end before that')
    return TryAgain(wait, most - made - 1)
