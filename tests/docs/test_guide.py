"""Every example of README and guides is run: files are written, programs and commands run, their outputs compared.

A ```python block that begins with `# name.py` is that file; any other is a program of the page's one session.
A ```text block behind a program, or what follows `$ rq …` in a ```console block, is what it prints; `...` stands for
anything, and times of the day do not matter. `$ timeout … rq …` is run too, for commands that would not end.
A page with `<!-- examples: NAME=value cluster -->` has this environment, and its port 7000 is that of a real cluster.
"""

import doctest
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.house.tree import PROJECT
from tests.servers.cluster import cluster

PAGES = [PROJECT / 'README.md', *sorted((PROJECT / 'docs').glob('*.md'))]
FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
FILE = re.compile(r'# (\w+\.py)\n')
SETTING = re.compile(r'^<!-- examples: (.*) -->$', re.MULTILINE)
COMMAND = re.compile(r'(timeout [^|;&]*?)?\brq ')
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
                if COMMAND.match(command):
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
        # `rq` may not be on PATH
        command = COMMAND.sub(lambda match: f'{match[1] or ""}{sys.executable} -m rq.cli ', program.text, count=1)
        done = subprocess.run(
            command, shell=True, cwd=home, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f'{program.text}\n{done.stdout}{done.stderr}'
        printed = done.stdout + done.stderr
        assert differs(program, printed) is None, differs(program, printed)


@contextmanager
def surroundings(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """What a page asks for: its text with the port of its cluster, if it wants one, and its environment."""
    words = [word for setting in SETTING.findall(text) for word in setting.split()]
    environment = dict(word.split('=', 1) for word in words if '=' in word)
    if 'cluster' in words:
        with cluster() as ports:
            yield text.replace('7000', str(ports[0])), environment
    else:
        yield text, environment


@pytest.mark.slow
@pytest.mark.parametrize('path', PAGES, ids=lambda path: path.name)
def test_page(path: Path, redis_url: str, tmp_path: Path) -> None:
    with surroundings(path.read_text()) as (text, asked):
        page = read(text)
        for name, file in page.files.items():
            (tmp_path / name).write_text(file)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(('RQ_', 'PYTEST_'))}
        environment |= {
            'DOCS_SOCKET': redis_url.removeprefix('unix://'),
            'RQ_REDIS_URL': redis_url,
            'PYTHONPATH': str(tmp_path),
            **asked,
        }
        if page.programs:
            run_programs(page, tmp_path, environment)
        run_commands(page, tmp_path, environment)


def anchors(text: str) -> set[str]:
    """The anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r'^#+ (.*)$', FENCE.sub('', text), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


def test_links_lead_somewhere() -> None:
    for path in PAGES:
        text = FENCE.sub('', path.read_text())
        for target, anchor in re.findall(r'\]\(([^)#:]*)(?:#([^)]*))?\)', text):
            page = path.parent / target if target else path
            assert page.exists(), f'{path.name} links to {target}'
            if anchor:
                assert anchor in anchors(page.read_text()), f'{path.name} links to {target}#{anchor}'


def test_readme_links_every_page() -> None:
    readme = PAGES[0].read_text()
    missing = [path.name for path in PAGES[1:] if f'(docs/{path.name})' not in readme]
    assert missing == []


def test_reading_a_page() -> None:
    page = read(
        '```python\n# a.py\nx\n```\n```python\nprint(1)\n```\n```text\n1\n```\n'
        '```console\n$ make\n$ rq info\nab\n$ timeout 1 rq cron x\n```\n'
    )
    assert page.files == {'a.py': '# a.py\nx\n'}
    assert page.programs == [Program('print(1)\n', '1\n')]
    assert page.commands == [Program('rq info', 'ab\n'), Program('timeout 1 rq cron x', None)]


def test_differences_are_found() -> None:
    assert differs(Program('x', 'a...c\n'), 'abc\n') is None
    assert differs(Program('x', 'a\n'), 'b\n')
    assert differs(Program('x', None), 'Traceback (most recent call last)')
    assert differs(Program('x', None), 'anything') is None
