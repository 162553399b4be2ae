"""ExecutionRegistry: the living executions of one job. Its public address is `rq.executions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rq.executions import Execution, enlist, living_ids
from rq.registry import BaseRegistry
from rq.store import keys
from rq.utils import current_timestamp

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline


class ExecutionRegistry(BaseRegistry):
    """The living executions of one job."""

    key_template = keys.template(keys.executions('{0}'))
    _expires = True

    def __init__(self, job_id: str, connection: Redis) -> None:
        super().__init__(job_id, connection)
        self.job_id = job_id

    def cleanup(self, timestamp: float | None = None, exception_handlers: list[Any] | None = None) -> None:
        """Remove members whose end of life has passed."""
        self.connection.zremrangebyscore(self.key, 0, current_timestamp() if timestamp is None else timestamp)

    def add(  # type: ignore[override]  # RQ's own signatures differ from the base
        self, execution: Execution, ttl: int, pipeline: Pipeline, xx: bool = False
    ) -> Any:
        """Put one in, or refresh it, in the given pipeline."""
        enlist(execution, ttl, pipeline, xx)

    def remove(  # type: ignore[override]  # as above
        self, execution: Execution, pipeline: Pipeline
    ) -> Any:
        """Take one out, in the given pipeline."""
        return pipeline.zrem(self.key, execution.id)

    def delete(self, job: Any, pipeline: Pipeline) -> None:
        """Delete all of them, in the given pipeline."""
        for execution in self.get_executions():
            execution.delete(job, pipeline)
        pipeline.delete(self.key)

    def get_execution_ids(self, start: int = 0, end: int = -1) -> list[str]:
        """Ids of executions whose end of life has not passed; nothing is removed."""
        return living_ids(self.connection, self.job_id, start, end)

    def get_executions(self, start: int = 0, end: int = -1) -> list[Execution]:
        """The same as objects; those whose hash has expired already are left out."""
        found = []
        for execution_id in self.get_execution_ids(start, end):
            execution = Execution(execution_id, self.job_id, self.connection)
            data = self.connection.hgetall(execution.key)
            if data:
                execution.restore(data)
                found.append(execution)
        return found


ExecutionRegistry.__module__ = 'rq.executions'
