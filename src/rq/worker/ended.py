"""Executions that ended without a word of their own: killed, overdue, stopped, or left behind by a lost worker.

They take the steps of any failure: in a fresh horse when user code is to be told, right here when there is none.
"""

from __future__ import annotations

from typing import Any

from rq.defaults import HANDLER_TIMEOUT
from rq.executors.base import Ended, Running
from rq.failure import capture
from rq.failure.handlers import fenced
from rq.failure.notify import Settlement
from rq.failure.outcome import of_failure
from rq.rules.watch import Watched, Why
from rq.timeouts import JobTimeoutException
from rq.utils import now

TELL_AT_MOST = 2  # how often the chain is begun for one attempt, when the process that runs it dies


def handed_back(running: Running) -> Settlement:
    """Back to the front of the queue, uncharged."""
    return of_failure(running.job, running.lease, capture.interrupted(), '')


def announce_kill(worker: Any, running: Running, why: Why) -> None:
    """Say why an execution is about to be killed."""
    words = {
        Why.OVERDUE: f'exceeded its time{" in its " + running.watch.phase if running.watch.phase else ""}, killing it',
        Why.STOPPED: 'is stopped by command',
        Why.LOST: 'is no longer ours (canceled, deleted or taken over), ending it',
    }
    worker.log.warning('Worker %s: job %s %s', worker.name, running.lease.job_id, words[why])


def died(loop: Any, ended: Ended) -> None:
    """Judge the end of a process that reported no outcome."""
    running, worker = ended.running, loop.worker
    why = running.watch.killed_for
    if running.settled:
        left_in_handlers(loop, running)
    elif why is Why.LOST:
        if running.job.rate_limit_key:
            loop.outbox.emit(handed_back(running))  # of this nothing is written, but its slot is free now
        loop.forget(running)
    elif ended.orphaned:
        loop.abandon(running)
    elif why is Why.STOPPED or worker._stopped_job_id == running.lease.job_id:
        _stopped(loop, running)
    elif running.failure is not None:
        resume(loop, running)  # it died while somebody was told of a failure: that failure goes on
    else:
        _killed(loop, ended, why)
    worker.log.debug('Worker %s: horse %s ended with raw status %s', worker.name, ended.pid, ended.raw_status)


def _killed(loop: Any, ended: Ended, why: Why | None) -> None:
    running, worker = ended.running, loop.worker
    job, watched = running.job, running.watch
    if why is Why.OVERDUE:
        failure = capture.overdue(job.timeout, watched.phase)
    else:
        failure = capture.killed(ended.raw_status, ended.rusage.ru_maxrss if ended.rusage else None)
    # "lost" also means that the horse settled over a connection of its own: then there is nothing to tell
    if not loop.note(running.lease, failure, 0):
        loop.forget(running)
        return
    job.ended_at = now()
    running.failure = failure

    def tell() -> None:
        with worker.death_penalty_class(HANDLER_TIMEOUT, JobTimeoutException, job_id=job.id):
            worker.handle_work_horse_killed(job, ended.pid, ended.raw_status, ended.rusage)

    fenced('work_horse_killed_handler', failure, tell, worker.log)
    resume(loop, running)


def left_in_handlers(loop: Any, running: Running) -> None:
    """Of a worker of 0.x: the failure was written before its handlers, and they did not come to their end."""
    failure: Any = running.failure or running.job._failure
    if failure is not None:
        fenced('Storing a failure', None, lambda: loop.worker.left_in_handlers(running.job, failure), loop.worker.log)
    loop.forget(running)


def _stopped(loop: Any, running: Running) -> None:
    worker, job = loop.worker, running.job
    running.failure = failure = capture.stopped()
    if not loop.note(running.lease, failure, 0):
        loop.forget(running)
        return

    def tell() -> None:
        job.execute_stopped_callback(worker.death_penalty_class)

    fenced('The on_stopped callback', failure, tell, worker.log)
    settle_quietly(loop, running)


def resume(loop: Any, running: Running) -> None:
    """Go on with a failure whose process is gone: tell in a fresh horse, or settle when there is nobody to tell."""
    if running.told >= TELL_AT_MOST or not loop.worker.has_listeners(running.job):
        settle_quietly(loop, running)
        return
    running.told += 1
    running.watch = Watched()
    try:
        loop.executor.resume(running)
    except OSError as error:
        loop.worker.log.error('Worker %s: no process to run the handlers in: %s', loop.worker.name, error)
        settle_quietly(loop, running)


def settle_quietly(loop: Any, running: Running) -> None:
    """Decide and write, with nobody to tell."""
    failure: Any = running.failure
    running.job._failure = failure
    registry = running.queue.started_job_registry
    loop.worker.handle_job_failure(running.job, running.queue, registry, failure.full_text, running.execution)
    loop.forget(running)
