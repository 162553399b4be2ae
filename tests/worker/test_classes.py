"""The public worker classes: what each adds to Worker. SpawnWorker has a file of its own."""

import os
import signal
import subprocess
import sys
from functools import partial
from typing import Any

import pytest
from redis import Redis

import rq.worker
from rq import Callback, Queue, SimpleWorker, SpawnWorker, Worker
from rq.exceptions import ShutDownImminentException
from rq.worker import HerokuWorker, RandomWorker, RoundRobinWorker
from tests import jobs
from tests.executors import hands
from tests.invariants import check
from tests.launch import Launch, burst, cold, lives, marked, marks

HEROKU = 'rq.worker.HerokuWorker'


def delay(seconds: int) -> dict[str, Any]:
    return {'cls': HEROKU, 'constants': {f'{HEROKU}.imminent_shutdown_delay': seconds}}


def test_names() -> None:
    assert [status.value for status in rq.worker.WorkerStatus] == ['started', 'suspended', 'busy', 'idle']
    assert rq.worker.SHUTDOWN_SIGNAL == signal.SIGKILL
    assert not issubclass(SimpleWorker, Worker) and issubclass(SpawnWorker, Worker)
    assert [one.__bases__ for one in (HerokuWorker, RandomWorker, RoundRobinWorker, SpawnWorker)] == [(Worker,)] * 4


@pytest.mark.parametrize('cls', [Worker, SimpleWorker, SpawnWorker, HerokuWorker])
@pytest.mark.parametrize('by_name', [True, False])
def test_classes_of_ones_own(redis: Redis, cls: Any, by_name: bool) -> None:
    job = Queue(connection=redis, serializer=hands.Packer).enqueue(hands.kind_of_job)
    worker = cls(
        ['default'],
        connection=redis,
        job_class='tests.executors.hands.OtherJob' if by_name else hands.OtherJob,
        queue_class='tests.executors.hands.OtherQueue' if by_name else hands.OtherQueue,
        serializer='tests.executors.hands.Packer' if by_name else hands.Packer,
    )
    assert type(worker.queues[0]) is hands.OtherQueue and worker.work(burst=True)
    assert job.return_value() == 'OtherJob'


@pytest.mark.parametrize('cls', [Worker, SimpleWorker])
def test_queues_of_an_iterator(redis: Redis, cls: Any) -> None:
    """`Worker(map(Queue, sys.argv[1:]))` stands in many a worker script."""
    assert cls(map(partial(Queue, connection=redis), ['high', 'low'])).queue_names() == ['high', 'low']
    assert cls((name for name in ['high', 'low']), connection=redis).queue_names() == ['high', 'low']


# --- orders -------------------------------------------------------------------------------------------------


def test_round_robin(redis: Redis) -> None:
    queues = [Queue(name, connection=redis) for name in 'abc']
    for queue in queues:
        for number in range(2):
            queue.enqueue(jobs.note, f'{queue.name}{number}')
    burst(redis, *queues, cls=RoundRobinWorker)
    assert marks(redis) == ['a0', 'b0', 'c0', 'a1', 'b1', 'c1']


def test_random(redis: Redis) -> None:
    worker = RandomWorker(list('abcdef'), connection=redis)
    orders = set()
    for _ in range(20):
        worker.reorder_queues(reference_queue=worker.queues[0])
        orders.add(tuple(worker.ordered_names()))
    assert len(orders) > 10 and all(sorted(order) == list('abcdef') for order in orders)
    assert worker.queue_names() == list('abcdef')


# --- SimpleWorker -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(('timeout', 'ttl'), [(-1, 420), (None, 480), (100, 160)])
def test_heartbeat_ttl_of_simple_workers(redis: Redis, queue: Queue, timeout: Any, ttl: int) -> None:
    job = queue.enqueue(jobs.add)
    job.timeout = timeout
    assert SimpleWorker([queue], connection=redis).get_heartbeat_ttl(job) == ttl


def test_execute_job_called_by_hand(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.environment)
    worker = SimpleWorker([queue], connection=redis)
    worker.execute_job(job, queue)
    assert job.return_value()[2] == os.getpid() and worker.get_state() == 'idle'  # type: ignore[index]


# --- HerokuWorker -------------------------------------------------------------------------------------------


@pytest.mark.parametrize('words', [delay(0), {'cls': 'tests.executors.hands.Hurried'}])
def test_the_job_is_interrupted(redis: Redis, queue: Queue, launch: Launch, words: dict[str, Any]) -> None:
    job = queue.enqueue(jobs.spawns, False)
    worker = launch('default', **words).ready()
    child = int(marked(redis, 'child'))
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    result: Any = job.latest_result()
    assert 'ShutDownImminentException: shut down imminent (signal: SIGRTMIN)' in result.exc_string
    assert check(redis) == []
    if lives(child):
        os.kill(child, signal.SIGKILL)


