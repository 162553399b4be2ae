"""JobRecord <-> hash fields. Reading is lenient: what cannot be read is left at its default and named.

Empty fields are left out when writing, and accepted when reading; a short hash costs a third of a long one.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from math import isfinite
from struct import pack
from typing import Any

from rq.defaults import MAX_ATTEMPT_BYTES, MAX_PAYLOAD_BYTES, MAX_TEXT_LENGTH
from rq.exceptions import PayloadTooLargeError
from rq.rules.payload import UNEVALUATED
from rq.rules.policy import Policy, policy_text, read_policy
from rq.rules.record import JobRecord
from rq.rules.status import JobStatus
from rq.rules.timing import str_to_date, utcformat
from rq.serializers import DefaultSerializer
from rq.webhook import Webhook

logger = logging.getLogger('rq.job')

Value = str | bytes | int | float

#: Values over 64 bytes turn a small hash into a large one (472 against 1,232 bytes); wrapping adds 11.
_WRAP_UP_TO = 53
_RAW_UP_TO = 64
_FRAMED = b'\x80\x05\x95'  # a pickle of protocol 5 that begins with a frame, whose length follows
_SHORT, _MEMORY = b'\x80\x05(\x8c', b'\x94'  # how one of `rules.short_pickle` begins, and what it never contains


def _text(raw: bytes) -> str:
    return raw.decode('utf-8', errors='backslashreplace')


def _list_of(*kinds: type) -> Callable[[bytes], list[Any]]:
    def read(raw: bytes) -> list[Any]:
        value = json.loads(raw)
        if not isinstance(value, list) or not all(type(each) in kinds for each in value):
            raise ValueError(f'not a list of {kinds[0].__name__}')
        return value

    return read


def _flag(raw: bytes) -> bool:
    return bool(int(raw))


def _number(raw: bytes) -> float:
    value = float(raw)
    if not isfinite(value):
        raise ValueError('not a finite number')
    return int(value) if value.is_integer() else value


def _time(value: datetime) -> str:
    return utcformat(value)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(',', ':'))


def _webhooks(value: Any) -> str:
    return _json([one.to_dict() for one in value])


def _read_webhooks(raw: bytes) -> list[Webhook]:
    try:
        return [Webhook.from_dict(one) for one in json.loads(raw)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        # not what they hold: that may be secrets
        logger.warning('the webhooks of a job cannot be read, none will be sent: %s', type(error).__name__)
        return []


def _read_policy(raw: bytes) -> Policy | None:
    try:
        return read_policy(raw.decode())
    except ValueError as error:
        logger.warning('the retry policy of a job cannot be read, its plain intervals count: %s', error)
        return None


_PLAIN: Callable[[Any], Value] = lambda value: value  # noqa: E731

#: hash field, attribute, writer, reader. None and empty values are not written.
_FIELDS: tuple[tuple[str, str, Callable[[Any], Value], Callable[[bytes], Any]], ...] = (
    ('created_at', 'created_at', _time, str_to_date),
    ('origin', 'origin', _PLAIN, _text),
    ('description', 'description', _PLAIN, _text),
    ('enqueued_at', 'enqueued_at', _time, str_to_date),
    ('started_at', 'started_at', _time, str_to_date),
    ('ended_at', 'ended_at', _time, str_to_date),
    ('last_heartbeat', 'last_heartbeat', _time, str_to_date),
    ('worker_name', 'worker_name', _PLAIN, _text),
    ('group_id', 'group_id', _PLAIN, _text),
    ('by', 'enqueued_from', _PLAIN, _text),
    ('copy_of', 'copy_of', _PLAIN, _text),
    ('keep_on_failure', 'keep_on_failure', _PLAIN, _text),
    ('timeout', 'timeout', _PLAIN, _number),
    ('result_ttl', 'result_ttl', _PLAIN, int),
    ('failure_ttl', 'failure_ttl', _PLAIN, int),
    ('ttl', 'ttl', _PLAIN, int),
    ('success_callback_name', '_success_callback_name', _PLAIN, _text),
    ('success_callback_timeout', '_success_callback_timeout', _PLAIN, int),
    ('failure_callback_name', '_failure_callback_name', _PLAIN, _text),
    ('failure_callback_timeout', '_failure_callback_timeout', _PLAIN, int),
    ('stopped_callback_name', '_stopped_callback_name', _PLAIN, _text),
    ('stopped_callback_timeout', '_stopped_callback_timeout', _PLAIN, int),
    ('final_callback_name', '_final_callback_name', _PLAIN, _text),
    ('final_callback_timeout', '_final_callback_timeout', _PLAIN, int),
    ('dependency_id', '_dependency_id', _PLAIN, _text),
    ('dependency_ids', '_dependency_ids', _json, _list_of(str)),
    ('allow_dependency_failures', 'allow_dependency_failures', int, _flag),
    ('enqueue_at_front', 'enqueue_at_front', int, _flag),
    ('enqueue_at_front_on_retry', 'enqueue_at_front_on_retry', int, _flag),
    ('retries_left', 'retries_left', _PLAIN, int),
    ('retry_intervals', 'retry_intervals', _json, _list_of(int, float)),
    ('retry_policy', 'retry_policy', policy_text, _read_policy),
    ('number_of_retries', 'number_of_retries', _PLAIN, int),
    ('repeats_left', 'repeats_left', _PLAIN, int),
    ('repeat_intervals', 'repeat_intervals', _json, _list_of(int, float)),
    ('webhooks', 'webhooks', _webhooks, _read_webhooks),
    ('rate_limit_key', 'rate_limit_key', _PLAIN, _text),
    ('warning', 'warning', _PLAIN, _text),
    ('rate_limit_concurrency', 'rate_limit_concurrency', _PLAIN, int),
)
#: fields that RQ always writes, if only as empty text
EMPTY = dict.fromkeys(
    ('started_at', 'ended_at', 'last_heartbeat', 'worker_name', 'group_id', 'success_callback_name',
     'failure_callback_name', 'stopped_callback_name'), '',
)  # fmt: skip
_WRITERS = {attribute: (field, write) for field, attribute, write, _ in _FIELDS}
_READERS = {field.encode(): (attribute, read) for field, attribute, _, read in _FIELDS}
_READERS[b'enqueued_from'] = _READERS[b'by']  # its name before; records of then still stand in queues


def payload(data: bytes, serializer: Any) -> bytes:
    """A call as its field has it. A short pickle can be no zlib stream, and readers take it as it is: it needs none."""
    if serializer is not DefaultSerializer:
        return compress(data)
    if data.startswith(_SHORT) and _MEMORY not in data:
        # plain values need no word on the protocol; and what begins so is no zlib stream either
        return data[2:] if len(data) <= _RAW_UP_TO + 2 else compress(data)
    if data.startswith(_FRAMED) and int.from_bytes(data[3:11], 'little') == len(data) - 11:
        framed, data = data, data[:2] + data[11:]  # one frame around all of it says nothing more
        if len(data) > _RAW_UP_TO:
            return compress(framed)
    return data if len(data) <= _RAW_UP_TO and data.startswith(b'\x80') else compress(data)


def compress(data: bytes) -> bytes:
    """zlib, as RQ has it; a short value is only wrapped, which costs a fortieth of compressing it and is as long."""
    if len(data) > _WRAP_UP_TO:
        return zlib.compress(data)
    # one stored block (RFC 1950, 1951): header, last block, length and its complement, the data, checksum
    return b'\x78\x01\x01' + pack('<HH', len(data), len(data) ^ 0xFFFF) + data + pack('>I', zlib.adler32(data))


def decompress(data: bytes) -> bytes:
    """The bytes under zlib, or the bytes as they are."""
    try:
        return zlib.decompress(data)
    except zlib.error:
        return data


def encode_some(attributes: Mapping[str, Any]) -> dict[str, Value]:
    """The hash fields of named attributes; None becomes an empty field, which reads as None."""
    fields: dict[str, Value] = {}
    for attribute, value in attributes.items():
        field, write = _WRITERS[attribute]
        fields[field] = '' if value is None else write(value)
    return fields


def is_storable(attribute: str, value: Any) -> bool:
    """Whether what user code put on a job could be written, and read again."""
    field, write = _WRITERS[attribute]
    try:
        written = '' if value is None else write(value)
        if type(written) not in (str, bytes, int, float, bool):
            return False
        raw = written if isinstance(written, bytes) else str(written).encode()
        return not raw or _READERS[field.encode()][1](raw) is not None
    except (ValueError, TypeError, OverflowError, RecursionError):
        return False


def encode(record: JobRecord, include_meta: bool = True, include_result: bool = True) -> dict[str, Value]:
    """The hash fields of a record, without `status`; `PayloadTooLargeError` above the limit."""
    attributes = record.__dict__
    fields: dict[str, Value] = {}
    for field, attribute, write, _ in _FIELDS:
        value = attributes[attribute]
        if value is None or value == '' or value == [] or value is False:
            continue
        if write is _PLAIN and value.__class__ is str and len(value) > MAX_TEXT_LENGTH:
            size = f'{len(value):,} characters, over the limit of {MAX_TEXT_LENGTH:,}'
            raise PayloadTooLargeError(f'The {field} of this job takes {size}; write a shorter one')
        fields[field] = write(value)
    if record.allow_dependency_failures is False:
        fields['allow_dependency_failures'] = 0
    if record.enqueue_at_front is False:
        fields['enqueue_at_front'] = 0
    fields['data'] = _encode_data(record)
    if include_meta and (record._meta is UNEVALUATED or record._meta):
        fields['meta'] = encode_meta(record)
    if include_result and record._last_result is not None:
        fields['result'] = _encode_result(record)
    if include_result and record._exc_info is not None:
        fields['exc_info'] = zlib.compress(record._exc_info.encode('utf-8', errors='replace'))
    return fields


def _encode_data(record: JobRecord) -> bytes:
    return encode_call(record.data, record.serializer)


def encode_call(data: bytes, serializer: Any) -> bytes:
    """The serialized call as it is stored; `PayloadTooLargeError` above the limit."""
    if len(data) > MAX_PAYLOAD_BYTES:
        raise _too_large('arguments', len(data))
    return payload(data, serializer)


def _too_large(what: str, size: int) -> PayloadTooLargeError:
    return PayloadTooLargeError(
        f'The {what} of this job take {size:,} bytes, over the limit of {MAX_PAYLOAD_BYTES:,}; '
        'store them elsewhere and pass a reference'
    )


def encode_meta(record: JobRecord) -> bytes:
    """The job's notes as they are stored."""
    # untouched notes, and a placeholder for unreadable ones, go back as the bytes they were read from
    untouched = record._meta is UNEVALUATED or record._meta == {'unserialized': record._stored_meta}
    if untouched and record._stored_meta is not None:
        return record._stored_meta
    notes = bytes(record.serializer.dumps(record.meta))
    if len(notes) > MAX_PAYLOAD_BYTES:
        raise _too_large('notes (meta)', len(notes))
    return notes


