"""RQ 3.0's plain way of running a job: fork after the claim, wait, judge the exit. For those who override a part of it.

The same functions serve a program that calls these methods without `work()`. A horse of this kind settles over a
connection of its own; here it is known by `_horse_pid`, which is only ever an unreaped child's, under `horse_lock`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

from rq.exceptions import InvalidJobOperation
from rq.executors import horse, tree
from rq.failure import again, capture, final
from rq.failure.handlers import EVERYBODY, fenced
from rq.perform.output import Ring, left_in
from rq.rules.keeping import OUTPUT, keeps
from rq.rules.lease import Lease
from rq.rules.status import JobStatus
from rq.rules.timing import str_to_date
from rq.store import claim, keys
from rq.store.call import enqueue_on, is_weather
from rq.timeouts import HorseMonitorTimeoutException, JobTimeoutException, UnixSignalDeathPenalty
from rq.worker.attempts import pass_execution

#: who overrides one of these wants to be asked for each job
PARTS = ('fork_work_horse', 'main_work_horse', 'wait_for_horse', 'monitor_work_horse', 'kill_horse')
OVERDUE_GRACE = 60  # seconds beyond its timeout after which a horse is killed, as in RQ 3.0
NOBODY: tuple[int | None, int | None, Any] = (None, None, None)
_OURS = str(Path(__file__).parent.parent) + os.sep


def is_ours(holder: Any, name: str) -> bool:
    """Whether a method is as we wrote it: neither overridden in a subclass nor replaced or wrapped by anybody."""
    if name in getattr(holder, '__dict__', {}) and not isinstance(holder, type):
        return False
    found = getattr(holder if isinstance(holder, type) else type(holder), name)
    function = getattr(found, '__func__', found)  # of a class method
    return is_own(function)


def is_own(function: Any) -> bool:
    """Whether a function is one that we wrote, and wraps none but such."""
    if not (type(function) is FunctionType and function.__code__.co_filename.startswith(_OURS)):
        return False
    stands_for = getattr(function, 'stands_for', None)
    if isinstance(stands_for, type):  # the method of the same name of a class
        return is_ours(stands_for, function.__name__)
    return stands_for is None or is_own(stands_for)


def wants_plain(worker: Any) -> bool:
    """Whether each job is to be forked after its claim, because a part of that is somebody else's."""
    return not all(is_ours(worker, name) for name in PARTS if hasattr(worker, name)) or dequeues_itself(worker)


def dequeues_itself(worker: Any) -> bool:
    """Whether the queue class has a way of its own to take jobs."""
    return hasattr(worker.queue_class, 'dequeue_any') and not is_ours(worker.queue_class, 'dequeue_any')


# --- a horse --------------------------------------------------------------------------------------------------------


def execute(worker: Any, job: Any, queue: Any) -> None:
    """Prepare, fork, monitor, idle."""
    execution = worker.prepare_execution(job)
    try:
        worker.fork_work_horse(job, queue)
        pass_execution(worker.monitor_work_horse, job, queue, execution)
    finally:
        with worker.horse_lock:
            worker._stopped_job_id = None
            if worker._loop is None:
                worker.forget_execution(execution.id)
    _through(worker, lambda: worker.set_state('idle'))


def _through(worker: Any, action: Callable[[], Any]) -> Any:
    """In the loop an absent server is waited for; whoever calls us by hand hears of it."""
    return action() if worker._loop is None else worker._loop.talk.through(action)


def fork(worker: Any, job: Any, queue: Any) -> None:
    """A process that runs `main_work_horse`, in a process group of its own."""
    parent, is_main = os.getpid(), threading.current_thread() is threading.main_thread()
    worker.ring = Ring.anonymous() if keeps(OUTPUT, job, worker) else None
    pid = os.fork()
    if pid == 0:
        try:
            horse.own_group(0)
            if is_main:  # the death signal would come when the forking thread ends
                horse.end_with(parent)
                signal.set_wakeup_fd(-1)
            if worker._loop is not None:
                worker._loop.bell.close()
            worker._is_horse, worker._horse_pid = True, os.getpid()
            worker.main_work_horse(job, queue)
        finally:
            horse.leave(1)  # ours does not return
    horse.own_group(pid)
    with worker.horse_lock:
        worker._horse_pid, worker.horse_end = pid, []
    worker.procline(f'Forked {pid} at {int(time.time())}')


