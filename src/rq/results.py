"""Result: what one execution left in the job's result stream. Workers write it by the settling scripts."""

from __future__ import annotations

import base64
import binascii
import warnings
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from rq.defaults import UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from rq.rules.payload import UNEVALUATED
from rq.rules.status import JobStatus
from rq.rules.timing import from_epoch
from rq.serializers import resolve_serializer
from rq.store import keys
from rq.store.codec import decompress
from rq.store.settle import encode_text, encode_value
from rq.utils import now

if TYPE_CHECKING:
    from redis import Redis


class ResultType(Enum):
    """How the execution ended."""

    SUCCESSFUL = 1
    FAILED = 2
    STOPPED = 3
    RETRIED = 4
    MAX_RETRIES_EXCEEDED = 5


# A job may return one, which RQ 3.0 must be able to load.
ResultType.__name__, ResultType.__qualname__ = 'Type', 'Result.Type'


class Result:
    """One recorded outcome of a job."""

    Type = ResultType

    def __init__(
        self,
        job_id: str,
        type: ResultType,
        connection: Redis,
        id: str | None = None,
        created_at: datetime | None = None,
        return_value: Any | None = None,
        exc_string: str | None = None,
        worker_name: str = '',
        serializer: Any = None,
        execution_id: str | None = None,
        execution_started_at: datetime | None = None,
        execution_ended_at: datetime | None = None,
    ) -> None:
        self.job_id = job_id
        self.type = type
        self.connection = connection
        self.id = id
        self.created_at = created_at or now()
        self.return_value = return_value
        self.exc_string = exc_string
        self.worker_name = worker_name
        self.serializer = resolve_serializer(serializer)
        self.execution_id = execution_id
        self.execution_started_at = execution_started_at
        self.execution_ended_at = execution_ended_at

    def __repr__(self) -> str:
        return f'Result(id={self.id}, type={self.type.name})'

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Result) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __bool__(self) -> bool:
        return bool(self.id)

    @classmethod
    def create(
        cls,
        job: Any,
        type: ResultType,
        ttl: int | None,
        return_value: Any = None,
        exc_string: str | None = None,
        worker_name: str = '',
        pipeline: Any = None,
        execution_id: str | None = None,
        execution_started_at: datetime | None = None,
        execution_ended_at: datetime | None = None,
    ) -> Result:
        """Build a result and save it."""
        result = cls(
            job.id, type, job.connection, None, None, return_value, exc_string, worker_name, job.serializer,
            execution_id, execution_started_at, execution_ended_at,
        )  # fmt: skip
        result.save(ttl, pipeline)
        return result

    @classmethod
    def create_failure(
        cls, job: Any, ttl: int | None, exc_string: str, worker_name: str = '', pipeline: Any = None,
        execution_id: str | None = None, execution_started_at: datetime | None = None,
        execution_ended_at: datetime | None = None,
    ) -> Result:  # fmt: skip
        """A FAILED result."""
        return cls.create(
            job, cls.Type.FAILED, ttl, None, exc_string, worker_name, pipeline, execution_id, execution_started_at,
            execution_ended_at,
        )  # fmt: skip

    @classmethod
    def create_retried(
        cls, job: Any, ttl: int | None, return_value: Any, worker_name: str, execution_id: str,
        execution_started_at: datetime, execution_ended_at: datetime, pipeline: Any = None,
    ) -> Result:  # fmt: skip
        """A RETRIED result, with the Retry as its value."""
        return cls.create(
            job, cls.Type.RETRIED, ttl, return_value, None, worker_name, pipeline, execution_id, execution_started_at,
            execution_ended_at,
        )  # fmt: skip

    @classmethod
    def create_max_retries_exceeded(
        cls, job: Any, ttl: int | None, return_value: Any, worker_name: str, execution_id: str,
        execution_started_at: datetime, execution_ended_at: datetime, pipeline: Any = None,
    ) -> Result:  # fmt: skip
        """A MAX_RETRIES_EXCEEDED result, with the last Retry as its value."""
        return cls.create(
            job, cls.Type.MAX_RETRIES_EXCEEDED, ttl, return_value, None, worker_name, pipeline, execution_id,
            execution_started_at, execution_ended_at,
        )  # fmt: skip

    @classmethod
    def all(cls, job: Any, serializer: Any = None) -> list[Result]:
        """Every kept result of a job, newest first."""
        entries = job.connection.xrevrange(cls.get_key(job.id), '+', '-')
        return [cls.of_entry(job, entry, serializer) for entry in entries]

    @classmethod
    def count(cls, job: Any) -> int:
        """The number of kept results."""
        return int(job.connection.xlen(cls.get_key(job.id)))

    @classmethod
    def delete_all(cls, job: Any) -> None:
        """Forget every result of a job."""
        job.connection.delete(cls.get_key(job.id))

    @classmethod
    def fetch(cls, job: Any, serializer: Any = None) -> Result | None:
        """Always None, as in RQ 3.0; use `fetch_latest`."""
        return None

    @classmethod
    def fetch_latest(cls, job: Any, serializer: Any = None, timeout: int = 0) -> Result | None:
        """The newest result; with a timeout (seconds) wait for the first one."""
        key = cls.get_key(job.id)
        if timeout:
            found: Any = job.connection.xread({key: '0-0'}, block=timeout * 1000)
            entries = cls.entries_of(found, key)
            if not entries:
                return None
            return cls.of_entry(job, entries[-1], serializer)
        entries = job.connection.xrevrange(key, '+', '-', count=1)
        return cls.of_entry(job, entries[0], serializer) if entries else None

    @staticmethod
    def entries_of(found: Any, key: str) -> list[Any]:
        """The entries in a reply of XREAD, of either protocol."""
        if not found:
            return []
        entries: list[Any] = found[key.encode()] if isinstance(found, dict) else found[0][1]
        return entries[0] if entries and isinstance(entries[0], list) else entries

    @classmethod
    def of_entry(cls, job: Any, entry: Any, serializer: Any) -> Result:
        """A result from an entry of a job's stream."""
        return cls.restore(job.id, entry[0].decode(), entry[1], job.connection, serializer or job.serializer)

    @classmethod
    def get_key(cls, job_id: str) -> str:
        """The key of the stream."""
        return keys.results(job_id)

    @classmethod
    def restore(
        cls, job_id: str, result_id: str, payload: dict[Any, Any], connection: Redis, serializer: Any = None
    ) -> Result:
        """A result from a stream entry; what cannot be read is None, never an error."""
        raw = {_text(name): value for name, value in payload.items()}
        resolved = resolve_serializer(serializer)
        exc_string = None
        if raw.get('exc_string'):
            exc_string = decompress(_unbase64(raw['exc_string'])).decode('utf-8', 'replace')
        return cls(
            job_id,
            cls.Type(int(raw['type'])),
            connection,
            id=result_id,
            created_at=from_epoch(int(result_id.split('-')[0]) / 1000),
            return_value=_load(resolved, raw.get('return_value')),
            exc_string=exc_string,
            worker_name=_text(raw.get('worker_name', '')),
            serializer=resolved,
            execution_id=_text(raw['execution_id']) if 'execution_id' in raw else None,
            execution_started_at=_moment(raw.get('execution_started_at')),
            execution_ended_at=_moment(raw.get('execution_ended_at')),
        )

    def save(self, ttl: int | None, pipeline: Any = None) -> Any:
        """Add it to the stream; ttl in seconds, -1 for ever, None leaves the stream's expiry alone."""
        key = self.get_key(self.job_id)
        target: Any = self.connection if pipeline is None else pipeline
        added = target.xadd(key, self.serialize(), maxlen=10)
        if pipeline is None:
            self.id = added.decode()
        if ttl is not None:
            target.persist(key) if ttl == -1 else target.expire(key, ttl)
        return self.id

    def serialize(self) -> dict[str, Any]:
        """The fields of the stream entry."""
        fields: dict[str, Any] = {'type': self.type.value, 'worker_name': self.worker_name}
        if self.exc_string is not None:
            fields['exc_string'] = encode_text(self.exc_string)
        if self.return_value is not None:
            fields['return_value'] = encode_value(self._dump(self.return_value)).decode()
        if self.execution_id:
            fields['execution_id'] = self.execution_id
        if self.execution_started_at:
            fields['execution_started_at'] = self.execution_started_at.timestamp()
        if self.execution_ended_at:
            fields['execution_ended_at'] = self.execution_ended_at.timestamp()
        return fields

    def _dump(self, value: Any) -> bytes:
        try:
            return bytes(self.serializer.dumps(value))
        except Exception:
            return bytes(self.serializer.dumps(UNSERIALIZABLE_RETURN_VALUE_PAYLOAD))


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode('utf-8', 'backslashreplace')


