"""The Lua files: their headers, their length, the table of states, and who else may write a status."""

import ast
import re
from pathlib import Path

import pytest

from rq.rules import status
from tests.house.tree import HOUSE, functions, parse, plant, python_files

LINES = 80
KEYS = ('from', 'to', 'keys', 'args', 'gives')
HEADER = re.compile(r'^--- (\w+)(:?) +(\S.*)$')
# Public API of RQ that writes a status without a verb (design, section 2); None: the whole file.
PUBLIC_WRITERS: dict[str, tuple[str, ...] | None] = {
    'job.py': ('Job.save',),
    'standing.py': ('HasStatus.set_status', 'HasStatus.prepare_for_execution'),
    'store/sync.py': None,
}
WATCHERS = ('fetch_dependencies', 'dependencies_are_met')

Header = dict[str, str]
Table = dict[str, tuple[frozenset[str], frozenset[str]]]


def table() -> tuple[Table, frozenset[str]]:
    """The table of states, and what `any` means in it."""
    every = frozenset(each.value for each in status.JobStatus)
    return {verb: (move.sources, move.targets) for verb, move in status.TABLE.items()}, every


def header_of(path: Path) -> tuple[str, Header]:
    """The name that a script gives itself, and the rest of its header."""
    name, header = '', {}
    for line in path.read_text().splitlines():
        match = HEADER.match(line)
        if not match:
            break
        if match[2]:
            name = name or match[1]
        else:
            header[match[1]] = match[3]
    return name, header


def header_violations(house: Path) -> list[str]:
    """Scripts whose header is not the contract that loader and readers need."""
    found = []
    lua = house / 'store' / 'lua'
    for path in sorted(lua.rglob('*.lua')):
        name, header = header_of(path)
        verb = path.parent == lua
        place = str(path.relative_to(lua))
        if name != path.stem:
            found.append(f'{place}: must begin with "--- {path.stem}: <sentence>"')
        missing = [key for key in KEYS if verb and key not in header]
        unknown = sorted(set(header) - {*KEYS, 'include', 'first'})
        found += [f'{place}: no line "--- {key} …"' for key in missing]
        found += [f'{place}: unknown line "--- {key} …"' for key in unknown]
        for include in f'{header.get("first", "")} {header.get("include", "")}'.split():
            if not (lua / 'lib' / f'{include}.lua').exists():
                found.append(f'{place}: includes {include}, which is not in lib/')
        lines = len(path.read_text().splitlines())
        if lines > LINES:
            found.append(f'{place}: {lines} lines, at most {LINES}')
    return found


def table_violations(house: Path, moves: Table, every: frozenset[str]) -> list[str]:
    """Scripts whose `from` and `to` are not those of the table of states."""
    found = []
    lua = house / 'store' / 'lua'
    for path in sorted(lua.glob('*.lua')):
        _, header = header_of(path)
        sources, targets = moves.get(path.stem, (frozenset(), frozenset()))
        for key, wanted in (('from', sources), ('to', targets)):
            if _statuses(header.get(key, ''), every) != wanted:
                words = ' '.join(sorted(wanted)) or 'none'
                found.append(f'{path.name}: "{key} {header.get(key)}", but the table says: {words}')
    found += [f'{verb}: in the table, but no script' for verb in moves if not (lua / f'{verb}.lua').exists()]
    return found


def _statuses(words: str, every: frozenset[str]) -> frozenset[str]:
    if words == 'any':
        return every
    return frozenset() if words == 'none' else frozenset(words.split())


def status_writers(house: Path) -> list[str]:
    """Python that writes the field `status` with HSET, beside the listed public writers."""
    found = []
    for path in python_files(house):
        place = path.relative_to(house).as_posix()
        listed = PUBLIC_WRITERS.get(place, ())
        if listed is None:
            continue
        spared = [node for name, node in functions(path) if name in listed]
        inside = {id(child) for node in spared for child in ast.walk(node)}
        found += [
            f'{place}:{node.lineno} writes status'
            for node in ast.walk(parse(path))
            if isinstance(node, ast.Call) and id(node) not in inside and _writes_status(node)
        ]
    return found


def _writes_status(call: ast.Call) -> bool:
    """Is it `x.hset(…, 'status', …)`, or a raw command 'HSET' with that field?"""
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    words = [node.value for a in arguments for node in ast.walk(a) if isinstance(node, ast.Constant)]
    method = getattr(call.func, 'attr', '').lower()
    raw = any(isinstance(word, str) and word.upper() in ('HSET', 'HMSET', 'HSETNX') for word in words)
    return ('status' in words or b'status' in words) and (raw or method in ('hset', 'hmset', 'hsetnx'))


