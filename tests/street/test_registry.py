"""The registries: views that change nothing, and their verbs."""

import inspect
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from rq import Queue, SimpleWorker
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.executions import Execution
from rq.job import Job
from rq.registry import (
    BaseRegistry,
    CanceledJobRegistry,
    DeferredJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
    clean_registries,
)
from tests import jobs
from tests.launch import burst

CLASSES = {
    'finished': FinishedJobRegistry,
    'failed': FailedJobRegistry,
    'wip': StartedJobRegistry,
    'deferred': DeferredJobRegistry,
    'scheduled': ScheduledJobRegistry,
    'canceled': CanceledJobRegistry,
}
SIGNATURES = {
    '__init__': 'self name connection job_class queue serializer death_penalty_class',
    'add': 'self job ttl pipeline xx',
    'cleanup': 'self timestamp exception_handlers',
    'get_expiration_time': 'self job',
    'get_expired_job_ids': 'self timestamp',
    'get_job_count': 'self cleanup',
    'get_job_ids': 'self start end desc cleanup',
    'remove': 'self job pipeline delete_job',
    'requeue': 'self job_or_id at_front',
}
FAR, PAST = 9_999_999_999, 1


@pytest.mark.parametrize('name', SIGNATURES)
def test_signature(name: str) -> None:
    assert list(inspect.signature(getattr(BaseRegistry, name)).parameters) == SIGNATURES[name].split()
    assert BaseRegistry.get_job_count.__defaults__ == (True,)
    assert BaseRegistry.get_job_ids.__defaults__ == (0, -1, False, True)


@pytest.mark.parametrize('kind', CLASSES)
def test_identity(redis: Redis, queue: Queue, kind: str) -> None:
    by_queue, by_name = CLASSES[kind](queue=queue), CLASSES[kind]('default', connection=redis)
    assert by_queue == by_name and by_queue.key == f'rq:{kind}:default' and by_name.name == 'default'
    assert by_queue != CLASSES[kind]('other', redis)
    assert CLASSES[kind].key_template == f'rq:{kind}:{{0}}'
    assert by_queue.get_queue() == queue and len(by_queue) == 0 and 'x' not in by_queue
    assert redis.keys() == []


@pytest.mark.parametrize('cls', [FinishedJobRegistry, FailedJobRegistry])
def test_looking_leaves_overdue_entries_out_and_touches_nothing(redis: Redis, queue: Queue, cls: Any) -> None:
    registry = cls(queue=queue)
    redis.zadd(registry.key, {'old': PAST, 'new': FAR, 'ever': 'inf' if cls is FinishedJobRegistry else -1})
    before = redis.zrange(registry.key, 0, -1, withscores=True)
    assert registry.count == registry.get_job_count() == len(registry) == 2
    assert registry.get_job_count(cleanup=False) == 3
    assert set(registry.get_job_ids()) == {'new', 'ever'}
    assert set(registry.get_job_ids(cleanup=False)) == {'old', 'new', 'ever'}
    assert redis.zrange(registry.key, 0, -1, withscores=True) == before
    registry.cleanup()
    assert 'old' not in registry and set(registry.get_job_ids(cleanup=False)) == {'new', 'ever'}
    registry.cleanup(FAR)
    assert registry.get_job_ids(cleanup=False) == ['ever']


