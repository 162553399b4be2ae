"""What the tests have run as jobs: functions that workers import by name. Those that wait do so on the server."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from typing import Any

from rq import Queue, Retry, cancel_job, get_current_job
from tests.hard import HARD, bury_one, raises

__all__ = ['HARD', 'bury_one', 'raises']

_NEVER = threading.Event()


def redis() -> Any:
    """The connection of the job that runs."""
    job = get_current_job()
    assert job is not None
    return job.connection


def mark(word: str) -> None:
    """Leave a word where the test can read it."""
    redis().rpush('test:marks', word)


def add(x: int = 1, y: int = 1) -> int:
    return x + y


def div(x: int = 1, y: int = 0) -> float:
    return x / y


def words(*args: Any, **kwargs: Any) -> list[Any]:
    return [list(args), kwargs]


def nothing() -> None:
    return None


def note(word: str) -> str:
    mark(word)
    return word


def fail(text: str = 'it broke') -> None:
    raise ValueError(text)


def note_and_fail(word: str) -> None:
    mark(word)
    raise ValueError(word)


def fails_until(times: int) -> int:
    """Fail so many times, then succeed."""
    count = redis().incr('test:count')
    if count <= times:
        raise RuntimeError(f'attempt {count}')
    return int(count)


def returns_retry(max: int = 2, interval: Any = 0) -> Any:
    mark('tried')
    return Retry(max=max, interval=interval)


def exits(code: Any = 3) -> None:
    sys.exit(code)


def leaves(code: int) -> None:
    """End the process without a word."""
    os._exit(code)


def kills_itself(signum: int = 9) -> None:
    os.kill(os.getpid(), signum)
    _NEVER.wait(20)


def kills_once(signum: int = 9) -> str:
    if redis().incr('test:count') == 1:
        kills_itself(signum)
    return 'survived'


def waits(seconds: float = 30.0) -> None:
    mark(f'waits {os.getpid()}')
    _NEVER.wait(seconds)


def gate(name: str = 'gate', seconds: int = 20) -> str:
    """Say that it runs, then wait for the test to open the gate."""
    mark(f'at {name} {os.getpid()}')
    redis().blpop(f'test:{name}', timeout=seconds)
    return 'passed'


def deaf(seconds: float = 30.0) -> None:
    """Swallow every interruption by exception."""
    mark(f'deaf {os.getpid()}')
    while True:
        try:
            _NEVER.wait(seconds)
            return
        except Exception:
            continue


def spawns(new_session: bool, then: str = 'waits') -> Any:
    """Start a process that would live for minutes, then wait, finish or die."""
    child = subprocess.Popen(['sleep', '300'], start_new_session=new_session)
    mark(f'child {child.pid}')
    if then == 'waits':
        return _NEVER.wait(30)
    if then == 'deaf':
        return deaf()
    if then == 'dies':
        os.kill(os.getpid(), signal.SIGKILL)
    return child.pid


def environment() -> list[Any]:
    return [os.environ.get('RQ_JOB_ID'), os.environ.get('RQ_WORKER_ID'), os.getpid(), os.getpgid(0)]


def is_horse() -> bool:
    return _worker_of_this_process._is_horse


_worker_of_this_process: Any = None


def closes_descriptors() -> str:
    os.closerange(0, 256)
    return 'closed'


def closes_everything() -> str:
    os.closerange(0, 4096)
    return 'closed'


def shouts(size: int) -> int:
    sys.stdout.write('x' * size)
    sys.stdout.flush()
    return size


def forks_and_returns() -> str:
    """A descendant that forgets to exit falls out of the job's function, as its parent does."""
    pid = os.fork()
    if pid == 0:
        return 'child'
    os.waitpid(pid, 0)
    return 'parent'


def ignores_signals() -> Any:
    """What SIGTERM means to a child of the job."""
    child = subprocess.Popen(['sleep', '300'])
    child.terminate()
    return child.wait(10)


def forks_a_victim() -> Any:
    """What SIGTERM means to a plain fork of the job."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(theirs, b'.')  # before this the interpreter forgets a signal that comes right after the fork
        _NEVER.wait(30)
        os._exit(0)
    os.read(ours, 1)
    os.kill(pid, signal.SIGTERM)
    return os.WTERMSIG(os.waitpid(pid, 0)[1])


def terminates_itself() -> str:
    os.kill(os.getpid(), signal.SIGTERM)
    return 'still here'


def leaves_state(value: int) -> int:
    """What an earlier job left in this process."""
    before = getattr(sys, '_rq_test_state', 0)
    sys._rq_test_state = value  # type: ignore[attr-defined]
    return before


def current() -> Any:
    job = get_current_job()
    return None if job is None else [job.id, job.origin, job.get_status().value]


def progress() -> None:
    job = get_current_job()
    assert job is not None
    job.meta['progress'] = 50
    job.save_meta()


def cancels_and_saves_itself() -> str:
    job = get_current_job()
    assert job is not None
    cancel_job(job.id, job.connection)
    job.meta['saved'] = True
    job.save()
    return 'saved'


def touches(**attributes: Any) -> str:
    """Set attributes of the job that runs."""
    job = get_current_job()
    for name, value in attributes.items():
        setattr(job, name, value)
    return 'touched'


def touches_oddly(name: str) -> str:
    setattr(get_current_job(), name, object())
    return 'touched'


async def coroutine(value: int) -> Any:
    await asyncio.sleep(0)
    job = get_current_job()
    return [value, job.id if job else None]


class Bag:
    """An object whose method is the job, and a callable one."""

    def __init__(self, value: int) -> None:
        self.value = value

    def add(self, more: int) -> int:
        return self.value + more

    def __call__(self, more: int) -> int:
        return self.value * more

    @classmethod
    def made(cls, value: int) -> int:
        return cls(value).value

    @staticmethod
    def plain(value: int) -> int:
        return value


class NoRepr:
    def __repr__(self) -> str:
        raise RuntimeError('no repr')


class Trap:
    """Loading its pickle does what it was told: `raise`, `exit` or `die`."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __reduce__(self) -> Any:
        return (spring, (self.how,))


