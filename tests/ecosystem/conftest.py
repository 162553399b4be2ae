"""Run a script inside one of the environments, against the private server of the test session."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.ecosystem.environment import PACKAGES, python_of

SCRIPTS = Path(__file__).parent / 'scripts'
OURS = ('RQ_', 'DD_', 'OTEL_', 'SENTRY_', 'DJANGO_', 'FLASK_')  # settings of the caller that a package might obey
Facts = dict[str, Any]
Play = Callable[..., Facts]


@pytest.fixture(scope='session', autouse=True)
def environments() -> None:
    """Every environment is there before the first test, so that no test pays for it."""
    for name in PACKAGES:
        python_of(name)


@pytest.fixture
def play(redis_url: str, tmp_path: Path) -> Iterator[Play]:
    """play('web', 'dashboard', worker='SimpleWorker', settings={...}): the facts that scripts/dashboard.py tells."""
    started: list[subprocess.Popen[str]] = []

    def run(place: str, script: str, **given: Any) -> Facts:
        python = python_of(place)
        settings = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        settings |= given.pop('settings', {})
        settings |= {
            'ECOSYSTEM_URL': redis_url, 'ECOSYSTEM_GIVEN': json.dumps(given), 'PYTHONPATH': str(SCRIPTS),
            'PYTHONDONTWRITEBYTECODE': '1', 'PATH': f'{python.parent}{os.pathsep}{os.environ["PATH"]}',
        }  # fmt: skip
        process = subprocess.Popen(
            [str(python), str(SCRIPTS / f'{script}.py')],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
            env=settings, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        try:
            said, errors = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, errors = process.communicate()
            raise AssertionError(f'{script} did not end\n{said[-3000:]}\n{errors[-6000:]}') from None
        print(said[-3000:], errors[-6000:], sep='\n---\n')  # pytest shows it when the test fails
        assert process.returncode == 0, f'{script} left with {process.returncode}'
        return json.loads(said.splitlines()[-1])

    yield run
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGKILL)  # workers that the script forgot
        except ProcessLookupError:
            pass


@pytest.fixture
def told(redis: Redis) -> Callable[[], list[str]]:
    """What jobs and callbacks have left at the server."""
    return lambda: [line.decode() for line in redis.lrange('test:told', 0, -1)]
