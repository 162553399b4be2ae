"""The short way of a plain job in the worker itself: load, call, dump. Its object is made when somebody asks for it.

Plain is a job whose record says nothing unusual, of a worker none of whose parts is somebody else's. What turns out
unusual while it runs goes on by the long way, from the point it has reached, as in `swift`.
"""

from __future__ import annotations

import logging
import operator
import re
import time
from collections.abc import Callable
from typing import Any, cast

from rq import eras
from rq.exceptions import ColdShutdown
from rq.executors.base import Running
from rq.failure.notify import Settlement
from rq.job import Job
from rq.perform import steps
from rq.rules.keeping import OUTPUT, kept
from rq.rules.lease import Lease, own_process_seconds
from rq.rules.watch import Watched
from rq.store import codec
from rq.store.claim import Claimed
from rq.timeouts import UnixSignalDeathPenalty
from rq.types import Hooks
from rq.worker import plain, swift, taken
from rq.worker.short_failure import ShortFailures

#: who overrides or replaces one of these is asked for each job
_OF_WORKER = (
    'perform_job', 'prepare_job_execution', 'handle_execution_ended', 'call_perform_job', '_emit', '_lease',
    'execution_of', 'handle_job_success', 'handle_job_retry', 'announce_job', 'execute_job', 'prepare_execution',
    'forget_execution', 'procline',
)  # fmt: skip
_NAMES = frozenset(_OF_WORKER)
_worker_parts: Callable[[Any], tuple[Any, ...]] = operator.attrgetter(*_OF_WORKER)
_TIME = re.compile(rb'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z').fullmatch
_SECONDS = re.compile(rb'[1-9]\d{0,8}').fullmatch
_WHOLE = re.compile(rb'-?\d{1,9}').fullmatch
_LIST = re.compile(rb'\[(\d{1,9}(,\d{1,9})*)?\]').fullmatch
_FLAG = re.compile(rb'[01]').fullmatch
_ANY: Callable[[bytes], Any] = lambda value: True  # noqa: E731
#: what may stand in a plain record; other fields that jobs have are looked at by the long way
_PLAIN: dict[bytes, Callable[[bytes], Any]] = {
    **dict.fromkeys((b'created_at', b'enqueued_at', b'started_at', b'ended_at', b'last_heartbeat'), _TIME),
    **dict.fromkeys(
        (b'origin', b'description', b'worker_name', b'group_id', b'enqueued_from', b'by', b'copy_of'), _ANY
    ),
    b'timeout': _SECONDS,
    **dict.fromkeys((b'result_ttl', b'failure_ttl', b'retries_left', b'number_of_retries'), _WHOLE),
    b'retry_intervals': _LIST,
    b'enqueue_at_front_on_retry': _FLAG,
}
_UNUSUAL = frozenset(name.encode() for name in codec.field_names()) - _PLAIN.keys()


class Brief(Running):
    """A plain job that was claimed: `job` and `execution` are there once somebody has asked for one of them."""

    call: bytes
    timeout: int
    result_ttl: int
    ahead: float  # of the server's clock, seconds
    unfold: Callable[[Brief], None]

    def __init__(self, claimed: Claimed, queue: Any, lease: Lease, begun: bool) -> None:
        self.claimed, self.queue, self.lease, self.raw, self.begun = claimed, queue, lease, claimed.raw, begun
        self.watch = Watched()

    def __getattr__(self, name: str) -> Any:
        if name not in ('job', 'execution'):
            raise AttributeError(name)
        self.unfold(self)
        return self.__dict__[name]

    @property
    def description(self) -> str:
        """What the job is called, as the log has it."""
        return self.raw.get(b'description', b'')[:4000].decode('utf-8', errors='backslashreplace')


def is_possible(worker: Any) -> bool:
    """Whether nobody but us has a part in how a job that succeeds goes through this worker."""
    if worker.job_class is not Job or worker.death_penalty_class is not UnixSignalDeathPenalty:
        return False
    return swift.is_job_ours() and all(plain.is_ours(worker, name) for name in _OF_WORKER)


