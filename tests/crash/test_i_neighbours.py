"""Beside group 9 of the faults: other surroundings in which a worker may find itself."""

import signal
import sys
from pathlib import Path

import pytest

from rq import Queue, Retry
from tests.crash import jobs, jobs_i
from tests.crash.driver import ROOT, Fleet, Witness, alive, tree_of
from tests.crash.surroundings import apart, shell, start_in, unread
from tests.crash.test_i_environment import SPAWN, done, error_of
from tests.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures('beside')]


def works(queue: Queue) -> None:
    """Jobs run, fail with their own error, are killed, and time out."""
    done([queue.enqueue(jobs.quiet, number) for number in range(3)])
    assert 'on purpose' in error_of(queue.enqueue(jobs.raises))


@pytest.mark.parametrize('worker', ['Quick', SPAWN])
def test_i_working_directory_deleted(fleet: Fleet, queue: Queue, tmp_path: Path, worker: str) -> None:
    """While the worker runs; later ones begin there, too."""
    place = tmp_path / 'place'
    place.mkdir()
    start_in(fleet, worker=worker, cwd=place)
    done([queue.enqueue(jobs.quiet, 0)])
    place.rmdir()
    works(queue)
    lost = queue.enqueue(jobs_i.here)
    done([lost])
    assert lost.return_value() == 'FileNotFoundError'


