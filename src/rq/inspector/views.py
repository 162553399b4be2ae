"""What the inspector answers with, and what it is asked: plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar('T')


@dataclass(frozen=True)
class Match:
    """Which failures are meant; what is left empty is any, and all that is given must be true.

    `function` and `type_name` may be the end of a dotted name: `ValueError`, `errors.NotPaid`. `text` is looked for,
    in any case of letters, in the words of the group, and in the message, description and id of the job. Failed at
    `since` or later, and before `until`; naive times are taken as UTC.
    """

    group: str = ''
    queue: str = ''
    function: str = ''
    type_name: str = ''
    kind: str = ''
    text: str = ''
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Page(Generic[T]):
    """A piece of a list: `cursor` leads to the next one, and is empty at the end.

    `is_complete` is False where the search stopped before it had found as many as were asked for: there may be more
    behind the cursor, even when there are no items.
    """

    items: list[T]
    cursor: str = ''
    is_complete: bool = True


@dataclass(frozen=True)
class FailureGroup:
    """Failures with one cause. `count` is of attempts, those that were tried again among them; times are UTC.

    `muted_until`: the end of the time for which nobody wants to see it, None where there is none.
    `trend`: failures of the last 168 hours, the oldest first. `failed_count`: jobs that are failed now.
    """

    id: str
    title: str
    kind: str
    type_name: str
    message: str
    frames: list[str]
    state: str
    muted_until: datetime | None
    resolved_at: datetime | None
    regressed_at: datetime | None
    count: int
    first_seen: datetime
    last_seen: datetime
    trend: list[int]
    queues: dict[str, int]
    functions: dict[str, int]
    sample_ids: list[str]
    failed_count: int


@dataclass(frozen=True)
class FailedJob:
    """A job that is failed now, as lists show it; words that are not known are empty."""

    id: str
    queue: str
    function: str
    description: str
    failed_at: datetime
    group: str
    kind: str
    type_name: str
    message: str
    attempt_count: int


@dataclass(frozen=True)
class JobView:
    """All that is stored of a job but its payload, result and notes, of which only the sizes in bytes are told.

    `broken` names the fields that could not be read, with the reason. `exc_string` is the text of its latest failure.
    """

    id: str
    status: str
    queue: str
    description: str
    function: str
    created_at: datetime | None = None
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    last_heartbeat: datetime | None = None
    failed_at: datetime | None = None
    enqueued_from: str = ''
    copy_of: str = ''
    worker_name: str = ''
    timeout: float | None = None
    ttl: int | None = None
    result_ttl: int | None = None
    failure_ttl: int | None = None
    expires_at: datetime | None = None
    attempt_count: int = 0
    retries_left: int | None = None
    retry_intervals: list[float] = field(default_factory=list)
    number_of_retries: int | None = None
    repeats_left: int | None = None
    repeat_intervals: list[float] = field(default_factory=list)
    enqueue_at_front: bool = False
    dependency_ids: list[str] = field(default_factory=list)
    allow_dependency_failures: bool = False
    dependent_count: int = 0
    group: str = ''  # id of its failure group
    job_group: str = ''  # name of the group it was enqueued with
    rate_limit: str = ''
    rate_limit_concurrency: int | None = None
    callbacks: dict[str, str] = field(default_factory=dict)
    warning: str = ''
    exc_string: str = ''
    payload_size: int = 0
    result_size: int = 0
    meta_size: int = 0
    broken: dict[str, str] = field(default_factory=dict)
