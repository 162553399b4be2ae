"""The acceptance cases of spec/legacy.md, section 6, word for word, on both kinds of worker."""

import pytest

from rq import Connection, Queue, SimpleWorker, Worker, get_failed_queue
from rq.handlers import move_to_failed_queue
from rq.registry import FailedJobRegistry
from tests.invariants import check
from tests.jobs import fail as broken
from tests.launch import told
from tests.legacy.jobs import a, b, black_hole, my_handler, retry_handler

both = pytest.mark.parametrize('worker_class', [Worker, SimpleWorker])


@both
def test_1_context_gives_the_connection_and_the_handler_falls_through(redis, worker_class):
    seen = []
    with Connection(redis):
        q = Queue()
        job = q.enqueue(broken, timeout=60)
        w = worker_class([q])
        w.push_exc_handler(lambda job, *exc: seen.append(job.id))
        w.work(burst=True)
        assert get_failed_queue().count == 1
        assert seen == ([job.id] if worker_class is SimpleWorker else [])
        assert check(redis) == []
        get_failed_queue().requeue(get_failed_queue().job_ids[0])
        assert get_failed_queue().count == 0 and q.count == 1
    assert check(redis) == []


@both
def test_2_a_handler_that_returns_false_keeps_the_job_out(redis, worker_class):
    with Connection(redis):
        job = Queue().enqueue(broken)
        w = worker_class([Queue()])
        w.push_exc_handler(black_hole)
        assert w.work(burst=True)
        assert job.is_failed
        assert get_failed_queue().count == 0
    assert told(redis) == ['black_hole']
    assert job.latest_result() is None
    assert redis.ttl(job.key) == -1
    assert FailedJobRegistry(queue=Queue(connection=redis)).get_job_ids() == []
    assert check(redis, unstored=[job.id]) == []


@both
def test_3_latest_push_runs_first(redis, worker_class):
    with Connection(redis):
        Queue().enqueue(broken)
        w = worker_class([Queue()])
        w.push_exc_handler(a)
        w.push_exc_handler(b)
        w.work(burst=True)
        assert told(redis) == ['b', 'a']
        assert get_failed_queue().count == 1
        assert w.pop_exc_handler() is b
        assert w.pop_exc_handler() is a


@both
def test_4_an_explicit_list(redis, worker_class):
    with Connection(redis):
        q = Queue()
        q.enqueue(broken)
        worker_class([q], exception_handlers=[my_handler, move_to_failed_queue]).work(burst=True)
        assert told(redis) == ['my_handler failed ValueError']
        assert get_failed_queue().count == 1
        q.enqueue(broken)
        worker_class([q], exception_handlers=[my_handler]).work(burst=True)
        assert told(redis) == ['my_handler failed ValueError'] * 2
        assert get_failed_queue().count == 1


@both
def test_4_in_a_subclass(redis, worker_class):
    class MyWorker(worker_class):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, exception_handlers=[my_handler, self.move_to_failed_queue], **kwargs)

    q = Queue(connection=redis)
    q.enqueue(broken)
    w = MyWorker([q], connection=redis)
    w.work(burst=True)
    assert w.era == 'A'
    assert told(redis) == ['my_handler failed ValueError']
    assert get_failed_queue(redis).count == 1
    assert check(redis) == []


@both
def test_5_a_retry_handler_of_that_time(redis, worker_class):
    with Connection(redis):
        job = Queue().enqueue(broken)
    w = worker_class([Queue(connection=redis)], exc_handler=retry_handler, connection=redis)
    w.work(burst=True, max_jobs=1)
    assert (job.get_status(), job.get_meta()) == ('queued', {'failures': 1})
    assert check(redis) == []
    w.work(burst=True)
    assert (job.get_status(), job.get_meta()) == ('failed', {'failures': 3})
    assert get_failed_queue(redis).job_ids == [job.id]
    assert check(redis) == []


@both
def test_6_the_same_call_with_an_explicit_connection_is_3_0(redis, worker_class):
    job = Queue(connection=redis).enqueue(broken)
    worker_class([Queue(connection=redis)], exception_handlers=[black_hole], connection=redis).work(burst=True)
    assert told(redis) == ['black_hole']
    assert Queue(connection=redis).failed_job_registry.get_job_ids() == [job.id]
    assert check(redis) == []
