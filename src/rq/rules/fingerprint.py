"""Which failures are one failure: an id made of what they have in common, so that people see causes, not jobs.

What changes from day to day is left out: line numbers, paths of this machine, numbers and names in a message.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from rq.rules.anatomy import ExceptionRecord, Frame

#: what is kept: characters of a title, a message, a name; frames; types of causes and of members
TITLE, MESSAGE, NAME, FRAMES, CAUSES, MEMBERS = 120, 200, 200, 10, 5, 10
#: of frames that are not the user's, only these are looked at: how a library is built inside is its business
INNERMOST = 3
#: kinds that our own sentences tell of: which worker, when, how many bytes
_WORDED_BY_US = ('killed', 'abandoned', 'poison')
#: newer interpreters have no frames for these
_INLINED = ('<listcomp>', '<dictcomp>', '<setcomp>')


@dataclass(frozen=True)
class Cause:
    """What failures of one group have in common. `frames` are `module:function`, the innermost last."""

    id: str
    title: str
    kind: str
    type_name: str
    message: str
    frames: tuple[str, ...]
    function: str

    def words(self) -> list[str]:
        """As it is counted: plain texts without control characters, of bounded length."""
        return [
            self.id, self.kind, self.type_name[:NAME], self.title, self.message,
            ' '.join(one[:NAME].replace(' ', '') for one in self.frames), self.function,
        ]  # fmt: skip


def fingerprint(
    kind: str,
    type_name: str,
    message: str,
    chain: Sequence[ExceptionRecord] = (),
    function: str = '',
    signal: int | None = None,
    exit_code: int | None = None,
    override: str = '',
) -> Cause:
    """The cause of a failure: by the user's frames, else by those of libraries, else by its words.

    `override` is what the exception, or a hook, says it is to be grouped by: then nothing else counts.
    """
    frames = chain[0].frames if chain else ()
    for one in frames:
        if one.locals is not None:
            frames = tuple(replace(one, locals=None) for one in frames)
            break
    words = normalised(message)
    if override:
        override = _line(override, NAME)
    has_company = len(chain) > 1 or (chain and chain[0].members)
    company = (_company(chain), tuple(_member_types(chain))) if has_company else _NONE
    end = signal, exit_code
    known = _placed(kind, type_name, frames, company, function, end, override)
    if known is None:
        known = _cause(kind, type_name, *_frames(frames, function), company, function, end, words, override)
    found = object.__new__(Cause)
    found.__dict__.update(known.__dict__, message=words)
    return found


_NONE: tuple[tuple[str, ...], tuple[str, ...]] = (), ()


@lru_cache(maxsize=512)
def _placed(
    kind: str, type_name: str, frames: tuple[Frame, ...], company: tuple[tuple[str, ...], tuple[str, ...]],
    function: str, end: tuple[int | None, int | None], override: str,
) -> Cause | None:  # fmt: skip
    """By its place, or as told; None when its words count, too."""
    own, library = _frames(frames, function)
    if override or own or (library and kind in ('raised', 'timed_out')):
        return _cause(kind, type_name, own, library, company, function, end, '', override)
    return None


@lru_cache(maxsize=512)
def _cause(
    kind: str, type_name: str, own: tuple[Frame, ...], library: tuple[Frame, ...],
    company: tuple[tuple[str, ...], tuple[str, ...]], function: str, end: tuple[int | None, int | None],
    words: str, override: str,
) -> Cause:  # fmt: skip
    """By what does not differ from one failure of a group to the next; `words` only where they count."""
    causes, members = company
    if override:
        parts = ['as told', override]
    elif kind == 'timed_out' and own:  # where the time ran out is chance; in which work is not
        parts = [kind, type_name, _name(own[0])]
    elif own:
        parts = [kind, type_name, *_path(own, type_name), *causes]
    elif library and kind in ('raised', 'timed_out'):
        parts = [kind, type_name, function, *_unique(map(_name, library))[-INNERMOST:], *causes]
    else:
        said = '' if kind in _WORDED_BY_US else words
        parts = [kind, type_name, function, *map(str, end), said, *causes]
    seen = own or library[-INNERMOST:]
    return Cause(
        hashlib.sha256('\x1f'.join(parts).encode('utf-8', 'backslashreplace')).hexdigest()[:16],
        override[:TITLE] or _title(kind, type_name, words, members, seen, function, *end),
        kind,
        _line(type_name, NAME),
        words,
        tuple(_line(one, NAME) for one in _unique(map(_name, seen))[-FRAMES:]),
        _line(function, NAME),
    )


# --- frames -------------------------------------------------------------------------------------------------------


def _frames(frames: Sequence[Frame], function: str) -> tuple[tuple[Frame, ...], tuple[Frame, ...]]:
    """Those of the user, and the others. The package that the job's function lives in is the user's, if installed."""
    package, dot, _ = function.partition('.')
    own: list[Frame] = []
    library: list[Frame] = []
    for one in frames:
        if one.function.endswith(_INLINED):
            continue
        is_own = one.is_own or (dot and one.module.partition('.')[0] == package)
        (own if is_own else library).append(one)
    return tuple(own), tuple(library)


def _name(frame: Frame) -> str:
    module = '__main__' if frame.module == '__mp_main__' else frame.module  # the same file, in a spawned process
    return f'{module}:{frame.function}'


def _path(own: Sequence[Frame], type_name: str) -> list[str]:
    """Each function once, so that recursion of any depth is one; and what the innermost one was about."""
    names = [_name(one) for one in own]
    if type_name == 'RecursionError':  # where the stack overflows is chance: up to the last function that recurs
        recurring = [place for place, name in enumerate(names) if names.count(name) > 1]
        return _unique(names[: recurring[-1] + 1] if recurring else names)
    return [*_unique(names), ' '.join(own[-1].source.split())]


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _company(chain: Sequence[ExceptionRecord]) -> tuple[str, ...]:
    """Types of what it came from and of what it is made of."""
    causes = [f'from {one.type_name}' for one in chain[1 : 1 + CAUSES]]
    return (*causes, *(f'with {name}' for name in _member_types(chain)))


def _member_types(chain: Sequence[ExceptionRecord]) -> list[str]:
    waiting = list(chain[0].members) if chain else []
    found: set[str] = set()
    while waiting:
        one = waiting.pop()
        waiting += one.members
        if not one.members:
            found.add(one.type_name)
    return sorted(found)[:MEMBERS]


# --- words --------------------------------------------------------------------------------------------------------


def _title(
    kind: str,
    type_name: str,
    words: str,
    members: Sequence[str],
    seen: Sequence[Frame],
    function: str,
    signal: int | None,
    exit_code: int | None,
) -> str:
    what = _short(type_name)
    where = _name(seen[0] if kind == 'timed_out' else seen[-1]) if seen else function
    if members:
        what += f' ({", ".join(map(_short, members))})'
    if kind == 'killed':
        what = f'Killed by signal {signal}' if signal else f'Process ended with exit code {exit_code}'
    elif not seen and kind not in (*_WORDED_BY_US, 'not_importable') and words:
        what += f': {words}'
        return _line(f'{what[: TITLE - len(where) - 4]} in {where}' if where else what, TITLE)
    return _line(f'{what} in {where}' if where else what, TITLE)


def _short(type_name: str) -> str:
    return type_name.rpartition('.')[2]


def _line(text: str, limit: int) -> str:
    """One line without control characters."""
    text = text[: 4 * limit]
    if not text.isprintable():
        text = ''.join(each if each.isprintable() else ' ' for each in text)
    text = ' '.join(text.split())
    return text if len(text) <= limit else f'{text[: limit - 1]}…'


_QUOTED = r"""(?<!\w)[bBrRuU]{0,2}(?:'(?:\\.|[^'\\\n]){0,400}'(?!\w)|"(?:\\.|[^"\\\n]){0,400}"|`[^`\n]{0,400}`)"""
_UUID = r'[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}'
_URL = r'[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s\'"<>(){},;\[\]]+'
_EMAIL = r'[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,5}'
_PATH = r'(?<![\w/])(?:~|\.{1,2}|[A-Za-z]:)?(?:[\\/][\w.@+~%=-]+)+[\\/]?|\b[\w.-]{1,100}(?:/[\w.@+%=-]+){2,}'
#: any word with a digit in it, and what such words are joined to; of eight hexadecimal digits some have none
_NUMBER = r'(?<!\w)(?:[0-9a-fA-F]{8,}(?!\w)|[+-]?\w*\d\w*(?:[-.,:+]\w*\d\w*)*%?)'
#: in this order, and of what one of them must be there before it is worth looking for
_CHANGING = (
    ('text', _QUOTED, ("'", '"', '`')), ('url', _URL, ('://',)), ('email', _EMAIL, ('@',)), ('uuid', _UUID, ('-',)),
    ('path', _PATH, ('/', '\\')), ('n', _NUMBER, ('',)),
)  # fmt: skip
_REPEATED = re.compile(r'(<\w+>(?:: ?<\w+>)?)(?:[\s,;:]+\1)+')


@cache
def _pattern(*names: str) -> re.Pattern[str]:
    return re.compile('|'.join(f'(?P<{name}>{pattern})' for name, pattern, _ in _CHANGING if name in names))


def _name_of_change(found: re.Match[str]) -> str:
    return f'<{found.lastgroup}>'


def normalised(message: str) -> str:
    """A message without what differs from one time to the next, as one short line."""
    names = [name for name, _, signs in _CHANGING for sign in signs if sign in message]
    text = _pattern(*names).sub(_name_of_change, message)
    return _line(_REPEATED.sub(r'\1', ' '.join(text.split())), MESSAGE)
