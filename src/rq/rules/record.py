"""JobRecord: all that is stored of a job, as plain attributes. No connection, no key names, no clock.

How the attributes become hash fields is `store/codec.py`; what a job may do next is `rules/status.py`.
"""

from __future__ import annotations

from datetime import datetime
from operator import itemgetter
from typing import Any

from rq.defaults import UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from rq.rules.names import fresh_id, validate_job_id
from rq.rules.payload import UNEVALUATED, Payload
from rq.rules.policy import Policy
from rq.rules.retry import Retry, interval_after_failure, retries_used
from rq.rules.status import JobStatus
from rq.timeouts import BaseTimeoutException

#: What user code may change while its job runs and expects to find stored with the outcome.
TOUCHABLE = (
    'description',
    'timeout',
    'result_ttl',
    'failure_ttl',
    'ttl',
    'retries_left',
    'number_of_retries',
    'retry_intervals',
    'retry_policy',
    'enqueue_at_front',
    'enqueue_at_front_on_retry',
    'repeats_left',
    'repeat_intervals',
)

_touchable_of = itemgetter(*TOUCHABLE)

#: What a copy of a job has from it, beside call, notes and retries; all else is of the one job's own life.
SETTINGS = (
    'timeout',
    'result_ttl',
    'failure_ttl',
    'ttl',
    'group_id',
    '_success_callback_name',
    '_success_callback_timeout',
    '_failure_callback_name',
    '_failure_callback_timeout',
    '_stopped_callback_name',
    '_stopped_callback_timeout',
    '_final_callback_name',
    '_final_callback_timeout',
    '_dependency_id',
    '_dependency_ids',
    'allow_dependency_failures',
    'enqueue_at_front',
    'enqueue_at_front_on_retry',
    'retry_intervals',
    'retry_policy',
    'repeats_left',
    'repeat_intervals',
    'webhooks',
    'rate_limit_key',
    'rate_limit_concurrency',
    'keep_on_failure',
)


