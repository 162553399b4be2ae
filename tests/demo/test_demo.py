"""`rq demo` as its user runs it: in a directory of theirs, with processes and a private server."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from rq import Queue
from rq.demo import jobs, run
from rq.devserver import serve
from tests.waiting import wait_until

RQ = [sys.executable, '-P', '-m', 'rq.cli']


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An empty directory to run in, and a few files to parse; no server is left in it."""
    source = tmp_path / 'source'
    source.mkdir()
    (source / 'good.py').write_text('class A:\n    async def f(self):\n        def g(): pass\n')
    (source / 'empty.py').write_text('')
    (source / 'broken.py').write_text('def f(:\n')
    (source / 'not text.py').write_bytes(b'\xff\xfe\x00')
    for passed_over in ('.hidden', 'site-packages'):
        (source / passed_over).mkdir()
        (source / passed_over / 'a.py').write_text('')
    yield tmp_path
    if (tmp_path / '.rq').exists():
        serve(tmp_path / '.rq').stop()


def call(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `rq …` in that directory, to its end."""
    return subprocess.run([*RQ, *words], cwd=home, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
def test_demo_and_its_three_commands(home: Path) -> None:
    first = call(home, 'demo', 'source')
    assert first.stderr == ''
    assert first.returncode == 0
    assert re.search(r'8 jobs by 2 workers in [\d.]+ s: 3 finished, 5 failed', first.stdout)
    assert 'Files parsed: 2, with 2 functions and 1 classes in 3 lines' in first.stdout
    for words in (
        r'1  SyntaxError +\S+/ast.py:\d+ in parse +such as broken.py',
        r'HorseKilledError +– +such as demo-segfault',
        r'JobTimeoutException +demo/jobs.py:\d+ in oversleep',
        r'NotImportableError',
        r'demo-flaky +fails twice.*\n +finished: done at attempt 3',
        r'  Traceback \(most recent call last\):\n +File .*jobs.py',
    ):
        assert re.search(words, first.stdout), words

    told = re.findall(r'^  (.*\S) +# ', first.stdout, re.MULTILINE)
    assert len(told) == 3
    info, requeue, worker = (
        subprocess.run(shlex.split(words), cwd=home, capture_output=True, text=True, timeout=60, check=False)
        for words in told
    )
    assert 'demo         | 0, 0 executing, 3 finished, 5 failed' in info.stdout
    assert (requeue.returncode, worker.returncode) == (0, 0)
    assert 'Job OK (demo-timeout)' in worker.stdout + worker.stderr

    again = call(home, 'demo', 'source')
    assert '3 finished, 5 failed' in again.stdout, again


@pytest.mark.slow
def test_ctrl_c(home: Path) -> None:
    (home / 'source' / 'slow').mkdir()
    for number in range(3000):
        (home / 'source' / 'slow' / f'{number}.py').write_text('a = 1\n' * 50)
    with subprocess.Popen([*RQ, 'demo', 'source'], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as demo:
        log = home / '.rq' / 'demo-worker-1.log'
        wait_until(lambda: log.exists() and b'Listening' in log.read_bytes(), 20)
        demo.send_signal(signal.SIGINT)
        said = demo.communicate(timeout=30)[1]
    assert demo.returncode == 130
    assert said.decode().strip() == 'Stopped; the workers have left.'
    pids = [int(found) for found in re.findall(r'PID (\d+)', log.read_text())]
    assert pids
    assert not any(Path(f'/proc/{pid}').exists() for pid in pids)
    assert not (home / '.rq' / 'valkey.pid').exists()


@pytest.mark.parametrize(
    'word, why', [('nowhere', 'does not exist'), ('empty', 'no Python file'), ('a.txt', 'is a file')]
)
def test_nothing_to_parse(home: Path, word: str, why: str) -> None:
    (home / 'empty').mkdir()
    (home / 'a.txt').write_text('')
    said = call(home, 'demo', word)
    assert said.returncode == 2
    assert why in said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert not (home / '.rq').exists()


def test_other_queues_are_not_touched(redis: Redis) -> None:
    mine, theirs = Queue(run.QUEUE, connection=redis), Queue('default', connection=redis)
    for queue in (mine, theirs):
        queue.enqueue(jobs.flaky)
        queue.failed_job_registry.add(queue.enqueue(jobs.flaky), ttl=60)
    before = len(redis.keys('rq:job:*'))
    run.clear(mine)
    assert (mine.count, mine.failed_job_registry.count) == (0, 0)
    assert (theirs.count, theirs.failed_job_registry.count) == (2, 1)
    assert len(redis.keys('rq:job:*')) == before - 2
    redis.zadd(mine.failed_job_registry.key, {'gone': 99999999999})
    run.clear(mine)
    assert mine.failed_job_registry.count == 0


def test_default_is_the_standard_library() -> None:
    files = run.python_files(None)
    assert len(files) > 150
    assert Path(os.__file__) in files
    assert not any('site-packages' in path.parts for path in files)


def test_count_definitions(tmp_path: Path) -> None:
    path = tmp_path / 'a.py'
    path.write_text(
        'f = lambda: 0\nclass A:\n def m(self):\n  if 1:\n   async def x(): pass\n'
        'try:\n pass\nexcept E:\n def h(): pass\nelse:\n class B: pass\nmatch 1:\n case 1:\n  def c(): pass\n'
    )
    assert jobs.count_definitions(str(path)) == {'functions': 4, 'classes': 2, 'lines': 14}