def watch_calls(house: Path) -> list[str]:
    """WATCH outside the two public functions that promise it."""
    found = []
    for path in python_files(house):
        spared = [node for name, node in functions(path) if name.rpartition('.')[2] in WATCHERS]
        inside = {id(child) for node in spared for child in ast.walk(node)}
        found += [
            f'{path.relative_to(house)}:{node.lineno} WATCH'
            for node in ast.walk(parse(path))
            if isinstance(node, ast.Call)
            and id(node) not in inside
            and getattr(node.func, 'attr', '') == 'watch'
            and 'pipe' in ast.unparse(node.func)
        ]
    return found


def test_headers() -> None:
    assert header_violations(HOUSE) == []


def test_table() -> None:
    assert (HOUSE / 'store' / 'lua').is_dir()
    assert table_violations(HOUSE, *table()) == []


def test_status_writers() -> None:
    assert status_writers(HOUSE) == []


def test_watch() -> None:
    assert watch_calls(HOUSE) == []


FAIL = '--- fail: it is over.\n--- from started\n--- to failed\n--- keys job\n--- args now\n--- gives ok\n'
EVERY = frozenset({'started', 'failed'})
MOVES: Table = {'fail': (frozenset({'started'}), frozenset({'failed'})), 'delete': (EVERY, frozenset())}
DELETE = FAIL.replace('fail:', 'delete:').replace('from started', 'from any').replace('to failed', 'to none')


def scripts(fail: str = FAIL, **more: str) -> dict[str, str]:
    """A store with the script `fail` and others."""
    named = {'fail': fail, 'delete': DELETE, **more}
    return {f'store/lua/{name.replace("__", "/")}.lua': text for name, text in named.items()}


@pytest.mark.parametrize(
    'files, count',
    [
        (scripts(), 0),
        (scripts(lib__now='--- now: the clock.\n'), 0),
        (scripts(FAIL + '--- include now\n', lib__now='--- now: the clock.\n'), 0),
        (scripts(FAIL + '--- include now\n'), 1),
        (scripts(FAIL.replace('fail:', 'finish:')), 1),
        (scripts(FAIL.replace('fail: it is over.', 'from it is over.')), 1),
        (scripts(FAIL.replace('--- gives ok\n', '')), 1),
        (scripts(FAIL.replace('--- args now', '\n--- args now')), 2),
        (scripts(FAIL + '--- colour red\n'), 1),
        (scripts(FAIL + 'return 1\n' * 75), 1),
        (scripts(lib__now='local now = 1\n'), 1),
    ],
)
def test_header_law(files: dict[str, str], count: int, tmp_path: Path) -> None:
    assert len(header_violations(plant(tmp_path, files))) == count


@pytest.mark.parametrize(
    'files, count',
    [
        (scripts(), 0),
        (scripts(beat=FAIL.replace('from started', 'from none').replace('to failed', 'to none')), 0),
        (scripts(beat=FAIL), 2),
        (scripts(FAIL.replace('to failed', 'to failed started')), 1),
        (scripts(FAIL.replace('from started', 'from any')), 1),
        ({'store/lua/fail.lua': FAIL}, 1),
    ],
)
def test_table_law(files: dict[str, str], count: int, tmp_path: Path) -> None:
    assert len(table_violations(plant(tmp_path, files), MOVES, EVERY)) == count


def test_status_law(tmp_path: Path) -> None:
    planted = {
        'queue.py': "a.hset(key, 'status', x)\na.hset(key, mapping={'status': x})\na.hset(key, 'other', x)\n",
        'store/enter.py': "a.execute_command('HSET', key, 'status', x)\nadd(('hset', key, 'status', x))\n",
        'job.py': "class Job:\n    def save(self): a.hset(k, 'status')\n    def f(self): a.hset(k, 'status')",
        'store/sync.py': "a.hset(key, 'status', x)",
    }
    assert status_writers(plant(tmp_path, planted)) == [
        'job.py:3 writes status',
        'queue.py:1 writes status',
        'queue.py:2 writes status',
        'store/enter.py:1 writes status',
        'store/enter.py:2 writes status',
    ]


def test_watch_law(tmp_path: Path) -> None:
    planted = {'job.py': 'def fetch_dependencies(): pipe.watch(k)\ndef f(): pipeline.watch(k)\nclock.watch(k)'}
    assert watch_calls(plant(tmp_path, planted)) == ['job.py:2 WATCH']
