"""BaseWorker: RQ's words and seams, a line or two to a room each. What it is made of: a loop, an executor, a clock."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable
from random import Random
from types import FrameType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rq.connections import rebuild
from rq.defaults import (
    DEFAULT_JOB_MONITORING_INTERVAL,
    DEFAULT_LOGGING_DATE_FORMAT,
    DEFAULT_LOGGING_FORMAT,
    DEFAULT_MAINTENANCE_TASK_INTERVAL,
    DEFAULT_RESULT_TTL,
    DEFAULT_WORKER_TTL,
    LEASE_RENEW_INTERVAL,
    LEASE_SECONDS,
    RESCUE_INTERVAL,
    SOCKET_TIMEOUT,
)
from rq.executors.outbox import Direct, Outbox
from rq.job import Job
from rq.logutils import setup_loghandlers
from rq.perform import steps
from rq.queue import Queue
from rq.rules import routing, shutdown
from rq.rules.lease import Lease
from rq.rules.names import shown
from rq.rules.routing import DequeueStrategy
from rq.serializers import resolve_serializer
from rq.store import keys
from rq.supervision.clock import Clock
from rq.supervision.remote import Remote
from rq.timeouts import UnixSignalDeathPenalty
from rq.utils import backend_class, ensure_job_list, get_connection_from_queues, now
from rq.version import VERSION
from rq.worker import life
from rq.worker.loop import Loop
from rq.worker.maintenance import Maintenance
from rq.worker.outcomes import Outcomes
from rq.worker.signals import listening

if TYPE_CHECKING:
    from redis import Redis

    from rq.executors.base import Executor, Running

logger = logging.getLogger('rq.worker')
if logger.level == logging.NOTSET:
    logger.setLevel(logging.INFO)

try:
    from setproctitle import setproctitle as setprocname
except ImportError:

    def setprocname(title: str) -> None:
        """Without the package `setproctitle` the process keeps its title."""


class BaseWorker(Outcomes, Maintenance):
    """Takes jobs from queues and has them run; what it runs them in is an argument that subclasses choose."""

    redis_worker_namespace_prefix = keys.WORKER_PREFIX
    redis_workers_keys = keys.WORKERS
    death_penalty_class: type[Any] = UnixSignalDeathPenalty
    queue_class: type[Any] = Queue
    job_class: type[Any] = Job
    hostname: str | None
    pid: int | None
    ip_address: str | None
    log_result_lifespan = True
    log_job_description = True
    exponential_backoff_factor = 2.0
    max_connection_wait_time = 60.0
    lease_seconds = LEASE_SECONDS  # how long a claim holds without renewal, where user code has its own process
    renew_interval: float = LEASE_RENEW_INTERVAL
    rescue_interval: float = RESCUE_INTERVAL

    def __init__(
        self,
        queues: Any,
        name: str | None = None,
        default_result_ttl: int = DEFAULT_RESULT_TTL,
        connection: Redis | None = None,
        exception_handlers: Any = None,
        maintenance_interval: int = DEFAULT_MAINTENANCE_TASK_INTERVAL,
        default_worker_ttl: int | None = None,
        worker_ttl: int | None = None,
        job_class: Any = None,
        queue_class: Any = None,
        log_job_description: bool = True,
        job_monitoring_interval: int = DEFAULT_JOB_MONITORING_INTERVAL,
        disable_default_exception_handler: bool = False,
        prepare_for_work: bool = True,
        serializer: Any = None,
        work_horse_killed_handler: Callable[..., Any] | None = None,
    ) -> None:
        self.connection: Any = connection or get_connection_from_queues(ensure_job_list(queues))
        if self.connection is None:
            raise TypeError('a Worker needs a connection: give connection=..., or queues that have one')
        self.name = name or uuid4().hex
        self.job_class = backend_class(self, 'job_class', override=job_class)
        self.queue_class = backend_class(self, 'queue_class', override=queue_class)
        self._serializer_arg = serializer
        self.serializer = resolve_serializer(serializer)
        self.queues: list[Any] = self._queues_of(queues)
        self.default_result_ttl = default_result_ttl
        self.worker_ttl = worker_ttl or _deprecated_ttl(default_worker_ttl) or DEFAULT_WORKER_TTL
        self.maintenance_interval = maintenance_interval
        self.job_monitoring_interval = job_monitoring_interval
        self.log_job_description = log_job_description
        self.disable_default_exception_handler = disable_default_exception_handler
        self._exc_handlers: list[Any] = list(ensure_job_list(exception_handlers)) if exception_handlers else []
        self._work_horse_killed_handler = work_horse_killed_handler
        self._start_state()
        if prepare_for_work:
            self.hostname, self.pid = life.hostname(), os.getpid()
            self.ip_address = life.client_address(self.connection, self.name, logger)

    def _start_state(self) -> None:
        self.log = logger
        self.hostname, self.pid, self.ip_address = None, None, 'unknown'
        self.version, self.python_version = VERSION, None
        self.instance = uuid4().hex  # one per process, so that a namesake is not mistaken for us
        self.executions: dict[str, Any] = {}
        self.leases: dict[str, Lease] = {}
        self.told = 0  # how often the handlers were begun for the failure at hand
        self.successful_job_count = self.failed_job_count = 0
        self.total_working_time = 0.0
        self.birth_date: Any = None
        self.last_heartbeat: Any = None
        self.last_cleaned_at: Any = None
        self.scheduler: Any = None
        self.pubsub: Any = None
        self.pubsub_thread: Any = None
        self._state = 'starting'
        self._is_horse = False
        self._horse_pid = 0
        self._stop_requested = self._cold = False
        self._first_signal_at: float | None = None
        self._shutdown_requested_date: Any = None
        self._stopped_job_id: str | None = None
        self._dequeue_strategy: str = DequeueStrategy.DEFAULT
        self._ordered_queues = list(self.queues)
        self._random = Random()
        self._loop: Loop | None = None
        self.outbox: Outbox = Direct(self.connection, self.log, self.name)

    def _queues_of(self, queues: Any) -> list[Any]:
        found = []
        for queue in ensure_job_list(queues):
            if isinstance(queue, str):
                queue = self.queue_class(
                    queue, connection=self.connection, job_class=self.job_class, serializer=self.serializer,
                    death_penalty_class=self.death_penalty_class,
                )  # fmt: skip
            found.append(queue)
        for queue in found:
            if not isinstance(queue, self.queue_class):
                raise TypeError(f'{queue!r} is not of type {self.queue_class} or string types')
        return found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, self.__class__):
            raise TypeError('Cannot compare workers to other types (of workers)')
        return self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    # --- names --------------------------------------------------------------------------------------------------

    @property
    def key(self) -> str:
        """The key of its hash."""
        return f'{self.redis_worker_namespace_prefix}{self.name}'

    @property
    def is_horse(self) -> bool:
        """Whether this process runs a job at this moment."""
        return self._is_horse

    @property
    def horse_pid(self) -> int:
        """The process of the job that runs, or 0."""
        if self._loop is not None:
            for running in list(self._loop.running.values()):
                pid = self._loop.executor.pid_of(running)
                if pid:
                    return int(pid)
        return self._horse_pid

    def queue_names(self) -> list[str]:
        """Names of its queues."""
        return [queue.name for queue in self.queues]

    def queue_keys(self) -> list[str]:
        """Keys of its queues."""
        return [queue.key for queue in self.queues]

    def queue_named(self, name: str) -> Any:
        """Its queue of this name."""
        return next(queue for queue in self.queues if queue.name == name)

    def queue_at(self, position: int) -> Any:
        """The queue at a place of the current order; the order moves on, because it gave a job."""
        queue = self._ordered_queues[position]
        self.reorder_queues(reference_queue=queue)
        return queue

    def ordered_names(self) -> list[str]:
        """Names of its queues in the order of the next claim."""
        return [queue.name for queue in self._ordered_queues]

    def reorder_queues(self, reference_queue: Any) -> None:
        """Apply the dequeue strategy after a queue gave a job."""
        order = self._ordered_queues
        self._ordered_queues = routing.reorder(self._dequeue_strategy, order, reference_queue, self._random)

    # --- work ---------------------------------------------------------------------------------------------------

    def work(
        self,
        burst: bool = False,
        logging_level: str | int | None = None,
        date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
        log_format: str = DEFAULT_LOGGING_FORMAT,
        max_jobs: int | None = None,
        max_idle_time: int | None = None,
        with_scheduler: bool = False,
        dequeue_strategy: Any = DequeueStrategy.DEFAULT,
    ) -> bool:
        """Do jobs until told to stop (burst: until the queues are empty); returns whether any was done.

        Every worker promotes what is due, so `with_scheduler` is accepted and changes nothing.
        """
        self._dequeue_strategy = DequeueStrategy(dequeue_strategy)
        self._stop_requested = self._cold = False
        self._first_signal_at = None
        loop = self._loop = Loop(self, burst, max_jobs, max_idle_time)
        clock = remote = None
        try:
            with listening(self, loop.bell.rings):
                setup_loghandlers(logging_level, date_format, log_format, name='rq.worker')
                setup_loghandlers(logging_level, date_format, log_format, name='rq.job')
                if not loop.arrive():
                    return False
                clock, remote = self._start_threads(loop)
                self.outbox = loop.outbox
                self.log.info('*** Listening on %s...', shown(', '.join(self.queue_names())))
                return loop.run()
        finally:
            self._leave(loop, clock, remote)

    def _start_threads(self, loop: Loop) -> tuple[Clock, Remote]:
        clock = Clock(
            rebuild(self.connection, socket_timeout=SOCKET_TIMEOUT), self.name, self.instance, self.queue_names(),
            loop.inbox, loop.leases, loop.may_rescue, self.worker_ttl + 60,
            loop.executor.lease_seconds or self.lease_seconds, self.renew_interval, self.rescue_interval,
        )  # fmt: skip
        remote = Remote(rebuild(self.connection, socket_timeout=SOCKET_TIMEOUT), self.name, loop.deliver)
        clock.start()
        remote.start()
        return clock, remote

    def _leave(self, loop: Loop, clock: Clock | None, remote: Remote | None) -> None:
        for thread in (clock, remote):
            if thread is not None:
                thread.stop()
        loop.close()
        self._loop = None
        self.outbox = Direct(self.connection, self.log, self.name)
        if clock is not None:
            try:
                self.register_death()
            except Exception as error:
                self.log.error('Worker %s: could not sign off: %s', self.name, error)
            self.log.info('Worker %s: done, quitting', self.name)

    def make_executor(self, loop: Loop) -> Executor:
        """What jobs run in; subclasses choose."""
        raise TypeError('BaseWorker runs nothing by itself: use Worker or SimpleWorker')

    def announce(self, running: Running) -> None:
        """Say which job begins."""
        self.procline(f'Running {running.lease.job_id} from {running.queue.name}')
        what = running.job.description or '' if self.log_job_description else ''
        words = f'{what[:300]} ({running.lease.job_id})' if what else running.lease.job_id
        self.log.info('%s', shown(f'{running.queue.name}: {words}'))

    def execute_job(self, job: Any, queue: Any) -> None:
        """Run a job that was taken, to its end."""
        assert self._loop is not None, 'execute_job is called by work()'
        self._loop.execute(job)

    def main_work_horse(self, job: Any, queue: Any) -> None:
        """What a work horse does: signals and environment, then the job."""
        self.setup_work_horse_signals()
        os.environ['RQ_WORKER_ID'], os.environ['RQ_JOB_ID'] = self.name, job.id
        self.procline(f'Running job {job.id} from {queue.name}')
        self.perform_job(job, queue, self.execution)

    def setup_work_horse_signals(self) -> None:
        """The signals of a horse; its executor has set them when it was born."""

    def prepare_job_execution(self, job: Any, remove_from_intermediate_queue: bool = False) -> None:
        """The job begins here. The store was told by the claim."""
        job.started_at = job.last_heartbeat = now()

    def perform_job(self, job: Any, queue: Any, execution: Any = None) -> bool:
        """Run one job completely, here; returns whether it succeeded."""
        return steps.run(job, queue, execution or self.execution, self)

    def handle_execution_ended(self, job: Any, queue: Any, heartbeat_ttl: int) -> None:
        """The function has returned or raised."""
        job.ended_at = job.last_heartbeat = now()

    @property
    def execution(self) -> Any:
        """The execution at hand, or None."""
        return next(iter(self.executions.values()), None)

    # --- signals ------------------------------------------------------------------------------------------------

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """SIGINT or SIGTERM: leave after the current job; a second one later: at once. Sets flags only."""
        busy = self._loop is not None and self._loop.is_busy
        what = shutdown.decide(time.monotonic(), self._first_signal_at, busy)
        if what == 'ignore':
            return
        if what == 'cold':
            self.request_force_stop(signum, frame)
            return
        self._first_signal_at = time.monotonic()
        self._stop_requested = True
        if what == 'warm' and self._loop is not None:
            self._loop.warm_shutdown_begins()

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        """Kill what runs and leave."""
        self._cold = True
        if self._loop is not None:
            self._loop.cold_shutdown_begins()

    def handle_warm_shutdown_request(self) -> None:
        """A stop was requested while a job runs; called before that job has ended."""
        self.log.info('Worker %s: warm shut down requested, stopping after the current job', self.name)

    def kill_horse(self, sig: int = 9) -> None:
        """Signal the process of the job that runs, with its descendants."""
        if self._loop is not None:
            for running in list(self._loop.running.values()):
                self._loop.executor.kill(running, sig)

    def request_stop_job(self, job_id: Any) -> bool:
        """Stop a job if it runs here and can be stopped."""
        return self._loop is not None and self._loop.stop_job(str(job_id))

    def procline(self, message: str) -> None:
        """The process title, with `setproctitle` installed."""
        setprocname(f'rq:worker:{self.name}: {message}')


def _deprecated_ttl(given: int | None) -> int | None:
    if given:
        warnings.warn('default_worker_ttl is deprecated, use worker_ttl', DeprecationWarning, stacklevel=3)
    return given
