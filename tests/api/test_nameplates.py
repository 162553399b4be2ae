"""Modules of RQ's whose work is done in other rooms: what they answer, on a real server."""

import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from rq import Queue, SimpleWorker, scripts, worker_registration
from rq.dependency import Dependency
from rq.exceptions import DuplicateJobError
from rq.job_lifecycle import call_exception_handlers, format_exc_info, record_job_failure
from rq.local import Local, LocalManager, LocalProxy, LocalStack, release_local
from rq.maintenance import clean_intermediate_queue
from rq.registry import FailedJobRegistry
from tests import jobs
from tests.invariants import check

# --- rq.job_lifecycle ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('answers', 'called'),
    [([None, None], 2), ([True, None], 2), ([False, None], 1), ([0, None], 1), (['', None], 1), ([1, False, None], 2)],
)
def test_handlers_are_called_up_to_a_falsy_answer(answers: list[Any], called: int) -> None:
    seen: list[Any] = []

    def handler(answer: Any) -> Any:
        return lambda job, *exc_info: seen.append((job, *exc_info)) or answer

    error = ValueError('x')
    call_exception_handlers([handler(answer) for answer in answers], 'job', ValueError, error, None)  # type: ignore[arg-type]
    assert seen == [('job', ValueError, error, None)] * called


def test_what_a_handler_raises_is_raised() -> None:
    def raising(*_: Any) -> None:
        raise KeyError('handler')

    with pytest.raises(KeyError):
        call_exception_handlers([raising], None, ValueError, ValueError(), None)


def test_format_exc_info() -> None:
    try:
        jobs.div()
    except ZeroDivisionError:
        text = format_exc_info(sys.exc_info())
    assert text.startswith('Traceback (most recent') and text.endswith('ZeroDivisionError: division by zero\n')
    assert format_exc_info((None, None, None)) == 'NoneType: None\n'


def test_record_job_failure(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add, failure_ttl=100)
    pipeline = redis.pipeline()
    record_job_failure(job, 'what happened', pipeline)
    assert redis.hget(job.key, 'status') == b'queued', 'nothing before the pipeline is executed'
    pipeline.execute()
    result: Any = job.latest_result()
    assert job.is_failed and (result.type, result.exc_string) == (result.Type.FAILED, 'what happened')
    assert FailedJobRegistry(queue=queue).get_job_ids() == [job.id]
    assert 90 < redis.ttl(job.key) <= 100  # type: ignore[operator]
    assert queue.job_ids == []
    check(redis)


# --- rq.scripts ------------------------------------------------------------------------------------------------


def test_locks_have_owners(redis: Redis) -> None:
    assert scripts.acquire_or_refresh_lock(redis, 'lock', 'a', 10) == 'acquired'
    assert scripts.acquire_or_refresh_lock(redis, 'lock', 'a', 60) == 'refreshed'
    assert scripts.acquire_or_refresh_lock(redis, 'lock', 'b', 10) == 'taken'
    assert redis.get('lock') == b'a' and redis.ttl('lock') > 10  # type: ignore[operator]
    assert scripts.release_lock(redis, 'lock', 'b') is False
    assert scripts.release_lock(redis, 'lock', 'a') is True
    assert scripts.release_lock(redis, 'lock', 'a') is False


def test_scripts_are_registered_once_per_connection(redis: Redis) -> None:
    first = scripts.get_unique_enqueue_script(redis)
    assert first is scripts.get_unique_enqueue_script(redis)
    assert first is not scripts.get_unique_schedule_script(redis)
    assert scripts.get_unique_enqueue_script(Redis()) is not first


def test_save_unique_job(redis: Redis, queue: Queue) -> None:
    job = queue.create_job(jobs.add, job_id='one', ttl=50)
    assert scripts.save_unique_job(redis, queue.key, job)
    assert job.is_queued and queue.job_ids == ['one'] and 0 < redis.ttl(job.key) <= 50  # type: ignore[operator]
    with pytest.raises(DuplicateJobError):
        scripts.save_unique_job(redis, queue.key, queue.create_job(jobs.add, job_id='one'))
    assert queue.job_ids == ['one']
    assert scripts.save_unique_job(redis, queue.key, queue.create_job(jobs.add, job_id='front'), at_front=True)
    assert queue.job_ids == ['front', 'one']
    check(redis)


def test_save_unique_job_without_enqueueing(redis: Redis, queue: Queue) -> None:
    job = queue.create_job(jobs.add, (3, 4), job_id='one', ttl=50)
    assert scripts.save_unique_job(redis, queue.key, job, enqueue=False)
    assert queue.job_ids == [] and 0 < redis.ttl(job.key) <= 50  # type: ignore[operator]
    assert queue.fetch_job('one').args == (3, 4)  # type: ignore[union-attr]
    with pytest.raises(DuplicateJobError):
        scripts.save_unique_job(redis, queue.key, job, enqueue=False)


