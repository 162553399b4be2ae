"""Short pickles: any unpickler reads them, and what they cannot hold is left to the usual ones."""

import functools
import io
import pickle
import pickletools
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.rules.payload import dumped
from rq.rules.short_pickle import makes_pickles, short_pickle
from rq.serializers import DefaultSerializer, JSONSerializer
from rq.store import codec

ATOMS = st.one_of(
    st.none(), st.booleans(), st.integers(-(1 << 31), (1 << 31) - 1), st.floats(), st.text(max_size=60),
    st.sampled_from([0, 255, 256, 65535, 65536, '', 'x' * 255, 'p' * 63, '\udc80', '”']),
)  # fmt: skip
NAMES = st.sampled_from(['m.f', 'shop.views.checkout', 'ä.ö'])


@given(name=NAMES, args=st.lists(ATOMS, max_size=6).map(tuple), kwargs=st.dictionaries(st.text(), ATOMS, max_size=2))
def test_any_unpickler_reads_them(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    call = (name, None, args, kwargs)
    raw = short_pickle(name, args, kwargs)
    if raw is None:
        assert any(len(text.encode(errors='surrogatepass')) > 255 for text in [*args, *kwargs] if isinstance(text, str))
        return
    assert len(raw) > 64 or len(raw) < len(pickle.dumps(call, 5))
    pickletools.dis(raw, out=io.StringIO())
    stored = codec.payload(raw, DefaultSerializer)
    slow = pickle._Unpickler(io.BytesIO(raw)).load()  # type: ignore[attr-defined]  # the one in Python
    for found in (pickle.loads(raw), pickle.loads(codec.decompress(stored)), slow):
        assert repr(found) == repr(call) and [type(each) for each in found[2]] == [type(each) for each in args]
    if len(raw) <= 64:  # RQ reads what is no zlib stream as it is
        with pytest.raises(zlib.error):
            zlib.decompress(stored)


class Text(str):
    """No plain text."""


@pytest.mark.parametrize(
    'args', [(Text('x'),), (1 << 31,), (b'x',), ([],), ((),), ('x' * 256,), tuple(range(9)), [1], (1j,), (object,)]
)
def test_all_others_are_pickled_as_ever(args: Any) -> None:
    assert short_pickle('m.f', args, {}) is None
    call = ('m.f', None, args, {})
    assert dumped(DefaultSerializer, call) == pickle.dumps(call, 5)
    assert pickle.loads(codec.decompress(codec.payload(dumped(DefaultSerializer, call), DefaultSerializer))) == call


def test_methods_too() -> None:
    call = ('upper', 'text', (), {})
    assert dumped(DefaultSerializer, call) == pickle.dumps(call, 5)


def test_only_where_the_serializer_is_pickle() -> None:
    class Own(DefaultSerializer):
        """With something of its own."""

        dumps = functools.partial(pickle.dumps, protocol=2)

    class Other:
        """Looks alike."""

        dumps = staticmethod(lambda value: b'own' + pickle.dumps(value))

    assert makes_pickles(DefaultSerializer)
    assert not any(makes_pickles(each) for each in (Own, Other, Other(), JSONSerializer, pickle, object()))
    assert dumped(Other, ('m.f', None, (), {})).startswith(b'own')


def test_a_pickle_with_memory_keeps_its_first_words() -> None:
    """Its globals are looked up by the names of the protocol that these words tell."""
    call = ('m.f', None, (), {'error': ValueError})
    stored = codec.payload(dumped(DefaultSerializer, call), DefaultSerializer)
    assert stored.startswith(b'\x80\x05') and pickle.loads(stored) == call
    assert codec.payload(stored, DefaultSerializer) == stored
