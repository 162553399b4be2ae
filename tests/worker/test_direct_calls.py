"""The methods of a worker called by hand, without `work()`: what stands in Redis after each, as RQ 3.0 has it."""

import os
import threading
import warnings
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Repeat, Retry, SimpleWorker, Worker
from rq.exceptions import StopRequested
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.registry import BaseRegistry
from rq.utils import current_timestamp, now
from rq.worker import BaseWorker
from tests import jobs
from tests.invariants import check
from tests.launch import told
from tests.waiting import wait_until

BOTH = pytest.mark.parametrize('cls', [Worker, SimpleWorker])


@pytest.fixture
def worker(queue: Queue) -> Worker:
    """A worker that was not born."""
    return Worker([queue], name='w')


def taken(queue: Queue, func: Any, *args: Any, **words: Any) -> Job:
    """A job that is no longer listed, as a dequeue leaves it."""
    job = queue.enqueue(func, *args, **words)
    queue.remove(job)
    return job


def test_prepare_execution(redis: Redis, queue: Queue, worker: Worker) -> None:
    job = taken(queue, jobs.add)
    execution = worker.prepare_execution(job)
    assert worker.execution is execution and worker.executions == {execution.id: execution}
    assert job.get_status() == 'queued' and worker.get_state() == 'busy' and redis.hget(worker.key, 'state') == b'busy'
    assert redis.zscore('rq:wip:default', execution.composite_key) == pytest.approx(current_timestamp() + 90, abs=2)
    assert redis.ttl(execution.key) == 90 and redis.ttl(f'rq:executions:{job.id}') == 150
    assert redis.ttl(worker.executions_key) == 150 and worker.current_execution_count == 1
    stored = Execution.fetch(execution.id, job.id, redis)
    assert stored.worker_name == 'w' and stored.created_at == execution.created_at
    assert redis.zscore('rq:leases:default', execution.composite_key)
    assert worker.get_current_job_id() == job.id and worker.get_current_job() == job


def test_prepare_job_execution(redis: Redis, queue: Queue, worker: Worker) -> None:
    job = taken(queue, jobs.add, ttl=100)
    redis.rpush('rq:queue:default:intermediate', job.id)
    worker.prepare_execution(job)
    worker.prepare_job_execution(job)
    assert redis.lrange('rq:queue:default:intermediate', 0, -1) == [job.id.encode()]
    worker.prepare_job_execution(job, remove_from_intermediate_queue=True)
    assert not redis.exists('rq:queue:default:intermediate') and redis.ttl(job.key) == -1
    fresh = Job.fetch(job.id, redis)
    assert fresh.get_status() == 'started' and fresh.worker_name == 'w' and fresh.started_at and fresh.last_heartbeat
    assert job.worker_name == 'w' and job.started_at and 0 < redis.ttl(worker.key) <= 90


@BOTH
def test_perform_job(redis: Redis, queue: Queue, cls: Any) -> None:
    worker = cls([queue], name='w')
    good, bad = taken(queue, jobs.add, 2, 3), taken(queue, jobs.div, on_failure=Callback(jobs.on_failure))
    redis.rpush('rq:queue:default:intermediate', good.id)
    assert worker.perform_job(good, queue, worker.prepare_execution(good)) is True
    assert worker.perform_job(bad, queue) is False
    assert good.get_status() == 'finished' and good.return_value() == 5 and bad.is_failed
    assert good.get_status(refresh=False) == 'finished' and not redis.exists('rq:queue:default:intermediate')
    result: Any = bad.latest_result()
    assert 'ZeroDivisionError' in result.exc_string and result.worker_name == 'w'
    assert told(redis) == [f'failure {bad.id} ZeroDivisionError division by zero failed started']
    assert redis.hmget(worker.key, 'successful_job_count', 'failed_job_count') == [b'1', b'1']
    assert worker.executions == {} and worker.leases == {} and worker.prepared == set() and check(redis) == []


@BOTH
def test_execute_job(redis: Redis, queue: Queue, cls: Any) -> None:
    worker = cls([queue], name='w')
    worker.register_birth()
    good, bad = taken(queue, jobs.environment), taken(queue, jobs.div)
    for job in (good, bad):
        worker.execute_job(job, queue)
    assert good.is_finished and bad.is_failed and worker.get_state() == 'idle'
    assert (good.return_value()[2] == os.getpid()) is (cls is SimpleWorker)  # type: ignore[index]
    assert worker.executions == {} and worker._horse_pid == 0 and check(redis) == []


