"""Another attempt, or not: what `rules/retry` must know of a failure, found out where its exception is alive."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from random import random
from typing import Any, cast

from rq.exceptions import ColdShutdown, DoNotRetry, RetryDeadlineError, RetryLater
from rq.failure.capture import Failure, Kind
from rq.failure.handlers import ASKING, fenced
from rq.rules.anatomy import mro_of
from rq.rules.names import import_attribute
from rq.rules.policy import Policy
from rq.rules.retry import (
    Case,
    Decision,
    GiveUp,
    Retry,
    TryAgain,
    checked_wait,
    decide,
    decide_returned,
    interval_of_returned,
)
from rq.rules.timing import from_epoch
from rq.timeouts import BaseTimeoutException, JobTimeoutException
from rq.types import Hooks, JobLike

logger = logging.getLogger('rq.job')

_KINDS = {Kind.STOPPED: 'stopped', Kind.INTERRUPTED: 'interrupted'}
_REFUSED, _LATER = mro_of(DoNotRetry)[0], mro_of(RetryLater)[0]
_MOST = 10  # of a RetryLater whose own number is none


def prepare(job: JobLike, failure: Failure, hooks: Any) -> None:
    """Before anybody hears of a failure: the worker's default for a job without retries, and names that are aliases."""
    if job.retries_left is None and failure.is_told:
        default = getattr(hooks, 'default_retry', None)
        if default is not None:
            job.adopt_retry(default)
    policy = job.retry_policy
    if policy is not None and failure.live is not None:
        names = (*policy.on, *policy.never)
        known = [name for name in names if name not in failure.mro and _leads_to(name, failure.live[0])]
        failure.mro = [*failure.mro, *known]  # noted with it, for a process that has no exception


def judge(job: JobLike, failure: Failure) -> Decision:
    """What becomes of the job if this failure is settled now."""
    later = asks_later(failure)
    left = job.retries_left
    if left is None and later is not None:  # counted like the retries that a job returns
        left = _most(later) - (job.number_of_retries or 0)
    kind, interval = _KINDS.get(failure.kind, 'failed'), job.get_retry_interval()
    return decide(kind, left, interval, failure.retryable, job.retry_policy, _case(job, failure, later))


def follows(job: JobLike, failure: Failure) -> bool:
    """Whether another attempt follows this failure."""
    return isinstance(judge(job, failure), TryAgain)


def is_last(job: JobLike) -> bool:
    """Whether a failure of the attempt at hand is the end; while the job runs: whether any failure would be."""
    failure = job._failure
    if failure is not None:
        return not follows(job, failure)
    left, policy, default = job.retries_left, job.retry_policy, job._default_retry
    if left is None and default is not None:
        left, policy = default.max, default.policy
    case = Case(is_asked=True, wish=0, now=_now(job), enqueued=_enqueued(job))
    return not isinstance(decide('failed', left, 0, True, policy, case), TryAgain)


def asks_later(failure: Failure) -> RetryLater | None:
    """The exception by which a job asks for another attempt, if this failure is one."""
    if failure.live is None or _LATER not in failure.mro or not issubclass(failure.live[0], RetryLater):
        return None
    error: RetryLater = cast(RetryLater, failure.live[1])
    return error


def postponed(job: JobLike, failure: Failure, hooks: Hooks) -> Retry | None:
    """Of a RetryLater that another attempt follows, a Retry that the job might have returned instead."""
    later = asks_later(failure)
    if later is None:
        return None
    if _wish(later) is None:
        ask(job, failure, hooks)
    decision = judge(job, failure)
    return as_retry(decision) if isinstance(decision, TryAgain) else None


def as_retry(decision: TryAgain) -> Retry:
    """As many retries, and as long a wait, as a decision leaves."""
    return Retry(decision.retries_left + 1, [checked_wait(decision.interval)])


def bind(job: JobLike, returned: Policy | None = None) -> None:
    """Another attempt follows: from now on the deadline is a fixed one, because each attempt is enqueued anew."""
    own = job.retry_policy
    if own is None and returned is None:
        return
    enqueued = _enqueued(job)
    if own is not None and own.has_deadline:
        job.retry_policy = own = own.bound(enqueued)
    end = returned.end(enqueued) if returned is not None else None
    if returned is not None and end is not None and (own is None or own.until is None or end < own.until):
        job.retry_policy = replace(own or Policy(returned.max), until=round(end, 3))


def unbind(job: JobLike) -> None:
    """No attempt follows: whoever requeues the job gives it its time anew."""
    if job.retry_policy is not None:
        job.retry_policy = job.retry_policy.unbound()


def refuse_late(job: JobLike) -> None:
    """`RetryDeadlineError` for a retry that waited in its queue until after the deadline; a first attempt is run."""
    until = job.retry_policy.until if job.retry_policy is not None else None
    if until is not None and job.started_at is not None and job.started_at.timestamp() > until:
        raise RetryDeadlineError(
            f'the retries of this job ended at {from_epoch(until):%Y-%m-%d %H:%M:%S} UTC, and this one got its turn '
            'only now; it was not run: requeue it if it still matters, or give a later deadline'
        )


