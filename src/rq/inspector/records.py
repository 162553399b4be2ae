"""One job in full, as plain values: its hash but for payload, result and notes; and the texts of its failures."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rq.defaults import MAX_TEXT_LENGTH
from rq.exceptions import NoSuchJobError
from rq.inspector.matching import called, utc
from rq.inspector.search import group_of, number_of
from rq.inspector.views import JobView
from rq.inspector.words import unpacked
from rq.rules.names import shown as escaped
from rq.rules.record import JobRecord
from rq.serializers import JSONSerializer
from rq.store import codec, failures, keys, read, search
from rq.store.call import ResponseError, run

#: fields whose values are not read; of the first three the sizes are told
SIZES = ('data', 'result', 'meta')
UNREAD = (*SIZES, 'webhooks', 'exc_info')
OURS = ('status', 'attempts', 'failed_in')
CALLBACKS = ('success', 'failure', 'stopped', 'final')
RESULTS = 10


def view_of(connection: Any, job_id: str) -> JobView:
    """All that is stored of a job; `NoSuchJobError` when there is no such job."""
    raw, sizes, broken = _fields(connection, job_id)
    record = JobRecord(job_id, JSONSerializer)
    broken |= codec.decode(record, raw)
    values = {name: value for name, value in vars(record).items() if not name.startswith('_')}
    names = (
        *('created_at', 'enqueued_at', 'started_at', 'ended_at', 'last_heartbeat', 'timeout', 'ttl', 'result_ttl'),
        *('failure_ttl', 'retries_left', 'number_of_retries', 'repeats_left', 'rate_limit_concurrency'),
    )
    description = values['description'] or ''
    bucket = read.shown(raw.get(b'failed_in', b''))
    expires_at, dependents, failed_at, texts = _beside(connection, job_id, bucket, raw)
    return JobView(
        id=job_id,
        status=read.shown(raw.get(b'status', b'created')),
        queue=values['origin'],
        description=description,
        function=called(description),
        failed_at=failed_at,
        enqueued_from=values.get('enqueued_from') or '',
        copy_of=values.get('copy_of') or '',
        worker_name=values['worker_name'] or '',
        expires_at=expires_at,
        attempt_count=int(number_of(raw.get(b'attempts', b'')) or 0),
        retry_intervals=list(values['retry_intervals'] or []),
        repeat_intervals=list(values['repeat_intervals'] or []),
        enqueue_at_front=bool(values['enqueue_at_front']),
        dependency_ids=list(record._dependency_ids),
        allow_dependency_failures=bool(values['allow_dependency_failures']),
        dependent_count=dependents,
        group=group_of(bucket) if failed_at and bucket else '',
        job_group=values['group_id'] or '',
        rate_limit=values['rate_limit_key'] or '',
        callbacks=_callbacks(record),
        warning=values['warning'] or '',
        exc_string=next((text for text in texts.values() if text), ''),
        payload_size=sizes['data'],
        result_size=sizes['result'],
        meta_size=sizes['meta'],
        broken={escaped(name): escaped(why) for name, why in broken.items()},
        **{name: values[name] for name in names},
    )


def _callbacks(record: JobRecord) -> dict[str, str]:
    found = {name: getattr(record, f'_{name}_callback_name', None) for name in CALLBACKS}
    return {f'on_{name}': str(value) for name, value in found.items() if value}


def _fields(connection: Any, job_id: str) -> tuple[dict[bytes, bytes], dict[str, int], dict[str, str]]:
    """The fields of a sane length, the sizes of those that are not read, and the names of those that are too long."""
    names = sorted({*codec.field_names(), *OURS} - set(UNREAD))
    pipeline = connection.pipeline(transaction=False)
    for name in (*names, *SIZES):
        pipeline.hstrlen(keys.job(job_id), name)
    pipeline.exists(keys.job(job_id))
    *lengths, exists = pipeline.execute(raise_on_error=False)
    for reply in lengths:
        if isinstance(reply, Exception):
            if not str(reply).rpartition(' caused error: ')[2].startswith('WRONGTYPE'):
                raise reply
            return {}, dict.fromkeys(SIZES, 0), {'status': 'the key of this job holds another type than a record'}
    if not exists:
        raise NoSuchJobError(f'No such job: {escaped(job_id)}; its record expired or was deleted')
    known = dict(zip((*names, *SIZES), lengths, strict=True))
    short = [name for name in names if 0 < known[name] <= 4 * MAX_TEXT_LENGTH]
    values = connection.hmget(keys.job(job_id), short) if short else []
    raw = {name.encode(): value for name, value in zip(short, values, strict=True) if value is not None}
    broken = {name: f'{known[name]:,} bytes are too long' for name in names if known[name] > 4 * MAX_TEXT_LENGTH}
    return raw, {name: known[name] for name in SIZES}, broken


def _beside(
    connection: Any, job_id: str, bucket: str, raw: dict[bytes, bytes]
) -> tuple[datetime | None, int, datetime | None, dict[str, str]]:
    """When the record goes, how many jobs wait for this one, since when it is failed, and the texts of its failures."""
    pipeline = connection.pipeline(transaction=False)
    pipeline.pttl(keys.job(job_id))
    pipeline.scard(keys.dependents(job_id))
    pipeline.zscore(keys.failed_in(bucket), job_id)
    life, dependents, moment = (
        None if isinstance(reply, Exception) else reply for reply in pipeline.execute(raise_on_error=False)
    )
    expires_at = utc(read.server_time(connection) + life / 1000) if life and life > 0 else None
    entry = failures.Entry(job_id, (moment or 0) / 1000, bucket)
    failed_at = None
    if moment and failures.holds(entry, raw.get(b'status'), raw.get(b'failed_in'), raw.get(b'started_at')):
        failed_at = utc(moment / 1000)
    elif raw.get(b'status') == b'failed':
        ended = search.moment_of(raw.get(b'ended_at', b''))
        failed_at = None if ended is None else utc(ended / 1000)
    return expires_at, dependents or 0, failed_at, _texts(connection, job_id)


def text_by_execution(connection: Any, job_id: str) -> dict[str, str]:
    """The texts of the latest results of a job by their execution; `NoSuchJobError` when there is no such job."""
    if not connection.exists(keys.job(job_id)):
        raise NoSuchJobError(f'No such job: {escaped(job_id)}; its record expired or was deleted')
    return _texts(connection, job_id)


def _texts(connection: Any, job_id: str) -> dict[str, str]:
    """The latest one first; of results that have no execution by the number of their entry."""
    try:
        entries = connection.xrevrange(keys.results(job_id), '+', '-', count=RESULTS)
    except ResponseError:
        entries = []
    found: dict[str, str] = {}
    for number, fields in entries:
        packed = fields.get(b'exc_string')
        name = fields.get(b'execution_id') or number
        if packed:
            found.setdefault(read.shown(name), unpacked(packed))
    if not found:
        (seen,) = run(connection, search.records([job_id.encode()], search.ATTEMPT))
        found = {'': unpacked(seen.text)} if seen.text else {}
    return found
