"""The stack of connections (spec/legacy.md, section 2), and which objects are of era A (section 1)."""

import threading

import pytest
from redis import Redis

import rq
from rq import Queue, SimpleWorker, Worker, cancel_job, requeue_job
from rq.connections import (
    Connection,
    NoRedisConnectionException,
    get_current_connection,
    pop_connection,
    push_connection,
    resolve_connection,
    use_connection,
)
from rq.decorators import job
from rq.job import Job
from rq.queue import FailedQueue, get_failed_queue
from rq.registry import FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry
from tests.jobs import add


@pytest.fixture(autouse=True)
def empty_stack():
    """No test leaves a connection behind, or finds one."""
    assert get_current_connection() is None
    yield
    while get_current_connection() is not None:
        pop_connection()


@pytest.fixture
def stored(redis):
    """The id of a job on the queue `default`."""
    return Queue(connection=redis).enqueue(add).id


# --- the words ------------------------------------------------------------------------------------------------------


def test_a_block_pushes_and_pops(redis):
    with Connection(redis) as target:
        assert target is None
        assert get_current_connection() is redis
    assert get_current_connection() is None


def test_a_block_without_a_connection_makes_one():
    with Connection():
        made = get_current_connection()
        assert isinstance(made, Redis)
        assert made.connection_pool.connection_kwargs.get('host', 'localhost') == 'localhost'


def test_a_block_pops_after_an_error(redis):
    with pytest.raises(KeyError), Connection(redis):
        raise KeyError
    assert get_current_connection() is None


def test_a_block_notices_foreign_pushes(redis):
    with pytest.raises(AssertionError), Connection(redis):
        push_connection(Redis(port=1))


def test_a_block_notices_foreign_pops(redis):
    with pytest.raises(AssertionError), Connection(redis):
        assert pop_connection() is redis


def test_push_and_pop(redis):
    other = Redis(port=1)
    push_connection(redis)
    push_connection(other)
    assert get_current_connection() is other
    assert pop_connection() is other
    assert pop_connection() is redis
    assert get_current_connection() is None


def test_use_connection_exchanges_the_only_one(redis):
    push_connection(Redis(port=1))
    use_connection(redis)
    assert pop_connection() is redis
    assert get_current_connection() is None
    use_connection()
    assert isinstance(pop_connection(), Redis)


def test_use_connection_refuses_a_higher_stack(redis):
    push_connection(redis)
    push_connection(redis)
    with pytest.raises(AssertionError):
        use_connection(redis)


def test_resolve_connection(redis):
    other = Redis(port=1)
    assert resolve_connection(other) is other
    with pytest.raises(NoRedisConnectionException, match='Could not resolve a Redis connection'):
        resolve_connection()
    push_connection(redis)
    assert resolve_connection() is redis
    assert resolve_connection(other) is other


def test_the_stack_belongs_to_the_thread(redis):
    found = []

    def look():
        found.append(get_current_connection())
        push_connection(Redis(port=1))

    with Connection(redis):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        assert get_current_connection() is redis
    assert found == [None]


def test_objects_keep_the_connection_they_got(redis):
    inner_connection = Redis(port=1)
    with Connection(redis):
        before = Queue('before')
        with Connection(inner_connection):
            inner = Queue('inner')
        after = Queue('after')
    assert before.connection is after.connection is redis
    assert inner.connection is inner_connection
    before.enqueue(add)
    assert before.count == 1


def test_both_addresses_have_the_same_words():
    from rq import connections

    for name in ('Connection', 'get_current_connection', 'push_connection', 'pop_connection', 'use_connection'):
        assert getattr(rq, name) is getattr(connections, name)


# --- who looks at it ------------------------------------------------------------------------------------------------

USERS = {
    'Queue': lambda job_id: Queue('x'),
    'Queue.from_queue_key': lambda job_id: Queue.from_queue_key('rq:queue:x'),
    'Queue.all': lambda job_id: Queue.all()[0],
    'Worker': lambda job_id: Worker(['x']),
    'Job': lambda job_id: Job(),
    'Job.create': lambda job_id: Job.create(add),
    'Job.fetch': lambda job_id: Job.fetch(job_id),
    'get_failed_queue': lambda job_id: get_failed_queue(),
    'FailedQueue': lambda job_id: FailedQueue(),
}
ANSWERS = {
    'Job.exists': lambda job_id: Job.exists(job_id) is True,
    'Worker.all': lambda job_id: Worker.all() == [],
    'Worker.count': lambda job_id: Worker.count() == 0,
    'Worker.find_by_key': lambda job_id: Worker.find_by_key('rq:worker:nobody') is None,
    'cancel_job': lambda job_id: cancel_job(job_id) is None,
    'requeue_job': lambda job_id: requeue_job('unknown') is None,
}


@pytest.mark.parametrize('name', USERS)
def test_it_takes_the_topmost_and_is_of_era_a(redis, stored, name):
    with Connection(Redis(port=1)), Connection(redis):
        made = USERS[name](stored)
    assert made.connection is redis
    assert made.era == 'A'


@pytest.mark.parametrize('name', ANSWERS)
def test_it_asks_the_topmost(redis, stored, name):
    with Connection(redis):
        assert ANSWERS[name](stored)


@pytest.mark.parametrize('name', [*USERS, *ANSWERS])
def test_an_empty_stack_is_an_error_of_both_eras(redis, stored, name):
    for error in (NoRedisConnectionException, TypeError):
        with pytest.raises(error):
            {**USERS, **ANSWERS}[name](stored)


@pytest.mark.parametrize('registry', [FinishedJobRegistry, FailedJobRegistry, StartedJobRegistry])
def test_registries_are_built_without_one(redis, registry):
    assert registry('x').connection is None
    with Connection(redis):
        assert registry('x').connection is redis
        other = Redis(port=1)
        assert registry('x', other).connection is other
        assert registry(queue=Queue('x', other)).connection is other


def test_the_decorator_resolves_when_called(redis):
    @job('low', timeout=5)
    def decorated():
        raise AssertionError('not called here')

    decorated.__module__, decorated.__qualname__ = add.__module__, 'add'
    with pytest.raises(NoRedisConnectionException):
        decorated.delay()
    with Connection(redis):
        made = decorated.delay()
    assert (made.origin, made.timeout, made.connection) == ('low', 5, redis)
    assert redis.llen('rq:queue:low') == 1


def test_a_given_connection_is_of_3_0(redis):
    with Connection(Redis(port=1)):
        queue = Queue('x', redis)
        made = [queue, queue.enqueue(add), Job(connection=redis), Worker([queue]), Worker(['x'], connection=redis)]
        made += Queue.all(redis)
    assert [one.era for one in made] == [None] * 6
    assert all(one.connection is redis for one in made)


def test_what_is_made_through_era_a_is_of_era_a(redis):
    with Connection(redis):
        queue = Queue('x')
    made = queue.enqueue(add)
    worker = SimpleWorker([queue])
    found = [made, queue.fetch_job(made.id), queue.jobs[0], queue.dequeue(), worker]
    assert [one.era for one in found] == ['A'] * 5
    with Connection(redis):
        assert [one.era for one in Worker(['p', 'q']).queues] == ['A', 'A']


def test_a_worker_of_a_3_0_queue_ignores_the_stack(redis):
    with Connection(Redis(port=1)):
        worker = Worker([Queue(connection=redis)])
    assert (worker.connection, worker.era) == (redis, None)