def _encode_result(record: JobRecord) -> bytes:
    if record._stored_result is not None and record._last_result is UNEVALUATED:
        return record._stored_result
    return bytes(record.serializer.dumps(record._result))


def decode(record: JobRecord, raw: Mapping[bytes, bytes]) -> dict[str, str]:
    """Load a hash into the record; returns the fields that could not be read, with the reason."""
    broken: dict[str, str] = {}
    attributes = record.__dict__
    for key, value in raw.items():
        reader = _READERS.get(key)
        if reader is None:
            continue
        if not value:
            continue
        attribute, read = reader
        try:
            attributes[attribute] = read(value)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            broken[key.decode()] = f'{value[:80]!r}: {error}'
    _decode_status(record, raw, broken)
    if b'data' in raw:
        record.data = decompress(raw[b'data'])
    if b'meta' in raw:
        _decode_meta(record, raw[b'meta'])
    if b'exc_info' in raw:
        record._exc_info = _text(decompress(raw[b'exc_info']))
    if raw.get(b'result'):
        record._stored_result, record._last_result = raw[b'result'], UNEVALUATED
    if record._dependency_id and not record._dependency_ids:
        record._dependency_ids = [record._dependency_id]
    return broken


_STATUSES = {one.value.encode(): one for one in JobStatus}