def test_a_quick_job_finishes(redis: Redis, queue: Queue, launch: Launch) -> None:
    child, job = queue.enqueue(jobs.ignores_signals), queue.enqueue(jobs.gate)
    worker = launch('default', cls=HEROKU).ready()
    horse = int(marked(redis, 'at gate'))
    worker.signal(signal.SIGTERM)
    worker.said('interrupted in 6 seconds')
    os.kill(horse, signal.SIGTERM)  # the platform tells every process
    redis.rpush('test:gate', 1)
    assert worker.wait() == 0 and job.return_value() == 'passed' and child.return_value() == -15


@pytest.mark.parametrize('seconds', [1, 60])
def test_after_the_delay_or_at_the_second_request(redis: Redis, queue: Queue, launch: Launch, seconds: int) -> None:
    job = queue.enqueue(jobs.deaf)  # swallows every Exception, but this is none
    worker = launch('default', **delay(seconds)).ready()
    horse = int(marked(redis, 'deaf'))
    worker.signal(signal.SIGTERM)
    worker.said(f'interrupted in {seconds} seconds')
    if seconds == 60:
        os.kill(horse, signal.SIGRTMIN)
    assert worker.wait() == 0
    result: Any = job.latest_result()
    assert 'ShutDownImminentException' in result.exc_string and check(redis) == []


def test_a_request_after_the_work_is_done(redis: Redis, queue: Queue, monkeypatch: Any) -> None:
    monkeypatch.setattr(HerokuWorker, 'imminent_shutdown_delay', 0)
    job = queue.enqueue(jobs.add, on_success=Callback(hands.asks_itself_to_hurry))
    burst(redis, queue, cls=HerokuWorker)
    assert job.return_value() == 2 and check(redis) == []


def test_without_a_horse(redis: Redis, launch: Launch) -> None:
    idle = launch('default', cls=HEROKU).ready()
    idle.signal(signal.SIGTERM)
    worker = HerokuWorker(['default'], connection=redis)
    worker.handle_warm_shutdown_request()
    gone = subprocess.Popen(['true'])
    gone.wait()
    worker._horse_pid = gone.pid
    worker.handle_warm_shutdown_request()
    assert idle.wait(5) == 0


def test_the_request_reaches_the_horse_alone(redis: Redis) -> None:
    worker = HerokuWorker(['default'], connection=redis)
    horse = subprocess.Popen(['sleep', '30'], start_new_session=True)
    worker._horse_pid = horse.pid
    worker.handle_warm_shutdown_request()
    assert horse.wait(5) == -signal.SIGRTMIN


def test_what_the_exception_tells(redis: Redis) -> None:
    worker = HerokuWorker(['default'], connection=redis)
    marker = 'seen'
    with pytest.raises(ShutDownImminentException) as caught:
        worker.request_force_stop_sigrtmin(signal.SIGRTMIN, sys._getframe())
    assert list(caught.value.extra_info) == ['f_code', 'f_lasti', 'f_lineno', 'f_locals', 'f_trace']
    assert caught.value.extra_info['f_locals']['marker'] == marker
    assert str(caught.value) == 'shut down imminent (signal: SIGRTMIN)'


def test_the_delay_is_an_alarm(redis: Redis) -> None:
    worker = HerokuWorker(['default'], connection=redis)
    before = [signal.getsignal(one) for one in (signal.SIGRTMIN, signal.SIGALRM)]
    try:
        worker.request_stop_sigrtmin(signal.SIGRTMIN, None)
        assert (
            signal.getsignal(signal.SIGRTMIN) == signal.getsignal(signal.SIGALRM) == worker.request_force_stop_sigrtmin
        )
        assert 5 <= signal.alarm(0) <= 6
    finally:
        for signum, handler in zip((signal.SIGRTMIN, signal.SIGALRM), before, strict=True):
            signal.signal(signum, handler)


def test_ends_with_descendants_alive(redis: Redis, queue: Queue, launch: Launch) -> None:
    """The request is for the horse: its children know no SIGRTMIN, and would die of it."""
    job = queue.enqueue(jobs.spawns, False)
    worker = launch('default', **delay(60)).ready()
    child = int(marked(redis, 'child'))
    worker.signal(signal.SIGTERM)
    worker.said('interrupted in 60 seconds')
    assert lives(child) and job.is_started
    cold(worker)
    assert worker.wait() == 0 and not lives(child)
