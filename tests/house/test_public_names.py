"""Every public name has a sentence: what `rq` exports, and the public methods of its classes."""

import enum
import inspect
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import rq


def undocumented(front: ModuleType | SimpleNamespace) -> list[str]:
    """Exported names, and public methods of exported classes, without a docstring sentence."""
    found = []
    for name in getattr(front, '__all__', ()):
        thing = getattr(front, name)
        if not (inspect.isclass(thing) or inspect.isroutine(thing)):
            continue  # a constant cannot carry a docstring
        own = thing.__dict__.get('__doc__') if inspect.isclass(thing) else thing.__doc__
        if not _sentence(own):
            found.append(name)
        if inspect.isclass(thing):
            found += [f'{name}.{method}' for method in _undocumented_methods(thing)]
    return found


def _undocumented_methods(owner: type) -> Iterator[str]:
    for name in dir(owner):
        home = next((base for base in owner.__mro__ if name in vars(base)), object)
        ours = home.__module__.partition('.')[0] in ('rq', owner.__module__.partition('.')[0])
        if name.startswith('_') or not ours or issubclass(owner, enum.Enum):
            continue
        member = inspect.getattr_static(owner, name)
        if not isinstance(member, property | classmethod | staticmethod) and not inspect.isroutine(member):
            continue
        # An override says the same as what it overrides, so inspect.getdoc, which looks at the bases too.
        if not _sentence(inspect.getdoc(getattr(owner, name) if not isinstance(member, property) else member)):
            if isinstance(member, property) and _inherited(owner, name):
                continue
            yield name


def _inherited(owner: type, name: str) -> bool:
    return any(_sentence(getattr(vars(base).get(name), '__doc__', None)) for base in owner.__mro__)


def _sentence(text: str | None) -> bool:
    """Does the first paragraph end like a sentence?  The text that `dataclass` makes up does not."""
    first = (text or '').strip().partition('\n\n')[0].rstrip()
    return ' ' in first and first.endswith(('.', '!', '?', ':'))


def test_every_public_name_has_a_sentence() -> None:
    assert rq.__all__
    assert undocumented(rq) == []


class Base:
    """A class with a sentence."""

    def inherited(self) -> None:
        """It has one."""


class Planted(Base):
    def silent(self) -> None: ...

    @property
    def mute(self) -> int:
        return 1

    @classmethod
    def word(cls) -> None:
        """word"""

    def spoken(self) -> None:
        """It says what it is."""

    def inherited(self) -> None: ...

    def _private(self) -> None: ...


def test_law_can_be_broken() -> None:
    front = SimpleNamespace(__all__=['Planted', 'Base', 'bare', 'VERSION'], VERSION='1', bare=lambda: 1)
    front.Planted, front.Base = Planted, Base
    assert undocumented(front) == ['Planted', 'Planted.mute', 'Planted.silent', 'Planted.word', 'bare']
