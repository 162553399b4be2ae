"""Records and hash fields: round trips, what cannot be read, what is left out."""

import json
import pickle
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.exceptions import PayloadTooLargeError
from rq.rules.record import TOUCHABLE, JobRecord
from rq.rules.status import JobStatus
from rq.serializers import DefaultSerializer, JSONSerializer
from rq.store import codec

TEXTS = st.text(st.characters(exclude_categories=['Cs']), min_size=1, max_size=20)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30)).map(lambda moment: moment.replace(tzinfo=UTC))
COUNTS = st.integers(-1, 10**9)
LISTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=5)
ATTRIBUTES = {
    'created_at': MOMENTS,
    'origin': TEXTS,
    'description': TEXTS,
    'enqueued_at': MOMENTS,
    'started_at': MOMENTS,
    'ended_at': MOMENTS,
    'last_heartbeat': MOMENTS,
    'worker_name': TEXTS,
    'group_id': TEXTS,
    'timeout': COUNTS | st.floats(0.5, 1e6),
    'result_ttl': COUNTS,
    'failure_ttl': COUNTS,
    'ttl': st.integers(1, 10**9),
    '_success_callback_name': TEXTS,
    '_success_callback_timeout': COUNTS,
    '_failure_callback_name': TEXTS,
    '_failure_callback_timeout': COUNTS,
    '_stopped_callback_name': TEXTS,
    '_stopped_callback_timeout': COUNTS,
    '_dependency_ids': st.lists(TEXTS, min_size=1, max_size=3),
    'allow_dependency_failures': st.booleans(),
    'enqueue_at_front': st.booleans(),
    'enqueue_at_front_on_retry': st.booleans(),
    'retries_left': COUNTS,
    'retry_intervals': LISTS,
    'number_of_retries': COUNTS,
    'repeats_left': COUNTS,
    'repeat_intervals': LISTS,
    'rate_limit_key': TEXTS,
    'rate_limit_concurrency': COUNTS,
    'meta': st.dictionaries(TEXTS, COUNTS),
    '_result': COUNTS | TEXTS,
    '_exc_info': TEXTS,
}


def record(serializer=JSONSerializer, **attributes):
    made = JobRecord('j', serializer)
    made.func_name = 'm.f'
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def stored(fields):
    """As the server gives it back."""
    return {name.encode(): value if isinstance(value, bytes) else str(value).encode() for name, value in fields.items()}


def read(raw, serializer=JSONSerializer):
    made = JobRecord('j', serializer)
    return made, codec.decode(made, raw)


@given(st.fixed_dictionaries({}, optional=ATTRIBUTES), st.sampled_from([JSONSerializer, DefaultSerializer]))
def test_round_trip(attributes, serializer):
    made = record(serializer, **attributes)
    back, broken = read({**stored(codec.encode(made)), b'status': b'queued'}, serializer)
    assert broken == {}
    for name in ATTRIBUTES:
        assert getattr(back, name) == getattr(made, name), name
    assert (back.func_name, back.args, back.kwargs) == ('m.f', made.args, made.kwargs)
    assert back._status is JobStatus.QUEUED


@given(st.dictionaries(st.sampled_from([field for field, *_ in codec._FIELDS]), st.binary(max_size=30)))
def test_any_bytes_are_read_or_named(fields):
    raw = {name.encode(): value for name, value in fields.items()}
    made, broken = read(raw)
    assert set(broken) <= set(fields)
    untouched = vars(JobRecord('j', JSONSerializer))
    for field, attribute, _, _ in codec._FIELDS:
        if field in broken and field not in ('dependency_id', 'dependency_ids'):
            assert getattr(made, attribute) == untouched[attribute]


@pytest.mark.parametrize(
    'field, value',
    [
        ('timeout', b'soon'),
        ('timeout', b'nan'),
        ('timeout', b'inf'),
        ('retries_left', b'1.5'),
        ('retries_left', b'9' * 5000),
        ('ttl', b'\xff'),
        ('created_at', b'yesterday'),
        ('created_at', b'\xff'),
        ('created_at', b'0001-01-01T00:00:00+14:00'),
        ('retry_intervals', b'{}'),
        ('retry_intervals', b'["1"]'),
        ('retry_intervals', b'[true]'),
        ('repeat_intervals', b'[' * 100_000),
        ('dependency_ids', b'[1]'),
        ('enqueue_at_front', b'yes'),
        ('status', b'quantum'),
        ('status', b'\xff'),
    ],
)
def test_what_cannot_be_read_is_named(field, value):
    _, broken = read({field.encode(): value})
    assert list(broken) == [field]
    assert len(broken[field]) < 1000


