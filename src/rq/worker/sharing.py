"""What a job that runs beside others in the worker's process needs of the worker: a copy of it as hooks, per slot."""

from __future__ import annotations

import copy
from typing import Any

from rq.connections import another, rebuild
from rq.defaults import SOCKET_TIMEOUT
from rq.executors.base import Running
from rq.executors.outbox import Direct
from rq.executors.pool import Craft, Pool
from rq.executors.slots import Ride, Slot, SlotOutbox
from rq.failure.capture import capture
from rq.perform import awaited
from rq.rules.payload import UNEVALUATED
from rq.rules.peek import quick_name
from rq.timeouts import TimerDeathPenalty, UnixSignalDeathPenalty
from rq.timers import SharedTimerDeathPenalty
from rq.worker import riding
from rq.worker.plain import is_ours

#: who has one of these for itself, on the worker or on the job, sees a thread that performs the job as always
_STEPS = ('perform_job', 'prepare_job_execution', 'handle_execution_ended', 'handle_job_success')
_CALLS = ('perform', '_execute')
_LARGE = 64 * 1024  # bytes of a payload that is not loaded on the event loop
_MOST_NAMES = 10_000


def make_pool(worker: Any, word: str, capacity: int) -> Pool:
    """The executor of the kinds *thread* and *async*."""
    known = _Known(worker)
    stall = _Stall(worker)
    craft = Craft(stall.slot, known.is_awaited, known.perform, riding.fail_here, _went_wrong, stall.close)
    return Pool(capacity, craft, capacity if word == 'thread' else 0)


class _Known:
    """Which functions are coroutine functions, as those who ran them found out. A wrong word costs a detour only."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._names: dict[bytes, bool] = {}
        self._seams: tuple[Any, ...] = ()
        self._are_ours = False

    def is_awaited(self, running: Running) -> bool:
        """Whether a job may begin on the event loop."""
        course = running.course
        if course is not None:
            return self._names.get(course.name) is True and len(course.brief['call']) <= _LARGE and course.is_open
        payload = running.job._data
        if type(payload) is not bytes or len(payload) > _LARGE or not self._names.get(quick_name(payload)):
            return False
        return running.execution.id not in self._worker.prepared and self._nobody_wraps(type(running.job))

    def _nobody_wraps(self, job_class: Any) -> bool:
        worker_class = type(self._worker)
        seams = (*(getattr(worker_class, name) for name in _STEPS), *(getattr(job_class, name) for name in _CALLS))
        if seams != self._seams:  # some come late: a job may import a tracer
            self._seams = seams
            self._are_ours = all(is_ours(self._worker, name) for name in _STEPS)
            self._are_ours = self._are_ours and all(is_ours(job_class, name) for name in _CALLS)
        return self._are_ours

    def perform(self, ride: Ride) -> bool:
        """In a thread: the short way, or the job as always; whether it is to be awaited on the event loop."""
        slot, running, course = ride.slot, ride.running, ride.course
        if course is not None and course.is_open:
            is_awaited = bool(course.perform(slot))
            if course.call is not None:
                self._learn(course.name, is_awaited)
            return is_awaited
        if course is not None:
            course.furnish(slot)
            ride.course = None
        job = running.job
        payload = job._data
        slot.hooks.call_perform_job(job, running.queue, running.execution)
        name = quick_name(payload) if type(payload) is bytes else b''
        if name and name not in self._names and job._func_name is not UNEVALUATED and job._called:
            self._learn(name, awaited.is_coroutine_function(job))
        return False

    def _learn(self, name: bytes, is_awaited: bool) -> None:
        if name and self._names.get(name) is not is_awaited:
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            self._names[name] = is_awaited


class _Stall:
    """Slots, and the connection over which they say what cannot wait for the loop."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._client = rebuild(worker.connection, socket_timeout=SOCKET_TIMEOUT)
        self._alone = Direct(
            self._client, worker.log, worker.name, lambda: bool(worker.log_result_lifespan), delivers=False
        )
        self._at_once = not is_ours(worker, 'perform_job')
        self._made = _client_of(worker)

    def slot(self) -> Slot:
        """A new one."""
        outbox = SlotOutbox(self._alone, self._at_once, self._worker.max_failed_jobs)
        return Slot(hooks_of(self._worker, outbox, self._made), outbox)

    def close(self) -> None:
        """Close that connection."""
        self._client.close()


def _client_of(worker: Any) -> Any:
    has_pool = hasattr(worker.connection, 'connection_pool')  # the client of a cluster has many, and stays as it is
    return rebuild(worker.connection, retries=True) if has_pool else None


def hooks_of(worker: Any, outbox: SlotOutbox, client: Any) -> Any:
    """The worker as a job in a slot sees it: it runs this job only, and its loop is somebody else's."""
    own = copy.copy(worker)
    own._loop, own._is_horse, own.beside_others = None, True, True
    own.executions, own.leases, own._stopped_job_id = {}, {}, None
    own.ring, own.told, own.outbox = None, 0, outbox
    if client is not None:
        own.connection = another(client)
    own.death_penalty_class = penalty_of(worker.death_penalty_class)
    return own


def penalty_of(cls: type[Any]) -> type[Any]:
    """Signals reach the main thread only; a class of somebody's own that works in any thread stays."""
    if issubclass(cls, UnixSignalDeathPenalty) or cls is TimerDeathPenalty:
        return SharedTimerDeathPenalty
    return cls


def _went_wrong(hooks: Any, running: Running, error: BaseException) -> None:
    """Code of a subclass raised around the job: the job's failure, with nobody to tell."""
    if hooks.outbox.ride.settlement is None and not running.settled:
        job, queue = running.job, running.queue
        job._failure = running.failure = capture(error, job=job)
        text = job._failure.full_text
        hooks.handle_job_failure(job, queue, queue.started_job_registry, text, running.execution)
