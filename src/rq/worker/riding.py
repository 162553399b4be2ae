"""What a horse does once it is told: run the job, or take the steps of a failure. And the same in the worker itself."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from typing import Any

from rq import timeouts
from rq.executions import Execution
from rq.executors.base import Running
from rq.executors.horse import Frames, Reporter, frame
from rq.executors.outbox import Piped
from rq.failure import steps
from rq.failure.capture import Kind
from rq.failure.last_words import last_words
from rq.perform import output, success
from rq.rules.keeping import OUTPUT, keeps
from rq.rules.lease import Lease
from rq.rules.names import import_attribute
from rq.rules.status import JobStatus
from rq.timeouts import BaseTimeoutException, JobTimeoutException
from rq.utils import now
from rq.worker.plain import is_ours

_EXAMPLE = 'rq.worker.rehearsed'
_HARMFUL = (BaseTimeoutException, MemoryError)


def mount(worker: Any, reporter: Reporter) -> None:
    """In a horse: what the worker was to its own process is over, outcomes go to the parent."""
    worker._is_horse = True
    worker._horse_pid = os.getpid()
    worker._loop = None
    worker.executions.clear()  # inherited from the parent, as it was at the fork
    worker.leases.clear()
    timeouts.tell_where = lambda frame: reporter.say({'do': 'words', 'text': last_words(frame)})
    worker.outbox = Piped(reporter, worker.direct_outbox(), at_once=not is_ours(worker, 'perform_job'))


def brief_of(running: Running) -> dict[str, Any]:
    """What a horse must know of its job: the worker has read the record already, so its plain values go along."""
    try:
        state = pickle.dumps(running.job.state(), protocol=5)
    except Exception:
        state = b''  # a job class with attributes of its own that do not travel: the horse reads the record itself
    lease = running.lease
    return {'lease': tuple(lease), 'queue': running.queue.name, 'state': state, 'raw': {} if state else running.raw}


#: of job classes whose horses are forked: what a new job says of itself, so that a brief need not
_blanks: dict[type[Any], dict[str, Any]] = {}
_PLAIN = (type(None), bool, int, float, str)


def short_brief_of(running: Running) -> dict[str, Any]:
    """The same for a horse that was forked after `rehearsal`: most of a job is as in every other one."""
    job = running.job
    blank = _blanks.get(type(job))
    if blank is None or not blank.keys() <= vars(job).keys():
        return brief_of(running)
    plain, lazy = job.state()
    try:
        known = {name: value for name, value in plain.items() if name not in blank or value is not blank[name]}
        state = pickle.dumps((known, lazy), protocol=5)
    except Exception:
        return brief_of(running)
    return {'lease': tuple(running.lease), 'queue': running.queue.name, 'state': state, 'raw': {}, 'is_short': True}


def job_of(worker: Any, brief: dict[str, Any], lease: Lease) -> Any:
    """The job of a brief, as it was claimed."""
    job_class = worker.job_class
    if brief['state']:
        job = job_class.__new__(job_class)
        if 'is_short' in brief:
            job.__dict__.update(_blanks[job_class])
        job.connection, job.serializer = worker.connection, worker.serializer
        job.adopt_state(*pickle.loads(brief['state']))
        return job
    job = job_class(connection=worker.connection, serializer=worker.serializer)
    job._id = lease.job_id
    job.restore_claimed(brief['raw'])
    job.origin, job._status, job.worker_name = lease.queue, JobStatus.STARTED, worker.name
    job.started_at = now()
    return job


def rehearsal(worker: Any) -> Callable[[Reporter | None], None]:
    """What a waiting horse does: touch what a job will touch, so that those pages are copied before a job waits.

    A fork shares memory until it is written; these page faults were 1.2 of 2.1 ms from brief to report. No seam that
    others replace is called, and nothing is sent.
    """
    lease = Lease('rehearsal', 'rehearsal', 'default', worker.name)
    try:
        brief = frame({'state': _rehearsed(worker)})
    except Exception as error:  # a serializer or job class that does not take the example: jobs run all the same
        worker.log.debug('Worker %s: horses wait without a rehearsal: %s', worker.name, error)
        return lambda reporter: None

    def rehearse(reporter: Reporter | None) -> None:
        try:
            job = job_of(worker, Frames().feed(brief)[0], lease)
            with worker.death_penalty_class(180, JobTimeoutException, job_id=job.id):
                value = job.func(*job.args, **job.kwargs)
            frame(success.of_success(job, lease, success.dump_result(job, value), 500).pack())
        except Exception as error:
            worker.log.debug('Worker %s: the rehearsal of a horse failed: %s', worker.name, error)

    return rehearse


def practise(worker: Any) -> None:
    """What a waiting horse does while there is time: import a small module from its file, as most jobs begin."""
    sys.modules.pop(_EXAMPLE, None)
    try:
        import_attribute(f'{_EXAMPLE}.price')
    except Exception as error:
        worker.log.debug('Worker %s: a horse cannot practise: %s', worker.name, error)
    sys.modules.pop(_EXAMPLE, None)


def _rehearsed(worker: Any) -> bytes:
    template = worker.job_class(connection=worker.connection, serializer=worker.serializer)
    template._id = 'rehearsal'
    template.data = worker.serializer.dumps(('builtins.abs', None, (1,), {}))
    template.started_at = template.ended_at = now()
    same = {name: value for name, value in vars(template).items() if type(value) in _PLAIN}
    _blanks.setdefault(worker.job_class, same)  # horses of an earlier worker may live
    template._before = template.snapshot()
    return pickle.dumps(template.state(), protocol=5)


def ride_job(worker: Any, brief: dict[str, Any], reporter: Reporter) -> bool:
    """In a horse that does one job: take that of the brief and perform it."""
    mount(worker, reporter)
    worker.main_work_horse(*_taken(worker, brief, reporter))  # ours does not return, an override may
    return False


def ride_on(worker: Any, brief: dict[str, Any], reporter: Reporter) -> bool:
    """The same in a horse that is used again; whether it may be."""
    if worker._loop is not None:
        mount(worker, reporter)
        tell = timeouts.tell_where
        timeouts.tell_where = lambda frame: _struck(worker, tell, frame)
    worker._was_struck = False
    job, queue = _taken(worker, brief, reporter)
    if not worker._ride(job, queue):
        raise SystemExit(1)
    worker.forget_execution(brief['lease'][1])
    return not worker._was_struck and _ended_well(job._failure)


def _struck(worker: Any, tell: Any, frame: Any) -> None:
    worker._was_struck = True
    tell(frame)


def _ended_well(failure: Any) -> bool:
    """An ordinary exception does no harm to the process; who was interrupted may have left anything half done."""
    if failure is None or failure.live is None:
        return failure is None or failure.kind is not Kind.TIMED_OUT
    ended_by = failure.live[0]
    return issubclass(ended_by, Exception) and not issubclass(ended_by, _HARMFUL)


def _taken(worker: Any, brief: dict[str, Any], reporter: Reporter) -> tuple[Any, Any]:
    lease = Lease(*brief['lease'])
    job = job_of(worker, brief, lease)
    take_over(worker, lease)
    if keeps(OUTPUT, job, worker):
        output.share(worker, reporter)
    return job, worker.queue_named(brief['queue'])


def take_over(worker: Any, lease: Lease) -> Execution:
    """In a horse: the execution is this one's."""
    execution = Execution(lease.execution, lease.job_id, worker.connection, worker.name)
    worker.executions[lease.execution] = execution
    worker.leases[lease.execution] = lease
    worker.ring = None
    return execution


def ride_failure(worker: Any, running: Running, reporter: Reporter) -> None:
    """In a fresh horse: the steps of a failure whose process is gone."""
    mount(worker, reporter)
    worker.executions[running.lease.execution] = running.execution
    fail_here(worker, running)


def run_here(worker: Any, running: Running) -> None:
    """In the worker itself: perform the job."""
    worker.leases[running.lease.execution] = running.lease
    worker.ring = None  # that of the job before
    worker._is_horse = True  # it is the process that runs the job, while it runs it
    try:
        worker.call_perform_job(running.job, running.queue, running.execution)
    finally:
        worker._is_horse = False


def fail_here(worker: Any, running: Running) -> None:
    """In this process: the steps of a failure."""
    worker.leases[running.lease.execution] = running.lease
    worker.told = running.told - 1
    failure: Any = running.failure
    steps.run(running.job, running.queue, running.execution, failure, worker)
