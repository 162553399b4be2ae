"""Serializers, and finding the one that is meant."""

import json
import pickle
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.serializers import (
    SERIALIZER_ALIASES,
    DefaultSerializer,
    JSONSerializer,
    PickleSerializer,
    Serializer,
    resolve_serializer,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON)
def test_both_round_trip(value):
    for serializer in (DefaultSerializer, JSONSerializer):
        data = serializer.dumps(value)
        assert isinstance(data, bytes)
        assert serializer.loads(data) == value


def test_formats():
    assert DefaultSerializer.dumps((1,)) == pickle.dumps((1,), protocol=pickle.HIGHEST_PROTOCOL)
    assert JSONSerializer.dumps({'a': 'ä'}, ensure_ascii=False) == '{"a": "ä"}'.encode()
    assert JSONSerializer.loads(b'1.5', parse_float=str) == '1.5'
    assert PickleSerializer is DefaultSerializer


def test_what_a_serializer_may_be():
    own = types.SimpleNamespace(dumps=lambda obj: b'', loads=lambda data: None)
    assert resolve_serializer() is resolve_serializer(None) is DefaultSerializer
    assert resolve_serializer('pickle') is DefaultSerializer
    assert resolve_serializer('json') is SERIALIZER_ALIASES['json'] is JSONSerializer
    assert resolve_serializer('rq.serializers.JSONSerializer') is JSONSerializer
    assert resolve_serializer('pickle') is not pickle
    assert resolve_serializer(own) is own
    assert resolve_serializer(json) is json
    for one in (DefaultSerializer, JSONSerializer, own):
        assert isinstance(one, Serializer)


@pytest.mark.parametrize('bad', [object(), 'json.dumps', types.SimpleNamespace(dumps=str), 7])
def test_what_has_no_dumps_and_loads_is_none(bad):
    with pytest.raises(NotImplementedError, match='lacks .*loads'):
        resolve_serializer(bad)


def test_an_unknown_name():
    with pytest.raises(ValueError, match='rq_no_such_serializer'):
        resolve_serializer('rq_no_such_serializer')
