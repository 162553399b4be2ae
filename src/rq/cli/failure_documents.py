"""What `--json` says of groups, jobs and attempts: keys that stay, times as UTC text, null for what is not known."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rq.attempts import Attempt
from rq.inspector import FailedJob, FailureGroup
from rq.rules.anatomy import ExceptionRecord, Frame
from rq.utils import utcformat


def moment(value: datetime | None) -> str | None:
    """A time as every document has it."""
    return None if value is None else utcformat(value)


def group_document(group: FailureGroup) -> dict[str, Any]:
    """A failure group."""
    return {
        'id': group.id,
        'title': group.title,
        'state': group.state,
        'kind': group.kind,
        'type': group.type_name,
        'message': group.message,
        'frames': list(group.frames),
        'count': group.count,
        'failed_now': group.failed_count,
        'first_seen': moment(group.first_seen),
        'last_seen': moment(group.last_seen),
        'muted_until': moment(group.muted_until),
        'resolved_at': moment(group.resolved_at),
        'regressed_at': moment(group.regressed_at),
        'trend': list(group.trend),
        'queues': dict(group.queues),
        'functions': dict(group.functions),
        'sample_ids': list(group.sample_ids),
    }


def failed_job_document(job: FailedJob) -> dict[str, Any]:
    """A failed job, as lists have it."""
    return {
        'id': job.id,
        'queue': job.queue,
        'function': job.function,
        'description': job.description,
        'failed_at': moment(job.failed_at),
        'group': job.group or None,
        'kind': job.kind or None,
        'type': job.type_name or None,
        'message': job.message or None,
        'attempts': job.attempt_count,
    }


def attempt_document(attempt: Attempt) -> dict[str, Any]:
    """A failed attempt of a job."""
    return {
        'number': attempt.number,
        'kind': attempt.kind,
        'type': attempt.type_name,
        'module': attempt.module or None,
        'message': attempt.message,
        'is_final': attempt.is_final,
        'worker': attempt.worker_name or None,
        'host': attempt.host or None,
        'pid': attempt.pid,
        'execution_id': attempt.execution_id or None,
        'started_at': moment(attempt.started_at),
        'ended_at': moment(attempt.ended_at),
        'signal': attempt.signal,
        'exit_code': attempt.exit_code,
        'peak_memory': attempt.peak_memory,
        'group': attempt.group or None,
        'chain': [exception_document(record) for record in attempt.chain],
        'output': attempt.output or None,
        'traceback': attempt.exc_string or None,
    }


def exception_document(record: ExceptionRecord) -> dict[str, Any]:
    """An exception: `link` is null for the first of a chain, else cause or context."""
    return {
        'type': record.type_name,
        'module': record.module or None,
        'message': record.message,
        'link': record.link or None,
        'notes': list(record.notes),
        'frames': [_frame_document(frame) for frame in record.frames],
        'members': [exception_document(member) for member in record.members],
        'omitted': record.omitted,
    }


def _frame_document(frame: Frame) -> dict[str, Any]:
    return {
        'file': frame.file,
        'line': frame.line,
        'function': frame.function,
        'module': frame.module or None,
        'source': frame.source or None,
        'own': frame.is_own,
        'locals': frame.locals,
    }
