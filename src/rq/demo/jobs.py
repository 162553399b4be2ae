"""The functions that the demo has run: the real work, and four accidents. They are what a user would write."""

from __future__ import annotations

import ast
import ctypes
import resource
import time
import tokenize
from collections.abc import Iterator

from rq.job import get_current_job

OVERSLEEP = 30  # seconds; its job is allowed one


def count_definitions(path: str) -> dict[str, int]:
    """Parse a Python file; how many functions, classes and lines it has."""
    with tokenize.open(path) as file:  # reads it as Python does: by its coding line
        source = file.read()
    nodes = [type(node) for node in _statements(ast.parse(source, path))]
    return {
        'functions': nodes.count(ast.FunctionDef) + nodes.count(ast.AsyncFunctionDef),
        'classes': nodes.count(ast.ClassDef),
        'lines': source.count('\n'),
    }


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Every statement, however deep; `ast.walk` would visit each expression too, at nine times the cost."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for block in ('body', 'orelse', 'finalbody', 'handlers', 'cases'):
            inner = getattr(node, block, None)
            if isinstance(inner, list):  # the body of a lambda is no list
                waiting += inner


def segfault() -> None:
    """Read the memory at address zero, which ends this process."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no core file in the user's directory
    ctypes.string_at(0)


def oversleep() -> str:
    """Wait for a partner, who comes only when asked a second time."""
    if _attempt() == 1:
        time.sleep(OVERSLEEP)
    return 'the partner came'


def flaky() -> str:
    """Meet a network that is down, twice."""
    attempt = _attempt()
    if attempt <= 2:
        raise ConnectionError(f'the network is down (attempt {attempt})')
    return f'done at attempt {attempt}'


def _attempt() -> int:
    """Which attempt this is: 1, 2 ... It is kept with the job, in `meta`."""
    job = get_current_job()
    if job is None:
        return 1
    job.meta['attempt'] = job.meta.get('attempt', 0) + 1
    job.save_meta()
    return int(job.meta['attempt'])
