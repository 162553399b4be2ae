"""A worker's own record: birth, death, state, counts; and reading the records of others."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from rq import eras
from rq.exceptions import NoSuchJobError
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE, Execution
from rq.rules.lease import is_of_batch
from rq.rules.timing import str_to_date, utcformat
from rq.store import keys, read, workers
from rq.store.call import is_weather, run
from rq.utils import get_version, now
from rq.worker import life

if TYPE_CHECKING:
    from redis import Redis


class Books:
    """Mixin of BaseWorker."""

    name: str
    key: Any
    instance: str
    connection: Any
    queues: list[Any]
    worker_ttl: int
    job_class: type[Any]
    serializer: Any
    last_heartbeat: Any
    birth_date: Any
    log: Any
    executions: dict[str, Execution]
    _executions: list[Execution]
    _loop: Any
    _state: str
    _shutdown_requested_date: Any
    redis_server_version: tuple[int, int, int] | None

    @property
    def own(self) -> Any:
        """The client of its books: while it works a client with short timeouts, so that no silent server holds it."""
        return self.connection if self._loop is None else self._loop.talk.client

    def _patiently(self, action: Callable[[], None]) -> None:
        """Do it, in the loop however long the server is away or refuses."""
        if self._loop is None:
            action()
        else:
            self._loop.talk.through(action)

    def queue_names(self) -> list[str]:
        """Names of its queues."""
        return [queue.name for queue in self.queues]

    # --- birth and death ----------------------------------------------------------------------------------------

    def register_birth(self) -> None:
        """Enter the books; `ValueError` when a living worker has the name."""
        before, self.birth_date = self.birth_date, now()
        try:
            life.be_born(self)
        except ValueError:
            self.birth_date = before
            raise
        self.last_heartbeat = self.birth_date

    def register_again(self) -> None:
        """The books forgot this worker: enter them anew."""
        self.log.warning('Worker %s: its record had vanished, writing it again', self.name)
        try:
            life.be_born(self, again=True)
        except ValueError as error:
            self.log.error('Worker %s: %s', self.name, error)
        except Exception as error:
            if not is_weather(error):
                raise
            self.log.debug('Worker %s: %s', self.name, error)  # its next beat finds out that it still has none

    def register_death(self) -> None:
        """Leave the books."""
        life.leave(self)

    def serialize(self) -> dict[str, Any]:
        """The fields of its hash; `ValueError` before its birth."""
        if self.birth_date is None:
            raise ValueError(f'worker {self.name} was not born yet, so there is nothing to write of it')
        dates = {'birth': utcformat(self.birth_date), 'last_heartbeat': utcformat(self.last_heartbeat)}
        return {**dates, **life.fields_of(self)}

    # --- signs of life ------------------------------------------------------------------------------------------

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Note that the worker lives, for so many seconds; while it works its clock does so, too."""
        self.last_heartbeat = now()
        ttl = timeout or self.worker_ttl + 60
        target = self.own.pipeline() if pipeline is None else pipeline
        target.hset(self.key, 'last_heartbeat', utcformat(self.last_heartbeat))
        target.expire(self.key, ttl)
        target.expire(self.executions_key, ttl)
        if pipeline is None:
            target.execute()

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """Write the worker's state: started, idle, busy or suspended."""
        self._state = state
        target = self.own if pipeline is None else pipeline
        target.hset(self.key, 'state', state)

    def get_state(self) -> str:
        """The last known state."""
        return self._state

    def _state_of_old(self) -> str:
        warnings.warn('worker.state is deprecated, use worker.get_state()', DeprecationWarning, stacklevel=2)
        return self.get_state()

    def _set_state_of_old(self, state: str) -> None:
        warnings.warn('worker.state is deprecated, use worker.set_state()', DeprecationWarning, stacklevel=2)
        self.set_state(state)

    state = property(_state_of_old, _set_state_of_old, doc='Deprecated: `get_state()` and `set_state()`.')

    def set_shutdown_requested_date(self) -> None:
        """Write when a warm shutdown was asked for."""
        self._shutdown_requested_date = self._shutdown_requested_date or now()
        self.own.hset(self.key, 'shutdown_requested_date', utcformat(self._shutdown_requested_date))

    def _moment(self, field: str) -> Any:
        text = self.connection.hget(self.key, field)
        return str_to_date(text) if text else None

    shutdown_requested_date = property(
        lambda self: self._moment('shutdown_requested_date'), doc='When a warm shutdown was asked for, as stored.'
    )
    death_date = property(lambda self: self._moment('death'), doc='When it left the books, as stored.')

    # --- counts -------------------------------------------------------------------------------------------------

    def increment_failed_job_count(self, pipeline: Any = None) -> None:
        """Count a failure; settling one does so by itself."""
        (self.connection if pipeline is None else pipeline).hincrby(self.key, 'failed_job_count', 1)

    def increment_successful_job_count(self, pipeline: Any = None) -> None:
        """Count a success; settling one does so by itself."""
        (self.connection if pipeline is None else pipeline).hincrby(self.key, 'successful_job_count', 1)

    def increment_total_working_time(self, job_execution_time: timedelta, pipeline: Any) -> None:
        """Add the time of a job; settling one does so by itself."""
        pipeline.hincrbyfloat(self.key, 'total_working_time', job_execution_time.total_seconds())

    def get_redis_server_version(self) -> tuple[int, int, int]:
        """The server's version, asked once."""
        if self.redis_server_version is None:
            self.redis_server_version = get_version(self.connection)
        return self.redis_server_version

    # --- what it runs -------------------------------------------------------------------------------------------

    executions_key = property(
        lambda self: WORKER_EXECUTIONS_KEY_TEMPLATE.format(self.name), doc='The set of its executions.'
    )

    @property
    def current_execution_count(self) -> int:
        """How many executions it has under way, as stored."""
        return int(self.connection.scard(self.executions_key))

    def get_current_executions(self, refresh: bool = False) -> list[Execution]:
        """The executions this worker has under way, as stored; read once unless `refresh=True`. Dead ones go."""
        if self._executions and not refresh:
            return self._executions
        found, dead = [], []
        for member in read.texts(sorted(self.connection.smembers(self.executions_key))):
            execution = Execution.from_composite_key(member, self.connection)
            try:
                execution.refresh()
            except ValueError:
                if not is_of_batch(execution.id):  # of which most never have a record
                    dead.append(member)
                    continue
                execution.worker_name = self.name
            found.append(execution)
        if dead:
            self.connection.srem(self.executions_key, *dead)
        self._executions = found
        return found

    def get_current_job_id(self) -> str | None:
        """The id of a job it runs, or None."""
        known = list(self.executions.values()) or self.get_current_executions()
        return known[0].job_id if known else None

    def set_current_job_id(self, job_id: str | None, pipeline: Any = None) -> None:
        """Of RQ 2: which job it runs is said by its executions now, so this says nothing."""

    def get_current_job(self) -> Any:
        """A job it runs, or None."""
        job_id = self.get_current_job_id()
        if job_id is None:
            return None
        try:
            return self.job_class.fetch(job_id, self.connection, self.serializer)
        except NoSuchJobError:
            return None

    # --- reading ------------------------------------------------------------------------------------------------

    @classmethod
    def all_keys(cls, connection: Redis | None = None, queue: Any = None) -> list[str]:
        """Keys of the workers of a connection, or of a queue."""
        return sorted(life.get_keys(queue=queue, connection=connection))

    @classmethod
    @eras.finding
    def count(cls, connection: Redis | None = None, queue: Any = None) -> int:
        """How many there are, from the set alone."""
        return len(cls.all_keys(connection, queue))

    @classmethod
    @eras.finding
    def all(
        cls, connection: Redis | None = None, job_class: Any = None, queue_class: Any = None, queue: Any = None,
        serializer: Any = None,
    ) -> list[Self]:  # fmt: skip
        """The workers of a connection, or of a queue."""
        worker_keys = cls.all_keys(connection, queue)
        source: Any = connection or queue.connection
        found = (cls.find_by_key(key, source, job_class, queue_class, serializer) for key in worker_keys)
        return [worker for worker in found if worker is not None]

    @classmethod
    @eras.finding
    def find_by_key(
        cls, worker_key: str, connection: Redis, job_class: Any = None, queue_class: Any = None, serializer: Any = None
    ) -> Self | None:
        """The worker of a key, or None for one that is gone, which is forgotten; `ValueError` for a foreign key."""
        found: Self | None = life.find(
            cls, worker_key, connection, job_class=job_class, queue_class=queue_class, serializer=serializer
        )
        return found

    def refresh(self) -> None:
        """Read the worker's own record again."""
        data = life.read_hash(self.connection, self.key)
        if data:
            life.restore(self, data)

    def beat(self) -> str:
        """One beat as the clock gives it; answers ok, or gone when the books do not know this instance."""
        return run(self.connection, workers.beat(self.name, self.worker_ttl + 60, self.instance))

    @property
    def pubsub_channel_name(self) -> str:
        """Where it listens for commands."""
        return keys.channel(self.name)
