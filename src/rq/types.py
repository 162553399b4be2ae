"""Type aliases of RQ's interface, and the protocols by which lower rooms know the objects of higher ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Union

FunctionReferenceType = Union[str, Callable[..., Any]]  # noqa: UP007 - evaluated at run time by users' tools
JobDependencyType = Union[Any, Sequence[Any]]  # noqa: UP007
SuccessCallbackType = Callable[[Any, Any, Any], Any]
FailureCallbackType = Callable[[Any, Any, type[BaseException], BaseException, TracebackType | None], Any]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

if TYPE_CHECKING:
    from redis import Redis


class JobLike(Protocol):
    """What the failure and perform rooms know of a job."""

    connection: Redis
    serializer: Any
    origin: str
    timeout: float | None
    result_ttl: int | None
    failure_ttl: int | None
    started_at: datetime | None
    ended_at: datetime | None
    retries_left: int | None
    number_of_retries: int | None
    retry_policy: Any
    enqueue_at_front_on_retry: bool
    enqueued_at: datetime | None
    repeats_left: int | None
    repeat_intervals: list[int] | None
    webhooks: list[Any]
    description: str | None
    worker_name: str | None
    keep_on_failure: str | None
    _status: Any
    _stored_status: Any
    _before: dict[str, Any]
    _failure: Any
    _default_retry: Any
    _draw: float | None
    _advised: float | None
    _broken: dict[str, str]
    _called: bool
    _packed_result: bytes | None
    _result: Any
    _new_warning: str
    warning: str | None

    @property
    def id(self) -> str: ...
    @property
    def func_name(self) -> str: ...
    @property
    def func(self) -> Any: ...
    @property
    def instance(self) -> Any: ...
    @property
    def args(self) -> Any: ...
    @property
    def kwargs(self) -> Any: ...
    @property
    def should_retry(self) -> bool: ...
    @property
    def success_callback(self) -> Any: ...
    @property
    def success_callback_timeout(self) -> int: ...
    @property
    def failure_callback(self) -> Any: ...
    @property
    def failure_callback_timeout(self) -> int: ...
    @property
    def stopped_callback(self) -> Any: ...
    @property
    def stopped_callback_timeout(self) -> int: ...
    @property
    def final_failure_callback_timeout(self) -> int: ...
    @property
    def _failure_callback_name(self) -> str | None: ...
    @property
    def _final_callback_name(self) -> str | None: ...
    def _moment(self) -> datetime: ...
    def adopt_retry(self, retry: Any) -> None: ...
    def get_retry_interval(self) -> int: ...
    def get_result_ttl(self, default_ttl: int) -> int: ...
    def touched_since(self, before: dict[str, Any]) -> dict[str, Any]: ...
    def perform(self) -> Any: ...
    def execute_success_callback(self, death_penalty_class: type[Any], result: Any) -> None: ...
    def execute_failure_callback(self, death_penalty_class: type[Any], *exc_info: Any) -> None: ...
    def execute_final_failure_callback(self, death_penalty_class: type[Any], *exc_info: Any) -> None: ...


class Hooks(Protocol):
    """The seams of a worker, as the run and failure rooms call them (specification, worker.md and seams.md)."""

    death_penalty_class: type[Any]
    log: Any
    queues: list[Any]
    handler_timeout: float
    keep_on_failure: Any
    ring: Any
    beside_others: bool
    final_failure_handlers: Sequence[Any]
    default_retry: Any

    def handle_job_success(self, job: Any, queue: Any, started_job_registry: Any, execution: Any) -> None: ...
    def handle_job_retry(self, job: Any, queue: Any, retry: Any, started_job_registry: Any, execution: Any) -> None: ...
    def handle_exception(self, job: Any, *exc_info: Any) -> None: ...
    def handle_job_failure(
        self, job: Any, queue: Any, started_job_registry: Any = None, exc_string: str = '', execution: Any = None
    ) -> None: ...
    def handle_execution_ended(self, job: Any, queue: Any, heartbeat_ttl: int) -> None: ...
    def prepare_job_execution(self, job: Any, remove_from_intermediate_queue: bool = False) -> None: ...
    def note_failure(self, job: Any, execution: Any, failure: Any) -> bool: ...
    def takes_over(self, job: Any, queue: Any, execution: Any, failure: Any) -> bool: ...
    def allow(self, seconds: float, phase: str) -> None: ...
