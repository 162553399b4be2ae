"""What both sides run as jobs. A plain file on the path of either interpreter, where `rq` is a different one."""

import asyncio
import os
import signal
import sys
import threading

from rq import Retry, get_current_job

_NEVER = threading.Event()


def _redis():
    return get_current_job().connection


def ran(word=''):
    """Leave a line: who ran, under which worker, and a word. Tests count these."""
    job = get_current_job()
    _redis().rpush('test:ran', f'{job.id} {word}'.strip())


def add(x=1, y=1):
    ran()
    return x + y


def words(*args, **kwargs):
    ran()
    return [list(args), kwargs]


def nothing():
    ran()


def big(size):
    ran()
    return b'\xff' * size


def refuses_to_be_stored():
    ran()
    return lambda: None


def order(word):
    ran(word)


def fail(text='it broke'):
    ran()
    raise ValueError(text)


def fails_until(times):
    """Fail so many times, then succeed."""
    ran()
    count = _redis().incr(f'test:count:{get_current_job().id}')
    if count <= times:
        raise RuntimeError(f'attempt {count}')
    return int(count)


def returns_retry(max=2, interval=0, until=99):
    """Ask to be run again, `until` the so many-th time."""
    ran()
    if _redis().incr(f'test:count:{get_current_job().id}') >= until:
        return 'done'
    return Retry(max=max, interval=interval)


def comes_later():
    """Run by ours only: RQ 3.0 has no such exception."""
    ran()
    from rq import RetryLater

    raise RetryLater('not yet', after=60)


def leaves(code=3):
    ran()
    sys.exit(code)


def kills_itself():
    ran()
    os.kill(os.getpid(), signal.SIGKILL)
    _NEVER.wait(20)


def kills_itself_once():
    ran()
    if _redis().incr(f'test:count:{get_current_job().id}') == 1:
        os.kill(os.getpid(), signal.SIGKILL)
        _NEVER.wait(20)
    return 'survived'


def waits(seconds=20.0):
    ran()
    _NEVER.wait(seconds)
    return 'waited'


def gate(name='gate', seconds=20):
    """Say that it runs, then wait until the test opens the gate."""
    ran(f'at {name}')
    _redis().blpop(f'test:{name}', timeout=seconds)
    return 'passed'


def work(seconds, number):
    """A job of the mixed fleet: begins, takes its time, ends; a tenth fails."""
    job = get_current_job()
    _redis().rpush('test:began', job.id)
    _NEVER.wait(seconds)
    if number % 10 == 9:
        raise ValueError(f'number {number}')
    _redis().rpush('test:ended', job.id)
    return number


def counted():
    """Note how many of these run at once at most."""
    ran()
    most = _redis().eval(
        "local n = redis.call('INCR', KEYS[1]); local m = tonumber(redis.call('GET', KEYS[2]) or 0); "
        "redis.call('SET', KEYS[2], math.max(n, m)); return n",
        2,
        'test:now',
        'test:most',
    )
    _NEVER.wait(0.02)
    _redis().decr('test:now')
    return most


def progress():
    ran()
    job = get_current_job()
    job.meta['progress'] = 50
    job.save_meta()


def about_itself():
    ran()
    job = get_current_job()
    return [job.id, job.origin, str(job.get_status().value), job.timeout, os.environ.get('RQ_JOB_ID')]


async def coroutine(value):
    ran()
    await asyncio.sleep(0)
    return [value, get_current_job().id]


class Bag:
    """An object whose method is the job, and a callable one."""

    def __init__(self, value):
        self.value = value

    def add(self, more):
        ran()
        return self.value + more

    def __call__(self, more):
        ran()
        return self.value * more

    @classmethod
    def made(cls, value):
        ran()
        return cls(value).value

    @staticmethod
    def plain(value):
        ran()
        return value


class Trap:
    """Loading its pickle raises."""

    def __reduce__(self):
        return (_spring, ())


def _spring():
    raise RuntimeError('this does not load')


# --- callbacks, handlers ------------------------------------------------------------------------------------------


def on_success(job, connection, result):
    connection.rpush('test:told', f'success {job.id} {result!r} {job.get_status(refresh=False).value}')


def on_failure(job, connection, exc_type, exc_value, trace):
    connection.rpush('test:told', f'failure {job.id} {exc_type.__name__} {job.get_status(refresh=False).value}')


def slow_on_failure(job, connection, exc_type, exc_value, trace):
    on_failure(job, connection, exc_type, exc_value, trace)
    connection.blpop('test:slow', timeout=10)


def on_stopped(job, connection):
    connection.rpush('test:told', f'stopped {job.id}')


def handler(job, exc_type, exc_value, trace):
    job.connection.rpush('test:told', f'handler {job.id} {exc_type.__name__}')
