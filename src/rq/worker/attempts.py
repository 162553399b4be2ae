"""One attempt at a job: its execution and lease, made by a claim or, for whoever calls these methods, on request."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import Any, cast
from uuid import uuid4

from rq import executions
from rq.executions import Execution
from rq.executors import tree
from rq.executors.horse import leave, plug_streams, take_default_signals
from rq.executors.outbox import Direct, Outbox, Piped
from rq.failure.capture import Kind, capture
from rq.failure.notify import Settlement
from rq.perform import steps
from rq.rules.lease import Lease
from rq.rules.status import JobStatus
from rq.store import keys, start
from rq.store.call import run
from rq.types import Hooks

_SHOWN = {'finish': JobStatus.FINISHED, 'fail': JobStatus.FAILED, 'stop': JobStatus.STOPPED}


def pass_execution(method: Callable[..., Any], job: Any, queue: Any, execution: Any) -> Any:
    """Call a seam that RQ 2 had without an execution, as its override wants to be called."""
    if takes_execution(method):
        return method(job, queue, execution)
    return method(job, queue)


def takes_execution(method: Callable[..., Any]) -> bool:
    """Whether a third argument can be given."""
    try:
        inspect.signature(method).bind(None, None, None)
    except TypeError:
        return False
    except ValueError:
        return True  # no signature to be had
    return True


def note_words(worker: Any) -> None:
    """Find out how `perform_job` wants to be called, before there are horses to find out each for itself."""
    worker._takes_execution = takes_execution(worker.perform_job)


class Attempts:
    """Mixin of BaseWorker."""

    name: str
    key: Any
    connection: Any
    queues: list[Any]
    log: Any
    outbox: Outbox
    executions: dict[str, Execution]
    leases: dict[str, Lease]
    prepared: set[str]
    job_monitoring_interval: int
    log_result_lifespan: bool
    _state: str
    _loop: Any
    _is_horse: bool
    _takes_execution: bool | None
    procline: Callable[[str], None]

    # --- which one ----------------------------------------------------------------------------------------------

    @property
    def execution(self) -> Any:
        """The execution at hand, or None."""
        return next(iter(self.executions.values()), None)

    @execution.setter
    def execution(self, execution: Any) -> None:
        if execution is not None:
            self.executions[execution.id] = execution
        elif len(self.executions) > 1:
            raise ValueError('several executions are under way: take the one that has ended out of worker.executions')
        else:
            self.executions.clear()

    def execution_of(self, job: Any) -> Any:
        """The latest execution of a job that is known here, or None."""
        return next((one for one in reversed(self.executions.values()) if one.job_id == job.id), None)

    def _lease(self, job: Any, execution: Any, queue: Any = None) -> Lease:
        execution = execution or self.execution_of(job)
        known = self.leases.get(execution.id) if execution else None
        if known is not None:
            return known
        origin = job.origin or (queue.name if queue is not None else '')
        if execution is None:
            lease = Lease(job.id, uuid4().hex, origin, self.name)
        else:
            lease = Lease(job.id, execution.id, origin, execution.worker_name or self.name)
        # An execution we were given to work on may have been canceled; one that nobody prepared is made now.
        if execution is None or execution.id not in self.executions:
            executions.take_lease(self.connection, job, lease, self.get_heartbeat_ttl(job))
        self.leases[lease.execution] = lease
        return lease

    # --- the seams, in their order ------------------------------------------------------------------------------

    def get_heartbeat_ttl(self, job: Any, working_time: float = 0.0) -> int:
        """For how long a sign of life of a job is good."""
        interval = float(self.job_monitoring_interval)
        if job.timeout and job.timeout > 0:
            interval = min(job.timeout - working_time, interval)
        return int(interval) + 60

    def prepare_execution(self, job: Any) -> Execution:
        """The execution that a claim made of a job; without a claim a new one. The worker is busy."""
        claimed = self._loop.claimed(job.id) if self._loop is not None else None
        if claimed is None:
            return executions.prepare_execution(self, job)
        self._loop.begins(claimed)
        execution: Execution = claimed.execution
        return execution

    def prepare_job_execution(self, job: Any, remove_from_intermediate_queue: bool = False) -> None:
        """The job begins here. The store knows it from the claim, if there was one."""
        execution = self.execution_of(job)
        if self._was_claimed(execution):
            job.started_at = job.last_heartbeat = job._moment()
            return
        lease = Lease(job.id, execution.id if execution else '', job.origin, self.name)
        list_key = self.queues[0].key if self.queues else keys.queue(job.origin)
        unlist = bool(remove_from_intermediate_queue)
        run(self.connection, start.start(lease, self.get_heartbeat_ttl(job), unlist, list_key))
        job.started_at = job.last_heartbeat = job._moment()
        job.worker_name = self.name
        job._status = job._stored_status = JobStatus.STARTED
        job._before = job._before or job.snapshot()  # what changes from here on is stored with the outcome

    def _settles_at_once(self) -> bool:
        """Whether outcomes go straight to the server: outside of a loop, and in horses that others forked."""
        return isinstance(getattr(self.outbox, 'outbox', self.outbox), Direct)  # within: that of a handler chain of 0.x

    def _was_claimed(self, execution: Any) -> bool:
        """Whether the parent, or this loop, told the store that the job is started."""
        if execution is None or self._settles_at_once():
            return False
        return execution.id in self.leases and execution.id not in self.prepared

    def perform_job(self, job: Any, queue: Any, execution: Any = None) -> bool:
        """Run one job completely, here; returns whether it succeeded."""
        execution = execution or self.execution_of(job) or self.prepare_execution(job)
        self.executions.setdefault(execution.id, execution)
        return steps.run(job, queue, execution, cast(Hooks, self))

    def call_perform_job(self, job: Any, queue: Any, execution: Any) -> bool:
        """`perform_job` as its override wants to be called; found out once, before there are horses."""
        if self._loop is None and not self._is_horse or self._takes_execution is None:
            note_words(self)
        perform: Any = self.perform_job
        return bool(perform(job, queue, execution) if self._takes_execution else perform(job, queue))

    def handle_execution_ended(self, job: Any, queue: Any, heartbeat_ttl: int) -> None:
        """The function has returned or raised."""
        if isinstance(self.outbox, Piped):
            plug_streams()
        job.ended_at = job._moment()
        if self._was_claimed(self.execution_of(job)):
            job.last_heartbeat = job.ended_at
        elif self.connection.exists(job.key):
            job.heartbeat(job.ended_at, heartbeat_ttl)

    def cleanup_execution(self, job: Any, pipeline: Any, execution: Any = None) -> None:
        """Remove an execution from all its places, in the given pipeline."""
        executions.cleanup_execution(self, job, pipeline, execution)

    def forget_execution(self, execution_id: str) -> None:
        """It is over here."""
        self.executions.pop(execution_id, None)
        self.leases.pop(execution_id, None)
        self.prepared.discard(execution_id)

    def _emit(self, job: Any, settlement: Settlement) -> None:
        """Settle; outside of a loop it is done now, and the objects at hand show it."""
        self.outbox.emit(settlement)
        if self._settles_at_once():
            pause = settlement.words.get('interval', settlement.words.get('repeat'))
            again = JobStatus.SCHEDULED if pause else JobStatus.QUEUED
            repeats = settlement.words.get('repeat') is not None
            job._status = job._stored_status = again if repeats else _SHOWN.get(settlement.verb, again)
            self.forget_execution(settlement.lease.execution)

    def direct_outbox(self) -> Direct:
        """Where outcomes go while there is no loop: to the server, at once."""
        return Direct(self.connection, self.log, self.name, lambda: self.log_result_lifespan, not self._is_horse)

    # --- in the horse -------------------------------------------------------------------------------------------

    def setup_work_horse_signals(self) -> None:
        """SIGINT is ignored, SIGTERM is the default. An executor gives its horses better ones at birth."""
        if not isinstance(self.outbox, Piped):
            take_default_signals()

    def enter_job(self, job: Any, queue: Any) -> None:
        """Environment and title of a process that runs a job."""
        os.environ['RQ_WORKER_ID'], os.environ['RQ_JOB_ID'] = self.name, job.id
        self.procline(f'Running job {job.id} from {queue.name}')

    def leave_job(self, job: Any) -> None:
        """The work of a job that timed out is over; what a finished job leaves behind may live on."""
        if job._failure is not None and job._failure.kind is Kind.TIMED_OUT:
            tree.kill_family(os.getpid())

    def main_work_horse(self, job: Any, queue: Any) -> None:
        """What a work horse does: signals and environment, then the job. Never returns."""
        code = 1
        try:
            self._is_horse = True
            if not isinstance(self.outbox, Piped):  # forked by somebody's `fork_work_horse`
                self.outbox, self._loop = self.direct_outbox(), None
            if self._ride(job, queue):
                code = 0
        finally:
            leave(code)

    def _ride(self, job: Any, queue: Any) -> bool:
        """In a work horse: signals and environment, then the job; False when the horse is to end as one that failed."""
        try:
            self.setup_work_horse_signals()
            self.enter_job(job, queue)
            self.call_perform_job(job, queue, self.execution_of(job) or self.execution)
            self.leave_job(job)
        except Exception as error:
            self.tell_end(job, error)
            return False
        return True

    def tell_end(self, job: Any, error: Exception) -> None:
        """A work horse ends by an error around its job: the log has it, its end is judged by the parent."""
        words = capture(error, job=job)
        what = f'{words.type_name}: {words.message}'
        self.log.error('Worker %s: the work horse of job %s ends: %s', self.name, job.id, what)