def wait(worker: Any) -> tuple[int | None, int | None, Any]:
    """Pid, raw status and resource usage of the horse, which is reaped; asked again, the same."""
    pid = worker._horse_pid
    if not worker.horse_end and pid:
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with worker.horse_lock:
            try:
                # One step of C: the exception of an alarm strikes before or after it, not between reaping and noting.
                worker.horse_end.extend(map(os.wait4, (pid,), (0,)))
            except ChildProcessError:
                worker.horse_end.append(NOBODY)
    worker._horse_pid = 0
    ended: tuple[int | None, int | None, Any] = worker.horse_end[0] if worker.horse_end else NOBODY
    return ended


def kill(worker: Any, signum: int) -> None:
    """Signal the horse with its whole tree; never this process, and nobody when it has gone."""
    with worker.horse_lock:
        pid = worker._horse_pid
        if not pid or worker.horse_end or pid in (os.getpid(), os.getppid()):
            return
        try:
            tree.kill_tree(pid, signum)
            worker.log.info('Worker %s: killed horse pid %s', worker.name, pid)
        except ProcessLookupError:
            worker.log.debug('Worker %s: horse pid %s is gone already', worker.name, pid)


def stop(worker: Any, job_id: str) -> bool:
    """Kill the horse of this very job, or see to it that it is killed as soon as it is there."""
    with worker.horse_lock:
        if job_id not in [one.job_id for one in list(worker.executions.values())]:
            return False
        worker._stopped_job_id = job_id
        worker.kill_horse()
    return True


# --- the watch ------------------------------------------------------------------------------------------------------


def monitor(worker: Any, job: Any, queue: Any, execution: Any) -> None:
    """Wait for the horse with signs of life, kill an overdue one, judge how it ended."""
    execution = execution or worker.execution_of(job)
    began, timeout = time.monotonic(), 180 if job.timeout is None else job.timeout
    if worker._stopped_job_id == job.id:
        worker.kill_horse()  # stopped between claim and fork
    while True:
        try:
            with _alarm(worker.job_monitoring_interval):
                ended = worker.wait_for_horse()
            break
        except HorseMonitorTimeoutException:
            if timeout > 0 and time.monotonic() - began > timeout + OVERDUE_GRACE:
                worker.heartbeat(worker.job_monitoring_interval + 60)
                worker.kill_horse()
                worker.wait_for_horse()
                ended = NOBODY
                break
            _keep_alive(worker, job, execution)
    with worker.horse_lock:
        worker._horse_pid, worker.horse_end = 0, []
    pid, raw_status, rusage = ended or NOBODY
    worker.log.debug('Worker %s: horse %s of job %s ended with %s', worker.name, pid, job.id, raw_status)
    if raw_status == 0 and (worker._loop is None or not _is_held(worker, execution)):
        return
    judge(worker, job, queue, execution, (pid, raw_status, rusage))


def _keep_alive(worker: Any, job: Any, execution: Any) -> None:
    try:
        worker.maintain_heartbeats(job, execution)
    except Exception as error:
        if not is_weather(error):
            raise
        worker.log.warning('Worker %s: no sign of life of job %s: %s', worker.name, job.id, error)


def _alarm(seconds: float) -> Any:
    if threading.current_thread() is not threading.main_thread():
        return contextlib.nullcontext()  # alarms reach the main thread only
    return UnixSignalDeathPenalty(seconds, HorseMonitorTimeoutException)


def is_held(worker: Any, lease: Lease) -> bool:
    """Whether nobody has settled an execution."""
    return worker.own.zscore(keys.wip(lease.queue), lease.member) is not None


def _is_held(worker: Any, execution: Any) -> bool:
    lease = worker.leases.get(execution.id) if execution else None
    return lease is not None and bool(_through(worker, lambda: is_held(worker, lease)))


