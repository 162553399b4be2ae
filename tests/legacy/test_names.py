"""Old names: where they are, what they do, and that the modern spelling is told once (spec/legacy.md, section 3)."""

import importlib
import subprocess
import sys
import warnings

import pytest

import rq
from rq import Queue, Worker, requeue_job
from rq.contrib.legacy import cleanup_ghosts
from rq.contrib.sentry import register_sentry
from rq.exceptions import DeserializationError, UnpickleError
from rq.job import Job
from rq.legacy import names
from tests.jobs import add

EVERY = [(module, name) for module, found in names.NAMES.items() for name in found]


@pytest.fixture
def untold(monkeypatch):
    """As in a process that has not used an old name yet."""
    monkeypatch.setattr(names, '_told', set())


@pytest.mark.parametrize('module, name', EVERY)
def test_an_old_name_works_and_warns_once(module, name, untold):
    home = importlib.import_module(module)
    with pytest.warns(DeprecationWarning) as told:
        found = getattr(home, name)
    assert callable(found)
    (warning,) = told
    assert f'{module}.{name} ' in str(warning.message)
    assert names.NAMES[module][name][1] in str(warning.message)
    assert warning.filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert getattr(home, name) is found


def handler(job, *exc_info):
    return None


SPELLINGS = {
    'Queue(name, timeout)': lambda redis, queue: Queue('x', 5, connection=redis),
    'queue.enqueue(timeout=...)': lambda redis, queue: queue.enqueue(add, timeout=5),
    'queue.enqueue_job(timeout=..., set_meta_data=...)': lambda redis, queue: queue.enqueue_job(
        Job.create(add, connection=redis), timeout=5
    ),
    'queue.dequeue()': lambda redis, queue: queue.dequeue(),
    'job.get_id()': lambda redis, queue: Job(connection=redis).get_id(),
    'job.set_id()': lambda redis, queue: Job(connection=redis).set_id('x'),
    'exc_handler=': lambda redis, queue: Worker(['x'], connection=redis, exc_handler=handler),
    'worker.failed_queue': lambda redis, queue: Worker(['x'], connection=redis).failed_queue,
    'rq.contrib.legacy.cleanup_ghosts': lambda redis, queue: cleanup_ghosts(redis),
    'rq.contrib.sentry.register_sentry': lambda redis, queue: register_sentry(None, Worker(['x'], connection=redis)),
}


@pytest.mark.parametrize('old', SPELLINGS)
def test_an_old_spelling_warns_once(redis, old, untold):
    queue = Queue('x', redis)
    queue.era = 'A'
    with pytest.warns(DeprecationWarning) as told:
        SPELLINGS[old](redis, queue)
        SPELLINGS[old](redis, queue)
    (warning,) = told
    assert str(warning.message).startswith(f'{old} is of RQ 0.x and deprecated: use ')
    assert warning.filename == __file__


def test_requeue_job_of_old_warns_once(redis, untold):
    with rq.Connection(redis), pytest.warns(DeprecationWarning) as told:
        requeue_job('unknown')
        requeue_job('unknown')
    (warning,) = [one for one in told if 'requeue_job' in str(one.message)]
    assert warning.filename == __file__


@pytest.mark.parametrize('module', [*names.NAMES, 'rq.compat', 'rq.handlers'])
def test_other_names_are_unknown(module):
    with pytest.raises(AttributeError, match=f"'{module}' has no attribute 'nonsense'"):
        importlib.import_module(module).nonsense


def test_modern_programs_never_load_this_room():
    """Nor do they hear of it: only old names are looked up in it."""
    program = """
import sys, warnings
warnings.simplefilter('error')
import rq
from rq import Queue, SimpleWorker, Worker, Callback, Retry, cancel_job, get_current_job, requeue_job
from redis import Redis
q = Queue('x', Redis(port=1))
Worker([q], prepare_for_work=False), SimpleWorker([q], connection=Redis(port=1), prepare_for_work=False)
found = [name for name in sys.modules if name.startswith('rq.legacy')]
assert not found, found
"""
    subprocess.run([sys.executable, '-c', program], check=True, timeout=60)


def test_old_addresses_are_importable():
    program = """
import warnings
warnings.simplefilter('ignore')
from rq.compat import as_text, decode_redis_hash, string_types, text_type
from rq.handlers import move_to_failed_queue
from rq.contrib.sentry import register_sentry
from rq.contrib.legacy import cleanup_ghosts
from rq.dummy import do_nothing, sleep, div_by_zero, fib, random_failure, endless_loop
assert (as_text(b'x'), decode_redis_hash({b'a': 1}), string_types, text_type) == ('x', {'a': 1}, (str,), str)
assert (do_nothing(), sleep(0), fib(10)) == (None, None, 55)
"""
    subprocess.run([sys.executable, '-c', program], check=True, timeout=60)


def test_dummies_fail_as_they_should():
    from rq.dummy import div_by_zero, random_failure

    with pytest.raises(ZeroDivisionError):
        div_by_zero()
    outcomes = set()
    for _ in range(200):
        try:
            outcomes.add(random_failure())
        except RuntimeError:
            outcomes.add('failed')
    assert outcomes == {'OK', 'failed'}


def test_small_things():
    from rq.utils import ensure_list, enum, first, utcnow

    assert utcnow().tzinfo is None
    assert abs((utcnow() - rq.utils.now().replace(tzinfo=None)).total_seconds()) < 60
    assert (ensure_list('ab'), ensure_list(['a']), ensure_list(('a',)), ensure_list(3)) == (['ab'], ['a'], ('a',), [3])
    assert (first([0, None, 2, 3]), first([0]), first([], 7), first([1, 4], key=lambda n: n > 2)) == (2, None, 7, 4)
    made = enum('Colour', 'RED', 'GREEN', BLUE='blue')
    assert (made.__name__, made.RED, made.GREEN, made.BLUE) == ('Colour', 0, 1, 'blue')


def test_statuses_under_both_names():
    from rq.job import JobStatus, Status

    assert Status is JobStatus
    assert (JobStatus.QUEUED, Status.FAILED) == ('queued', 'failed')


def test_unpickle_error():
    cause = ValueError('inner')
    error = UnpickleError('text', b'raw', cause)
    assert (str(error), error.raw_data, error.inner_exception) == ('text', b'raw', cause)
    assert issubclass(DeserializationError, UnpickleError)


def test_cleanup_ghosts(redis):
    from rq.contrib.legacy import cleanup_ghosts

    redis.sadd('rq:workers', 'rq:worker:gone', 'rq:worker:old', 'rq:worker:living')
    redis.hset('rq:worker:old', 'birth', 'x')
    redis.hset('rq:worker:living', 'birth', 'x')
    redis.expire('rq:worker:living', 1000)
    cleanup_ghosts(redis)
    assert redis.smembers('rq:workers') == {b'rq:worker:old', b'rq:worker:living'}
    assert 0 < redis.ttl('rq:worker:old') <= 420 < redis.ttl('rq:worker:living')
