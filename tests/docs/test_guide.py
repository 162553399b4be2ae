"""Every example of README and guides is run: files are written, programs and commands run, their outputs compared.

A ```python block that begins with `# name.py` is that file; any other is a program of the page's one session.
A ```text block behind a program, or what follows `$ rq …` in a ```console block, is what it prints; `...` stands for
anything, and times of the day do not matter.
"""

import doctest
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.house.tree import PROJECT

PAGES = [PROJECT / 'README.md', *sorted((PROJECT / 'docs').glob('*.md'))]
FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
FILE = re.compile(r'# (\w+\.py)\n')
CLOCK = re.compile(r'^\d\d:\d\d:\d\d ', re.MULTILINE)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Program(NamedTuple):
    """A piece of Python or a command line, and what it should print (None: anything)."""

    text: str
    prints: str | None


class Page(NamedTuple):
    """What is to be written and run."""

    files: dict[str, str]
    programs: list[Program]
    commands: list[Program]


def read(text: str) -> Page:
    """The examples of a page."""
    page = Page({}, [], [])
    last = ''
    for language, block in FENCE.findall(text):
        if language == 'python':
            named = FILE.match(block)
            if named:
                page.files[named[1]] = block
            else:
                page.programs.append(Program(block, None))
        elif language == 'text' and last == 'python':
            page.programs[-1] = page.programs[-1]._replace(prints=block)
        elif language == 'console':
            for part in re.split(r'^\$ ', block, flags=re.MULTILINE)[1:]:
                command, _, prints = part.partition('\n')
                if command.startswith('rq '):
                    page.commands.append(Program(command, prints or None))
        last = language
    return page


def differs(program: Program, printed: str) -> str | None:
    """How what was printed differs from what should be, or None."""
    wanted = program.prints
    if wanted is None:
        return printed if 'Traceback' in printed else None
    if doctest.OutputChecker().check_output(CLOCK.sub('', wanted), CLOCK.sub('', printed), FLAGS):
        return None
    return f'{program.text}\n--- should print\n{wanted}\n--- but prints\n{printed}'


def run_programs(page: Page, home: Path, environment: dict[str, str]) -> None:
    programs = json.dumps([program.text for program in page.programs])
    done = subprocess.run(
        [sys.executable, str(PROJECT / 'tests' / 'docs' / 'driver.py')],
        input=programs, cwd=home, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for program, printed in zip(page.programs, json.loads(done.stdout), strict=True):
        assert differs(program, printed) is None, differs(program, printed) + '\n' + done.stderr[-3000:]


def run_commands(page: Page, home: Path, environment: dict[str, str]) -> None:
    for program in page.commands:
        command = program.text.replace('rq ', f'{sys.executable} -m rq.cli ', 1)  # `rq` may not be on PATH
        done = subprocess.run(
            command, shell=True, cwd=home, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f'{program.text}\n{done.stdout}{done.stderr}'
        printed = done.stdout + done.stderr
        assert differs(program, printed) is None, differs(program, printed)


@pytest.mark.slow
@pytest.mark.parametrize('path', PAGES, ids=lambda path: path.name)
def test_page(path: Path, redis_url: str, tmp_path: Path) -> None:
    page = read(path.read_text())
    for name, text in page.files.items():
        (tmp_path / name).write_text(text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith('RQ_')}
    environment |= {
        'DOCS_SOCKET': redis_url.removeprefix('unix://'),
        'RQ_REDIS_URL': redis_url,
        'PYTHONPATH': str(tmp_path),
    }
    if page.programs:
        run_programs(page, tmp_path, environment)
    run_commands(page, tmp_path, environment)


def test_links_lead_somewhere() -> None:
    for path in PAGES:
        for target in re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)', path.read_text()):
            assert (path.parent / target).exists(), f'{path.name} links to {target}'


def test_reading_a_page() -> None:
    page = read(
        '```python\n# a.py\nx\n```\n```python\nprint(1)\n```\n```text\n1\n```\n```console\n$ make\n$ rq info\nab\n```\n'
    )
    assert page.files == {'a.py': '# a.py\nx\n'}
    assert page.programs == [Program('print(1)\n', '1\n')]
    assert page.commands == [Program('rq info', 'ab\n')]


def test_differences_are_found() -> None:
    assert differs(Program('x', 'a...c\n'), 'abc\n') is None
    assert differs(Program('x', 'a\n'), 'b\n')
    assert differs(Program('x', None), 'Traceback (most recent call last)')
    assert differs(Program('x', None), 'anything') is None
