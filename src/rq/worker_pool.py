"""WorkerPool: keeps a number of worker processes running. Each is a whole worker with a connection of its own."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable
from enum import Enum
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from rq.connections import assemble, parse_connection
from rq.defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT
from rq.job import Job
from rq.logutils import setup_loghandlers
from rq.queue import Queue
from rq.rules.respawn import Respawn
from rq.serializers import DefaultSerializer
from rq.supervision.crew import CrewHealth
from rq.supervision.health import Health
from rq.supervision.signs import Notifier
from rq.utils import ensure_job_list, import_worker_class
from rq.worker import BaseWorker, Worker

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from redis import Redis

LOOK_SECONDS = 1.0
STOPPING = (signal.SIGINT, signal.SIGTERM)

logger = logging.getLogger('rq.worker_pool')


class WorkerData(NamedTuple):
    """A worker of the pool, as the pool knows it."""

    name: str
    pid: int
    process: BaseProcess


class WorkerPool:
    """Starts workers as processes, replaces those that end, and stops them all when it is told to stop."""

    health_port: int | None = None  # as of a worker; what is told is the health of all of them
    health_host: str = '127.0.0.1'
    health_file: str | None = None
    notifies_systemd = False

    class Status(Enum):
        """What the pool does."""

        IDLE = 1
        STARTED = 2
        STOPPED = 3

    def __init__(
        self,
        queues: Iterable[str | Queue],
        connection: Redis,
        num_workers: int = 1,
        worker_class: type[BaseWorker] = Worker,
        serializer: Any = DefaultSerializer,
        job_class: type[Job] = Job,
        queue_class: type[Queue] = Queue,
        exception_handlers: Any = None,
        *args: Any,
        final_failure_handlers: Any = None,
        executor: str | None = None,
        concurrency: int | None = None,
        batch_ms: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.name = uuid4().hex
        self.log = logger
        self.num_workers = num_workers
        self.connection = connection
        self.status = self.Status.IDLE
        self.worker_class = import_worker_class(worker_class) if isinstance(worker_class, str) else worker_class
        self.serializer = serializer
        self.job_class, self.queue_class = job_class, queue_class
        self.exception_handlers = exception_handlers
        self.worker_dict: dict[str, WorkerData] = {}
        self._queue_names = [queue.name if isinstance(queue, Queue) else queue for queue in queues]
        self._sleep: float = 0
        self._logging_level = 'INFO'
        self._born: dict[str, float] = {}
        self._respawn = Respawn(free=2 * num_workers)
        self._wanting = 0  # of a burst: workers that could not be started yet
        self._health: CrewHealth | None = None
        self._words: list[tuple[int, str]] = []  # what its health has to say; the main loop logs it
        self.worker_settings: dict[str, Any] = {}  # attributes to set on each worker, such as shutdown_grace
        for name, value in (('executor', executor), ('concurrency', concurrency), ('batch_ms', batch_ms)):
            if value is not None:
                self.worker_settings[name] = value
        if final_failure_handlers:
            self.worker_settings['final_failure_handlers'] = list(ensure_job_list(final_failure_handlers))

    @property
    def queues(self) -> list[Queue]:
        """Its queues."""
        return [self.queue_class(name, connection=self.connection) for name in self._queue_names]

    @property
    def number_of_active_workers(self) -> int:
        """How many processes it knows of."""
        return len(self.worker_dict)

    # --- the loop -----------------------------------------------------------------------------------------------

    def start(self, burst: bool = False, logging_level: str = 'INFO') -> None:
        """Keep the workers running until told to stop; burst: until all of them have ended."""
        setup_loghandlers(logging_level, DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT, name=logger.name)
        self.log.info('Starting worker pool %s with pid %d...', self.name, os.getpid())
        self.status = self.Status.STARTED
        self._health = self._make_health(burst)
        before = self._install_signal_handlers()
        try:
            self._start_first(burst, logging_level)
            if self._health is not None:
                self._health.start()
            while self._goes_on(burst):
                wait([one.process.sentinel for one in self.worker_dict.values()], LOOK_SECONDS)
        finally:
            for signum, handler in before.items():
                signal.signal(signum, signal.SIG_DFL if handler is None else handler)
            if self._health is not None:
                self._health.stop()
        self.log.info('All workers stopped, exiting...')

    def _make_health(self, burst: bool) -> CrewHealth | None:
        """What answers probes, if that is wanted; `ValueError` when its port or file cannot be used."""
        notifier = Notifier.asked_for() if self.notifies_systemd else None
        if self.health_port is None and self.health_file is None and notifier is None:
            return None
        words = self._words
        health = Health(
            self.name, lambda *one: words.append(one), self.health_port, self.health_host, self.health_file, notifier
        )
        if health.url:
            self.log.info('Worker pool %s: answering probes at %s/livez and /readyz', self.name, health.url)
        stopped = self.Status.STOPPED
        return CrewHealth(
            health, lambda: 0 if burst or self.status == stopped else self.num_workers, lambda: self.status == stopped
        )

    def _goes_on(self, burst: bool) -> bool:
        stopping = self.status == self.Status.STOPPED
        self.check_workers(respawn=not burst and not stopping)
        if burst and not stopping and self._wanting:
            self._wanting -= self._start_some(self._wanting, burst=True)
        if self._health is not None:
            self._health.turned()
        while self._words:
            self.log.log(*self._words.pop(0))
        none_began = (
            0 < self.num_workers == self._wanting and not stopping
        )  # of a burst: nobody has looked for work yet
        return not (burst or stopping) or bool(self.worker_dict) or none_began

    def _install_signal_handlers(self) -> dict[int, Any]:
        if threading.current_thread() is not threading.main_thread():
            return {}  # signals reach the main thread only
        return {signum: signal.signal(signum, self.request_stop) for signum in STOPPING}

    def request_stop(self, signum: int | None = None, frame: FrameType | None = None) -> None:
        """Stop all workers, and start no more; again: they are to leave at once."""
        self.log.info('Received stop request, shutting down %d workers...', len(self.worker_dict))
        self.status = self.Status.STOPPED
        self.stop_workers()

    # --- its workers --------------------------------------------------------------------------------------------

    def check_workers(self, respawn: bool = True) -> None:
        """Forget the dead, and start others in their place."""
        self.reap_workers()
        if respawn and self.status != self.Status.STOPPED:
            self._start_some(self.num_workers - len(self.worker_dict), burst=False)

    def _start_first(self, burst: bool, logging_level: str) -> None:
        """Start as many as there should be; those that cannot be started now come later, as replacements do."""
        self._wanting = 0
        try:
            self.start_workers(burst=burst, _sleep=self._sleep, logging_level=logging_level)
        except OSError as error:
            self._put_off(error)
            self._wanting = self.num_workers - len(self.worker_dict) if burst else 0

    def _start_some(self, number: int, burst: bool) -> int:
        """Start so many, unless a pause is on; tells how many were started."""
        if not self._respawn.may(time.monotonic()):
            return 0
        for started in range(number):
            try:
                self.start_worker(burst=burst, _sleep=self._sleep, logging_level=self._logging_level)
            except OSError as error:
                self._put_off(error)
                return started
        return max(number, 0)

    def _put_off(self, error: OSError) -> None:
        """No processes or descriptors are left: the others of the pool must live."""
        pause = self._respawn.failed(time.monotonic())
        self.log.error('Cannot start a worker (%s): the next try comes in %.1f seconds', error, pause)

    def reap_workers(self) -> None:
        """Forget the processes that have ended."""
        for data in list(self.worker_dict.values()):
            if not data.process.is_alive():
                self.handle_dead_worker(data)

    def handle_dead_worker(self, worker_data: WorkerData) -> None:
        """Forget a worker."""
        self.log.info('Worker %s with pid %d is dead', worker_data.name, worker_data.pid)
        self.worker_dict.pop(worker_data.name, None)
        if self._health is not None:
            self._health.forget(worker_data.name)
        born = self._born.pop(worker_data.name, None)
        pause = 0.0 if born is None else self._respawn.died(born, time.monotonic())
        if pause and self.status == self.Status.STARTED:
            self.log.warning('Workers die as soon as they start: the next one comes in %.1f seconds', pause)

    def all_workers_have_stopped(self) -> bool:
        """Whether none is left."""
        self.reap_workers()
        return not self.worker_dict

    def start_workers(self, burst: bool = True, _sleep: float = 0, logging_level: str = 'INFO') -> None:
        """Start as many as there should be."""
        self._logging_level = logging_level
        for count in range(1, self.num_workers + 1):
            self.start_worker(count, burst=burst, _sleep=_sleep, logging_level=logging_level)

    def start_worker(
        self, count: int | None = None, burst: bool = True, _sleep: float = 0, logging_level: str = 'INFO'
    ) -> None:
        """Start one."""
        name = uuid4().hex
        process = self.get_worker_process(name, burst=burst, _sleep=_sleep, logging_level=logging_level)
        # The child must not run our handlers; what comes for it waits until it has its own.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            process.start()
        except OSError:
            if self._health is not None:
                self._health.forget(name)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        data = WorkerData(name, process.pid or 0, process)
        self.worker_dict[name], self._born[name] = data, time.monotonic()
        self.log.debug('Started worker %s (%s) with pid %d', name, count or 'in place of another', data.pid)
        if self.status == self.Status.STOPPED:
            self.stop_worker(data)  # the request came after the fork, and before we knew of it

    def get_worker_process(self, name: str, burst: bool, _sleep: float = 0, logging_level: str = 'INFO') -> BaseProcess:
        """A process that will run a worker of this name; not started yet."""
        settings = self.worker_settings
        if self._health is not None:
            settings = {**settings, 'health_page': self._health.expect(name)}
        return ForkProcess(
            target=_run_with,
            args=(settings, name, self._queue_names, *parse_connection(self.connection)),
            kwargs={
                '_sleep': _sleep,
                'burst': burst,
                'logging_level': logging_level,
                'worker_class': self.worker_class,
                'job_class': self.job_class,
                'queue_class': self.queue_class,
                'serializer': self.serializer,
                'exception_handlers': self.exception_handlers,
            },
            name=f'Worker {name} (WorkerPool {self.name})',
        )

    def stop_workers(self) -> None:
        """Ask all to stop."""
        for data in list(self.worker_dict.values()):
            self.stop_worker(data)

    def stop_worker(self, worker_data: WorkerData, sig: signal.Signals = signal.SIGINT) -> None:
        """Signal one."""
        try:
            os.kill(worker_data.pid, sig)
        except ProcessLookupError:
            self.log.debug('Worker %s with pid %d has ended already', worker_data.name, worker_data.pid)


#: in the process of a worker: attributes to set on it, because `run_worker` has the signature of RQ
_settings: dict[str, Any] = {}


def _run_with(settings: dict[str, Any], *args: Any, **kwargs: Any) -> None:
    _settings.update(settings)
    run_worker(*args, **kwargs)


def run_worker(
    worker_name: str,
    queue_names: Iterable[str],
    connection_class: Any,
    connection_pool_class: Any,
    connection_pool_kwargs: dict[str, Any],
    worker_class: type[BaseWorker] = Worker,
    serializer: Any = DefaultSerializer,
    job_class: type[Job] = Job,
    queue_class: type[Queue] = Queue,
    exception_handlers: Any = None,
    burst: bool = True,
    logging_level: str = 'INFO',
    _sleep: int = 0,
) -> None:
    """The whole life of a pool's worker, in its own process."""
    begun: list[BaseWorker] = []
    if multiprocessing.parent_process() is not None:
        _leave_when_told(begun)
    connection = assemble(connection_class, connection_pool_class, connection_pool_kwargs)
    queues = [queue_class(name, connection=connection) for name in queue_names]
    worker = worker_class(
        queues,
        name=worker_name,
        connection=connection,
        serializer=serializer,
        job_class=job_class,
        queue_class=queue_class,
        exception_handlers=exception_handlers,
    )
    for attribute, value in _settings.items():
        setattr(worker, attribute, value)
    begun.append(worker)
    logger.info('Worker process started with PID %d', os.getpid())
    time.sleep(_sleep)
    worker.work(burst=burst, with_scheduler=True, logging_level=logging_level)


def _leave_when_told(begun: list[BaseWorker]) -> None:
    """Before the worker listens to signals a stop request ends the process; after that, the worker has heard it."""

    def leave(signum: int, frame: FrameType | None) -> None:
        if not begun or begun[0].get_state() == 'starting':
            raise SystemExit

    for signum in STOPPING:
        signal.signal(signum, leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