def test_an_empty_hash():
    made, broken = read({})
    assert (broken, made._status, made.origin) == ({}, JobStatus.CREATED, '')


def test_empty_fields_read_as_none():
    names = [field.encode() for field, *_ in codec._FIELDS]
    made, broken = read(dict.fromkeys(names, b''))
    assert broken == {}
    assert vars(made) == {**vars(JobRecord('j', JSONSerializer)), '_status': JobStatus.CREATED}


def test_text_that_is_no_utf_8_is_shown_escaped():
    made, broken = read({b'description': b'a\xffb', b'origin': b'\xfe'})
    assert (made.description, made.origin, broken) == ('a\\xffb', '\\xfe', {})


def test_fields_we_do_not_know_do_no_harm():
    assert read({b'nonce': b'\xff', b'execution': b'e', b'\xff': b'\xff'})[1] == {}


def test_unreadable_meta_goes_back_as_it_was():
    made, _ = read({b'meta': b'\x80junk', b'data': b'x'})
    assert made.meta == {'unserialized': b'\x80junk'}
    assert codec.encode(made)['meta'] == b'\x80junk'
    made.meta = {'a': 1}
    assert codec.encode(made)['meta'] == b'{"a": 1}'


def test_old_places_of_the_outcome():
    made, _ = read({b'result': b'7', b'exc_info': b'plain text'})
    assert (made._result, made._exc_info) == (7, 'plain text')
    made, _ = read({b'result': b'{', b'exc_info': zlib.compress(b'')})
    assert (made._result, made._exc_info) == ('Unserializable return value', '')


def test_dependency_ids_fall_back_to_the_first():
    assert read({b'dependency_id': b'a'})[0]._dependency_ids == ['a']


def test_what_is_left_out():
    assert set(codec.encode(record())) == {'data'}
    full = record(meta={'a': 1}, _result=1, _exc_info='x')
    assert set(codec.encode(full, include_meta=False, include_result=False)) == {'data'}
    assert 'status' not in codec.encode(record(_status=JobStatus.FAILED))


def test_some_fields():
    assert codec.encode_some({'retries_left': 0, 'retry_intervals': [1, 2], 'ttl': None}) == {
        'retries_left': 0,
        'retry_intervals': '[1,2]',
        'ttl': '',
    }
    assert set(codec.encode_some(dict.fromkeys(TOUCHABLE))) == set(TOUCHABLE)
    with pytest.raises(KeyError):
        codec.encode_some({'status': 'failed'})


class TestPayload:
    @given(st.binary(max_size=200))
    def test_any_bytes(self, data):
        assert codec.decompress(codec.compress(data)) == data

    @given(st.binary(max_size=200), st.integers(0, 9))
    def test_of_a_serializer_that_compresses(self, data, level):
        packed = zlib.compress(data, level)
        assert codec.decompress(codec.compress(packed)) == packed

    @given(st.binary(max_size=100))
    def test_it_is_always_zlib(self, data):
        assert zlib.decompress(codec.compress(data)) == data

    def test_short_ones_stay_below_the_limit_of_a_short_hash(self):
        assert len(codec.compress(bytes(range(53)))) == 64

    def test_rq_compresses_always(self):
        made, _ = read({b'data': zlib.compress(json.dumps(['m.g', None, [1], {}]).encode())})
        assert (made.func_name, made.args) == ('m.g', [1])

    def test_a_long_one(self):
        made = record(DefaultSerializer)
        made.args = ('x' * 1000,)
        fields = codec.encode(made)
        assert len(fields['data']) < 200
        assert pickle.loads(zlib.decompress(fields['data']))[2] == made.args

    def test_too_large(self, monkeypatch):
        monkeypatch.setattr(codec, 'MAX_PAYLOAD_BYTES', 100)
        made = record()
        made.args = ['x' * 100]
        with pytest.raises(PayloadTooLargeError, match='over the limit of 100; store them elsewhere'):
            codec.encode(made)


def test_flat_and_pairs():
    assert codec.flat({'a': 1, 'b': 2}) == ['a', 1, 'b', 2]
    assert codec.pairs([b'a', b'1', b'b', b'2']) == {b'a': b'1', b'b': b'2'}
    with pytest.raises(ValueError):
        codec.pairs([b'a'])


def test_the_older_name_of_a_field_is_read():
    record = JobRecord('j', JSONSerializer)
    assert codec.decode(record, {b'enqueued_from': b'shop/views.py:41 checkout'}) == {}
    assert record.enqueued_from == 'shop/views.py:41 checkout'
    record.data = b'["m.f", null, [], {}]'
    fields = codec.encode(record)
    assert fields['by'] == record.enqueued_from and 'enqueued_from' not in fields