def test_i_read_only_file_system(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """No directory can be written, but those of the test itself."""
    words = f'mount --bind {witness.path.parent} {witness.path.parent} && mount -o remount,ro,bind / && exec "$@"'
    start_in(fleet, before=apart(words), more={'TMPDIR': '/'})
    works(queue)


def test_i_without_a_home(fleet: Fleet, queue: Queue) -> None:
    """HOME, USER and LOGNAME are unset, as in a bare container."""
    start_in(fleet, before=['env', '-u', 'HOME', '-u', 'USER', '-u', 'LOGNAME'])
    works(queue)


def test_i_without_proc(fleet: Fleet, queue: Queue) -> None:
    """/proc is not mounted: what belongs to a job is ended by its group; the full pipe is asked before each write."""
    with unread() as pipe:
        pipe.fill()
        crew = start_in(fleet, before=apart('umount -l /proc && exec "$@"'), stdout=pipe.writer, stderr=pipe.writer)
        works(queue)
        late = queue.enqueue(jobs_i.endless, job_timeout=1)
        assert 'exceeded maximum timeout value' in error_of(late)
        assert 'SIGKILL' in error_of(queue.enqueue(jobs.kill_myself))
        done([queue.enqueue(jobs.quiet, 1)])
        assert alive(crew.pid)


def test_i_shared_memory_full(fleet: Fleet, queue: Queue) -> None:
    """/dev/shm takes not one byte."""
    words = 'mount -t tmpfs -o size=4k none /dev/shm; cat /dev/zero >/dev/shm/all 2>/dev/null; exec "$@"'
    start_in(fleet, worker=SPAWN, before=apart(words))
    works(queue)


def test_i_umask(fleet: Fleet, queue: Queue) -> None:
    """Jobs have the umask that the worker was given."""
    start_in(fleet, before=shell('umask 077; exec "$@"'))
    job = queue.enqueue(jobs_i.mask)
    done([job])
    assert job.return_value() == '0o600'


@pytest.mark.parametrize('ignored', [False, True], ids=['hung up', 'nohup'])
def test_i_terminal_closed(fleet: Fleet, queue: Queue, witness: Witness, ignored: bool) -> None:
    """SIGHUP ends a worker like a crash, its job is recovered; with nohup nothing happens."""
    crew = start_in(fleet, before=['nohup'] if ignored else ())
    job = queue.enqueue(*((jobs.long, 2) if ignored else (jobs.long_at_first,)), retry=Retry(max=1))
    began = witness.wait('begin', job.id)
    crew.signal(signal.SIGHUP)
    if ignored:
        done([job])
        assert witness.count('begin', job.id) == 1 and alive(crew.pid)
        return
    assert crew.wait() == -signal.SIGHUP
    wait_until(lambda: not alive(began.pid) and tree_of(crew.pid) == [], 10, 'its horse ends')
    fleet.start()
    wait_until(lambda: job.get_status() == 'finished', 10)
    assert witness.count('begin', job.id) == 2


def test_i_core_dumps(fleet: Fleet, queue: Queue, tmp_path: Path) -> None:
    """A job that dumps core is killed by its signal all the same."""
    start_in(fleet, before=shell('ulimit -c $(ulimit -H -c); exec "$@"'), cwd=tmp_path, more={'PYTHONPATH': str(ROOT)})
    assert 'SIGSEGV' in error_of(queue.enqueue(jobs.kill_myself, int(signal.SIGSEGV)))
    works(queue)


def test_i_large_environment(fleet: Fleet, queue: Queue) -> None:
    """A PATH of 100 kB and a thousand variables."""
    more = {'PATH': ':'.join(f'/nowhere/{number:06d}' for number in range(6_000))}
    more |= {f'RQ_TEST_{number}': 'x' * 100 for number in range(1_000)}
    start_in(fleet, worker=SPAWN, more=more)
    job = queue.enqueue(jobs_i.environment, 'PATH')
    done([job])
    assert job.return_value() == more['PATH']


def test_i_unbuffered(fleet: Fleet, queue: Queue) -> None:
    """PYTHONUNBUFFERED, as most images set it: what jobs print is in the log."""
    crew = start_in(fleet, more={'PYTHONUNBUFFERED': '1'})
    done([queue.enqueue(jobs_i.prints, 77)])
    works(queue)
    assert 'p' * 77 + '\n' in crew.text()


@pytest.mark.parametrize('encoding', ['ascii', ''])
def test_i_narrow_locale(fleet: Fleet, queue: Queue, encoding: str) -> None:
    """LC_ALL=C: jobs whose words are not ASCII run, and no line about them is lost."""
    narrow = {'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0', 'PYTHONIOENCODING': encoding}
    crew = start_in(fleet, more=narrow)
    text = 'größer 漢字 \U0001f40e'
    job = queue.enqueue(jobs.quiet, text, description=text)
    done([job])
    assert job.return_value() == text
    bad = queue.enqueue(jobs_i.raises_text, text + '\udcff')
    assert text in error_of(bad)
    works(queue)
    for words in (f'Job OK ({job.id})', f'Job failed ({bad.id})', f' ({job.id})\n', f'job {bad.id}: exception'):
        wait_until(lambda words=words: words in crew.text(), 5, words)
    assert 'Logging error' not in crew.text() and 'log lines before' not in crew.text()


@pytest.mark.parametrize('handler', ['rq.logutils.ColorizingStreamHandler', 'logging.StreamHandler'])
def test_i_formatter_raises(fleet: Fleet, queue: Queue, tmp_path: Path, handler: str) -> None:
    """A log configuration of the user's own that is broken: jobs run."""
    settings = {
        'version': 1,
        'disable_existing_loggers': False,
        'formatters': {'broken': {'()': 'tests.crash.workers_i.BrokenFormatter'}},
        'handlers': {'own': {'class': handler, 'formatter': 'broken'}},
        'root': {'handlers': ['own'], 'level': 'DEBUG'},
    }
    (tmp_path / 'broken_settings.py').write_text(f'DICT_CONFIG = {settings!r}\n')
    more = {'PYTHONPATH': f'{ROOT}:{tmp_path}'}
    crew = start_in(fleet, '--config', 'broken_settings', more=more)
    works(queue)
    assert 'this formatter is broken' in crew.text()
    crew.signal(signal.SIGTERM)
    assert crew.wait() == 0


def test_i_pool_with_a_full_pipe(fleet: Fleet, queue: Queue) -> None:
    """A pool and its workers share one pipe, which nobody reads."""
    with unread() as pipe:
        pipe.fill()
        command = [sys.executable, '-m', 'rq.cli', 'worker-pool', '--url', fleet.url, '-n', '2', 'q']
        crew = start_in(fleet, command=command, stdout=pipe.writer, stderr=pipe.writer, wait=False)
        done([queue.enqueue(jobs.quiet, number) for number in range(50)])
        crew.signal(signal.SIGTERM)
        assert crew.wait() == 0


@pytest.mark.parametrize('stream', ['stdout', 'stderr'])
def test_i_reader_comes_back(fleet: Fleet, queue: Queue, stream: str) -> None:
    """One stream is full, the other one is read: its lines are all there."""
    with unread() as pipe:
        pipe.fill()
        crew = start_in(fleet, **{stream: pipe.writer})
        bad = queue.enqueue(jobs.raises)
        error_of(bad)
        good = queue.enqueue(jobs.quiet, 1)
        done([good])
        words = f'Job OK ({good.id})' if stream == 'stderr' else f'job {bad.id}: exception raised'
        wait_until(lambda: words in crew.text(), 5)
        assert 'log lines before' not in crew.text()
