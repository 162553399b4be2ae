"""In every environment ours is what pip, importers and the command line take for RQ."""

import json
import subprocess

import pytest

from rq import VERSION
from tests.ecosystem.environment import PACKAGES, python_of

LOOK = 'import json, rq, importlib.metadata as m; print(json.dumps([rq.__file__, rq.VERSION, m.version("rq")]))'


@pytest.mark.parametrize('name', PACKAGES)
def test_ours_stands_for_rq(name: str) -> None:
    python = python_of(name)
    said = subprocess.run([python, '-c', LOOK], capture_output=True, text=True, check=True).stdout
    file, version, installed = json.loads(said)
    assert file.endswith('src/rq/__init__.py') and version == installed == VERSION
    told = subprocess.run([python.parent / 'rq', '--version'], capture_output=True, text=True, check=True).stdout
    assert VERSION in told


@pytest.mark.parametrize('name', PACKAGES)
def test_nobody_refuses_ours(name: str) -> None:
    done = subprocess.run([python_of(name), '-m', 'pip', 'check'], capture_output=True, text=True)
    refused = [line for line in done.stdout.splitlines() if 'requirement' in line and 'No broken' not in line]
    assert [line.split()[0] for line in refused] == (['rq-exporter'] * 2 if name == 'web' else [])
