"""Workers of era A at work: the stack of connections, the order of effects (spec/legacy.md, sections 2, 4 and 7)."""

import logging

import pytest

from rq import Connection, Queue, Retry, SimpleWorker, SpawnWorker, Worker, get_failed_queue
from rq.job import Job
from tests import jobs as plain
from tests.invariants import check
from tests.launch import cold, told
from tests.legacy import jobs
from tests.waiting import wait_until


class PlainWorker(Worker):
    """Overrides a part, so that each job is forked after its claim and settles over its own connection."""

    def fork_work_horse(self, job, queue):
        super().fork_work_horse(job, queue)


both = pytest.mark.parametrize('worker_class', [Worker, SimpleWorker])
every = pytest.mark.parametrize('worker_class', [Worker, SimpleWorker, SpawnWorker, PlainWorker])


@pytest.fixture
def old(redis):
    """A queue of era A."""
    with Connection(redis):
        return Queue('old')


def work(worker_class, queue, **words):
    worker = worker_class([queue], **words)
    worker.work(burst=True)
    return worker


# --- the stack, while a job runs ------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize('era', ['A', '3.0'])
def test_jobs_find_the_connection_of_their_worker(redis, worker_class, era):
    queue = Queue('x', redis)
    first = queue.enqueue(jobs.enqueue_another)
    second = queue.enqueue(jobs.fetch, first.id)
    words = {'exc_handler': jobs.a} if era == 'A' else {}
    worker = worker_class([queue], connection=redis, **words)
    worker.work(burst=True)
    assert Queue('other', redis).job_ids == [first.return_value()]
    assert second.return_value() == 'x'
    with pytest.raises(TypeError):
        Queue('x')


def test_a_job_leaves_nothing_on_the_stack(redis):
    from redis import Redis

    from rq.connections import get_current_connection

    outer = Redis(port=1)
    with Connection(outer):
        queue = Queue('x', redis)
        job = queue.enqueue('rq.connections.push_connection', 'left behind')
        work(SimpleWorker, queue, connection=redis)
        assert job.is_finished
        assert get_current_connection() is outer


# --- the order of effects -------------------------------------------------------------------------------------------


@every
def test_the_failure_is_written_before_the_handlers_and_stored_by_the_last(redis, old, worker_class):
    old.enqueue(jobs.fail_and_say, on_failure=None)
    job = old.jobs[0]
    worker = work(worker_class, old, exc_handler=jobs.my_handler)
    assert told(redis) == ['job', 'my_handler failed ValueError']
    assert get_failed_queue(redis).job_ids == [job.id]
    result = job.latest_result()
    assert 'ValueError: it broke' in result.exc_string
    assert (result.worker_name, job.get_status()) == (worker.name, 'failed')
    assert result.execution_id and result.execution_started_at <= result.execution_ended_at
    assert 0 < redis.ttl(job.key) <= 365 * 24 * 3600
    assert check(redis) == []


@both
def test_counters_and_execution_are_settled_before_the_handlers(redis, old, worker_class, monkeypatch):
    old.enqueue(plain.fail)
    seen = worker_class([old], name='w', exc_handler=look)
    seen.work(burst=True)
    assert told(redis) == ['wip 0', 'count 1', 'executions 0']


def look(job, *exc_info):
    jobs.say(f'wip {job.connection.zcard("rq:wip:old")}')
    jobs.say(f'count {job.connection.hget("rq:worker:w", "failed_job_count").decode()}')
    jobs.say(f'executions {len(job.get_executions())}')


@both
def test_the_callback_comes_first(redis, worker_class):
    from rq import Callback

    queue = Queue(connection=redis)
    queue.enqueue(plain.fail, on_failure=Callback(jobs.on_failure))
    work(worker_class, queue, exc_handler=jobs.my_handler)
    assert told(redis) == ['callback started', 'my_handler failed ValueError']


@both
@pytest.mark.parametrize('handler, stored', [('truthy', 1), ('a', 1), ('breaks', 1), ('black_hole', 0)])
def test_what_answers_mean(redis, old, worker_class, handler, stored):
    job = old.enqueue(plain.fail)
    work(worker_class, old, exc_handler=getattr(jobs, handler))
    assert get_failed_queue(redis).count == stored
    assert job.is_failed
    assert check(redis, unstored=[] if stored else [job.id]) == []


