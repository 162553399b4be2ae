"""The public workers: each is a choice of parts."""

from __future__ import annotations

import signal
from functools import wraps
from types import FrameType
from typing import Any

from rq.defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT
from rq.rules import routing
from rq.worker import heroku, plain, spawning
from rq.worker.base import BaseWorker
from rq.worker.life import SHUTDOWN_SIGNAL, WorkerStatus


class Worker(BaseWorker):
    """Runs each job in a fresh work horse, a forked process; a crash of the job is no crash of the worker."""

    executors: tuple[str, ...] = ('fork', 'prefork', 'spawn', 'inline', 'thread', 'async')

    def prepare_horse(self) -> None:
        """In a horse that waits for its job: stop signals are ignored already."""

    def execute_alone(self, job: Any, queue: Any) -> None:
        """Prepare, fork, monitor, idle."""
        plain.execute(self, job, queue)

    def fork_work_horse(self, job: Any, queue: Any) -> None:
        """Fork a work horse that runs the job and records its outcome."""
        plain.fork(self, job, queue)

    def wait_for_horse(self) -> tuple[int | None, int | None, Any]:
        """Wait for the horse and reap it: pid, raw status, resource usage."""
        return plain.wait(self)

    def monitor_work_horse(self, job: Any, queue: Any, execution: Any = None) -> None:
        """Wait for the horse with signs of life, kill an overdue one, judge how it ended."""
        plain.monitor(self, job, queue, execution)

    def kill_horse(self, sig: signal.Signals = SHUTDOWN_SIGNAL) -> None:
        """Signal the process of the job that runs, with its descendants."""
        if self._loop is None or not self._loop.kill_horses(sig):
            plain.kill(self, sig)


class SpawnWorker(Worker):
    """Runs each job in a fresh interpreter, for programs in which a fork is not safe."""

    executors: tuple[str, ...] = ('spawn',)

    def bootstrap(
        self,
        logging_level: str | int | None = 'INFO',
        date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
        log_format: str = DEFAULT_LOGGING_FORMAT,
    ) -> None:
        """Refuse what another interpreter could not have, then as every worker."""
        spawning.pack(self)
        super().bootstrap(logging_level, date_format, log_format)

    def fork_work_horse(self, job: Any, queue: Any) -> None:
        """Start an interpreter that runs the job and records its outcome."""
        pid = spawning.start_alone(self, job, queue)
        with self.horse_lock:
            self._horse_pid, self.horse_end = pid, []
        self.procline(f'Spawned {pid} for {job.id}')


class HerokuWorker(Worker):
    """Tells the job of a shutdown some seconds before the platform kills it: ShutDownImminentException."""

    imminent_shutdown_delay = 6
    frame_properties = ['f_code', 'f_lasti', 'f_lineno', 'f_locals', 'f_trace']  # noqa: RUF012 - RQ's name and type

    def prepare_horse(self) -> None:
        """A request that comes before the job waits for it."""
        heroku.block_request()

    def setup_work_horse_signals(self) -> None:
        """Listen for the request, and ignore what the platform sends to every process."""
        heroku.obey_request(self.request_stop_sigrtmin)

    def handle_warm_shutdown_request(self) -> None:
        """Pass it on to the horse, if there is one."""
        pid = self.horse_pid
        if pid and heroku.send_request(pid):
            self.log.info('Worker %s: warm shut down requested, SIGRTMIN sent to horse %d', self.name, pid)
        else:
            self.log.info('Worker %s: warm shut down requested, no horse to tell', self.name)

    def request_stop_sigrtmin(self, signum: int, frame: FrameType | None) -> None:
        """In the horse, the first SIGRTMIN: the job has a few seconds left."""
        if self.imminent_shutdown_delay == 0:
            self.request_force_stop_sigrtmin(signum, frame)
            return
        heroku.interrupt_in(self.imminent_shutdown_delay, self.request_force_stop_sigrtmin)
        self.log.warning('Imminent shutdown: the job is interrupted in %d seconds', self.imminent_shutdown_delay)

    def request_force_stop_sigrtmin(self, signum: int, frame: FrameType | None) -> None:
        """In the horse, when they are over or SIGRTMIN comes again: interrupt the job."""
        if heroku.is_too_late(frame):
            return
        self.log.warning('Imminent shutdown: the job is interrupted')
        raise heroku.exception_for(signum, frame, self.frame_properties)


class RoundRobinWorker(Worker):
    """Deprecated: a Worker whose strategy is always `round_robin`."""

    def reorder_queues(self, reference_queue: Any) -> None:
        """The queue that gave a job comes last."""
        order = self._ordered_queues
        self._ordered_queues = routing.reorder('round_robin', order, reference_queue, self._random)


class RandomWorker(Worker):
    """Deprecated: a Worker whose strategy is always `random`."""

    def reorder_queues(self, reference_queue: Any) -> None:
        """Shuffle."""
        order = self._ordered_queues
        self._ordered_queues = routing.reorder('random', order, reference_queue, self._random)


def _as_of_worker(name: str) -> Any:
    """A method that is Worker's: SimpleWorker was one until RQ 2.7, and tracers still wrap these on Worker only."""

    @wraps(getattr(BaseWorker, name))
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        # found as it stands on the class and bound here: wrappers look at what they are bound to
        found = next(cls.__dict__[name] for cls in Worker.__mro__ if name in cls.__dict__)
        return found.__get__(self, type(self))(*args, **kwargs)

    method.__dict__['stands_for'] = Worker
    return method


class SimpleWorker(BaseWorker):
    """Runs each job in its own process: faster to start, but a crash of the job is a crash of the worker."""

    executors: tuple[str, ...] = ('inline', 'thread', 'async')
    perform_job = _as_of_worker('perform_job')
    handle_job_success = _as_of_worker('handle_job_success')
    handle_job_failure = _as_of_worker('handle_job_failure')

    def execute_alone(self, job: Any, queue: Any) -> None:
        """Prepare, perform, idle."""
        execution = self.prepare_execution(job)
        self.ring = None
        self._is_horse = True  # it is the process that runs the job, while it runs it
        try:
            self.call_perform_job(job, queue, execution)
        finally:
            self._is_horse = False
        self.set_state(WorkerStatus.IDLE)

    def get_heartbeat_ttl(self, job: Any, working_time: float = 0.0) -> int:
        """Nothing renews while a job runs in the process that would."""
        return 420 if job.timeout == -1 else (job.timeout or 420) + 60
