"""Values of the current context (thread, greenlet or task), and proxies to them: the interface known from Werkzeug.

Nothing of ours uses them; programs import them from here because RQ has always had them.
"""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any


class Local:
    """An object whose attributes have their own values in each context."""

    __slots__ = ('_values',)

    def __init__(self) -> None:
        # Never changed in place: a context inherits the values of the one that it is copied from.
        object.__setattr__(self, '_values', ContextVar('rq.local.Local'))

    def _now(self) -> dict[str, Any]:
        values: dict[str, Any] = self._values.get({})
        return values

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self._now().items())

    def __call__(self, proxy: str) -> LocalProxy:
        """A proxy to the attribute of that name."""
        return LocalProxy(self, proxy)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._now()[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._values.set(self._now() | {name: value})

    def __delattr__(self, name: str) -> None:
        values = dict(self._now())
        if name not in values:
            raise AttributeError(name)
        del values[name]
        self._values.set(values)

    def __release_local__(self) -> None:
        self._values.set({})


class LocalStack:
    """A stack that is another one in each context."""

    __slots__ = ('_items',)

    def __init__(self) -> None:
        self._items: ContextVar[tuple[Any, ...]] = ContextVar('rq.local.LocalStack')

    def __len__(self) -> int:
        return len(self._items.get(()))

    def push(self, obj: Any) -> list[Any]:
        """Put an object on top; the whole stack is returned."""
        self._items.set((*self._items.get(()), obj))
        return list(self._items.get())

    def pop(self) -> Any:
        """Take the topmost object off and return it; None when there is none."""
        items = self._items.get(())
        self._items.set(items[:-1])
        return items[-1] if items else None

    @property
    def top(self) -> Any:
        """The topmost object, or None."""
        items = self._items.get(())
        return items[-1] if items else None

    def __call__(self) -> LocalProxy:
        """A proxy to the topmost object."""

        def topmost() -> Any:
            if not len(self):
                raise RuntimeError('object unbound: the stack is empty in this context')
            return self.top

        return LocalProxy(topmost)

    def __release_local__(self) -> None:
        self._items.set(())


def release_local(local: Local | LocalStack) -> None:
    """Forget what a Local or LocalStack holds in this context."""
    local.__release_local__()


class LocalManager:
    """Several locals that are released together, at the end of a request for example."""

    def __init__(self, locals: Any = None, ident_func: Callable[[], Any] | None = None) -> None:
        # `ident_func` told threads apart once; contexts need no such function, and it only answers get_ident().
        self.locals = [] if locals is None else [locals] if isinstance(locals, Local | LocalStack) else list(locals)
        self.ident_func = ident_func

    def get_ident(self) -> Any:
        """What the given function says of the current context; None without one."""
        return self.ident_func() if self.ident_func else None

    def cleanup(self) -> None:
        """Release every local in this context."""
        for local in self.locals:
            release_local(local)

    def make_middleware(self, app: Callable[..., Any]) -> Callable[..., Any]:
        """The WSGI application, releasing the locals after each response."""

        def application(environ: Any, start_response: Any) -> Iterator[Any]:
            answer: Iterable[Any] = ()
            try:
                answer = app(environ, start_response)
                yield from answer
            finally:
                if hasattr(answer, 'close'):
                    answer.close()
                self.cleanup()

        return application

    def middleware(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator form of `make_middleware`."""
        return self.make_middleware(func)


class LocalProxy:
    """Stands for an object that is looked up anew at each use: by a function, or as an attribute of a Local."""

    __slots__ = ('__dict__', '__name', '__source')

    def __init__(self, local: Any, name: str | None = None) -> None:
        object.__setattr__(self, '_LocalProxy__source', local)
        object.__setattr__(self, '_LocalProxy__name', name)

    def _get_current_object(self) -> Any:
        """The object itself; `RuntimeError` when there is none in this context."""
        if not isinstance(self.__source, Local):
            return self.__source()
        try:
            return getattr(self.__source, self.__name)
        except AttributeError:
            raise RuntimeError(f'no object bound to {self.__name}') from None

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]  # the attributes of what it stands for
        try:
            found: dict[str, Any] = self._get_current_object().__dict__
            return found
        except RuntimeError:
            raise AttributeError('__dict__') from None

    def __repr__(self) -> str:
        try:
            return repr(self._get_current_object())
        except RuntimeError:
            return f'<{type(self).__name__} unbound>'

    def __bool__(self) -> bool:
        try:
            return bool(self._get_current_object())
        except RuntimeError:
            return False

    def __dir__(self) -> list[str]:
        try:
            return dir(self._get_current_object())
        except RuntimeError:
            return []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._get_current_object(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._get_current_object(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._get_current_object(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._get_current_object()(*args, **kwargs)

    def __enter__(self) -> Any:
        return self._get_current_object().__enter__()

    def __exit__(self, *exc_info: Any) -> Any:
        return self._get_current_object().__exit__(*exc_info)


def _passed_on(call: Callable[..., Any], swapped: bool = False) -> Callable[..., Any]:
    """A method that does with the object behind the proxy what `call` does."""

    def forward(self: LocalProxy, *args: Any) -> Any:
        found = self._get_current_object()
        return call(*args, found) if swapped else call(found, *args)

    return forward


# Python looks special methods up on the class, so that __getattr__ cannot answer for them.
_ARITHMETIC = (
    *('add', 'sub', 'mul', 'matmul', 'truediv', 'floordiv', 'mod', 'pow'),
    *('lshift', 'rshift', 'and_', 'or_', 'xor'),
)
_OPERATORS = (
    *('lt', 'le', 'eq', 'ne', 'gt', 'ge', 'getitem', 'setitem', 'delitem', 'contains'),
    *('neg', 'pos', 'abs', 'invert', 'index', 'length_hint', *_ARITHMETIC),
)
_FORWARDED: dict[str, Callable[..., Any]] = {f'__{word.rstrip("_")}__': getattr(operator, word) for word in _OPERATORS}
_FORWARDED |= {
    f'__{call.__name__}__': call
    for call in (divmod, bytes, format, hash, len, iter, next, reversed, int, float, complex, round, str)
}
_FORWARDED |= {f'__{call.__name__}__': call for call in (math.trunc, math.floor, math.ceil, copy.copy, copy.deepcopy)}
for _word, _call in _FORWARDED.items():
    setattr(LocalProxy, _word, _passed_on(_call))
for _word in _ARITHMETIC:
    setattr(LocalProxy, f'__r{_word.rstrip("_")}__', _passed_on(getattr(operator, _word), swapped=True))
setattr(LocalProxy, '__rdivmod__', _passed_on(divmod, swapped=True))  # noqa: B010 - mypy knows no assignment to it