@pytest.mark.parametrize('prepared', [True, False])
def test_outcomes_by_hand(redis: Redis, queue: Queue, worker: Worker, prepared: bool) -> None:
    good, bad, again, asks = (taken(queue, jobs.add, retry=retry) for retry in (None, None, Retry(max=1), None))
    made = {job: worker.prepare_execution(job) if prepared else None for job in (good, bad, again, asks)}
    good.started_at = good.ended_at = now()
    good._result = 7
    worker.handle_job_success(good, queue, queue.started_job_registry, made[good])  # type: ignore[arg-type]
    worker.handle_job_failure(bad, queue, exc_string='it broke', execution=made[bad])
    worker.handle_job_failure(again, queue)
    worker.handle_job_retry(asks, queue, Retry(max=1, interval=30), queue.started_job_registry, made[asks])
    assert good.is_finished and good.return_value() == 7 and bad.is_failed and asks.is_scheduled
    assert again.is_queued and again.get_status(refresh=False) is JobStatus.QUEUED
    failure: Any = bad.latest_result()
    assert failure.exc_string == 'it broke' and bad in queue.failed_job_registry
    worker.refresh()
    assert (worker.successful_job_count, worker.failed_job_count) == (1, 3)
    assert queue.started_job_registry.count == 0 and worker.executions == {} and check(redis) == []


def test_outcome_of_an_execution_of_somebody_else(redis: Redis, queue: Queue, worker: Worker) -> None:
    made, unsaved = taken(queue, jobs.add), taken(queue, jobs.add)
    with redis.pipeline() as pipeline:
        execution = Execution.create(made, 60, pipeline, worker_name='other')
        pipeline.execute()
    worker.handle_job_failure(made, queue, exc_string='x', execution=execution)
    worker.handle_job_failure(unsaved, queue, exc_string='x', execution=Execution('abc', unsaved.id, redis, 'w'))
    assert made.is_failed and unsaved.is_failed and check(redis) == []


def test_a_job_that_was_never_stored(redis: Redis, queue: Queue, worker: Worker) -> None:
    job = Job.create(jobs.add, connection=redis, origin='default')
    assert worker.perform_job(job, queue) is True
    assert Job.fetch(job.id, redis).return_value() == 2 and check(redis) == []


def test_canceled_wins(redis: Redis, queue: Queue, worker: Worker) -> None:
    job = taken(queue, jobs.add)
    execution = worker.prepare_execution(job)
    job.cancel()
    assert worker.perform_job(job, queue, execution) and job.get_status() == 'canceled' and check(redis) == []


def test_stopped_by_hand(redis: Redis, queue: Queue, worker: Worker) -> None:
    job = taken(queue, jobs.add, retry=Retry(max=3))
    worker.prepare_execution(job)
    worker._stopped_job_id = job.id
    worker.handle_job_failure(job, queue, exc_string='stopped here')
    assert job.is_stopped and job.latest_result().exc_string == 'stopped here'  # type: ignore[union-attr]


@pytest.mark.parametrize('func, text', [(jobs.kills_itself, '9 (signal 9); '), (jobs.leaves, '768; ')])
def test_a_killed_horse(redis: Redis, queue: Queue, func: Any, text: str) -> None:
    worker = Worker([queue], name='w', work_horse_killed_handler=jobs.killed_handler)
    worker.register_birth()
    job = taken(queue, func, 9 if func is jobs.kills_itself else 3)
    execution = worker.prepare_execution(job)
    worker.fork_work_horse(job, queue)
    assert worker.horse_pid and worker.is_horse is False
    worker.monitor_work_horse(job, queue, execution)
    result: Any = job.latest_result()
    assert job.is_failed and f'Work-horse terminated unexpectedly; waitpid returned {text}' in result.exc_string
    assert worker.horse_pid == 0 and len(told(redis)) == 1 and check(redis) == []
    assert Job.fetch(job.id, redis).worker_name == 'w' and job.ended_at


def test_a_good_end_needs_no_judgement(redis: Redis, queue: Queue, worker: Worker, monkeypatch: Any) -> None:
    job = taken(queue, jobs.add)
    worker.prepare_execution(job)
    monkeypatch.setattr(worker, 'wait_for_horse', lambda: (1, 0, None))
    worker._stopped_job_id = job.id
    worker.monitor_work_horse(job, queue)
    assert job.get_status() == 'queued' and job.latest_result() is None