class JobRecord(Payload):
    """The stored fields of one job; every attribute has the meaning of the hash field of its name."""

    def __init__(self, id: str, serializer: Any) -> None:
        self._id = id
        self.serializer = serializer
        self._forget_call()
        self.created_at: datetime | None = None
        self.description: str | None = None
        self.origin = ''
        self.enqueued_from: str | None = None  # where the program that enqueued it did so: file:line function
        self.copy_of: str | None = None  # the id of the job that this one is a copy of
        self.keep_on_failure: str | None = None  # as `rules.keeping` has it
        self._status: JobStatus | None = None
        self.enqueued_at: datetime | None = None
        self.started_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.last_heartbeat: datetime | None = None
        self.worker_name: str | None = None
        self.timeout: float | None = None
        self.result_ttl: int | None = None
        self.failure_ttl: int | None = None
        self.ttl: int | None = None
        self._meta: Any = {}
        self._stored_meta: bytes | None = None  # what `meta` was read from
        self._last_result: Any = None
        self._stored_result: bytes | None = None
        self._exc_info: str | None = None
        self._restore_callbacks()
        self.retries_left: int | None = None
        self.retry_intervals: list[int] | None = None
        self.retry_policy: Policy | None = None  # what a Retry says beyond these two
        self.number_of_retries: int | None = None
        self.enqueue_at_front: bool | None = None
        self.enqueue_at_front_on_retry = False
        self._dependency_id: str | None = None
        self._dependency_ids: list[str] = []
        self.allow_dependency_failures: bool | None = None
        self.group_id: str | None = None
        self.repeats_left: int | None = None
        self.repeat_intervals: list[int] | None = None
        self.rate_limit_key: str | None = None
        self.rate_limit_concurrency: int | None = None
        self.webhooks: list[Any] = []
        self.warning: str | None = None
        self.redis_server_version: tuple[int, int, int] | None = None

    @property
    def id(self) -> str:
        """Its id; a uuid4, made on first use, unless one was given."""
        if not self._id:
            self._id = fresh_id()
        return self._id

    @id.setter
    def id(self, value: str) -> None:
        validate_job_id(value)
        self._id = value

    @property
    def has_rate_limit(self) -> bool:
        """Whether it must get a slot before it is queued."""
        return bool(self.rate_limit_key) and self.rate_limit_concurrency is not None

    def _restore_callbacks(self) -> None:
        self._success_callback_name: str | None = None
        self._success_callback: Any = UNEVALUATED
        self._success_callback_timeout: int | None = None
        self._failure_callback_name: str | None = None
        self._failure_callback: Any = UNEVALUATED
        self._failure_callback_timeout: int | None = None
        self._stopped_callback_name: str | None = None
        self._stopped_callback: Any = UNEVALUATED
        self._stopped_callback_timeout: int | None = None
        self._final_callback_name: str | None = None
        self._final_callback: Any = UNEVALUATED
        self._final_callback_timeout: int | None = None

    # Loading runs code of whoever wrote the bytes: only for who asks, never in the process that merely passes them on.

    @property
    def meta(self) -> dict[Any, Any]:
        """The job's own notes; what cannot be loaded stands in a placeholder."""
        if self._meta is UNEVALUATED:
            self._meta = self._loaded(self._stored_meta, {'unserialized': self._stored_meta})
        notes: dict[Any, Any] = self._meta
        return notes

    @meta.setter
    def meta(self, value: dict[Any, Any]) -> None:
        self._meta = value

    @property
    def _result(self) -> Any:
        if self._last_result is UNEVALUATED:
            self._last_result = self._loaded(self._stored_result, UNSERIALIZABLE_RETURN_VALUE_PAYLOAD)
        return self._last_result

    @_result.setter
    def _result(self, value: Any) -> None:
        self._last_result = value

    def _loaded(self, stored: bytes | None, otherwise: Any) -> Any:
        try:
            return self.serializer.loads(stored)
        except BaseTimeoutException:
            raise
        except Exception:
            return otherwise

    def state(self) -> tuple[dict[str, Any], list[str]]:
        """Plain values of all attributes and the names of those not loaded yet: enough to rebuild it elsewhere."""
        plain, lazy = {}, []
        for name, value in self.__dict__.items():
            if value is UNEVALUATED:
                lazy.append(name)
            elif name not in ('connection', 'serializer'):
                plain[name] = value
        return plain, lazy

    def adopt_state(self, plain: dict[str, Any], lazy: list[str]) -> None:
        """Become the record whose `state` this is."""
        self.__dict__.update(plain)
        for name in lazy:
            self.__dict__[name] = UNEVALUATED

    def adopt_retry(self, retry: Any) -> None:
        """Take over what a Retry says; False is no retry at all, whatever the defaults are."""
        if retry is False:
            self.retries_left = 0
            return
        if not isinstance(retry, Retry):
            raise TypeError(f'retry={retry!r} is no Retry; write retry=Retry(max=3)')
        self.retries_left, self.retry_intervals, self.retry_policy = retry.max, retry.intervals, retry.policy
        self.enqueue_at_front_on_retry = retry.enqueue_at_front

    def settings_of(self, other: JobRecord, attempts: list[dict[str, Any]]) -> None:
        """Be set up as another record was at first; `attempts`: what is remembered of those that failed."""
        for name in SETTINGS:
            value = other.__dict__[name]
            self.__dict__[name] = list(value) if isinstance(value, list) else value
        self.copy_of, self.origin = other.id, other.origin
        if other.retry_policy is not None:
            self.retries_left = other.retry_policy.max
        elif other.retries_left is not None:
            self.retries_left = other.retries_left + retries_used(attempts)

    @property
    def should_retry(self) -> bool:
        """Whether a failure of this job leads to another attempt."""
        return self.retries_left is not None and self.retries_left > 0

    def should_enqueue_at_front(self) -> bool:
        """Where the job enters its queue: after an attempt the retry's wish counts, before it the job's own."""
        return self.enqueue_at_front_on_retry if self.ended_at else bool(self.enqueue_at_front)

    def get_result_ttl(self, default_ttl: int) -> int:
        """Seconds a success is kept: the job's own, else the given default."""
        return default_ttl if self.result_ttl is None else self.result_ttl

    def get_ttl(self, default_ttl: int | None = None) -> int | None:
        """Seconds the job may wait: its own, else the given default."""
        return default_ttl if self.ttl is None else self.ttl

    def get_retry_interval(self) -> int:
        """Seconds until the next attempt after an exception."""
        return interval_after_failure(self.retry_intervals, self.retries_left)

    def touched_since(self, before: dict[str, Any]) -> dict[str, Any]:
        """Attributes of `TOUCHABLE` that differ from an earlier `snapshot`."""
        now = self.__dict__
        if not before or _touchable_of(now) == tuple(before.values()):
            return {}
        return {name: now[name] for name in TOUCHABLE if now[name] != before[name]}

    def snapshot(self) -> dict[str, Any]:
        """The values of `TOUCHABLE` as they are now; lists are copied."""
        values = dict(zip(TOUCHABLE, _touchable_of(self.__dict__), strict=True))
        for name in ('retry_intervals', 'repeat_intervals'):
            if values[name] is not None:
                values[name] = list(values[name])
        return values
