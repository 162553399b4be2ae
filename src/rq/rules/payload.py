"""The call of a job: function name, bound object, arguments. Kept as bytes until somebody asks for a part.

Compression and the hash field it ends up in are the store's business.
"""

from __future__ import annotations

from typing import Any

from rq.exceptions import DeserializationError
from rq.rules.short_pickle import makes_pickles, short_pickle
from rq.timeouts import BaseTimeoutException


class _Unevaluated:
    """The sentinel of attributes that were not loaded yet; survives copying and pickling as itself."""

    def __repr__(self) -> str:
        return 'UNEVALUATED'

    def __reduce__(self) -> str:
        return 'UNEVALUATED'


UNEVALUATED: Any = _Unevaluated()


def dumped(serializer: Any, call: tuple[Any, Any, Any, Any]) -> Any:
    """A call as the serializer has it; what it raises gets a note on what can be stored."""
    name, instance, args, kwargs = call
    if instance is None and type(name) is str and makes_pickles(serializer):
        short = short_pickle(name, args, kwargs)
        if short is not None:
            return short
    try:
        return serializer.dumps(call)
    except Exception as error:
        error.add_note(
            f'(while storing the call of {call[0]}: its arguments must be such as the serializer can dump; '
            'pass an id or a path instead of an open file, a connection or a lambda)'
        )
        raise


def undecodable(job_id: str | None, error: Exception) -> DeserializationError:
    """What is raised for a payload that the serializer does not take."""
    return DeserializationError(f'The payload of job {job_id} cannot be loaded: {type(error).__name__}: {error}')


class Payload:
    """Mixin: `data` as bytes and its four parts, each made from the other when first asked for."""

    serializer: Any
    _data: Any
    _func_name: Any
    _instance: Any
    _args: Any
    _kwargs: Any

    def _forget_call(self) -> None:
        self._data = UNEVALUATED
        self._func_name = self._instance = self._args = self._kwargs = UNEVALUATED

    @property
    def data(self) -> bytes:
        """The serialized `(func_name, instance, args, kwargs)`; `ValueError` for a job without a call."""
        if self._data is UNEVALUATED:
            if self._func_name is UNEVALUATED:
                raise ValueError('This job has no call yet; give it a function with Job.create or queue.enqueue')
            call = (self._func_name, self._part('_instance', None), self._part('_args', ()), self._part('_kwargs', {}))
            self._data = dumped(self.serializer, call)
        return bytes(self._data)

    @data.setter
    def data(self, value: bytes) -> None:
        self._forget_call()
        self._data = value

    def _part(self, name: str, default: Any) -> Any:
        value = getattr(self, name)
        return default if value is UNEVALUATED else value

    def _load_call(self) -> None:
        if self._data is UNEVALUATED:
            raise DeserializationError('This job has no payload: nothing tells which function to call')
        try:
            self._func_name, self._instance, self._args, self._kwargs = self.serializer.loads(self._data)
        except BaseTimeoutException:
            raise  # a payload that takes too long to load is not a broken one
        except Exception as error:
            raise undecodable(getattr(self, '_id', None), error) from error

    def _get(self, name: str) -> Any:
        if getattr(self, name) is UNEVALUATED:
            self._load_call()
        return getattr(self, name)

    def _set(self, name: str, value: Any) -> None:
        if self._data is not UNEVALUATED and self._func_name is UNEVALUATED:
            self._load_call()
        setattr(self, name, value)
        self._data = UNEVALUATED

    @property
    def func_name(self) -> str:
        """Dotted path of the function, or the method's name when there is an instance."""
        return str(self._get('_func_name'))

    @func_name.setter
    def func_name(self, value: str) -> None:
        self._set('_func_name', value)

    @property
    def instance(self) -> Any:
        """The object whose method is called, or None."""
        return self._get('_instance')

    @instance.setter
    def instance(self, value: Any) -> None:
        self._set('_instance', value)

    @property
    def args(self) -> Any:
        """Positional arguments."""
        return self._get('_args')

    @args.setter
    def args(self, value: Any) -> None:
        self._set('_args', value)

    @property
    def kwargs(self) -> Any:
        """Keyword arguments."""
        return self._get('_kwargs')

    @kwargs.setter
    def kwargs(self, value: Any) -> None:
        self._set('_kwargs', value)
