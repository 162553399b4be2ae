"""Which workers are of era A, and what handlers they begin with (spec/legacy.md, sections 3 and 4)."""

import os
import socket

import pytest

from rq import Connection, Queue, SimpleWorker, Worker, get_failed_queue
from rq.handlers import move_to_failed_queue
from rq.queue import FailedQueue
from tests import jobs as plain
from tests.launch import told
from tests.legacy import jobs


@pytest.fixture
def old(redis):
    """A queue of era A."""
    with Connection(redis):
        return Queue('old')


class Overriding(Worker):
    def move_to_failed_queue(self, job, *exc_info):
        jobs.say('overridden')
        super().move_to_failed_queue(job, *exc_info)


def spelled(redis, handler):
    return Worker([Queue(connection=redis)], exception_handlers=[jobs.a, handler], connection=redis)


@pytest.mark.parametrize(
    'spelling',
    [
        lambda worker: move_to_failed_queue,
        lambda worker: worker.move_to_failed_queue,
        lambda worker: Worker.move_to_failed_queue,
        lambda worker: SimpleWorker.move_to_failed_queue,
    ],
)
def test_the_default_handler_in_each_spelling(redis, spelling):
    worker = spelled(redis, spelling(Worker(['x'], connection=redis)))
    assert worker.era == 'A'
    assert worker._exc_handlers == [jobs.a, move_to_failed_queue]


def test_an_unborn_worker_has_the_default_handler():
    assert Worker.__new__(Worker).move_to_failed_queue


def test_an_overridden_default_handler_is_called(redis):
    queue = Queue(connection=redis)
    queue.enqueue(plain.fail)
    other = Overriding(['x'], connection=redis)
    worker = Overriding([queue], exception_handlers=[other.move_to_failed_queue], connection=redis)
    worker.work(burst=True)
    assert (worker.era, told(redis), get_failed_queue(redis).count) == ('A', ['overridden'], 1)


def test_a_function_of_that_name_is_no_default(redis):
    def move_to_failed_queue(job, *exc_info):
        return True

    assert spelled(redis, move_to_failed_queue).era is None


def test_handlers_at_start(redis, old):
    new = Queue(connection=redis)
    default = move_to_failed_queue
    assert Worker([new])._exc_handlers == []
    assert Worker([new], exception_handlers=[jobs.a, jobs.b])._exc_handlers == [jobs.a, jobs.b]
    assert Worker([old])._exc_handlers == [default]
    assert Worker([old], exception_handlers=jobs.a)._exc_handlers == [jobs.a]
    assert Worker([old], exception_handlers=[])._exc_handlers == []
    assert Worker([old], exc_handler=jobs.a)._exc_handlers == [jobs.a, default]
    assert Worker([new], exc_handler=jobs.a, connection=redis)._exc_handlers == [jobs.a, default]
    given = Worker([old], exc_handler=jobs.a, exception_handlers=[jobs.b, default])
    assert given._exc_handlers == [jobs.a, jobs.b, default]


def test_push_and_pop(redis, old):
    worker = Worker([old], exception_handlers=[jobs.my_handler, move_to_failed_queue])
    worker.push_exc_handler(jobs.a)
    worker.push_exc_handler(jobs.b)
    assert worker._exc_handlers == [jobs.b, jobs.a, jobs.my_handler, move_to_failed_queue]
    popped = [worker.pop_exc_handler() for _ in range(4)]
    assert popped == [jobs.b, jobs.a, move_to_failed_queue, jobs.my_handler]
    assert Worker([old], exc_handler=jobs.a).pop_exc_handler() is jobs.a
    new = Worker([Queue(connection=redis)], exception_handlers=[jobs.my_handler])
    new.push_exc_handler(jobs.a)
    new.push_exc_handler(jobs.b)
    assert new._exc_handlers == [jobs.my_handler, jobs.a, jobs.b]
    assert [new.pop_exc_handler(), new.pop_exc_handler()] == [jobs.b, jobs.a]


def test_words_of_the_constructor(redis):
    with Connection(redis):
        worker = Worker(
            ['high', 'low'], name='w', default_result_ttl=None, exc_handler=None, exception_handlers=None,
            default_worker_ttl=None, job_class=None, queue_class=None, job_monitoring_interval=30,
        )  # fmt: skip
        assert (worker.default_result_ttl, worker.worker_ttl, worker.name) == (500, 420, 'w')
        assert [queue.name for queue in worker.queues] == ['high', 'low']
        assert Worker(['x']).name == f'{socket.gethostname().split(".")[0]}.{os.getpid()}'
    assert len(Worker(['x'], connection=redis).name) == 32


def test_failed_queue_of_a_worker(redis):
    worker = Worker(['x'], connection=redis)
    assert isinstance(worker.failed_queue, FailedQueue)
    assert worker.failed_queue.connection is worker.connection


def test_finding_workers(redis, old):
    worker = Worker([old], name='w')
    worker.register_birth()
    with Connection(redis):
        (found,) = Worker.all()
        assert (found.name, found.era, Worker.count()) == ('w', 'A', 1)
        assert Worker.find_by_key('rq:worker:w').name == 'w'
    worker.register_death()
