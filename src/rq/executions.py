"""Execution: one run of a job, as stored while it lives. The scripts make and end them; here they are looked at."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rq import stairs
from rq.rules.lease import Lease
from rq.rules.names import parse_composite_key
from rq.rules.timing import from_epoch
from rq.store import keys, read, start
from rq.store.call import run
from rq.utils import current_timestamp, now

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

WORKER_EXECUTIONS_KEY_TEMPLATE = keys.template(keys.worker_executions('{0}'))


class Execution:
    """One attempt at running a job."""

    def __init__(self, id: str, job_id: str, connection: Redis, worker_name: str = '') -> None:
        self.id = id
        self.job_id = job_id
        self.connection = connection
        self.worker_name = worker_name
        self.created_at: datetime = now()
        self.last_heartbeat: datetime = self.created_at
        self._job: Any = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Execution) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def key(self) -> str:
        """The key of its hash."""
        return keys.execution(self.job_id, self.id)

    @property
    def composite_key(self) -> str:
        """`<job id>:<execution id>`, its member in the started registry."""
        return f'{self.job_id}:{self.id}'

    @property
    def worker_executions_key(self) -> str:
        """The set of its worker's executions."""
        return keys.worker_executions(self.worker_name)

    @property
    def job(self) -> Any:
        """Its job, fetched once."""
        if self._job is None:
            self._job = stairs.fetch_job(self.job_id, self.connection)
        return self._job

    @classmethod
    def create(cls, job: Any, ttl: int, pipeline: Pipeline, worker_name: str = '') -> Execution:
        """Make one and put it into all its places, in the given pipeline; for programs that run jobs themselves."""
        execution = cls(uuid4().hex, job.id, job.connection, worker_name)
        execution.save(ttl, pipeline)
        enlist(execution, ttl, pipeline)
        pipeline.zadd(keys.wip(job.origin), {execution.composite_key: current_timestamp() + ttl})
        pipeline.sadd(execution.worker_executions_key, execution.composite_key)
        pipeline.expire(execution.worker_executions_key, ttl + 60)
        return execution

    @classmethod
    def fetch(cls, id: str, job_id: str, connection: Redis) -> Execution:
        """The stored execution; `ValueError` when it has ended or expired."""
        execution = cls(id, job_id, connection)
        execution.refresh()
        return execution

    @classmethod
    def from_composite_key(cls, composite_key: str, connection: Redis) -> Execution:
        """Built from a member of the started registry, without reading."""
        job_id, execution_id = parse_composite_key(composite_key)
        return cls(execution_id, job_id, connection)

    def refresh(self) -> None:
        """Read it again."""
        data = self.connection.hgetall(self.key)
        if not data:
            raise ValueError(f'Execution {self.composite_key} is not stored: it has ended, or its worker is gone')
        self.restore(data)

    def restore(self, data: dict[Any, Any]) -> None:
        """Set the attributes from its hash."""
        raw = {name if isinstance(name, str) else name.decode(): value for name, value in data.items()}
        self.created_at = from_epoch(float(raw['created_at']))
        self.last_heartbeat = from_epoch(float(raw['last_heartbeat']))
        self.worker_name = read.texts([raw.get('worker_name', '')])[0]

    def serialize(self) -> dict[str, Any]:
        """The fields of its hash."""
        return {
            'id': self.id,
            'job_id': self.job_id,
            'created_at': self.created_at.timestamp(),
            'last_heartbeat': self.last_heartbeat.timestamp(),
            'worker_name': self.worker_name,
        }

    def save(self, ttl: int, pipeline: Pipeline | None = None) -> None:
        """Write its hash, to live for ttl seconds."""
        target: Any = self.connection if pipeline is None else pipeline
        target.hset(self.key, mapping=self.serialize())
        target.expire(self.key, ttl)

    def delete(self, job: Any, pipeline: Pipeline) -> None:
        """Remove it from all its places, in the given pipeline."""
        pipeline.delete(self.key)
        for key in (keys.wip(job.origin), keys.leases(job.origin)):
            pipeline.zrem(key, self.composite_key)
        pipeline.zrem(keys.executions(self.job_id), self.id)
        pipeline.srem(self.worker_executions_key, self.composite_key)

    def heartbeat(self, started_job_registry: Any, ttl: int, pipeline: Pipeline) -> None:
        """Note that it lives; for programs that run jobs themselves."""
        self.last_heartbeat = now()
        pipeline.hset(self.key, 'last_heartbeat', self.last_heartbeat.timestamp())
        pipeline.expire(self.key, ttl)
        started_job_registry.add_execution(self, pipeline=pipeline, ttl=ttl, xx=True)
        enlist(self, ttl, pipeline, xx=True)


def __getattr__(name: str) -> Any:
    if name == 'ExecutionRegistry':  # a registry, so it stands above us
        return stairs.execution_registry_class()
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def enlist(execution: Execution, ttl: int, pipeline: Pipeline, xx: bool = False) -> None:
    """Put an execution among those of its job, or refresh it there, in the given pipeline."""
    key = keys.executions(execution.job_id)
    pipeline.zadd(key, {execution.id: current_timestamp() + ttl + 60}, xx=xx)
    pipeline.expire(key, ttl + 60)


def living_ids(connection: Any, job_id: str, start: int = 0, end: int = -1) -> list[str]:
    """Ids of a job's executions whose end of life has not passed; nothing is removed."""
    now_score = current_timestamp()
    members: Any = connection.zrange(keys.executions(job_id), start, end, withscores=True)
    return read.texts([member for member, score in members if score > now_score])


def take_lease(connection: Any, job: Any, lease: Lease, ttl: int, state: str = '') -> float | None:
    """Make an execution that no claim made, and say when; None for a job without a record.

    A job that was never stored is stored first, as its outcome will be.
    """
    made = run(connection, start.prepare(lease, ttl, state))
    if made is None and job._stored_status is None and job._status is not None:
        job.save()
        made = run(connection, start.prepare(lease, ttl, state))
    return made


def prepare_execution(worker: Any, job: Any) -> Execution:
    """Make an execution of a job, with its lease, and mark the worker busy, as one step."""
    ttl = worker.get_heartbeat_ttl(job)
    execution = Execution(uuid4().hex, job.id, worker.connection, worker.name)
    lease = Lease(job.id, execution.id, job.origin, worker.name, ttl * 1000, ttl)
    made = take_lease(worker.connection, job, lease, ttl, 'busy')
    if made is not None:
        execution.created_at = execution.last_heartbeat = from_epoch(made)
    worker.executions[execution.id], worker.leases[execution.id] = execution, lease
    worker.prepared.add(execution.id)
    worker._state = 'busy'
    return execution


def cleanup_execution(worker: Any, job: Any, pipeline: Pipeline, execution: Execution | None = None) -> None:
    """Remove an execution (the latest of the job that the worker knows) from all its places, and from the worker."""
    execution = execution or worker.execution_of(job)
    if execution is not None:
        execution.delete(job, pipeline)
        worker.forget_execution(execution.id)