def test_cleanup_in_steps(redis: Redis, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('rq.registry.STEP', 2)
    registry = queue.failed_job_registry
    scores = {'ever': -1, 'new': FAR} | {f'old{number}': PAST + number // 3 for number in range(10)}
    redis.zadd(registry.key, scores)
    redis.config_resetstat()
    registry.cleanup()
    assert registry.get_job_ids(cleanup=False) == ['ever', 'new']
    assert redis.info('commandstats')['cmdstat_zremrangebyscore']['calls'] == 4  # three moments, and what is left


def test_slices_and_order(redis: Redis, queue: Queue) -> None:
    registry = queue.failed_job_registry
    redis.zadd(registry.key, {f'j{number}': FAR + number for number in range(5)})
    assert registry.get_job_ids(1, 2) == ['j1', 'j2']
    assert registry.get_job_ids(0, 1, desc=True) == ['j4', 'j3']
    assert registry.get_job_ids(start=-1) == ['j4']


def test_a_slice_is_of_what_is_shown(redis: Redis, queue: Queue) -> None:
    registry = queue.failed_job_registry
    redis.zadd(registry.key, {'old1': PAST, 'old2': PAST, 'a': FAR, 'b': FAR + 1})
    assert registry.get_job_ids(0, 0) == ['a']
    assert registry.get_job_ids(0, 1) == ['a', 'b']
    assert registry.get_job_ids(0, 0, desc=True) == ['b']


@pytest.mark.parametrize('eternal', [0, 2])
@pytest.mark.parametrize('overdue', [1, 3])
@pytest.mark.parametrize('desc', [False, True])
def test_every_slice_around_what_is_overdue(redis: Redis, eternal: int, overdue: int, desc: bool) -> None:
    registry = FailedJobRegistry('q', redis)
    living = [f'e{number}' for number in range(eternal)] + [f'j{number}' for number in range(3)]
    redis.zadd(registry.key, {one: -1 if one[0] == 'e' else FAR + int(one[1]) for one in living})
    redis.zadd(registry.key, {f'old{number}': PAST + number for number in range(overdue)})
    shown = living[::-1] if desc else living
    for start in range(-4, 7):
        for end in range(-1, 7):
            assert registry.get_job_ids(start, end, desc) == shown[start : None if end == -1 else end + 1]


def test_scores(redis: Redis, queue: Queue) -> None:
    kept = queue.enqueue(jobs.add, result_ttl=100)
    ever = queue.enqueue(jobs.add, result_ttl=-1)
    gone = queue.enqueue(jobs.add, result_ttl=0)
    broken = queue.enqueue(jobs.div, failure_ttl=200)
    for_ever = queue.enqueue(jobs.div, failure_ttl=-1)
    burst(redis, queue)
    finished, failed = queue.finished_job_registry, queue.failed_job_registry
    wait = (finished.get_expiration_time(kept) - datetime.now(UTC)).total_seconds()
    assert 95 < wait <= 100 and 95 < redis.ttl(kept.key) <= 100 and 95 < redis.ttl(f'rq:results:{kept.id}') <= 100
    assert redis.zscore(finished.key, ever.id) == float('inf') and redis.ttl(ever.key) == -1
    assert not Job.exists(gone.id, redis) and gone.id not in finished
    assert 195 < redis.ttl(broken.key) <= 200
    assert redis.zscore(failed.key, for_ever.id) == -1 and redis.ttl(for_ever.key) == -1
    assert failed.get_job_ids() == [for_ever.id, broken.id] and failed.count == 2
    failed.cleanup()
    assert failed.count == 2


def test_add_and_remove(redis: Redis, queue: Queue) -> None:
    job = queue.create_job(jobs.add)
    registry = queue.finished_job_registry
    assert registry.add(job, ttl=10) == 1 and job in registry and job.id in registry
    assert registry.add(job, ttl=-1) == 0 and redis.zscore(registry.key, job.id) == float('inf')
    assert registry.remove(job) == 1 and job not in registry
    with redis.pipeline() as pipeline:
        registry.add(job, 10, pipeline)
        assert job not in registry
        pipeline.execute()
    job.save()
    registry.remove(job.id, delete_job=True)
    assert not Job.exists(job.id, redis)
    queue.deferred_job_registry.add(job)
    assert job in queue.deferred_job_registry


def test_add_to_failed_saves_the_job(redis: Redis, queue: Queue) -> None:
    job = queue.create_job(jobs.add)
    FailedJobRegistry(queue=queue).add(job, ttl=50, exc_string='what happened')
    assert job.id in queue.failed_job_registry and 45 < redis.ttl(job.key) <= 50
    with pytest.warns(DeprecationWarning):
        assert Job.fetch(job.id, redis).exc_info == 'what happened'


def test_scheduled(redis: Redis, queue: Queue) -> None:
    registry = ScheduledJobRegistry(queue=queue)
    soon, late = queue.create_job(jobs.add), queue.create_job(jobs.add)
    registry.schedule(soon, datetime(2001, 1, 1, tzinfo=UTC))
    registry.schedule(late, datetime(2100, 1, 1))
    assert registry.get_jobs_to_schedule() == registry.get_jobs_to_enqueue() == [soon.id]
    assert registry.get_jobs_to_schedule(FAR, chunk_size=1) == [soon.id]
    assert registry.get_scheduled_time(soon.id) == datetime(2001, 1, 1, tzinfo=UTC)
    assert registry.get_scheduled_time(late) == datetime(2100, 1, 1).astimezone(UTC)
    with pytest.raises(NoSuchJobError):
        registry.get_scheduled_time('gone')
    assert registry.count == 2
    registry.cleanup()
    assert registry.count == 2


def test_requeue_from_any_registry(redis: Redis, queue: Queue) -> None:
    finished, failed = queue.enqueue(jobs.add), queue.enqueue(jobs.div)
    burst(redis, queue)
    canceled = queue.enqueue(jobs.add)
    canceled.cancel()
    assert queue.finished_job_registry.requeue(finished) is finished
    assert queue.failed_job_registry.requeue(failed.id, at_front=True) == failed
    assert queue.canceled_job_registry.requeue(canceled.id).is_queued
    assert queue.job_ids == [failed.id, finished.id, canceled.id]
    with pytest.raises(InvalidJobOperation):
        queue.failed_job_registry.requeue(failed)
    with pytest.raises(NoSuchJobError):
        queue.failed_job_registry.requeue('gone')


def test_no_way(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    with pytest.raises(NotImplementedError):
        queue.started_job_registry.add(job)
    with pytest.raises(NotImplementedError):
        queue.started_job_registry.remove(job)
    with pytest.raises(NotImplementedError):
        queue.canceled_job_registry.get_expired_job_ids()


def test_started(redis: Redis, queue: Queue) -> None:
    job = queue.create_job(jobs.add)
    registry = StartedJobRegistry(queue=queue)
    execution = Execution('e', job.id, redis)
    with redis.pipeline() as pipeline:
        registry.add_execution(execution, pipeline, ttl=-1)
        pipeline.execute()
    assert redis.zscore(registry.key, f'{job.id}:e') == float('inf')
    assert job in registry and job.id in registry and registry.get_job_ids() == [job.id]
    assert registry.get_job_and_execution_ids() == [(job.id, 'e')]
    assert StartedJobRegistry.parse_job_id('a:b') == 'a'
    registry.remove_execution(execution)
    assert job not in registry
    redis.zadd(registry.key, {'plain': FAR})
    with pytest.warns(DeprecationWarning):
        assert registry.get_job_and_execution_ids() == [('plain', '')]


def test_listing_started_jobs_rescues_nobody(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add, job_id='mine')
    redis.delete(queue.key)
    redis.hset(job.key, 'status', 'started')
    redis.zadd('rq:wip:default', {'mine:e': PAST})
    registry = queue.started_job_registry
    assert (registry.count, registry.get_job_ids(), registry.get_job_ids(cleanup=False)) == (0, [], ['mine'])
    assert registry.get_expired_job_ids() == ['mine'] and job.is_started
    registry.cleanup(timestamp=0)
    assert job.is_started
    registry.cleanup()
    assert job.is_failed and job.id in queue.failed_job_registry


def test_clean_registries(redis: Redis, queue: Queue) -> None:
    redis.zadd('rq:finished:default', {'old': PAST})
    redis.zadd('rq:failed:default', {'old': PAST})
    queue.enqueue_in(timedelta(seconds=-1), jobs.add)
    clean_registries(queue)
    assert redis.keys('rq:f*') == [] and len(queue.scheduled_job_registry) == 1


def test_cleanup_goes_by_the_score(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    queue.remove(job)
    worker = SimpleWorker([queue])
    execution = worker.prepare_execution(job)
    worker.prepare_job_execution(job)
    redis.zadd(queue.started_job_registry.key, {execution.composite_key: 1})  # its lease lives
    queue.started_job_registry.cleanup()
    result = job.latest_result()
    assert job.is_failed and result is not None and result.worker_name == ''
    words = 'Moved to FailedJobRegistry, due to AbandonedJobError, at '
    assert result.exc_string and result.exc_string.startswith(words)
