"""The chain of exception handlers: order, what an answer means, and a fence round each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rq.defaults import HANDLER_TIMEOUT
from rq.exceptions import ColdShutdown
from rq.failure.capture import Failure, capture
from rq.rules.parameters import masked_call
from rq.rules.payload import UNEVALUATED
from rq.timeouts import JobTimeoutException

Handler = Callable[..., Any]
ON_FAILURE = 'on_failure callback'
_PHASE = 'exception handler '
ON_FINAL = 'on_final_failure callback'
FINAL_HANDLER = 'final failure handler '
ASKING = 'interval function of the Retry'
GROUPING = 'fingerprint hook'
EVERYBODY = 1_000_000  # of the chain; who is told of a final failure comes after all others
ENDED = 2 * EVERYBODY  # they have heard, too


def fenced(what: str, failure: Failure | None, call: Callable[[], Any], log: Any, job: Any = None) -> Any:
    """The value of user code that must not change the job's fate; its error is logged and attached."""
    try:
        return call()
    except ColdShutdown:
        raise
    except BaseException as error:
        theirs = capture(error, job=job, secrets=failure.secrets if failure is not None else frozenset())
        log.error('%s raised %s: %s', what, theirs.type_name, theirs.message)
        if failure is not None:
            failure.attached.append(f'{what} raised too:\n{theirs.text}')
        return None


def walk(
    handlers: Iterable[Handler],
    job: Any,
    exc_info: tuple[Any, ...],
    failure: Failure | None,
    penalty: type[Any],
    log: Any,
    seconds: float = HANDLER_TIMEOUT,
    allow: Callable[[float, str], None] = lambda seconds, phase: None,
) -> None:
    """Call each handler in order, so many seconds each; an explicit falsy answer other than None ends the chain.

    `allow` hears of each phase: whoever watches this process ends it when a handler takes no notice of its limit.
    """
    for number, handler in enumerate(handlers, 1):
        if failure is not None and failure.heard > number:
            continue
        allow(seconds, f'{_PHASE}{number}')
        name = named(handler)
        log.debug('Job %s: calling exception handler %s', job.id, name)

        def in_time(handler: Handler = handler) -> Any:
            with penalty(seconds, JobTimeoutException, job_id=job.id):
                return handler(job, *exc_info)

        answer = fenced(f'Exception handler {name}', failure, in_time, log, job)
        if answer is not None and not answer:
            return


def named(handler: Handler) -> str:
    """A handler in words."""
    return getattr(handler, '__qualname__', None) or repr(handler)


def heard_by(phase: str) -> int:
    """How many listeners are not told again, because the one of this phase did not come to its end in its time."""
    if phase == ON_FINAL:
        return EVERYBODY + 1
    if phase.startswith(FINAL_HANDLER):
        return EVERYBODY + 1 + int(phase.removeprefix(FINAL_HANDLER))
    if phase == GROUPING:
        return ENDED
    if phase == ASKING:
        return 0  # nobody has been told yet
    if phase == ON_FAILURE:
        return 1
    number = phase.removeprefix(_PHASE)
    return int(number) + 1 if number.isdigit() else EVERYBODY  # a chain that is somebody's own cannot be entered midway


def func_of_call(job: Any) -> str:
    """The function of a call that was loaded and is as usual, as `words_of` has it; '' for others."""
    known: dict[str, Any] = getattr(job, '__dict__', {})
    func, args = known.get('_func_name'), known.get('_args')
    is_usual = type(func) is str and type(args) in (tuple, list) and type(known.get('_kwargs')) is dict
    return str(func) if is_usual else ''


def words_of(job: Any, tried: bool) -> dict[str, Any]:
    """The call, for the log record; what cannot be loaded is said, not raised, and not tried twice: it may hang."""
    try:
        if tried and job._func_name is UNEVALUATED:
            return {'func': '<DeserializationError>'}
        args, kwargs = masked_call(job.func_name, job.instance, job.args, job.kwargs)
        return {'func': job.func_name, 'arguments': args, 'kwargs': kwargs}
    except ColdShutdown:
        raise
    except BaseException:
        return {'func': '<DeserializationError>'}
