"""The environments of this suite: real packages from PyPI, with this project installed in the place of RQ.

`python tests/ecosystem/environment.py` makes all of them beforehand; the tests make a missing one themselves.
"""

import fcntl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = ROOT / '.ecosystem'
PACKAGES = {
    'web': 'rq-dashboard six rq-dashboard-fast httpx prometheus-client flask-rq django-rq django-tasks-rq rq-scheduler',
    'tracing': 'sentry-sdk opentelemetry-instrumentation-rq ddtrace',
    'others': 'dishka-rq rollbar elastic-apm scout-apm rq-rediscron z4j-rq',
}
REFUSING = {'web': 'rq-exporter'}  # it wants rq < 3 and redis < 6, so pip is not asked


class Missing(Exception):
    """An environment cannot be made; the text says why."""


def constraints(name: str) -> Path:
    """The pinned versions of an environment. Renew: empty the file, make the environment, then `freeze`."""
    return Path(__file__).parent / f'constraints-{name}.txt'


def _made_of(name: str) -> str:
    """Everything that the making of an environment reads: when it changes, the environment is made anew."""
    files = [constraints(name), ROOT / 'pyproject.toml', ROOT / 'src' / 'rq' / 'version.py']
    return '\n'.join([PACKAGES[name], REFUSING.get(name, ''), sys.version, *(file.read_text() for file in files)])


def python_of(name: str) -> Path:
    """The interpreter of an environment, which is made when it is missing: by one process at a time."""
    directory = PLACE / name
    stamp, python = directory / '.made', directory / 'bin' / 'python'
    PLACE.mkdir(exist_ok=True)
    with (PLACE / f'{name}.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (stamp.exists() and stamp.read_text() == _made_of(name)):
            _run([sys.executable, '-m', 'venv', '--clear', str(directory)], name)
            pip = [str(python), '-m', 'pip', '--disable-pip-version-check', '--quiet', 'install']
            pip += ['-c', str(constraints(name))]
            # One resolution with ours in it: what a package demands of `rq`, our version has to satisfy.
            _run([*pip, '-e', str(ROOT), *PACKAGES[name].split()], name)
            if name in REFUSING:
                _run([*pip, '--no-deps', *REFUSING[name].split()], name)
            stamp.write_text(_made_of(name))
    return python


def _run(command: list[str], name: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise Missing(f'cannot make the environment {name!r} of tests/ecosystem:\n{done.stdout}{done.stderr}')


if __name__ == '__main__':
    try:
        with ThreadPoolExecutor() as threads:
            list(threads.map(python_of, PACKAGES))
    except Missing as missing:
        sys.exit(str(missing))
