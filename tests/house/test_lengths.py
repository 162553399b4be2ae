"""How long a file and a function may be."""

from pathlib import Path

import pytest

from tests.house.tree import HOUSE, PROJECT, functions, plant, python_files

FILE = 400
FUNCTION = 50
TIGHT = 40
TIGHT_ROOMS = ('worker', 'executors', 'supervision', 'failure')


def long_files(root: Path) -> list[str]:
    """Files with more lines than anybody reads at once."""
    lengths = {path: len(path.read_text().splitlines()) for path in python_files(root)}
    return [f'{path.relative_to(root)}: {n} lines, at most {FILE}' for path, n in lengths.items() if n > FILE]


def long_functions(root: Path) -> list[str]:
    """Functions that do more than one thing, to judge by their lines."""
    found = []
    for path in python_files(root):
        limit = TIGHT if path.relative_to(root).parts[0] in TIGHT_ROOMS else FUNCTION
        for name, node in functions(path):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > limit:
                found.append(f'{path.relative_to(root)}:{node.lineno} {name}: {lines} lines, at most {limit}')
    return found


@pytest.mark.parametrize('root', [HOUSE, PROJECT / 'tests', PROJECT / 'bench'], ids=lambda root: root.name)
def test_files(root: Path) -> None:
    assert long_files(root) == []


@pytest.mark.parametrize('root', [HOUSE, PROJECT / 'bench'], ids=lambda root: root.name)
def test_functions(root: Path) -> None:
    assert long_functions(root) == []


def test_laws_can_be_broken(tmp_path: Path) -> None:
    body = 'class A:\n    def f(self):\n' + '        pass\n'
    plant(
        tmp_path,
        {
            'job.py': '#\n' * 401,
            'queue.py': '#\n' * 400,
            'a.py': body + '        pass\n' * 49,
            'b.py': body + '        pass\n' * 48,
            'worker/a.py': body + '        pass\n' * 39,
            'worker/b.py': body + '        pass\n' * 38,
        },
    )
    assert long_files(tmp_path) == ['job.py: 401 lines, at most 400']
    assert long_functions(tmp_path) == [
        'a.py:2 A.f: 51 lines, at most 50',
        'worker/a.py:2 A.f: 41 lines, at most 40',
    ]