@both
def test_a_popped_default_stores_nothing(redis, old, worker_class):
    job = old.enqueue(plain.fail)
    worker = worker_class([old])
    worker.pop_exc_handler()
    worker.work(burst=True)
    assert (job.get_status(), get_failed_queue(redis).count) == ('failed', 0)
    assert check(redis, unstored=[job.id]) == []


@both
@pytest.mark.parametrize('handler', ['requeues', 'moves_on'])
def test_a_handler_that_queues_the_job_again_is_final(redis, old, worker_class, handler):
    job = old.enqueue(plain.fail)
    worker = worker_class([old], exc_handler=getattr(jobs, handler))
    worker.work(burst=True, max_jobs=1)
    assert (job.get_status(), old.job_ids, get_failed_queue(redis).count) == ('queued', [job.id], 0)
    assert check(redis) == []


@both
def test_a_handler_that_sets_another_status_is_final(redis, old, worker_class):
    job = old.enqueue(plain.fail)
    work(worker_class, old, exc_handler=jobs.sets_status)
    assert job.get_status() == 'finished'
    assert get_failed_queue(redis).count == 0


@both
def test_retries_keep_their_place(redis, old, worker_class):
    job = old.enqueue(plain.fail, retry=Retry(max=2))
    worker = worker_class([old], exc_handler=jobs.my_handler)
    worker.work(burst=True, max_jobs=1)
    assert (job.get_status(), get_failed_queue(redis).count) == ('queued', 0)
    assert told(redis) == ['my_handler started ValueError']
    assert check(redis) == []
    worker.work(burst=True)
    assert get_failed_queue(redis).job_ids == [job.id]
    assert told(redis)[1:] == ['my_handler started ValueError', 'my_handler failed ValueError']
    assert check(redis) == []


@both
@pytest.mark.parametrize('function', ['no.such.module', 'tests.jobs.nonsense'])
def test_what_cannot_be_imported_is_a_failure_of_era_a(redis, old, worker_class, function):
    job = old.enqueue(function)
    work(worker_class, old, exc_handler=jobs.black_hole)
    assert (job.get_status(), get_failed_queue(redis).count) == ('failed', 0)


def test_a_horse_that_died_goes_the_way_of_3_0(redis, old):
    job = old.enqueue(plain.leaves, 3)
    work(Worker, old, exc_handler=jobs.black_hole)
    assert told(redis) == ['black_hole']
    assert get_failed_queue(redis).job_ids == [job.id]
    assert Job.fetch(job.id, redis) in old.failed_job_registry
    assert check(redis) == []


def test_a_handler_that_takes_its_process_along(redis, old):
    job = old.enqueue(plain.fail)
    other = old.enqueue(plain.add)
    work(Worker, old, exc_handler=jobs.dies)
    assert told(redis) == ['dies']
    assert (get_failed_queue(redis).job_ids, other.get_status()) == ([job.id], 'finished')
    assert 'ValueError: it broke' in job.latest_result().exc_string
    assert check(redis) == []


@pytest.mark.parametrize('cls', ['Worker', 'SimpleWorker'])
def test_handlers_cut_off_by_a_cold_shutdown(redis, queue, launch, cls):
    """The failure was written and not stored yet: it must not vanish from the registry."""
    job = queue.enqueue(plain.fail)
    worker = launch(
        'default', cls=cls, exception_handlers=['tests.legacy.jobs.lasts', 'rq.handlers.move_to_failed_queue']
    )
    wait_until(lambda: told(redis), 15, 'the handler runs')
    cold(worker)
    worker.wait()
    assert queue.failed_job_registry.get_job_ids() == [job.id]
    assert redis.ttl(job.key) > 0 and check(redis) == []


@every
def test_slow_handlers_are_not_taken_for_lost(redis, old, worker_class, monkeypatch):
    """Whoever renews meanwhile must not look for the execution, which is written already."""
    monkeypatch.setattr(worker_class, 'renew_interval', 0.1)
    monkeypatch.setattr(worker_class, 'rescue_interval', 0.1)
    job = old.enqueue(plain.fail)
    work(worker_class, old, exc_handler=jobs.slow)
    assert told(redis) == ['slow']
    assert (get_failed_queue(redis).job_ids, job.get_status()) == ([job.id], 'failed')
    assert check(redis) == []


