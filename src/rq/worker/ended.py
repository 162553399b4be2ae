"""Executions that ended without a word of their own: killed, overdue, stopped, or left behind by a lost worker.

They take the steps of any failure: in a fresh horse when user code is to be told, right here when there is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rq.defaults import KILL_GRACE, MAX_START_BACKOFF
from rq.executors.base import Ended, Running
from rq.failure import capture
from rq.failure.handlers import EVERYBODY, fenced, heard_by
from rq.failure.notify import Settlement
from rq.failure.outcome import of_failure
from rq.perform.output import left_in
from rq.rules.watch import Watched, Why
from rq.timeouts import JobTimeoutException
from rq.worker.short import Brief

KILLED_HANDLER, ON_STOPPED = 'work_horse_killed_handler', 'The on_stopped callback'
GIVEN_UP = 'it was given up: what it still does counts for nothing'
TELL_AT_MOST = 2  # how often a listener is told of one attempt, when the process that runs it dies


def handed_back(running: Running) -> Settlement:
    """Back to the front of the queue, uncharged."""
    if isinstance(running, Brief):
        return Settlement('release', running.lease)  # also by a thread that is not to touch its object
    return of_failure(running.job, running.lease, capture.interrupted(), '')


def could_not_start(loop: Any, running: Running, error: OSError) -> None:
    """No process can be made: the job goes back, uncharged, for others who can, and this worker waits a little."""
    pause, loop.start_pause = loop.start_pause, min(loop.start_pause * 2, MAX_START_BACKOFF)
    loop.stuck_at = time.monotonic()
    words = 'Worker %s: cannot start a work horse (%s); the job goes back, the next one is tried in %d s'
    loop.worker.log.error(words, loop.worker.name, error, pause)
    loop.outbox.emit(handed_back(running))
    loop.forget(running)
    loop.talk.settle(loop.outbox.waiting)
    until = time.monotonic() + pause
    while time.monotonic() < until and not loop.is_leaving():
        loop.attend(1.0)


def announce_kill(worker: Any, running: Running, why: Why) -> None:
    """Say why an execution is about to be killed."""
    words = {
        Why.OVERDUE: f'exceeded its time{" in its " + running.watch.phase if running.watch.phase else ""}, killing it',
        Why.STOPPED: 'is stopped by command',
        Why.LOST: 'is no longer ours (canceled, deleted or taken over), ending it',
        Why.INTERRUPTED: 'has used up the grace of the shutdown, handing it back',
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
    elif why is Why.INTERRUPTED:
        interrupt(loop, running)
    elif ended.orphaned:
        loop.abandon(running)
    elif why is Why.STOPPED or worker._stopped_job_id == running.lease.job_id:
        stopped(loop, running)
    elif running.failure is not None:
        if (why is Why.OVERDUE and running.watch.phase) or running.told >= TELL_AT_MOST:
            _pass_over(running, why)
        resume(loop, running)  # it died while somebody was told of a failure: that failure goes on
    else:
        _killed(loop, ended, why)
    worker.log.debug('Worker %s: horse %s ended with raw status %s', worker.name, ended.pid, ended.raw_status)


def _killed(loop: Any, ended: Ended, why: Why | None) -> None:
    running, worker = ended.running, loop.worker
    job, watched = running.job, running.watch
    if why is Why.OVERDUE:
        failure = capture.overdue(job.timeout, watched.phase, *([] if loop.executor.lease_seconds else [GIVEN_UP]))
        failure.attached += [running.words] if running.words else []
    else:
        failure = capture.killed(ended.raw_status, ended.rusage.ru_maxrss if ended.rusage else None)
        if watched.phase == capture.ON_SUCCESS:  # the work was done, and must not be done again
            failure.retryable = False
            failure.attached.append('It died in its on_success callback, so it is not tried again')
    failure.host, failure.pid = worker.hostname or '', ended.pid
    failure.output = left_in(running.ring)
    # "lost" also means that the horse settled over a connection of its own: then there is nothing to tell
    if not loop.note(running.lease, failure, 0):
        loop.forget(running)
        return
    job.ended_at = job._moment()
    running.failure = failure

    def tell() -> None:
        with worker.death_penalty_class(worker.handler_timeout, JobTimeoutException, job_id=job.id):
            worker.handle_work_horse_killed(job, ended.pid, ended.raw_status, ended.rusage)

    if loop.executor.lease_seconds:  # else there was no horse
        _in_main_thread(loop, worker.handler_timeout, lambda: fenced(KILLED_HANDLER, failure, tell, worker.log, job))
    resume(loop, running)


def _in_main_thread(loop: Any, seconds: float, tell: Callable[[], Any]) -> None:
    """User code that nobody can kill: if it takes no notice of its limit, our leases run out and others go on."""
    loop.inbox.telling_until = time.monotonic() + seconds + KILL_GRACE
    try:
        tell()
    finally:
        loop.inbox.telling_until = 0.0


def _pass_over(running: Running, why: Why | None) -> None:
    """A listener that took no notice of its limit, or died again, is not told once more; those after it are."""
    failure: Any = running.failure
    how = 'did not end in its time, so its process was killed' if why is Why.OVERDUE else 'ended its process, twice'
    failure.attached.append(f'The {running.watch.phase} {how}')
    failure.heard = max(failure.heard, heard_by(running.watch.phase))
    running.told = 0


def left_in_handlers(loop: Any, running: Running) -> None:
    """Of a worker of 0.x: the failure was written before its handlers, and they did not come to their end."""
    failure: Any = running.failure or running.job._failure
    if failure is not None:
        fenced('Storing a failure', None, lambda: loop.worker.left_in_handlers(running.job, failure), loop.worker.log)
    loop.forget(running)


def stopped(loop: Any, running: Running) -> None:
    """Stopped on purpose: its on_stopped is told, then that is recorded."""
    worker, job = loop.worker, running.job
    running.failure = failure = capture.stopped()
    failure.output = left_in(running.ring)
    if not loop.note(running.lease, failure, 0):
        loop.forget(running)
        return

    def tell() -> None:
        job.execute_stopped_callback(worker.death_penalty_class)

    _in_main_thread(loop, job.stopped_callback_timeout, lambda: fenced(ON_STOPPED, failure, tell, worker.log, job))
    settle_quietly(loop, running)


def resume(loop: Any, running: Running) -> None:
    """Go on with a failure whose process is gone: tell in a fresh horse, or settle when there is nobody to tell."""
    failure: Any = running.failure
    if running.told >= TELL_AT_MOST and failure.heard < EVERYBODY:
        running.told, failure.heard = 0, EVERYBODY  # they died with the chain; who waits for the end has not heard
    if running.told >= TELL_AT_MOST or not loop.worker.has_listeners(running.job, failure):
        settle_quietly(loop, running)
        return
    running.told += 1
    running.watch = Watched()
    try:
        loop.executor.resume(running)
    except OSError as error:
        # whoever can, we ourselves perhaps, takes it over with its note and tells
        loop.worker.log.error('Worker %s: no process to run the handlers in: %s', loop.worker.name, error)
        loop.forget(running)
        loop.let_expire([running])


def interrupt(loop: Any, running: Running) -> None:
    """The worker must leave: the job goes back; but a failure at hand is the outcome, told to the end or not."""
    if running.failure is not None:
        settle_quietly(loop, running)
        return
    loop.outbox.emit(handed_back(running))
    loop.forget(running)


def settle_quietly(loop: Any, running: Running) -> None:
    """Decide and write, with nobody to tell."""
    failure: Any = running.failure
    running.job._failure = failure
    registry = running.queue.started_job_registry
    loop.worker.handle_job_failure(running.job, running.queue, registry, failure.full_text, running.execution)
    loop.forget(running)