def judge(worker: Any, job: Any, queue: Any, execution: Any, ended: tuple[Any, Any, Any]) -> None:
    """A horse that did not end well: stopped on request, or killed."""
    pid, raw_status, rusage = ended
    try:
        status = _through(worker, job.get_status)
    except InvalidJobOperation:
        return  # deleted meanwhile
    if worker._stopped_job_id == job.id:
        failure = capture.stopped()
        worker.log.warning('Worker %s: job %s was stopped by command', worker.name, job.id)
        _through(worker, lambda: _learn_start(worker, job))
        fenced('The on_stopped callback', failure, lambda: _tell_stopped(worker, job), worker.log, job)
    elif status in (JobStatus.FINISHED, JobStatus.FAILED) or _is_settled(worker, execution):
        return
    else:
        # a `wait_for_horse` of somebody may give a return code as `subprocess` has it
        status_word = -raw_status if raw_status is not None and raw_status < 0 else raw_status
        killed = capture.killed(status_word, rusage.ru_maxrss if rusage else None)
        failure = _decided(worker, execution, killed.message) or killed
        worker.log.warning('Worker %s: job %s failed (%s)', worker.name, job.id, failure.message)
        _through(worker, lambda: _learn_start(worker, job))
        job.ended_at = job.ended_at or job._moment()
        fenced('work_horse_killed_handler', failure, lambda: _tell_killed(worker, job, ended), worker.log, job)
    failure.output = left_in(worker.ring)
    job._failure = failure
    again.prepare(job, failure, worker)
    if failure.heard < EVERYBODY and not final.tell(job, execution, failure, worker):
        return
    worker.handle_job_failure(job, queue=queue, exc_string=failure.full_text, execution=execution)


def _decided(worker: Any, execution: Any, end: str) -> capture.Failure | None:
    """The failure of which the horse had begun to tell that it is the last: who heard it may have killed the horse."""
    raw = _through(worker, lambda: worker.connection.hget(execution.key, 'failure')) if execution else None
    values = claim.noted(raw)
    failure = capture.from_dict(values) if values else None
    if failure is None or failure.heard < EVERYBODY:
        return None
    failure.attached.append(f'Then {end}')
    return failure


def _is_settled(worker: Any, execution: Any) -> bool:
    return execution is not None and execution.id in worker.leases and not _is_held(worker, execution)


def _tell_stopped(worker: Any, job: Any) -> None:
    job.execute_stopped_callback(worker.death_penalty_class)


def _tell_killed(worker: Any, job: Any, ended: tuple[Any, Any, Any]) -> None:
    if threading.current_thread() is not threading.main_thread():
        worker.handle_work_horse_killed(job, *ended)
        return
    with worker.death_penalty_class(worker.handler_timeout, JobTimeoutException, job_id=job.id):
        worker.handle_work_horse_killed(job, *ended)


def _learn_start(worker: Any, job: Any) -> None:
    """The horse wrote when it began; our copy of the job is older."""
    started, name = worker.connection.hmget(job.key, 'started_at', 'worker_name')
    if started:
        job.started_at, job.worker_name = str_to_date(started), (name or b'').decode() or worker.name


def maintain_heartbeats(worker: Any, job: Any, execution: Any) -> None:
    """The worker, the execution and the job live; a worker hash that had vanished is written again."""
    ttl = worker.job_monitoring_interval + 60
    pipeline = worker.connection.pipeline()
    pipeline.exists(worker.key)
    worker.heartbeat(ttl, pipeline=pipeline)
    if execution is not None:
        life = int(worker.get_heartbeat_ttl(job))
        lease = worker._lease(job, execution)._replace(lease_ms=life * 1000, wip_seconds=life)
        enqueue_on(pipeline, claim.renew(worker.name, [lease]))
        pipeline.expire(execution.key, life)
    known = pipeline.execute()[0]
    if not known and worker.birth_date is not None:
        worker.connection.hset(worker.key, mapping={**worker.serialize(), 'instance': worker.instance})
        worker.connection.expire(worker.key, ttl)