@every
def test_nobody_hears_of_what_is_no_longer_ours(redis, old, worker_class):
    job = old.enqueue(jobs.cancels_itself)
    work(worker_class, old, exc_handler=jobs.my_handler)
    assert (told(redis), job.get_status(), get_failed_queue(redis).count) == ([], 'canceled', 0)
    assert check(redis) == []


@both
def test_one_job_after_the_other(redis, old, worker_class):
    failing = [old.enqueue(plain.fail).id for _ in range(3)]
    fine = [old.enqueue(plain.add) for _ in range(3)]
    worker = work(worker_class, old, exc_handler=jobs.a)
    assert get_failed_queue(redis).job_ids == failing
    assert [job.get_status() for job in fine] == ['finished'] * 3
    assert told(redis) == ['a'] * 3
    assert worker.work(burst=True) is False
    assert check(redis) == []


def test_a_job_performed_by_a_direct_call(redis, old):
    job = old.enqueue(plain.fail)
    worker = SimpleWorker([old], exc_handler=jobs.my_handler)
    worker.register_birth()
    job = old.dequeue()
    execution = worker.prepare_execution(job)
    worker.prepare_job_execution(job)
    assert worker.perform_job(job, old, execution) is False
    assert told(redis) == ['my_handler failed ValueError']
    assert get_failed_queue(redis).job_ids == [job.id]
    worker.register_death()


def test_the_error_log_comes_before_the_handlers(redis, old, caplog):
    old.enqueue(plain.fail)
    caplog.set_level(logging.INFO, 'rq.worker')
    worker = SimpleWorker([old], exc_handler=lambda job, *exc_info: worker.log.info('the handler'))
    worker.work(burst=True)
    said = [record.getMessage() for record in caplog.records]
    error = next(number for number, line in enumerate(said) if 'exception raised while executing' in line)
    assert said.index('the handler') > error
    assert any('to the failed queue' in line for line in said[said.index('the handler') :])


def test_disable_default_exception_handler(redis, old):
    job = old.enqueue(plain.fail)
    work(SimpleWorker, old, disable_default_exception_handler=True)
    assert (job.get_status(), get_failed_queue(redis).count) == ('failed', 0)


# --- where RQ 3.0 wins (section 7) ----------------------------------------------------------------------------------


def test_on_a_worker_with_an_explicit_connection_3_0_wins(redis):
    queue = Queue(connection=redis)
    job = queue.enqueue(plain.fail)
    worker = SimpleWorker([queue], connection=redis)
    worker.push_exc_handler(jobs.a)
    worker.push_exc_handler(jobs.black_hole)
    worker.push_exc_handler(jobs.b)
    worker.work(burst=True)
    assert told(redis) == ['a', 'black_hole']
    assert queue.failed_job_registry.get_job_ids() == get_failed_queue(redis).job_ids == [job.id]


def test_sentry_of_old(redis, old):
    from rq.contrib.sentry import register_sentry

    sent = []

    class Client:
        def captureException(self, **words):  # noqa: N802 - Sentry's name
            sent.append(words)

    job = old.enqueue(plain.fail, 'text')
    worker = SimpleWorker([old])
    register_sentry(Client(), worker)
    worker.work(burst=True)
    ((words),) = sent
    assert words['exc_info'][0] is ValueError
    assert words['extra'] == {
        'job_id': job.id,
        'func': 'tests.jobs.fail',
        'args': ('text',),
        'kwargs': {},
        'description': job.description,
    }
    assert get_failed_queue(redis).count == 1


def test_the_command_line_knows_the_default_handler(redis, redis_url):
    from click.testing import CliRunner

    from rq.cli import main

    job = Queue(connection=redis).enqueue(plain.fail)
    words = [
        '--exception-handler',
        'tests.legacy.jobs.black_hole',
        '--exception-handler',
        'rq.handlers.move_to_failed_queue',
    ]
    done = CliRunner().invoke(main, ['worker', '--burst', '--url', redis_url, *words], catch_exceptions=False)
    assert done.exit_code == 0
    assert (job.get_status(), get_failed_queue(redis).count) == ('failed', 0)
