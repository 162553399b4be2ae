"""Words that do not appear in the house, and exemptions that must give their reason."""

import ast
import re
import tokenize
from pathlib import Path

import pytest

from tests.house.tree import HOUSE, PROJECT, modules, parse, plant, python_files

EXEMPTIONS = 10
BANNED_NAMES = ('manager', 'helper', 'util', 'common', 'misc')
NAMES_OF_RQ = ('rq.utils', 'rq.cli.helpers')  # public addresses of RQ, older than our words
UNFINISHED = re.compile(r'\b(TODO|FIXME|NotImplementedError)\b')
# Where spec/api.md says so: that error is the answer, or the method is there to be overridden.
RAISES_BY_DESIGN = ('registry.py', 'serializers.py', 'timeouts.py', 'base.py')
REASONED = re.compile(r'#\s*type:\s*ignore\[[\w, -]+\]\s*#\s*\S+')


def bare_excepts(house: Path) -> list[str]:
    """`except:` catches what nobody thought of."""
    return [
        f'{path.relative_to(house)}:{node.lineno} bare except'
        for path in python_files(house)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]


def type_ignores(house: Path) -> list[str]:
    """Every `type: ignore` needs its code and, behind another #, a reason; and they are few."""
    every = []
    for path in python_files(house):
        with path.open('rb') as file:
            for token in tokenize.tokenize(file.readline):
                if token.type == tokenize.COMMENT and re.search(r'type:\s*ignore', token.string):
                    every.append((f'{path.relative_to(house)}:{token.start[0]}', token.string))
    found = [f'{place} {text}: without code or reason' for place, text in every if not REASONED.search(text)]
    if len(every) > EXEMPTIONS:
        found.append(f'{len(every)} type exemptions, at most {EXEMPTIONS}')
    return found


def vague_names(house: Path) -> list[str]:
    """Modules named after nothing."""
    return [
        f'{name}: say what lives there'
        for name in modules(house)
        if name not in NAMES_OF_RQ and any(word.removesuffix('s') in BANNED_NAMES for word in re.split(r'[._]', name))
    ]


def unfinished(house: Path) -> list[str]:
    """What was left for later."""
    found = []
    for path in sorted([*python_files(house), *house.rglob('*.lua')]):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = UNFINISHED.search(line)
            if match and not (match[1] == 'NotImplementedError' and path.name in RAISES_BY_DESIGN):
                found.append(f'{path.relative_to(house)}:{number} {match[1]}')
    return found


def sleeps(tests: Path) -> list[str]:
    """Tests that sleep for luck; only crash tests may give a real process real time."""
    found = []
    for path in python_files(tests):
        if path.relative_to(tests).parts[0] == 'crash':
            continue
        for node in ast.walk(parse(path)):
            attribute = isinstance(node, ast.Attribute) and ast.unparse(node) == 'time.sleep'
            name = isinstance(node, ast.ImportFrom) and node.module == 'time'
            if attribute or (name and any(alias.name == 'sleep' for alias in node.names)):
                found.append(f'{path.relative_to(tests)}:{node.lineno} sleeps: use tests/waiting.py')
    return found


def no_docstring(house: Path) -> list[str]:
    """Modules that do not say in one to five lines what lives in them; store/keys.py has the map of keys."""
    found = []
    for path in python_files(house):
        text = ast.get_docstring(parse(path))
        long = text and len(text.splitlines()) > 5 and path.relative_to(house).as_posix() != 'store/keys.py'
        if not text or long:
            found.append(f'{path.relative_to(house)}: a docstring of one to five lines, please')
    return found


LAWS = [bare_excepts, type_ignores, vague_names, unfinished, no_docstring]


@pytest.mark.parametrize('law', LAWS)
def test_law(law) -> None:
    broken = law(HOUSE)
    assert not broken, '\n' + '\n'.join(broken)


def test_no_sleeps() -> None:
    assert sleeps(PROJECT / 'tests') == []


@pytest.mark.parametrize(
    'law, files, count',
    [
        (bare_excepts, {'a.py': 'try:\n    pass\nexcept:\n    pass'}, 1),
        (bare_excepts, {'a.py': 'try:\n    pass\nexcept BaseException:\n    pass'}, 0),
        (type_ignores, {'a.py': 'a = 1  # type: ignore'}, 1),
        (type_ignores, {'a.py': 'a = 1  # type: ignore[misc]'}, 1),
        (type_ignores, {'a.py': 'a = 1  # type: ignore # because'}, 1),
        (
            type_ignores,
            {'a.py': 'a = 1  # type: ignore[misc]  # the stubs are wrong\nb = "# type: ignore"'},
            0,
        ),
        (type_ignores, {'a.py': 'a = 1  # type: ignore[misc]  # reason\n' * 11}, 1),
        (vague_names, {'utils.py': '', 'cli/helpers.py': '', 'managed.py': ''}, 0),
        (vague_names, {'job_manager.py': '', 'helpers.py': '', 'store/util.py': '', 'common/a.py': ''}, 4),
        (
            unfinished,
            {'a.py': '# TODO: later', 'b.lua': '-- FIXME', 'job.py': 'raise NotImplementedError'},
            3,
        ),
        (unfinished, {'registry.py': 'raise NotImplementedError', 'a.py': 'TODOS = 1'}, 0),
        (sleeps, {'a.py': 'import time\ntime.sleep(1)', 'b.py': 'from time import sleep, time'}, 2),
        (sleeps, {'crash/a.py': 'import time\ntime.sleep(1)', 'b.py': 'import time\ntime.time()'}, 0),
        (no_docstring, {'a.py': '"""Text."""', 'b.py': '', 'c.py': '"""' + 'Line.\n' * 6 + '"""'}, 2),
    ],
)
def test_law_can_be_broken(law, files: dict[str, str], count: int, tmp_path: Path) -> None:
    assert len(law(plant(tmp_path, files))) == count