def spring(how: str) -> None:
    if how == 'raise':
        raise RuntimeError('this does not load')
    if how == 'exit':
        sys.exit(7)
    if how == 'hang':
        _NEVER.wait(30)
    os._exit(9)


def returns_lambda() -> Any:
    mark('ran')
    return lambda: None


def returns_bytes(size: int) -> bytes:
    mark('ran')
    return os.urandom(1) * size


def returns_trap(how: str) -> Trap:
    return Trap(how)


# --- callbacks and handlers ---------------------------------------------------------------------------------


def on_success(job: Any, connection: Any, result: Any) -> None:
    connection.rpush('test:told', f'success {job.id} {result!r} {job.get_status(refresh=False).value}')


def on_failure(job: Any, connection: Any, exc_type: Any, exc_value: Any, trace: Any) -> None:
    status, stored = job.get_status(refresh=False).value, connection.hget(job.key, 'status').decode()
    connection.rpush('test:told', f'failure {job.id} {exc_type.__name__} {exc_value} {status} {stored}')


def on_stopped(job: Any, connection: Any) -> None:
    connection.rpush('test:told', f'stopped {job.id} {os.getpid()}')


def raising_callback(job: Any, connection: Any, *rest: Any) -> None:
    connection.rpush('test:told', f'raising {job.id}')
    raise KeyError('the callback broke')


def slow_callback(job: Any, connection: Any, *rest: Any) -> None:
    connection.rpush('test:told', f'slow {job.id}')
    _NEVER.wait(30)


def deadly_callback(job: Any, connection: Any, *rest: Any) -> None:
    connection.rpush('test:told', f'deadly {job.id}')
    os._exit(5)


def saving_callback(job: Any, connection: Any, *rest: Any) -> None:
    job.meta['told'] = True
    job.save()


async def async_callback(job: Any, connection: Any, *rest: Any) -> None:
    connection.rpush('test:told', 'async')


def foo_handler(job: Any, exc_type: Any, exc_value: Any, traceback: Any) -> None:
    job.connection.rpush('test:told', f'foo {job.id} {exc_type.__name__} {traceback is not None}')


def bar_handler(job: Any, *exc_info: Any) -> bool:
    job.connection.rpush('test:told', f'bar {job.id} {exc_info[0].__name__} {len(exc_info)}')
    return True


def black_hole(job: Any, *exc_info: Any) -> bool:
    job.connection.rpush('test:told', f'hole {job.id}')
    return False


def raising_handler(job: Any, *exc_info: Any) -> None:
    job.connection.rpush('test:told', f'raising {job.id}')
    raise RuntimeError('the handler broke')


def deadly_handler(job: Any, *exc_info: Any) -> None:
    job.connection.rpush('test:told', f'deadly {job.id}')
    os._exit(5)


def gives_up(job: Any, *exc_info: Any) -> None:
    job.retries_left = 0


def sees_the_state(job: Any, *exc_info: Any) -> None:
    """What an error tracker reads in a handler: the note stands, the outcome does not."""
    connection = job.connection
    (member,) = connection.zrange(f'rq:wip:{job.origin}', 0, -1)
    execution = member.decode().split(':')[1]
    noted = connection.hexists(f'rq:execution:{job.id}:{execution}', 'failure')
    connection.rpush('test:told', f'{noted} {connection.hget(job.key, "status").decode()} {job._status.value}')


def killed_handler(job: Any, retpid: int, ret_val: int, rusage: Any) -> None:
    mine = type(rusage).__name__
    job.connection.rpush('test:told', f'killed {job.id} {retpid > 0} {ret_val} {mine} {os.getpid()}')


def killed_gives_up(job: Any, retpid: int, ret_val: int, rusage: Any) -> None:
    job.retries_left = 0


def killed_raises(job: Any, retpid: int, ret_val: int, rusage: Any) -> None:
    raise SystemExit(4)


def enqueues_another() -> None:
    """From within a job; where that was is left as a mark."""
    job = get_current_job()
    assert job is not None
    other = Queue('other', connection=job.connection).enqueue(add)
    mark(other.enqueued_from or '')
