"""What a worker does beside jobs: the books (birth, death, state, counts), registry cleaning, reading other workers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from rq.command import handle_command, parse_payload
from rq.executions import Execution
from rq.registry import FailedJobRegistry, FinishedJobRegistry
from rq.store import keys, read, workers
from rq.store.call import run
from rq.utils import now
from rq.worker import life

if TYPE_CHECKING:
    from redis import Redis


class Maintenance:
    """Mixin of BaseWorker."""

    name: str
    key: Any
    instance: str
    connection: Any
    queues: list[Any]
    worker_ttl: int
    maintenance_interval: int
    last_cleaned_at: Any
    last_heartbeat: Any
    log: Any
    _state: str

    def queue_names(self) -> list[str]:
        """Names of its queues."""
        return [queue.name for queue in self.queues]

    # --- the books ----------------------------------------------------------------------------------------------

    def register_birth(self) -> None:
        """Enter the books; `ValueError` when a living worker has the name."""
        life.be_born(self)
        self._state = 'started'

    def register_again(self) -> None:
        """The books forgot this worker: enter them anew."""
        self.log.warning('Worker %s: its record had vanished, writing it again', self.name)
        try:
            life.be_born(self)
        except ValueError as error:
            self.log.error('Worker %s: %s', self.name, error)

    def register_death(self) -> None:
        """Leave the books."""
        run(self.connection, workers.gone(self.name, self.queue_names(), self.instance))

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Note that the worker lives; its clock does so by itself while it works."""
        self.last_heartbeat = now()
        run(self.connection, workers.beat(self.name, timeout or self.worker_ttl + 60, self.instance))

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """Write the worker's state: started, idle, busy or suspended."""
        self._state = state
        target = self.connection if pipeline is None else pipeline
        target.hset(self.key, 'state', state)

    def get_state(self) -> str:
        """The last known state."""
        return self._state

    def set_shutdown_requested_date(self) -> None:
        """Write when a warm shutdown was asked for."""
        self.connection.hset(self.key, 'shutdown_requested_date', life.moment_text())

    def handle_payload(self, message: Any) -> None:
        """A command has come; what cannot be read is named and dropped."""
        try:
            payload = parse_payload(message)
        except (ValueError, KeyError, TypeError) as error:
            self.log.warning('Worker %s: a command cannot be read: %s', self.name, error)
            return
        handle_command(self, payload)

    # --- cleaning -----------------------------------------------------------------------------------------------

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """Whether it was never done, or longer ago than the interval."""
        if self.last_cleaned_at is None:
            return True
        return bool(now() - self.last_cleaned_at > timedelta(seconds=self.maintenance_interval))

    def maintain(self) -> None:
        """Do the maintenance when it is due; its failing must not stop the work."""
        if self.should_run_maintenance_tasks:
            self.last_cleaned_at = now()
            try:
                self.run_maintenance_tasks()
            except Exception as error:
                self.log.error('Worker %s: maintenance failed: %s', self.name, error)

    def run_maintenance_tasks(self) -> None:
        """Drop what has expired."""
        self.clean_registries()

    def clean_registries(self) -> None:
        """Per queue, if nobody else does: expired entries of registries, workers without a record.

        Abandoned jobs are not waited for here: the clock of every worker looks for them all the time.
        """
        for queue in self.queues:
            if not self.connection.set(keys.clean_registries(queue.name), 1, nx=True, ex=899):
                continue
            for registry in (FinishedJobRegistry, FailedJobRegistry):
                registry(queue=queue, job_class=queue.job_class).cleanup()
            self._forget_vanished(queue.name)
            self.connection.delete(keys.clean_registries(queue.name))

    def _forget_vanished(self, queue_name: str) -> None:
        for key in life.registered_keys(self.connection, queue_name):
            if not self.connection.exists(key):
                self.connection.srem(keys.WORKERS, key)
                self.connection.srem(keys.workers(queue_name), key)

    # --- reading ------------------------------------------------------------------------------------------------

    @classmethod
    def all_keys(cls, connection: Redis | None = None, queue: Any = None) -> list[str]:
        """Keys of the workers of a connection, or of a queue."""
        if queue is None and connection is None:
            raise ValueError('give a connection or a queue')
        return life.registered_keys(connection or queue.connection, queue.name if queue else None)

    @classmethod
    def count(cls, connection: Redis | None = None, queue: Any = None) -> int:
        """How many there are, from the set alone."""
        return len(cls.all_keys(connection, queue))

    @classmethod
    def all(
        cls, connection: Redis | None = None, job_class: Any = None, queue_class: Any = None, queue: Any = None,
        serializer: Any = None,
    ) -> list[Self]:  # fmt: skip
        """The workers of a connection, or of a queue."""
        source: Any = connection or queue.connection
        found = (
            cls.find_by_key(key, source, job_class, queue_class, serializer) for key in cls.all_keys(connection, queue)
        )
        return [worker for worker in found if worker is not None]

    @classmethod
    def find_by_key(
        cls, worker_key: str, connection: Redis, job_class: Any = None, queue_class: Any = None, serializer: Any = None
    ) -> Self | None:
        """The worker of a key, or None; `ValueError` for a key that is none of a worker."""
        found: Self | None = life.find(
            cls, worker_key, connection, job_class=job_class, queue_class=queue_class, serializer=serializer
        )
        return found

    def refresh(self) -> None:
        """Read the worker's own record again."""
        life.restore(self, life.read_hash(self.connection, self.key))

    def get_current_executions(self, refresh: bool = False) -> list[Execution]:
        """The executions this worker has under way, as stored."""
        members = self.connection.smembers(keys.worker_executions(self.name))
        return [Execution.from_composite_key(one, self.connection) for one in read.texts(sorted(members))]

    def get_current_job_id(self) -> str | None:
        """The id of a job it runs, or None."""
        executions = self.get_current_executions()
        return executions[0].job_id if executions else None

    def get_current_job(self) -> Any:
        """A job it runs, or None."""
        executions = self.get_current_executions()
        return executions[0].job if executions else None
