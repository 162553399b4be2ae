"""Serializers: how payloads, results and meta become bytes. Pickle by default, JSON, or your own.

What is serialized, and when, stands elsewhere.
"""

from __future__ import annotations

import functools
import json
import pickle
from typing import Any, Protocol, cast, runtime_checkable

from rq.rules.names import import_attribute


@runtime_checkable
class Serializer(Protocol):
    """Anything with `dumps` and `loads`: a class, an object or a module."""

    def dumps(self, obj: Any, /) -> bytes:
        """The bytes of an object."""

    def loads(self, data: bytes, /) -> Any:
        """The object of bytes."""


class DefaultSerializer:
    """Pickle with the highest protocol of this interpreter."""

    dumps = functools.partial(pickle.dumps, protocol=pickle.HIGHEST_PROTOCOL)
    loads = pickle.loads


PickleSerializer = DefaultSerializer


class JSONSerializer:
    """JSON as UTF-8 bytes: readable from any language, for arguments and results that JSON knows."""

    @staticmethod
    def dumps(*args: Any, **kwargs: Any) -> bytes:
        """The JSON text of an object, encoded; arguments as for `json.dumps`."""
        return json.dumps(*args, **kwargs).encode('utf-8')

    @staticmethod
    def loads(s: bytes, *args: Any, **kwargs: Any) -> Any:
        """The object of encoded JSON text; further arguments as for `json.loads`."""
        return json.loads(s.decode('utf-8'), *args, **kwargs)


SERIALIZER_ALIASES: dict[str, type] = {'json': JSONSerializer, 'pickle': DefaultSerializer}


def resolve_serializer(serializer: Serializer | str | None = None) -> Serializer:
    """The serializer meant by None (pickle), an alias, a dotted name or an object."""
    found: Any = DefaultSerializer if serializer is None else serializer
    if found is DefaultSerializer:
        return cast('Serializer', found)
    if isinstance(found, str):
        found = SERIALIZER_ALIASES.get(found) or import_attribute(found)
    missing = [verb for verb in ('dumps', 'loads') if not callable(getattr(found, verb, None))]
    if missing:
        raise NotImplementedError(
            f'serializer {serializer!r} lacks {" and ".join(missing)}: a serializer needs '
            'dumps(obj) -> bytes and loads(bytes) -> obj'
        )
    return cast('Serializer', found)
