"""BaseWorker: RQ's words and seams, a line or two to a room each. What it is made of: a loop, an executor, a clock."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rq import eras, loglines
from rq.defaults import (
    DEFAULT_JOB_MONITORING_INTERVAL,
    DEFAULT_LOGGING_DATE_FORMAT,
    DEFAULT_LOGGING_FORMAT,
    DEFAULT_MAINTENANCE_TASK_INTERVAL,
    DEFAULT_RESULT_TTL,
    DEFAULT_WORKER_TTL,
    HANDLER_TIMEOUT,
    LEASE_RENEW_INTERVAL,
    LEASE_SECONDS,
    RESCUE_INTERVAL,
)
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE
from rq.executors.outbox import Outbox
from rq.job import Job
from rq.logutils import setup_loghandlers
from rq.queue import Queue
from rq.rules import routing
from rq.rules.exits import signal_name
from rq.rules.lease import Lease
from rq.rules.names import shown
from rq.rules.routing import DequeueStrategy
from rq.rules.scrub import scrub
from rq.serializers import resolve_serializer
from rq.store import keys
from rq.timeouts import UnixSignalDeathPenalty
from rq.utils import backend_class
from rq.version import VERSION
from rq.worker import dequeue, life, plain, timetable, unforeseen
from rq.worker.attempts import Attempts
from rq.worker.books import Books
from rq.worker.life import SHUTDOWN_SIGNAL, WorkerStatus
from rq.worker.loop import Loop
from rq.worker.maintenance import Maintenance
from rq.worker.outcomes import Outcomes
from rq.worker.parts import Parts, make
from rq.worker.probed import Probed
from rq.worker.signals import listening, stop_ringing
from rq.worker.stopping import Stopping

if TYPE_CHECKING:
    from redis import Redis

    from rq.executors.base import Executor
    from rq.supervision.clock import Clock

__all__ = [
    'PUBSUB_CHANNEL_TEMPLATE', 'SHUTDOWN_SIGNAL', 'VERSION', 'WORKER_EXECUTIONS_KEY_TEMPLATE', 'BaseWorker',
    'DequeueStrategy', 'WorkerStatus', 'logger', 'setprocname', 'signal_name',
]  # fmt: skip

PUBSUB_CHANNEL_TEMPLATE = keys.channel('%s')

logger = logging.getLogger('rq.worker')
if logger.level == logging.NOTSET:
    logger.setLevel(logging.INFO)

_set_title: Any = None
try:
    from setproctitle import setproctitle

    _set_title = setproctitle
except ImportError:
    pass


def setprocname(title: str) -> None:
    """Set the process title; without the package `setproctitle` it stays."""
    if _set_title is not None:
        _set_title(title)


class BaseWorker(Parts, Outcomes, Attempts, Books, Maintenance, Stopping, Probed):
    """Takes jobs from queues and has them run; what it runs them in is an argument that subclasses choose."""

    redis_worker_namespace_prefix = keys.WORKER_PREFIX
    redis_workers_keys = keys.WORKERS
    death_penalty_class: type[Any] = UnixSignalDeathPenalty
    queue_class: type[Any] = Queue
    job_class: type[Any] = Job
    hostname: str | None
    pid: int | None
    ip_address: str | None
    log_result_lifespan = log_job_description = True
    exponential_backoff_factor = 2.0
    max_connection_wait_time = 60.0
    lease_seconds = LEASE_SECONDS  # how long a claim holds without renewal, where user code has its own process
    renew_interval: float = LEASE_RENEW_INTERVAL
    rescue_interval: float = RESCUE_INTERVAL
    shutdown_grace: float | None = None  # seconds a warm shutdown waits for the job; None: as long as it takes
    max_failed_jobs: int | None = None  # how many failed jobs a queue keeps, the latest ones; None: all, for their TTL
    keep_on_failure: Any = None  # of every job that fails: 'locals', 'output' or 'locals,output'
    ring: Any = None  # in the process of a job: what it says, if that is kept
    beside_others = False  # whether other jobs run in this process, in threads or coroutines
    handler_timeout: float = HANDLER_TIMEOUT  # seconds one exception handler may take

    @eras.hiding('exc_handler')
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
        final_failure_handlers: Any = None,
        default_retry: Any = None,
        exc_handler: Any = None,
        executor: str | None = None,
        concurrency: int | None = None,
        batch_ms: float | None = None,
    ) -> None:
        self.disable_default_exception_handler = disable_default_exception_handler
        queues = self._begin(connection, queues, exception_handlers, exc_handler)
        self.name = name or self._name_of_old() or uuid4().hex
        life.settle_in(self)
        self.job_class = backend_class(self, 'job_class', override=job_class)
        self.queue_class = backend_class(self, 'queue_class', override=queue_class)
        self._serializer_arg, self.serializer = serializer, resolve_serializer(serializer)
        self.queues: list[Any] = self._queues_of(queues)
        self.worker_ttl = worker_ttl or _deprecated_ttl(default_worker_ttl) or DEFAULT_WORKER_TTL
        self._take_times(default_result_ttl, maintenance_interval, job_monitoring_interval)
        self.log_job_description = log_job_description
        self._choose_parts(executor, concurrency, batch_ms)
        self._take_words_on_failure(work_horse_killed_handler, final_failure_handlers, default_retry)
        self.validate_queues()
        self._start_state(prepare_for_work)

    def _take_times(self, result_ttl: int | None, maintenance_interval: int, monitoring_interval: int) -> None:
        self.default_result_ttl = DEFAULT_RESULT_TTL if result_ttl is None else result_ttl
        self.maintenance_interval, self.job_monitoring_interval = maintenance_interval, monitoring_interval

    def _start_state(self, introduced: bool) -> None:
        self.log = logger
        self.hostname, self.pid, self.ip_address = None, None, 'unknown'
        self.version, self.python_version = VERSION, sys.version
        self.instance = uuid4().hex  # one per process, so that a namesake is not mistaken for us
        self.executions: dict[str, Any] = {}
        self.leases: dict[str, Lease] = {}
        self.prepared: set[str] = set()  # executions that no claim made
        self._executions: list[Any] = []
        self._takes_execution: bool | None = None
        self.horse_lock = threading.RLock()
        self.horse_end: list[Any] = []  # how the horse ended, once that is known
        self._remote: Any = None
        self.redis_server_version: Any = None
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
        self._stop_requested = self._cold = self._is_leaving = False
        self._first_signal_at: float | None = None
        self._shutdown_requested_date: Any = None
        self._stopped_job_id: str | None = None
        self._dequeue_strategy: str = DequeueStrategy.DEFAULT
        self._ordered_queues = list(self.queues)
        self._random = Random()
        self._loop: Loop | None = None
        self.outbox: Outbox = self.direct_outbox()
        life.allow_waiting(self.connection, self.connection_timeout)
        if introduced:
            self.hostname, self.pid = life.hostname(), os.getpid()
            self.ip_address = life.client_address(self.connection, self.name, logger)

    def _queues_of(self, queues: Any) -> list[Any]:
        found = []
        for queue in queues:
            if isinstance(queue, str):
                queue = self.queue_class(
                    queue, connection=self.connection, job_class=self.job_class, serializer=self.serializer,
                    death_penalty_class=self.death_penalty_class,
                )  # fmt: skip
                queue = eras.heir(self, queue)
            found.append(queue)
        return found

    def validate_queues(self) -> None:
        """`TypeError` for a queue of another class."""
        for queue in self.queues:
            if not isinstance(queue, self.queue_class):
                raise TypeError(f'{queue!r} is not of type {self.queue_class} or string types')

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, self.__class__):
            raise TypeError('Cannot compare workers to other types (of workers)')
        return self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def dequeue_timeout(self) -> int:
        """For how long `dequeue_any` may block."""
        return max(1, int(self.worker_ttl) - 15)

    @property
    def connection_timeout(self) -> int:
        """What the socket timeout of its connection is raised to, so that it outlasts a blocking dequeue."""
        return self.dequeue_timeout + 10

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

    def queue_keys(self) -> list[str]:
        """Keys of its queues."""
        return [queue.key for queue in self.queues]

    def queue_named(self, name: str) -> Any:
        """Its queue of this name."""
        return next(queue for queue in self.queues if queue.name == name)

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

        Every worker promotes what is due; with `with_scheduler` a scheduler also holds the locks of the queues.
        """
        self._dequeue_strategy = DequeueStrategy(dequeue_strategy)
        self._stop_requested = self._cold = False
        self._first_signal_at = None
        loop = self._loop = Loop(self, burst, max_jobs, max_idle_time)
        clock = None
        log = (logging_level, date_format, log_format)
        self._set_up_log(*log)  # before the first fork: what a job writes to our loggers must be seen, too
        with listening(self, loop.bell.rings), self._answering(loop):
            try:
                if not loop.arrive(
                    lambda: self.bootstrap(*log), lambda: timetable.begin(self, with_scheduler, burst, log)
                ):
                    return False
                clock = self._start_clock(loop)
                self.outbox = loop.outbox
                return unforeseen.run(self, loop)
            finally:
                self._leave(loop, clock)

    def bootstrap(
        self,
        logging_level: str | int | None = 'INFO',
        date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
        log_format: str = DEFAULT_LOGGING_FORMAT,
    ) -> None:
        """Set up the log, enter the books, listen for commands."""
        self._set_up_log(logging_level, date_format, log_format)
        self._patiently(self.register_birth)
        self.log.info('Worker %s: started with PID %d, version %s', self.name, os.getpid(), self.version)
        self.subscribe()
        self._patiently(lambda: self.set_state(WorkerStatus.STARTED))
        self.log.info('*** Listening on %s...', shown(', '.join(self.queue_names())))

    @staticmethod
    def _set_up_log(level: str | int | None, date_format: str, log_format: str) -> None:
        for name in ('rq.worker', 'rq.job'):
            setup_loghandlers(level, date_format, log_format, name)

    def _leave(self, loop: Loop, clock: Clock | None) -> None:
        self._is_leaving = True  # one more signal changes nothing now
        stop_ringing()
        if clock is not None:
            clock.stop()
            if clock.is_away:
                loop.talk.hurry()
        self.stop_scheduler()  # before the executor: it was forked, and holds copies of descriptors
        loop.talk.let_go_of_claims()  # none may come for a worker that has signed off
        if clock is None and not life.is_born(self):
            self.unsubscribe()
        else:
            try:
                self.teardown()
            except Exception as error:
                self.log.error('Worker %s: could not sign off: %s', self.name, error)
        loop.close()
        if clock is not None:
            self.log.info('Worker %s: done, quitting', self.name)
        self._loop = None
        self.outbox = self.direct_outbox()
        self._is_leaving = False

    def make_executor(self, loop: Loop) -> Executor:
        """What jobs run in: by its `executor`, else by its class."""
        return make(self, loop)

    def announce_job(self, job: Any, queue: Any) -> None:
        """Say which job begins."""
        self.procline(f'Running {job.id} from {queue.name}')
        if self.log.isEnabledFor(logging.INFO):
            self.say_begun(queue, job.id, job.description)

    def say_begun(self, queue: Any, job_id: str, description: Any) -> None:
        """The same in the log."""
        what = scrub(str(description or '')[:2000])[:300] if self.log_job_description else ''
        line = shown(f'{queue.name}: {what} ({job_id})' if what else f'{queue.name}: {job_id}')
        if not loglines.write(self.log, logging.INFO, (line,)):
            self.log.info('%s', line)

    def execute_job(self, job: Any, queue: Any) -> None:
        """Run a job that was taken, to its end."""
        if self._loop is None or not self._loop.execute(job):
            self.execute_alone(job, queue)

    def execute_alone(self, job: Any, queue: Any) -> None:
        """The same for a job that no loop has, and for those who override a part of it."""
        raise NotImplementedError('BaseWorker runs nothing by itself: use Worker or SimpleWorker')

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> Any:
        """The next job and its queue, or None; waits through bad weather, with signs of life."""
        return dequeue.next_job(self, timeout, max_idle_time)

    # --- horses -------------------------------------------------------------------------------------------------

    def maintain_heartbeats(self, job: Any, execution: Any) -> None:
        """Signs of life of the worker, the execution and the job, while somebody else's horse runs it."""
        plain.maintain_heartbeats(self, job, execution)

    def procline(self, message: str) -> None:
        """The process title, with `setproctitle` installed."""
        setprocname(f'rq:worker:{self.name}: {message}')


def _deprecated_ttl(given: int | None) -> int | None:
    if given:
        warnings.warn('default_worker_ttl is deprecated, use worker_ttl', DeprecationWarning, stacklevel=3)
    return given
