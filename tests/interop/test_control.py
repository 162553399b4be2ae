"""Commands, cancel, delete, suspension: said by one side, obeyed by the other."""

import signal

import pytest
from redis import Redis

from tests.interop.sides import Forked, Refused, Side, jobs_in, lines, runs
from tests.waiting import wait_until


def at_the_gate(producer: Side, worker: Side, redis: Redis, **words: str) -> Forked:
    """A worker in the middle of the job `a`."""
    producer.run(f"q.enqueue(jobs.gate, job_id='a', {', '.join(f'{k}={v}' for k, v in words.items())})")
    process = worker.start()
    wait_until(lambda: runs(redis)['a'] == 1, 15, 'the job runs')
    return process


def is_(producer: Side, job_id: str, status: str) -> None:
    """Wait until a job has a status."""
    wait_until(lambda: producer.status(job_id) == status, 15, f'{job_id} is {status}')


@pytest.mark.parametrize('how', ['job', 'execution'])
def test_stop(how: str, producer: Side, worker: Side, redis: Redis) -> None:
    process = at_the_gate(producer, worker, redis, on_stopped='Callback(jobs.on_stopped)', retry='Retry(max=3)')
    if how == 'job':
        producer.run("send_stop_job_command(redis, 'a')")
    else:
        producer.run("""
            (execution,) = Job.fetch('a', connection=redis).get_executions()
            send_stop_execution_command(redis, 'a', execution.id)
        """)
    is_(producer, 'a', 'stopped')
    seen = producer.picture('a')
    assert seen == worker.picture('a')
    assert (seen['registries'], [r[0] for r in seen['results']]) == (['failed'], ['FAILED'])
    assert lines(redis, 'told') == ['stopped a']
    assert jobs_in(redis, 'wip') == []
    producer.run("q.enqueue(jobs.add, job_id='b'); requeue_job('a', connection=redis)")
    redis.rpush('test:gate', 'open')
    is_(producer, 'b', 'finished')
    is_(producer, 'a', 'finished')
    assert runs(redis) == {'a': 2, 'b': 1}
    assert process.poll() is None


def test_stop_command_for_another_job(producer: Side, worker: Side, redis: Redis) -> None:
    """A command that does not fit is no harm."""
    at_the_gate(producer, worker, redis)
    producer.run("""
        from rq.command import send_command
        (w,) = Worker.all(connection=redis)
        send_command(redis, w.name, 'stop-job', job_id='other')
        send_command(redis, w.name, 'stop-execution', job_id='a', execution_id='other')
        send_command(redis, w.name, 'nonsense')
    """)
    with pytest.raises(Refused, match='InvalidJobOperation'):
        producer.run("q.enqueue(jobs.add, job_id='b'); send_stop_job_command(redis, 'b')")
    with pytest.raises(Refused, match='NoSuchJobError'):
        producer.run("send_stop_job_command(redis, 'missing')")
    redis.rpush('test:gate', 'open')
    is_(producer, 'a', 'finished')
    is_(producer, 'b', 'finished')
    assert runs(redis) == {'a': 1, 'b': 1}


def test_kill_horse(producer: Side, worker: Side, redis: Redis) -> None:
    process = at_the_gate(producer, worker, redis, retry='Retry(max=1)')
    name = redis.hget('rq:job:a', 'worker_name').decode()
    producer.run('send_kill_horse_command(redis, name)', name=name)
    wait_until(lambda: runs(redis)['a'] == 2, 15, 'it is tried again')
    producer.run('send_kill_horse_command(redis, name)', name=name)
    is_(producer, 'a', 'failed')
    assert producer.picture('a') == worker.picture('a')
    assert process.poll() is None


@pytest.mark.parametrize('busy', [False, True], ids=['idle', 'busy'])
def test_shutdown(busy: bool, producer: Side, worker: Side, redis: Redis) -> None:
    process = at_the_gate(producer, worker, redis) if busy else worker.start()
    producer.run('[send_shutdown_command(redis, w.name) for w in Worker.all(connection=redis)]')
    if busy:
        wait_until(lambda: redis.hget(f'rq:worker:{process.name}', 'shutdown_requested_date'), 10, 'it has heard it')
        producer.run("q.enqueue(jobs.add, job_id='b')")
        redis.rpush('test:gate', 'open')
    assert process.wait() == 0
    assert producer.run('Worker.count(connection=redis), q.job_ids') == [0, ['b'] if busy else []]
    assert runs(redis) == ({'a': 1} if busy else {})


