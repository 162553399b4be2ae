"""The short way of a plain job through its horse: load, import, call, dump, say so. Its worker keeps the books.

In a fresh process every function and object that is touched costs a copied page, 2 to 3 us each. So a horse does only
what must be done there. Whatever is not plain (an exception, a Retry, somebody who asked for the current job) goes on
by the long way, in the same horse, from the point it has reached.
"""

from __future__ import annotations

import inspect
import operator
import os
import time
from collections.abc import Callable
from types import CoroutineType, FunctionType
from typing import Any, cast

from rq import eras, timeouts
from rq.defaults import MAX_PAYLOAD_BYTES
from rq.exceptions import ColdShutdown
from rq.executors.base import Running
from rq.executors.horse import Frames, Reporter, frame, plug_streams
from rq.failure.capture import capture
from rq.failure.last_words import last_words
from rq.failure.notify import Settlement
from rq.failure.outcome import of_failure
from rq.job import Job
from rq.perform import context, steps, success
from rq.perform.steps import DEFAULT_TIMEOUT
from rq.rules.lease import Lease
from rq.rules.names import import_attribute
from rq.rules.payload import UNEVALUATED, undecodable
from rq.rules.retry import Retry
from rq.rules.timing import from_epoch
from rq.timeouts import BaseTimeoutException, JobTimeoutException, UnixSignalDeathPenalty
from rq.types import Hooks
from rq.worker import plain, riding
from rq.worker.attempts import Attempts
from rq.worker.outcomes import Outcomes

MOST_BYTES = 1 << 16  # of a payload, which goes along twice
#: who overrides or replaces one of these is asked for each job
_OF_ATTEMPTS = (
    'perform_job', 'prepare_job_execution', 'handle_execution_ended', 'setup_work_horse_signals', 'enter_job',
    'leave_job', 'call_perform_job', '_ride', '_emit', '_lease', 'execution_of', 'main_work_horse',
)  # fmt: skip
_OF_OUTCOMES = ('handle_job_success', 'handle_job_retry')
_OF_JOB = ('perform', '_execute', 'func', 'func_name', 'instance', 'args', 'kwargs', '_load_call', '_get', '_moment')


def is_possible(worker: Any) -> bool:
    """Whether nobody but us has a part in how a job that succeeds goes through its horse."""
    own = vars(worker)
    of_attempts = all(name not in own and _is_that_of(Attempts, type(worker), name) for name in _OF_ATTEMPTS)
    of_outcomes = all(name not in own and _is_that_of(Outcomes, type(worker), name) for name in _OF_OUTCOMES)
    of_job = worker.job_class is Job and is_job_ours()
    penalty = worker.death_penalty_class is UnixSignalDeathPenalty
    return of_attempts and of_outcomes and of_job and penalty and plain.is_ours(worker, 'procline')


job_parts: Callable[[Any], tuple[Any, ...]] = operator.attrgetter(*_OF_JOB)


def is_job_ours() -> bool:
    """Whether the parts of a job that the short way does without are as we wrote them."""
    return all(_is_that_of(Job, Job, name) for name in _OF_JOB)


def _is_that_of(maker: type[Any], holder: type[Any], name: str) -> bool:
    found = inspect.getattr_static(holder, name)
    function = found.fget if isinstance(found, property) else found
    return found is inspect.getattr_static(maker, name) and type(function) is FunctionType and plain.is_own(function)


def make(worker: Any) -> Horse | None:
    """What horses of a worker have at hand; None when each job is to take the long way."""
    try:
        return Horse(worker) if is_possible(worker) else None
    except Exception as error:  # a serializer that does not take the example: jobs run all the same
        worker.log.debug('Worker %s: its jobs take the long way: %s', worker.name, error)
        return None


def brief_of(running: Running) -> dict[str, Any] | None:
    """What a horse must know of a plain job; None for one that is not."""
    job = running.job
    if (
        job._data is UNEVALUATED
        or job._broken
        or job.retry_policy is not None
        or job._success_callback_name
        or job.webhooks
    ):
        return None
    if running.keeps_output or running.failure is not None or not running.raw or job._ahead is None:
        return None
    call = job.data
    if len(call) > MOST_BYTES:
        return None
    timeout = DEFAULT_TIMEOUT if job.timeout is None else job.timeout
    return {
        'call': call, 'timeout': timeout, 'lease': tuple(running.lease), 'queue': running.queue.name,
        'raw': running.raw, 'ahead': job._ahead,
    }  # fmt: skip


def settle(worker: Any, running: Running, message: dict[str, Any]) -> Settlement:
    """In the worker: the success that a horse has told of, as `handle_job_success` would have it there."""
    job = running.job
    try:
        job.started_at, job.ended_at = (from_epoch(message[name] + job._ahead) for name in ('began', 'ended'))
        job.last_heartbeat = job.ended_at
        return success.of_success(job, running.lease, message['value'], worker.default_result_ttl)
    except Exception as error:
        failure = capture(error, retryable=False, job=job)
        return of_failure(job, running.lease, failure, failure.full_text)


# --- in the horse -------------------------------------------------------------------------------------------------