def test_signs_of_life(redis: Redis, queue: Queue) -> None:
    worker = Worker([queue], name='w', job_monitoring_interval=1)
    worker.register_birth()
    job = taken(queue, jobs.gate)
    execution = worker.prepare_execution(job)
    worker.fork_work_horse(job, queue)
    wait_until(lambda: job.get_status() == 'started', what='the horse begins')
    redis.delete(worker.key)
    redis.expire(execution.key, 10)

    def open_gate() -> None:
        wait_until(lambda: redis.hget(worker.key, 'birth'), what='the whole hash is written anew')
        redis.rpush('test:gate', 1)

    thread = threading.Thread(target=open_gate)
    thread.start()
    worker.monitor_work_horse(job, queue)
    thread.join()
    assert job.is_finished and redis.hget(worker.key, 'instance') and 0 < redis.ttl(worker.key) <= 61
    worker.maintain_heartbeats(job, execution)
    assert not redis.exists(execution.key) and check(redis) == []


def test_heartbeats_make_no_ghost_of_a_job(redis: Redis, queue: Queue, worker: Worker) -> None:
    job = taken(queue, jobs.add)
    execution = worker.prepare_execution(job)
    redis.expire(execution.key, 10)
    worker.maintain_heartbeats(job, execution)
    assert 80 < redis.ttl(execution.key) <= 90 and redis.hget(job.key, 'last_heartbeat')
    job.delete()
    worker.maintain_heartbeats(job, execution)
    assert not redis.exists(job.key)


def test_heartbeat_ttls(queue: Queue) -> None:
    worker, simple = Worker([queue]), SimpleWorker([queue])
    job = queue.enqueue(jobs.add)
    wanted = {180: (90, 240), 10: (70, 70), -1: (90, 420), None: (90, 480)}
    for timeout, ttls in wanted.items():
        job.timeout = timeout
        assert (worker.get_heartbeat_ttl(job), simple.get_heartbeat_ttl(job)) == ttls
    job.timeout = 180
    assert worker.get_heartbeat_ttl(job, 170.0) == 70


def test_execution_property(redis: Redis, queue: Queue, worker: Worker) -> None:
    one, two = Execution('a', 'j', redis), Execution('b', 'j', redis)
    worker.execution = one
    assert worker.execution is one
    worker.execution = two
    assert worker.execution is one and list(worker.executions) == ['a', 'b']
    with pytest.raises(ValueError, match='several'):
        worker.execution = None
    worker.executions.pop('a')
    worker.execution = None
    assert worker.execution is None and worker.executions == {}


def test_cleanup_execution(redis: Redis, queue: Queue, worker: Worker) -> None:
    job = taken(queue, jobs.add)
    worker.prepare_execution(job)
    with redis.pipeline() as pipeline:
        worker.cleanup_execution(job, pipeline)
        pipeline.execute()
    assert worker.executions == {} and not redis.keys('rq:execution*') and not redis.exists('rq:wip:default')
    assert issubclass(type(job.execution_registry), BaseRegistry)


def test_current_executions_are_read_once(redis: Redis, queue: Queue, worker: Worker) -> None:
    jobs_, other = [taken(queue, jobs.add) for _ in range(2)], Worker([queue], name='w')
    made = [worker.prepare_execution(job) for job in jobs_]
    assert {one.id for one in other.get_current_executions()} == {one.id for one in made}
    redis.delete(made[0].key)
    assert len(other.get_current_executions()) == 2
    assert [one.id for one in other.get_current_executions(refresh=True)] == [made[1].id]
    assert other.current_execution_count == 1 and other.get_current_job() == jobs_[1]
    jobs_[1].delete()
    assert other.get_current_job() is None


def test_handle_exception_by_hand(queue: Queue, worker: Worker, caplog: Any) -> None:
    seen: list[Any] = []
    worker.push_exc_handler(lambda job, *info: seen.append(info))
    job = queue.enqueue(jobs.add)
    error = ValueError('by hand')
    worker.handle_exception(job, ValueError, error, None)
    assert seen == [(ValueError, error, None)] and 'ValueError: by hand' in caplog.text


def test_stop_requests_by_hand(redis: Redis, queue: Queue, worker: Worker) -> None:
    with pytest.raises(StopRequested):
        worker.request_stop(2, None)
    worker = Worker([queue], name='busy')
    worker.set_state('busy')
    worker.request_stop(2, None)
    assert worker._stop_requested and worker.shutdown_requested_date
    worker.request_force_stop(2, None)  # an echo
    worker._first_signal_at = None
    with pytest.raises(SystemExit):
        worker.request_force_stop(2, None)