@pytest.mark.parametrize('way', ['call', 'cli'])
def test_suspension(way: str, producer: Side, worker: Side, redis: Redis) -> None:
    """One side says it, the other finishes its job and takes no more; both know. (RQ 3.0 looks after each job.)"""
    process = at_the_gate(producer, worker, redis)
    producer.run('suspend(redis)') if way == 'call' else producer.cli('suspend')
    for side in (producer, worker):
        assert side.run('bool(is_suspended(redis))') is True
    redis.rpush('test:gate', 'open')
    wait_until(lambda: redis.hget(f'rq:worker:{process.name}', 'state') == b'suspended', 15, 'it is suspended')
    producer.run("for n in range(4): q.enqueue(jobs.add, job_id=f'j{n}')")
    assert 'RQ is currently suspended' in worker.cli('worker', '--burst', 'q', code=1)
    assert f'{process.name} ' in producer.cli('info', '--raw')
    assert runs(redis) == {'a': 1}
    producer.run('resume(redis)') if way == 'call' else producer.cli('resume')
    wait_until(lambda: redis.zcard('rq:finished:q') == 5, 15, 'it goes on')
    assert set(runs(redis).values()) == {1}
    assert process.poll() is None


def test_suspended_with_a_ttl(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("suspend(redis, ttl=100); q.enqueue(jobs.add, job_id='a')")
    assert 90 < redis.ttl('rq:suspended') <= 100
    worker.burst()
    assert runs(redis) == {}
    worker.run('resume(redis)')
    assert producer.run('bool(is_suspended(redis))') is False
    worker.burst()
    assert runs(redis) == {'a': 1}


@pytest.mark.parametrize('how', ['cancel', 'cancel_job', 'delete', 'empty', 'remove'])
def test_taken_from_the_queue(how: str, producer: Side, worker: Side, redis: Redis) -> None:
    """Enqueued by one side, taken away by the other."""
    producer.run("q.enqueue(jobs.add, job_id='a'); q.enqueue(jobs.add, job_id='b')")
    worker.run({
        'cancel': "[Job.fetch(i, connection=redis).cancel() for i in 'ab']",
        'cancel_job': "[cancel_job(i, connection=redis) for i in 'ab']",
        'delete': "[Job.fetch(i, connection=redis).delete() for i in 'ab']",
        'empty': "q.empty()",
        'remove': "for i in 'ab': q.remove(i), Job.fetch(i, connection=redis).delete(remove_from_queue=False)",
    }[how])  # fmt: skip
    assert producer.run('q.count, q.is_empty()') == [0, True]
    assert producer.run("Job.exists('a', redis)") is how.startswith('cancel')
    if how.startswith('cancel'):
        assert producer.picture('a') == worker.picture('a')
        assert producer.run('q.canceled_job_registry.get_job_ids()') == ['a', 'b']
        producer.run("q.canceled_job_registry.requeue('a')")
        assert worker.run('q.canceled_job_registry.get_job_ids()') == ['b']
        with pytest.raises(Refused, match='InvalidJobOperation'):
            producer.run("Job.fetch('b', connection=redis).cancel()")
    worker.burst()
    assert runs(redis) == ({'a': 1} if how.startswith('cancel') else {})


@pytest.mark.parametrize('how', ['cancel', 'delete'])
def test_taken_from_a_worker(how: str, producer: Side, worker: Side, redis: Redis) -> None:
    """Called off by one side while the other runs it: the function goes on, the worker lives on."""
    process = at_the_gate(producer, worker, redis)
    producer.run(f"Job.fetch('a', connection=redis).{how}(); q.enqueue(jobs.add, job_id='b')")
    redis.rpush('test:gate', 'open')
    is_(producer, 'b', 'finished')
    assert runs(redis) == {'a': 1, 'b': 1}
    assert jobs_in(redis, 'wip') == []
    assert process.poll() is None
    if how == 'cancel':
        assert producer.status('a') == ('canceled' if worker.is_ours else 'finished')  # docs/differences.md
        redis.zrem('rq:canceled:q', *(['a'] if not worker.is_ours else ['none']))  # RQ 3.0 leaves it in both
    else:
        assert not redis.exists('rq:results:a') or not worker.is_ours
        redis.delete('rq:job:a')  # RQ 3.0 writes the outcome of a deleted job


def test_warm_and_cold(producer: Side, worker: Side, redis: Redis) -> None:
    """A cold shutdown in the middle of a job: the other side takes the job over."""
    process = at_the_gate(producer, worker, redis, retry='Retry(max=1)')
    process.signal(signal.SIGTERM)
    wait_until(lambda: redis.hget(f'rq:worker:{process.name}', 'shutdown_requested_date'), 10, 'it has heard the first')
    wait_until(lambda: process.poll() is not None or process.signal(signal.SIGTERM), 20, 'it leaves at the second')
    for member in redis.zrange('rq:wip:q', 0, -1):
        redis.zadd('rq:wip:q', {member: 1})  # RQ 3.0 sees to it when its time is up
    redis.rpush('test:gate', 'open')
    producer.start(attributes={'rescue_interval': 0.3})
    is_(producer, 'a', 'finished')
    assert runs(redis) == {'a': 2}
