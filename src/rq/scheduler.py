"""RQScheduler: moves due jobs of the queues whose locks it holds. Our workers do that by themselves; it is here for
programs that run a scheduler of their own, and keeps out of the way of RQ 3.0's.
"""

from __future__ import annotations

import logging
import os
import socket
import traceback
from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rq.connections import parse_connection, rebuild
from rq.defaults import (
    DEFAULT_LOGGING_DATE_FORMAT,
    DEFAULT_LOGGING_FORMAT,
    DEFAULT_SCHEDULER_FALLBACK_PERIOD,
    SOCKET_TIMEOUT,
)
from rq.exceptions import SchedulerNotFound
from rq.logutils import setup_loghandlers
from rq.registry import ScheduledJobRegistry
from rq.rules.names import shown
from rq.rules.timing import str_to_date, utcformat
from rq.scheduling.patience import Sleeper
from rq.serializers import resolve_serializer
from rq.store import keys, locks, promote
from rq.store.call import is_weather
from rq.store.call import run as run_call
from rq.utils import decode_redis_hash, now, parse_names

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

SCHEDULER_KEY_TEMPLATE = keys.scheduler('%s')
SCHEDULER_LOCKING_KEY_TEMPLATE = keys.scheduler_lock('%s')
ACQUIRE_OR_REFRESH_LOCK_SCRIPT = locks.ACQUIRE_OR_REFRESH_LOCK_SCRIPT

logger = logging.getLogger('rq.scheduler')

LOCK_MARGIN = 60  # seconds that locks and hash outlive a missing heartbeat
PASS = promote.BATCH  # due jobs moved per queue in one step
PASSES = 25  # steps in a row, before the locks are due to be refreshed


class SchedulerStatus(str, Enum):  # noqa: UP042 - str() of a StrEnum would differ from RQ's
    """What a scheduler is doing."""

    STARTED = 'started'
    WORKING = 'working'
    STOPPED = 'stopped'