class Course:
    """One job on its way."""

    def __init__(self, brief: dict[str, Any], job_of: Callable[[dict[str, Any]], Any]) -> None:
        self.brief, self._job_of = brief, job_of
        self.began = self.ended = 0.0
        self.called = False
        self.call: Any = None
        self.value: Any = None
        self.later = context.Later(self.make)

    def make(self) -> Any:
        """The job, when somebody asks."""
        job, brief = self._job_of(self.brief), self.brief
        job._ahead = brief['ahead']
        job.started_at = job.last_heartbeat = from_epoch(self.began + job._ahead)
        job._called = self.called
        if self.call is not None:
            job._func_name, job._instance, job._args, job._kwargs = self.call
        return job

    def over_again(self, job: Any, failed: BaseException | None) -> Callable[[], Any]:
        """What the function returned or raised, once more: for the long way from there."""

        def outcome() -> Any:
            if failed is not None and not self.ended:
                raise failed
            job._result = self.value
            return self.value

        return outcome

    def is_plain(self, packed: bytes | None) -> bool:
        """Whether nothing has happened that the worker's books do not foresee."""
        asks_again = isinstance(self.value, Retry)
        return not asks_again and self.later.made is None and len(packed or b'') <= MAX_PAYLOAD_BYTES

    def _load(self, serializer: Any) -> Any:
        try:
            name, instance, args, kwargs = serializer.loads(self.brief['call'])
            return str(name), instance, args, kwargs
        except BaseTimeoutException:
            raise  # a payload that takes too long to load is not a broken one
        except Exception as error:
            raise undecodable(self.brief['lease'][0], error) from error

    def run(self, worker: Any) -> bytes | None:
        """Call; what the function gave stays in `value`, the answer is how it is stored."""
        brief, home = self.brief, os.getpid()
        token = context.enter(self.later)
        self.began = time.monotonic()
        try:
            with UnixSignalDeathPenalty(brief['timeout'], JobTimeoutException, job_id=brief['lease'][0]):
                name, instance, args, kwargs = self.call = self._load(worker.serializer)
                function = import_attribute(name) if instance is None else getattr(instance, name)
                self.called = True
                value = function(*args, **kwargs)
                self.value = context.outcome_of(value) if type(value) is CoroutineType else value
        finally:
            if os.getpid() != home:
                os._exit(0)  # a forked descendant fell out of the function: it has no say in the outcome
            context.leave(token)
        self.ended = time.monotonic()  # a failure from here on is none of the function
        return None if self.value is None else bytes(worker.serializer.dumps(self.value))


class _Nobody:
    """Hears what is said in a rehearsal."""

    def send(self, message: dict[str, Any]) -> None:
        frame(message)

    def say(self, message: dict[str, Any]) -> None:
        frame(message)


class Horse:
    """What a horse that waits has at hand."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        # what the job's module may replace while it is imported; what comes before the call is over then
        self._seams = worker.handle_job_success, worker.handle_execution_ended, worker.leave_job
        self._example = frame({
            'call': worker.serializer.dumps(('builtins.abs', None, (1,), {})), 'timeout': DEFAULT_TIMEOUT,
            'lease': ('rehearsal', 'rehearsal', 'default', worker.name), 'queue': 'default', 'raw': {}, 'ahead': 0.0,
        })  # fmt: skip

    def rehearse(self, reporter: Reporter | None = None) -> None:
        """Touch what a job will touch, so that those pages are copied before a job waits; with a reporter all of it."""
        brief = Frames().feed(self._example)[0]
        try:
            if reporter is not None:
                self._mount(brief)
            self._run(Course(brief, self._job_of), reporter or _Nobody())
        except Exception as error:
            self._worker.log.debug('Worker %s: the rehearsal of a horse failed: %s', self._worker.name, error)

    def ride(self, brief: dict[str, Any], reporter: Reporter) -> None:
        """Perform the job of a brief."""
        self._mount(brief)
        course = Course(brief, self._job_of)
        try:
            is_over = self._run(course, reporter)
        except ColdShutdown:
            raise
        except BaseException as error:
            self._go_on(course, reporter, error)
        else:
            if not is_over:
                self._go_on(course, reporter, None)

    def _mount(self, brief: dict[str, Any]) -> None:
        self._worker.procline(f'Running job {brief["lease"][0]} from {brief["queue"]}')
        eras.restack((*eras.stacked(), self._worker.connection))  # as `eras.serving`, for the whole life of the horse

    def _run(self, course: Course, reporter: Reporter | _Nobody) -> bool:
        """Call and tell; False when the long way is to be taken from there."""
        worker = self._worker
        timeouts.tell_where = lambda frame: reporter.say({'do': 'words', 'text': last_words(frame)})
        os.environ['RQ_JOB_ID'] = course.brief['lease'][0]
        packed = course.run(worker)
        seams = worker.handle_job_success, worker.handle_execution_ended, worker.leave_job
        if not course.is_plain(packed) or seams != self._seams:
            return False
        plug_streams()
        try:
            reporter.send({'do': 'value', 'value': packed, 'began': course.began, 'ended': course.ended})
        except OSError:
            return False  # the worker has gone: we write it ourselves
        return True

    def _job_of(self, brief: dict[str, Any]) -> Any:
        job = riding.job_of(self._worker, {'state': b'', 'raw': brief['raw']}, Lease(*brief['lease']))
        if self._worker.default_retry is not None:
            job._default_retry = self._worker.default_retry
        return job

    def _go_on(self, course: Course, reporter: Reporter, error: BaseException | None) -> None:
        """By the long way, from what the function returned or raised."""
        worker, brief = self._worker, course.brief
        job = course.later.job()
        job._called = course.called
        riding.mount(worker, reporter)
        execution = riding.take_over(worker, Lease(*brief['lease']))
        try:
            queue, outcome = worker.queue_named(brief['queue']), course.over_again(job, error)
            steps.finish(job, queue, execution, outcome, cast(Hooks, worker))
            worker.leave_job(job)
        except Exception as unforeseen:
            worker.tell_end(job, unforeseen)
            raise SystemExit(1) from None
