"""The exception handlers of a worker, and the era it works by.

RQ 3.0 walks them in the order they were added, then stores the failure. For workers of 0.x ("era A") they are a stack
whose bottom, `move_to_failed_queue`, is what stores; and the failure is written before they run.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from rq import eras, stairs
from rq.executors.outbox import Outbox
from rq.failure import again, final
from rq.failure.capture import Failure
from rq.failure.handlers import EVERYBODY
from rq.failure.notify import Settlement
from rq.rules.lease import Lease
from rq.utils import ensure_job_list


class Chain:
    """Mixin of BaseWorker: where its connection and its handlers come from."""

    era: str | None = None
    connection: Any
    outbox: Any
    disable_default_exception_handler: bool
    _exc_handlers: list[Any]
    _pushed = 0

    # --- what makes a worker one of era A -----------------------------------------------------------------------

    def _begin(self, connection: Any, queues: Any, handlers: Any, exc_handler: Any) -> list[Any]:
        """What the constructor was given decides on the era; `exc_handler` is a word of 0.x. Returns the queues."""
        listed = ensure_job_list(queues)  # they may come from an iterator, and more than one of us looks at them
        self._connect(connection, listed)
        self._take_handlers(handlers, exc_handler)
        return listed

    def _connect(self, given: Any, queues: list[Any]) -> None:
        """The connection given, else that of the first queue, else of the stack; the last two may be of era A."""
        queue = next((one for one in queues if not isinstance(one, str)), None)
        if given is not None:
            self.connection = given
        elif queue is not None:
            self.connection, self.era = queue.connection, getattr(queue, 'era', None)
        else:
            missing = 'a Worker needs a connection: give connection=..., or queues that have one'
            self.connection, self.era = eras.at_hand(missing), eras.ERA_A

    def _take_handlers(self, given: Any, on_top: Any) -> None:
        if on_top is not None:
            stairs.tell_old('exc_handler=', 'exception_handlers=', stacklevel=6)
        handlers = [] if given is None else list(ensure_job_list(given))
        if on_top is not None or any(is_default(handler) for handler in handlers):
            self.era = eras.ERA_A
        if self.era and given is None and not self.disable_default_exception_handler:
            handlers = [stairs.default_handler()]
        self._exc_handlers = [_named(handler) for handler in handlers]
        if on_top is not None:
            self.push_exc_handler(on_top)

    def push_exc_handler(self, handler_func: Any) -> None:
        """Append an exception handler; on a worker of era A it comes first."""
        self._pushed += 1
        self._exc_handlers.insert(0 if self.era else len(self._exc_handlers), _named(handler_func))

    def pop_exc_handler(self) -> Any:
        """Remove and return the exception handler that was pushed last; without one, the last of the chain."""
        pushed, self._pushed = self._pushed > 0, max(self._pushed - 1, 0)
        return self._exc_handlers.pop(0 if self.era and pushed else -1)

    def _name_of_old(self) -> str:
        """How a worker without a name was called."""
        return f'{socket.gethostname().partition(".")[0]}.{os.getpid()}' if self.era else ''

    # --- the default handler ------------------------------------------------------------------------------------

    def move_to_failed_queue(self, job: Any, *exc_info: Any) -> None:
        """The default exception handler of 0.x: the failure is stored. Deprecated: that happens by itself."""
        stairs.default_handler()(job, *exc_info)

    @property
    def failed_queue(self) -> Any:
        """The failed queue of 0.x; deprecated: look into `queue.failed_job_registry`."""
        stairs.tell_old('worker.failed_queue', 'queue.failed_job_registry')
        return stairs.failed_queue(self.connection)

    # --- the order of effects -----------------------------------------------------------------------------------

    def takes_over(self, job: Any, queue: Any, execution: Any, failure: Failure) -> bool:
        """Whether this was a failure of era A, and all has been done: written first, then handlers, which may store it.

        Only with a live exception; killed and abandoned jobs, and those tried again, go the way of RQ 3.0.
        """
        worker: Any = self
        if not self.era or failure.exc_info[2] is None or again.follows(job, failure):
            return False
        early = self.outbox = Early(self.outbox, job)
        try:
            worker.handle_job_failure(job, queue, queue.started_job_registry, failure.full_text, execution)
        finally:
            self.outbox = early.outbox
        if early.is_ours:
            worker.handle_exception(job, *failure.exc_info)
            failure.retryable, failure.heard = False, EVERYBODY  # it is written: there is nothing to be noted any more
            final.tell(job, execution, failure, worker)
        self.outbox.done()
        return True

    def left_in_handlers(self, job: Any, failure: Failure) -> None:
        """The process of the handlers died, after the failure was written: it is stored as if they had fallen through.

        A failure that was told to nobody to the end must not vanish.
        """
        if any(is_default(handler) for handler in self._exc_handlers):
            job._failure = failure
            stairs.default_handler()(job, *failure.exc_info)


class Early:
    """An outbox whose failures are written at once, and not stored: that is the default handler's business."""

    def __init__(self, outbox: Outbox, job: Any) -> None:
        self.outbox, self.job = outbox, job
        self.is_ours = True

    def emit(self, settlement: Settlement) -> None:
        """Written now; when the execution is no longer ours, no handler hears of it."""
        if settlement.verb == 'fail':
            settlement.words['stored'] = False
        self.job._settled_execution = settlement.lease.execution
        self.is_ours = self.outbox.commit(settlement)

    def commit(self, settlement: Settlement) -> bool:
        """The same."""
        return self.outbox.commit(settlement)

    def note(self, lease: Lease, failure: Failure, told: int) -> bool:
        """As ever."""
        return self.outbox.note(lease, failure, told)

    def allow(self, seconds: float, phase: str) -> None:
        """As ever."""
        self.outbox.allow(seconds, phase)

    def done(self) -> None:
        """As ever."""
        self.outbox.done()


def is_default(handler: Any) -> bool:
    """Whether it is `move_to_failed_queue`, in any of its spellings."""
    if getattr(handler, '__name__', '') != 'move_to_failed_queue':
        return False
    home = str(getattr(handler, '__module__', ''))
    return home.partition('.')[0] == 'rq' or isinstance(getattr(handler, '__self__', None), Chain)


def _named(handler: Any) -> Any:
    """The method of a worker, or of the class, is the function; an override of it stays what it is."""
    ours = getattr(handler, '__func__', handler) is Chain.move_to_failed_queue
    return stairs.default_handler() if ours else handler