class ShortWay:
    """That of one loop whose executor is inline."""

    def __init__(self, loop: Any) -> None:
        self._loop, self._worker = loop, loop.worker
        self._keeps_output = OUTPUT in kept(loop.worker.keep_on_failure)
        stand_ins = (getattr(getattr(type(self._worker), name), 'stands_for', None) for name in _OF_WORKER)
        self._classes = {type(self._worker), *(cls for cls in stand_ins if isinstance(cls, type))}
        self._seen: tuple[Any, ...] = (None,)  # other than any
        self._is_open = self._has_just_asked = False
        self._failures = ShortFailures(loop.worker)

    def is_open(self) -> bool:
        """Asked for each job: whether still nobody else has a part in it, perhaps since the last one."""
        if not (_NAMES.isdisjoint(vars(self._worker)) and all(map(operator.is_, self._parts(), self._seen))):
            self._seen = self._parts()
            self._is_open = not self._keeps_output and is_possible(self._worker)
        return self._is_open

    def is_open_for_next(self) -> bool:
        """The same for what was claimed; right behind a job whose end has asked it is known."""
        known, self._has_just_asked = self._has_just_asked, False
        return self._is_open if known else self.is_open()

    def _parts(self) -> tuple[Any, ...]:
        parts = swift.job_parts(Job)
        for cls in self._classes:
            parts += _worker_parts(cls)
        return parts

    def brief_of(self, claimed: Claimed, queue: Any, begun: bool) -> Brief | None:
        """What is to be known of a plain job; None for one that is not."""
        raw = claimed.raw
        for name, value in raw.items():
            fits = _PLAIN.get(name)
            if value and (name in _UNUSUAL if fits is None else not fits(value)):
                return None
        call, origin = raw.get(b'data'), raw.get(b'origin')
        if not call or not origin:
            return None
        worker, timeout, ttl = self._worker, raw.get(b'timeout'), raw.get(b'result_ttl')
        seconds = int(timeout) if timeout else steps.DEFAULT_TIMEOUT
        held = own_process_seconds(seconds)
        lease = Lease(claimed.job_id, claimed.execution, origin.decode(), worker.name, held * 1000, held)
        brief = Brief(claimed, queue, lease, begun)
        brief.call, brief.timeout, brief.ahead = codec.decompress(call), seconds, claimed.at - time.monotonic()
        brief.result_ttl = int(ttl) if ttl else worker.default_result_ttl
        brief.unfold = self._unfold
        return brief

    def _unfold(self, brief: Brief) -> None:
        worker = self._worker
        whole = taken.of_claim(worker, 0, brief.claimed, brief.begun, brief.queue)
        whole = brief.__dict__.setdefault('whole', whole)  # another thread may ask at the same time
        whole.job._ahead = brief.ahead
        if worker.default_retry is not None:
            whole.job._default_retry = worker.default_retry
        brief.execution, brief.job = whole.execution, whole.job
        if not brief.ended:
            worker.executions[brief.lease.execution], worker.leases[brief.lease.execution] = (
                brief.execution,
                brief.lease,
            )

    def carry_out(self, brief: Brief) -> None:
        """One job, from the announcement to its settlement."""
        loop, worker = self._loop, self._worker
        job_id = brief.lease.job_id
        worker.procline(f'Running {job_id} from {brief.queue.name}')
        if worker.log.isEnabledFor(logging.INFO):
            worker.say_begun(brief.queue, job_id, brief.description)
        if (brief.is_doubtful or loop._was_away(brief)) and not loop._is_held(brief):
            loop.forget(brief)
            return
        loop.begins(brief)
        call = {'call': brief.call, 'timeout': brief.timeout, 'lease': brief.lease, 'ahead': brief.ahead}
        course = swift.Course(call, lambda _: brief.job)
        with loop.executor.user_code():
            self._ride(brief, course)
        loop.forget(brief)
        loop.attend(0)  # in a batch others wait, who may have been stopped or canceled meanwhile

    def _ride(self, brief: Brief, course: swift.Course) -> None:
        worker, before = self._worker, eras.stacked()
        worker.ring = None  # that of the job before
        failed: BaseException | None = None
        try:
            eras.restack((*before, worker.connection))
            worker._is_horse = True  # it is the process that runs the job, while it runs it
            packed = course.run(worker)
            self._has_just_asked = self.is_open()
            if course.is_plain(packed) and self._is_open:
                self._succeed(brief, course, packed)
                return
        except ColdShutdown:
            raise
        except BaseException as error:
            failed = error
        finally:
            eras.restack(before)
            worker._is_horse = False
        self._go_on(brief, course, failed)

    def _succeed(self, brief: Brief, course: swift.Course, packed: bytes | None) -> None:
        began, ended = round(course.began + brief.ahead, 6), round(course.ended + brief.ahead, 6)
        times = began, ended, round(ended - began, 6)
        words: dict[str, Any] = {'result_ttl': brief.result_ttl, 'value': packed, 'times': times, 'fields': {}}
        self._worker.outbox.emit(Settlement('finish', brief.lease, words, brief.description[:1000]))

    def _go_on(self, brief: Brief, course: swift.Course, failed: BaseException | None) -> None:
        """By the long way, from what the function returned or raised, unless that was a usual failure."""
        if failed is not None and self._failures.settle(brief, course, failed):
            return
        worker, job = self._worker, course.later.job()
        job._called = course.called
        worker._is_horse = True
        try:
            outcome = course.over_again(job, failed)
            steps.finish(job, brief.queue, brief.execution, outcome, cast(Hooks, worker))
        finally:
            worker._is_horse = False