# --- what a policy's own function says ------------------------------------------------------------------------------


def asks(job: JobLike) -> bool:
    """Whether user code says how long this job waits."""
    return job.retry_policy is not None and bool(job.retry_policy.function)


def ask(job: JobLike, failure: Failure, hooks: Hooks) -> None:
    """How long to wait says a function of attempt and exception; whatever goes wrong there, the intervals count."""
    policy = job.retry_policy
    if policy is None or not policy.function or failure.live is None or not _may_follow(job, failure, policy):
        return
    job._advised = _answer(job, policy, policy.attempt(job.retries_left or 0), failure.live[1], failure, hooks)


def _may_follow(job: JobLike, failure: Failure, policy: Policy) -> bool:
    case = _case(job, failure, asks_later(failure))
    kind = _KINDS.get(failure.kind, 'failed')
    return isinstance(decide(kind, job.retries_left, 0, failure.retryable, policy.endless(), case), TryAgain)


def ask_returned(job: JobLike, retry: Retry, hooks: Hooks) -> None:
    """The same for a Retry that the job has returned: there is no exception then."""
    policy = retry.policy
    if policy is not None and policy.function:
        job._advised = _answer(job, policy, (job.number_of_retries or 0) + 1, None, None, hooks)


def _answer(
    job: JobLike, policy: Policy, attempt: int, error: BaseException | None, failure: Failure | None, hooks: Hooks
) -> float | None:
    hooks.allow(hooks.handler_timeout, ASKING)

    def call() -> float:
        function = import_attribute(policy.function)
        with hooks.death_penalty_class(hooks.handler_timeout, JobTimeoutException, job_id=job.id):
            return checked_wait(function(attempt, error))

    seconds: float | None = fenced(f'The interval function {policy.function}', failure, call, hooks.log, job)
    if seconds is None:
        hooks.log.warning('Job %s: it waits as its Retry has written down instead', job.id)
    return seconds


# --- a Retry that was returned --------------------------------------------------------------------------------------


def judge_returned(job: JobLike, retry: Retry) -> TryAgain | GiveUp:
    """What becomes of a job that returned a Retry."""
    made, policy = job.number_of_retries or 0, retry.policy
    interval: float = interval_of_returned(retry.intervals, made)
    if policy is not None and policy.backoff is not None:
        interval = policy.backoff.wait(made + 1, _draw(job))
    case = Case(advised=job._advised, now=_now(job), enqueued=_enqueued(job))
    policies = [each for each in (policy, job.retry_policy) if each is not None]
    return decide_returned(made, retry.max, interval, policies, case)


# --- what a decision needs to know ----------------------------------------------------------------------------------


def _case(job: JobLike, failure: Failure, later: RetryLater | None) -> Case:
    if job.retry_policy is None and later is None:
        return Case(is_refused=_REFUSED in failure.mro, least=failure.pause)
    return Case(
        mro=failure.mro,
        is_refused=_REFUSED in failure.mro,
        is_asked=later is not None,
        wish=None if later is None else _wish(later),
        advised=job._advised,
        least=failure.pause,
        draw=_draw(job),
        now=_now(job),
        enqueued=_enqueued(job),
    )


def _draw(job: JobLike) -> float:
    """One random number an attempt, so that whoever asks twice gets the same answer."""
    if job._draw is None:
        job._draw = 1 - random()
    return job._draw


def _now(job: JobLike) -> float:
    """The end of the attempt, by the server's clock; of one without an end, this moment."""
    ended, started = job.ended_at, job.started_at
    return (ended if ended and started and ended >= started else job._moment()).timestamp()


def _enqueued(job: JobLike) -> float | None:
    return job.enqueued_at.timestamp() if job.enqueued_at else None


def _wish(later: RetryLater) -> float | None:
    """`after` of an exception whose class may be anybody's."""
    try:
        return None if later.after is None else checked_wait(later.after)
    except (BaseTimeoutException, ColdShutdown):
        raise
    except BaseException as error:
        logger.warning('RetryLater(after=...): %s; the job waits as after a failure', error)
        return None


def _most(later: RetryLater) -> int:
    try:
        return max(int(later.max), 0)
    except (BaseTimeoutException, ColdShutdown):
        raise
    except BaseException:
        return _MOST


def _leads_to(name: str, cls: type[BaseException]) -> bool:
    """Whether a dotted name, a re-export perhaps, is the class or an ancestor; what is not imported cannot be."""
    parts = name.split('.')
    for length in range(len(parts) - 1, 0, -1):
        found: Any = sys.modules.get('.'.join(parts[:length]))
        if found is None:
            continue
        try:
            for part in parts[length:]:
                found = getattr(found, part)
            return any(each is found for each in cls.__mro__)
        except BaseTimeoutException:
            raise
        except Exception:  # no such name, or a module that has its own idea of looking one up
            return False
    return False