def test_heartbeat_state_and_counts(redis: Redis, queue: Queue, worker: Worker) -> None:
    worker.heartbeat()
    assert redis.ttl('rq:worker:w') == 480 and worker.last_heartbeat
    with redis.pipeline() as pipeline:
        worker.heartbeat(33, pipeline=pipeline)
        worker.set_state('idle', pipeline=pipeline)
        worker.increment_total_working_time(timedelta(seconds=2.5), pipeline)
        worker.increment_failed_job_count(pipeline)
        assert redis.hget('rq:worker:w', 'state') is None
        pipeline.execute()
    worker.increment_successful_job_count()
    assert redis.ttl('rq:worker:w') == 33
    worker.refresh()
    assert (worker.successful_job_count, worker.failed_job_count, worker.total_working_time) == (1, 1, 2.5)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        worker.state = 'busy'
        assert worker.state == 'busy'
    assert [one.category for one in caught] == [DeprecationWarning] * 2


def test_books_by_hand(redis: Redis, queue: Queue, worker: Worker) -> None:
    assert worker.get_state() == 'starting' and worker.death_date is None
    worker.register_birth()
    stored = {name.decode(): value.decode() for name, value in redis.hgetall(worker.key).items()}
    serialized = {name: str(value) for name, value in worker.serialize().items()}
    assert set(stored) - set(serialized) == {'instance'} and serialized.items() <= stored.items()
    assert redis.ttl(worker.key) == 480 and redis.smembers('rq:workers:default') == {b'rq:worker:w'}
    with pytest.raises(ValueError, match='There exists an active worker named'):
        Worker([queue], name='w').register_birth()
    worker.register_death()
    assert worker.death_date and redis.ttl(worker.key) == 60 and not redis.exists('rq:workers')
    Worker([queue], name='w').register_birth()


def test_bootstrap_and_teardown(redis: Redis, queue: Queue, worker: Worker) -> None:
    worker.bootstrap()
    try:
        assert redis.hget(worker.key, 'state') == b'started' and worker.pubsub is not None
        assert worker.pubsub_thread.is_alive() and worker.pubsub_thread.daemon
        redis.publish(worker.pubsub_channel_name, '{"command": "kill-horse"}')
    finally:
        worker.teardown()
    assert not worker.pubsub_thread.is_alive() and redis.hget(worker.key, 'death')


def test_state_after_the_last_job(redis: Redis, queue: Queue) -> None:
    for words in ({'max_jobs': 1}, {}):
        queue.enqueue(jobs.add)
        worker = Worker([queue])
        worker.work(burst=True, **words)  # type: ignore[arg-type]
        assert worker.get_state() == 'idle' and redis.hget(worker.key, 'state') == b'idle'


def test_dequeue_by_hand(redis: Redis, queue: Queue, worker: Worker) -> None:
    assert worker.dequeue_job_and_maintain_ttl(None) is None and redis.hget(worker.key, 'state') == b'idle'
    assert worker.dequeue_job_and_maintain_ttl(5, max_idle_time=1) is None
    job = queue.enqueue(jobs.add)
    found = worker.dequeue_job_and_maintain_ttl(1)
    assert found == (job, queue) and job.get_status() == 'queued'
    worker.execute_job(*found)
    assert job.is_finished and check(redis) == []


def test_the_base_runs_nothing(redis: Redis, queue: Queue) -> None:
    base = BaseWorker([queue])
    assert base.wait_for_horse() == (None, None, None) and base.horse_pid == 0
    base.kill_horse()
    assert len(base.get_redis_server_version()) == 3 and base.set_current_job_id('x') is None  # type: ignore[func-returns-value]
    with pytest.raises(NotImplementedError):
        base.execute_job(queue.enqueue(jobs.add), queue)


@pytest.mark.parametrize('interval, status', [(0, 'queued'), (30, 'scheduled')])
def test_handle_job_success_uses_up_a_repeat(queue: Queue, worker: Worker, interval: int, status: str) -> None:
    job = taken(queue, jobs.add, repeat=Repeat(2, interval))
    execution = worker.prepare_execution(job)
    worker.prepare_job_execution(job)
    job.description = 'changed meanwhile'
    worker.handle_job_success(job, queue, queue.started_job_registry, execution)
    stored = Job.fetch(job.id, queue.connection)
    assert (job._status, stored.get_status(), stored.repeats_left) == (status, status, 1)
    assert stored.description == 'changed meanwhile'


def test_a_stopped_job_is_forgotten(queue: Queue, worker: Worker) -> None:
    job = taken(queue, jobs.add, retry=Retry(2))
    execution = worker.prepare_execution(job)
    worker.prepare_job_execution(job)
    worker._stopped_job_id = job.id
    worker.handle_job_failure(job, queue, exc_string='Job stopped by user, work-horse terminated.', execution=execution)
    result: Any = job.latest_result()
    assert job.is_stopped and worker._stopped_job_id is None
    assert result.execution_started_at and not result.execution_ended_at