def _decode_status(record: JobRecord, raw: Mapping[bytes, bytes], broken: dict[str, str]) -> None:
    text = raw.get(b'status', b'created')
    if text in _STATUSES:
        record._status = _STATUSES[text]
    else:
        broken['status'] = f'{text[:80]!r} is no status this version knows'


def _decode_meta(record: JobRecord, stored: bytes) -> None:
    record._stored_meta, record._meta = stored or None, UNEVALUATED if stored else {}


def field_names() -> tuple[str, ...]:
    """The fields of a record that stand for its attributes, as a hash has them."""
    return tuple(field for field, _, _, _ in _FIELDS)


def flat(fields: Mapping[str, Value]) -> list[Value]:
    """Fields and values in turn, as scripts take them."""
    return [item for pair in fields.items() for item in pair]


def pairs(reply: list[bytes]) -> dict[bytes, bytes]:
    """A hash as a script returns it: fields and values in turn."""
    return dict(zip(reply[::2], reply[1::2], strict=True))


def attempts(raw: Iterable[bytes | None]) -> list[dict[str, Any]]:
    """Attempts as the settling scripts packed them, the first one first; what cannot be read is left out."""
    found = []
    for one in raw:
        try:
            number, _, packed = (one or b'').partition(b' ')
            body = zlib.decompressobj().decompress(packed, MAX_ATTEMPT_BYTES)
            found.append({**json.loads(body), 'number': int(number)})
        except (ValueError, TypeError, zlib.error):
            continue
    return sorted(found, key=lambda each: int(each['number']))