def test_schedule_unique_job(redis: Redis, queue: Queue) -> None:
    job = queue.create_job(jobs.add, job_id='one')
    due = datetime(2040, 1, 1, tzinfo=UTC)
    registry = queue.scheduled_job_registry
    assert scripts.schedule_unique_job(redis, queue.key, registry.key, job, due)
    assert job.is_scheduled and registry.get_scheduled_time(job) == due
    with pytest.raises(DuplicateJobError):
        scripts.schedule_unique_job(redis, queue.key, registry.key, job, due)
    check(redis)


# --- rq.dependency, rq.maintenance -----------------------------------------------------------------------------


def test_met_and_unmet(redis: Redis, queue: Queue) -> None:
    waits_for, done = queue.enqueue(jobs.add), queue.enqueue(jobs.add)
    done.set_status('finished')
    unmet = queue.create_job(jobs.add, depends_on=[waits_for])
    met = queue.create_job(jobs.add, depends_on=[done])
    pipeline = redis.pipeline()
    for job in (unmet, met):
        job.save(pipeline=pipeline)
    assert Dependency.get_jobs_with_met_dependencies([unmet, met], pipeline) == ([met], [unmet])
    assert waits_for.dependent_ids == [unmet.id] and not len(pipeline)


def test_clean_intermediate_queue_is_deprecated(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    parked = queue.intermediate_queue
    redis.lmove(queue.key, parked.key)
    redis.set(parked.get_first_seen_key(job.id), time.time() - 90)
    with pytest.deprecated_call():
        clean_intermediate_queue(SimpleWorker([queue], connection=redis), queue)
    assert parked.get_job_ids() == []


# --- rq.worker_registration ------------------------------------------------------------------------------------


def test_worker_registration(redis: Redis, queue: Queue) -> None:
    worker = SimpleWorker([queue, 'other'], name='ann', connection=redis)
    pipeline = redis.pipeline()
    worker_registration.register(worker, pipeline=pipeline)
    assert worker_registration.get_keys(connection=redis) == set()
    pipeline.execute()
    assert worker_registration.get_keys(connection=redis) == worker_registration.get_keys(queue=queue) == {worker.key}
    assert redis.smembers(worker_registration.WORKERS_BY_QUEUE_KEY % 'other') == {worker.key.encode()}
    worker_registration.clean_worker_registry(queue)
    assert worker_registration.get_keys(connection=redis) == set(), 'it has no hash'
    worker_registration.register(worker)
    worker_registration.unregister(worker)
    assert redis.keys(f'{worker_registration.REDIS_WORKER_KEYS}*') == []
    with pytest.raises(ValueError):
        worker_registration.get_keys()


# --- rq.local --------------------------------------------------------------------------------------------------


def elsewhere(call: Any) -> Any:
    """The value of a call in another thread."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]


def test_a_local_has_its_own_values_in_each_thread() -> None:
    local = Local()
    local.user = 'ann'
    assert local.user == 'ann' and dict(local) == {'user': 'ann'}
    assert elsewhere(lambda: list(local)) == []
    with pytest.raises(AttributeError):
        local.nobody
    del local.user
    with pytest.raises(AttributeError):
        del local.user
    local.a = 1
    release_local(local)
    assert list(local) == []


def test_a_stack_is_another_in_each_thread() -> None:
    stack = LocalStack()
    assert (stack.top, stack.pop(), len(stack)) == (None, None, 0)
    assert stack.push(1) == [1] and stack.push(2) == [1, 2]
    assert elsewhere(lambda: stack.top) is None
    proxy = stack()
    assert (stack.pop(), proxy, stack.top) == (2, 1, 1)
    release_local(stack)
    assert repr(proxy) == '<LocalProxy unbound>' and not proxy and dir(proxy) == []
    with pytest.raises(RuntimeError):
        proxy + 1


def test_a_proxy_stands_for_what_is_there() -> None:
    local = Local()
    local.number, local.items, local.bag = 5, [1, 2], jobs.Bag(1)
    number, items, bag = local('number'), local('items'), LocalProxy(lambda: local.bag)
    assert (number + 1, 1 + number, 7 - number, -number, number == 5, number > 4, int(number)) == (
        6, 6, 2, -5, True, True, 5,
    )  # fmt: skip
    assert divmod(11, number) == (2, 1) and hash(number) == hash(5) and f'{number:03}' == '005'
    items[0] = 9
    assert (items[0], len(items), list(items), 2 in items, items + [3]) == (9, 2, [9, 2], True, [9, 2, 3])
    bag.extra = 1
    assert local.bag.extra == 1 and bag.__dict__ == local.bag.__dict__ and 'extra' in dir(bag)
    del bag.extra
    assert not hasattr(local.bag, 'extra') and number._get_current_object() == 5


def test_a_manager_releases_all_of_them() -> None:
    local, stack = Local(), LocalStack()
    manager = LocalManager([local, stack], ident_func=lambda: 7)
    assert manager.get_ident() == 7 and LocalManager(local).locals == [local] and LocalManager().locals == []

    @manager.middleware
    def app(environ: Any, start_response: Any) -> list[str]:
        local.a, _ = 1, stack.push(1)
        return ['x', 'y']

    seen = [(part, list(local)) for part in app({}, None)]
    assert seen == [('x', [('a', 1)]), ('y', [('a', 1)])] and list(local) == [] and len(stack) == 0