class RQScheduler:
    """Moves due scheduled jobs to their queues, one scheduler per queue."""

    Status = SchedulerStatus

    def __init__(
        self,
        queues: Any,
        connection: Redis,
        interval: Any = 1,
        logging_level: str | int = logging.INFO,
        date_format: Any = DEFAULT_LOGGING_DATE_FORMAT,
        log_format: Any = DEFAULT_LOGGING_FORMAT,
        serializer: Any = None,
        name: str | None = None,
    ) -> None:
        self._queue_names = set(parse_names(queues))
        self._acquired_locks: set[str] = set()
        self._scheduled_job_registries: list[ScheduledJobRegistry] = []
        self.lock_acquisition_time: datetime | None = None
        self._connection_class, self._pool_class, self._pool_kwargs = parse_connection(connection)
        self._given = connection  # to build one like it, in this process or in a child
        self._connection: Any = None
        self.serializer = resolve_serializer(serializer)
        self.name = name or uuid4().hex
        self.hostname = socket.gethostname()
        self.created_at = now()
        self.pid = 0
        self.last_heartbeat: datetime | None = None
        self.interval = interval
        self._stop_requested = False
        self._status = SchedulerStatus.STOPPED
        self._process: Any = None
        self._sleeper: Sleeper | None = None
        self.log = logger
        setup_loghandlers(level=logging_level, name='rq.scheduler', log_format=log_format, date_format=date_format)

    @property
    def connection(self) -> Any:
        """A client of its own, made when it is first used."""
        if self._connection is None:
            self._connection = rebuild(self._given, SOCKET_TIMEOUT, retries=True)
        return self._connection

    @property
    def key(self) -> str:
        """The key of its hash."""
        return SCHEDULER_KEY_TEMPLATE % self.name

    @property
    def status(self) -> SchedulerStatus:
        """What it is doing."""
        return self._status

    @property
    def acquired_locks(self) -> set[str]:
        """The names of the queues it serves."""
        return self._acquired_locks

    @classmethod
    def get_locking_key(cls, name: str) -> str:
        """The key of the lock of a queue."""
        return SCHEDULER_LOCKING_KEY_TEMPLATE % name

    # --- locks --------------------------------------------------------------------------------------------------

    @property
    def should_reacquire_locks(self) -> bool:
        """Whether some queue is not served, and the last try is long ago."""
        if self._queue_names == self._acquired_locks:
            return False
        if self.lock_acquisition_time is None:
            return True
        # naive local time, as programs set and read it
        return (datetime.now() - self.lock_acquisition_time).total_seconds() > DEFAULT_SCHEDULER_FALLBACK_PERIOD

    @property
    def _ttl(self) -> float:
        return float(self.interval) + LOCK_MARGIN

    def _lock(self, queue: str) -> locks.Locked:
        return run_call(self.connection, locks.lock(self.get_locking_key(queue), self.name, self._ttl))

    def acquire_locks(self, auto_start: bool = False) -> set[str]:
        """Acquire or refresh the lock of each queue; returns the names of the queues held."""
        held = set()
        for queue in self._queue_names:
            answer = self._lock(queue)
            if answer == 'acquired':
                self.log.info('Acquired scheduler lock for %s', shown(queue))
            if answer != 'taken':
                held.add(queue)
        self._serve(held)
        self.lock_acquisition_time = datetime.now()
        if held and auto_start and not (self._process and self._process.is_alive()):
            self.start()
        return held

    def _serve(self, queues: set[str]) -> None:
        """From now on serve these; the registries are made anew when they are needed."""
        if queues != self._acquired_locks:
            self._scheduled_job_registries = []
        self._acquired_locks = set(queues)

    def release_locks(self) -> None:
        """Give all locks back; what somebody else took meanwhile is left alone."""
        for queue in self._acquired_locks:
            run_call(self.connection, locks.unlock(self.get_locking_key(queue), self.name))
        self._serve(set())

    def _refresh_locks(self) -> None:
        lost = set()
        for queue in self._acquired_locks:
            answer = self._lock(queue)
            if answer == 'acquired':
                self.log.warning('Scheduler lock for %s had expired; taken again', shown(queue))
            elif answer == 'taken':
                lost.add(queue)
        if lost:
            names = ', '.join(shown(queue) for queue in sorted(lost))
            self.log.warning('Scheduler locks for %s were taken over by another scheduler', names)
            self._serve(self._acquired_locks - lost)

    # --- the books ----------------------------------------------------------------------------------------------

    def register_birth(self) -> None:
        """Store its hash, with the process id."""
        self.pid = os.getpid()
        self.last_heartbeat = now()
        self.save()

    def register_death(self) -> bool:
        """Delete its hash; answers whether there was one."""
        return bool(self.connection.delete(self.key))

    def heartbeat(self) -> None:
        """Be alive for another while, and keep the locks; those taken over by others are forgotten."""
        self.log.debug('Scheduler %s sends a heartbeat', shown(self.name))
        self.last_heartbeat = now()
        self.save()
        self._refresh_locks()

    def to_dict(self) -> dict[str, Any]:
        """The fields of its hash."""
        return {
            'name': self.name,
            'hostname': self.hostname,
            'pid': self.pid,
            'queues': ','.join(self._queue_names),
            'created_at': utcformat(self.created_at),
            'last_heartbeat': utcformat(self.last_heartbeat) if self.last_heartbeat else '',
        }

    def save(self, pipeline: Pipeline | None = None) -> None:
        """Store its hash for a minute beyond its interval."""
        target: Any = self.connection.pipeline() if pipeline is None else pipeline
        target.hset(self.key, mapping=self.to_dict())
        target.expire(self.key, int(self._ttl))
        if pipeline is None:
            target.execute()

    def restore(self, raw_data: dict[Any, Any]) -> None:
        """Take the fields of a hash."""
        data = decode_redis_hash(raw_data, decode_values=True)
        self.name = data.get('name') or self.name
        self.hostname = data.get('hostname', '')
        self.pid = int(data['pid']) if data.get('pid', '').isdigit() else 0
        self._queue_names = {name for name in data.get('queues', '').split(',') if name}
        self.created_at = str_to_date(data['created_at']) if data.get('created_at') else self.created_at
        self.last_heartbeat = str_to_date(data['last_heartbeat']) if data.get('last_heartbeat') else None

    @classmethod
    def fetch(cls, name: str, connection: Redis) -> RQScheduler:
        """The scheduler of a name; `SchedulerNotFound` when its hash is gone."""
        data = connection.hgetall(SCHEDULER_KEY_TEMPLATE % name)
        if not data:
            raise SchedulerNotFound(f'there is no scheduler named {name!r}')
        scheduler = cls([], connection, name=name)
        scheduler.restore(data)
        return scheduler

    # --- work ---------------------------------------------------------------------------------------------------

    def prepare_registries(self, queue_names: Iterable[str] | None = None) -> None:
        """Make the registries of the queues to serve: the given ones, or those whose locks it holds."""
        self._scheduled_job_registries = [
            ScheduledJobRegistry(name, connection=self.connection, serializer=self.serializer)
            for name in queue_names or self._acquired_locks
        ]

    def enqueue_scheduled_jobs(self) -> None:
        """One pass: queue what is due."""
        self._status = SchedulerStatus.WORKING
        if not self._scheduled_job_registries and self._acquired_locks:
            self.prepare_registries()
        for registry in self._scheduled_job_registries:
            self._promote(registry.name)
        self._status = SchedulerStatus.STARTED

    def _promote(self, queue: str) -> None:
        # The script looks at the lock itself: what was taken over a moment ago is left alone.
        for _ in range(PASSES):
            if run_call(self.connection, promote.promote_due(queue, PASS)) < PASS:
                break

    def start(self) -> Any:
        """Run in a forked process; returns that."""
        self._status = SchedulerStatus.STARTED
        # A connection must not be shared with the child.
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        # A daemon is asked to end when this process does; else the interpreter would wait for it for ever.
        self._process = get_context('fork').Process(target=run, args=(self,), name='Scheduler', daemon=True)
        self._process.start()
        return self._process

    def request_stop(self, signum: Any = None, frame: Any = None) -> None:
        """Stop after the pass that runs, as SIGINT and SIGTERM do."""
        self._stop_requested = True
        if self._sleeper is not None:
            self._sleeper.wake()

    def stop(self) -> None:
        """Give the locks back and leave the books."""
        names = ', '.join(shown(queue) for queue in sorted(self._acquired_locks))
        self.log.info('Scheduler stopping, releasing locks for %s...', names)
        self.release_locks()
        self._status = SchedulerStatus.STOPPED
        self.register_death()

    def work(self) -> None:
        """Passes, one per interval, until asked to stop; a server that is away is waited for."""
        if self._connection is None:
            self._connection = rebuild(self._given, SOCKET_TIMEOUT)  # without hidden retries: the waiting is ours
        sleeper = self._sleeper = Sleeper(lambda: self._stop_requested)
        who = f'Scheduler {self.name}'
        with sleeper.listening(self.request_stop):
            try:
                sleeper.through_weather(self.register_birth, who, self.log)
                while not self._stop_requested and not _orphaned():
                    sleeper.through_weather(self._round, who, self.log)
                    sleeper.sleep(float(self.interval))
            finally:
                self._leave()

    def _round(self) -> None:
        if self.should_reacquire_locks:
            self.acquire_locks()
        self.heartbeat()
        self.enqueue_scheduled_jobs()
        # Whose lock somebody else holds: the script knows one of ours, which may be dead, and one of a dead RQ 3.0.
        for queue in self._queue_names - self._acquired_locks:
            self._promote(queue)

    def _leave(self) -> None:
        try:
            self.stop()
        except Exception as error:
            if not is_weather(error):
                raise
            self._status = SchedulerStatus.STOPPED
            self.log.warning('Scheduler %s: its locks stay until they expire: %s', shown(self.name), error)


def _orphaned() -> bool:
    """Whether the process that started this one is gone: then its locks must be free for others."""
    parent = parent_process()
    return parent is not None and parent.pid != os.getppid()


def run(scheduler: RQScheduler) -> None:
    """The process of a scheduler."""
    names = ', '.join(shown(queue) for queue in sorted(scheduler._queue_names))
    scheduler.log.info('Scheduler for %s started with PID %s', names, os.getpid())
    try:
        scheduler.work()
    except Exception:
        scheduler.log.error('Scheduler with PID %s failed:\n%s', os.getpid(), traceback.format_exc())
        raise
    scheduler.log.info('Scheduler with PID %s has stopped', os.getpid())
