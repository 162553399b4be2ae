"""The Lua files of the wheel: load one, resolve its includes, read its header. Executing them is `call`'s business.

Header of a script: `--- <name>: <sentence>`, then `--- from|to|keys|args|gives|first|include <words>`.

`first` names what runs before the includes: the usual case of a script, which then costs none of their definitions.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from rq.defaults import RQ_KEY_PREFIX

_HEADER = re.compile(r'^--- (\w+):? +(.*)$')


@dataclass(frozen=True)
class Script:
    """One verb: its text with includes in place, and the SHA-1 the server knows it by."""

    name: str
    text: str
    sha: str
    header: dict[str, str]


def _read(path: str) -> str:
    return files('rq.store').joinpath('lua', path).read_text(encoding='utf-8')


def parse_header(text: str) -> dict[str, str]:
    """The header's words by their key; the first line's sentence under `title`."""
    header: dict[str, str] = {}
    for line in text.splitlines():
        match = _HEADER.match(line)
        if not match:
            break
        key, value = match.groups()
        header[key if header else 'name'] = value if header else key
        header.setdefault('title', value)
    return header


def _with_includes(text: str, done: set[str]) -> str:
    parts: list[str] = []
    header = parse_header(text)
    for name in [*header.get('first', '').split(), *header.get('include', '').split()]:
        if name not in done:
            done.add(name)
            parts.append(_with_includes(_read(f'lib/{name}.lua'), done))
    body = '\n'.join(line for line in text.splitlines() if line and not line.lstrip().startswith('--'))
    return '\n'.join([*parts, body])


@cache
def load(name: str) -> Script:
    """The script of a verb, ready to be sent; `FileNotFoundError` for an unknown one."""
    source = _read(f'{name}.lua')
    text = _with_includes(source, set()).replace('@prefix@', RQ_KEY_PREFIX.replace('\\', '\\\\'))
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return Script(name, text, sha, parse_header(source))


@cache
def names() -> tuple[str, ...]:
    """Every verb that has a script."""
    found = (entry.name for entry in files('rq.store').joinpath('lua').iterdir())
    return tuple(sorted(name.removesuffix('.lua') for name in found if name.endswith('.lua')))