def _unbase64(value: bytes) -> bytes:
    try:
        return base64.b64decode(value)
    except binascii.Error:
        return bytes(value)


def _load(serializer: Any, packed: bytes | None) -> Any:
    if not packed:
        return None
    try:
        return serializer.loads(_unbase64(packed))
    except Exception:
        return UNSERIALIZABLE_RETURN_VALUE_PAYLOAD


def _moment(value: bytes | None) -> datetime | None:
    try:
        return from_epoch(float(value)) if value else None
    except ValueError:
        return None


class HasResults:
    """Mixin of Job: what its executions left, newest first."""

    serializer: Any
    _result: Any
    _exc_info: str | None
    _exc_info_is_set = False
    _status: JobStatus | None
    era: str | None
    _read_result: Any = UNEVALUATED

    def results(self) -> list[Result]:
        """All kept results, newest first."""
        return Result.all(self, serializer=self.serializer)

    def latest_result(self, timeout: int = 0) -> Result | None:
        """The newest result or None; wait up to `timeout` seconds for the first."""
        return Result.fetch_latest(self, serializer=self.serializer, timeout=timeout)

    def return_value(self, refresh: bool = False) -> Any | None:
        """The value of the latest result when that was a success, else None; kept until `refresh=True`."""
        if refresh or self._read_result is UNEVALUATED:
            latest = self.latest_result()
            if latest is None or latest.type is not Result.Type.SUCCESSFUL:
                return None
            self._read_result = latest.return_value
        return self._read_result

    @property
    def result(self) -> Any:
        """Deprecated: `return_value()`, falling back to what RQ before 1.12 stored."""
        warnings.warn('job.result is deprecated, use job.return_value()', DeprecationWarning, stacklevel=2)
        value = self.return_value(refresh=True)
        return self._result if value is None else value

    @property
    def exc_info(self) -> str | None:
        """The traceback of the latest failure as text, or None. Deprecated in RQ in favour of `latest_result()`."""
        warnings.warn('job.exc_info is deprecated: job.latest_result().exc_string', DeprecationWarning, stacklevel=2)
        if self._exc_info_is_set or (self.era and self._status is not JobStatus.FAILED):
            return self._exc_info  # 0.x kept one text, which went with the failure
        latest = self.latest_result()
        if latest is not None and latest.type is Result.Type.FAILED:
            return latest.exc_string
        return self._exc_info

    @exc_info.setter
    def exc_info(self, text: str | None) -> None:
        self._exc_info, self._exc_info_is_set = text, True
