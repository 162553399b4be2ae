"""What each side reads of the other: workers, executions, registries, results, `rq info`."""

import re

from redis import Redis

from tests.interop.sides import Side, runs
from tests.waiting import wait_until

WORKERS = """
    [
        [
            w.name, w.hostname, w.pid, w.queue_names(), w.get_state(), str(w.birth_date), w.ip_address,
            w.successful_job_count, w.failed_job_count, w.total_working_time > 0, w.get_current_job_id(),
            w.get_current_job() and w.get_current_job().id, [e.job_id for e in w.get_current_executions()],
            w.death_date, w.current_execution_count, w.python_version, w.shutdown_requested_date,
        ]
        for w in sorted(Worker.all(connection=redis), key=lambda w: w.name)
    ]
"""


def state_of_all_kinds(producer: Side, worker: Side, redis: Redis) -> str:
    """Jobs in many places, a busy worker of one side and an idle one of each; the name of the busy one."""
    producer.run("""
        q.enqueue(jobs.add, 1, 2, job_id='finished')
        q.enqueue(jobs.fail, job_id='failed')
        q.enqueue(jobs.fail, job_id='retried', retry=Retry(max=1, interval=99))
        q.enqueue_in(timedelta(60), jobs.add, job_id='scheduled')
        Queue('other', connection=redis).enqueue(jobs.add, job_id='waiting')
        q.enqueue(jobs.gate, job_id='running')
    """)
    busy = worker.start('q', 'more')
    wait_until(lambda: runs(redis)['running'] == 1, 15, 'the job runs')
    producer.start('idle')
    worker.start('idle', 'more')
    producer.run("""
        q.enqueue(jobs.add, job_id='canceled').cancel()
        q.enqueue(jobs.add, job_id='queued')
    """)
    for key in redis.smembers('rq:workers'):
        wait_until(lambda key=key: redis.hget(key, 'state') in (b'idle', b'busy'), 10, f'{key} has begun')
    return busy.name


def test_workers(producer: Side, worker: Side, redis: Redis) -> None:
    name = state_of_all_kinds(producer, worker, redis)
    seen = producer.run(WORKERS)
    assert worker.run(WORKERS) == seen
    assert len(seen) == 3
    (one,) = (row for row in seen if row[0] == name)
    assert one[3:5] == [['q', 'more'], 'busy']
    assert one[7:13] == [1, 2, True, 'running', 'running', ['running']]
    counts = """
        [Worker.count(connection=redis), Worker.count(queue=q), Worker.count(queue=Queue('idle', connection=redis)),
         [w.name for w in Worker.all(queue=q)], Worker.find_by_key('rq:worker:' + name, connection=redis).name]
    """
    assert producer.run(counts, name=name) == worker.run(counts, name=name) == [3, 1, 2, [name], name]
    redis.rpush('test:gate', 'open')


def test_executions(producer: Side, worker: Side, redis: Redis) -> None:
    state_of_all_kinds(producer, worker, redis)
    text = """
        job = Job.fetch('running', connection=redis)
        (execution,) = job.get_executions()
        fetched = Execution.fetch(execution.id, 'running', connection=redis)
        ids = StartedJobRegistry('q', connection=redis).get_job_and_execution_ids()
        [
            ids == [('running', execution.id)], 'running' in q.started_job_registry,
            fetched.worker_name == job.worker_name, str(fetched.created_at)[:16], fetched.job.id,
            execution.composite_key, job.is_started, len(job.execution_registry),
        ]
    """
    seen = producer.run(text)
    assert worker.run(text) == seen
    assert seen[:3] == [True, True, True]
    redis.rpush('test:gate', 'open')


def test_registries(producer: Side, worker: Side, redis: Redis) -> None:
    state_of_all_kinds(producer, worker, redis)
    text = """
        {
            name: [r.count, len(r), r.get_job_ids(), r.get_job_ids(0, 0), r.get_job_ids(desc=True), r.get_job_count()]
            for name in ('started', 'finished', 'failed', 'deferred', 'scheduled', 'canceled', 'ready')
            for r in [getattr(q, f'{name}_job_registry')]
        }, sorted(queue.name for queue in Queue.all(redis)), q.job_ids, q.jobs, q.count, q.get_jobs(0, 1)
    """
    seen = producer.run(text)
    assert worker.run(text) == seen
    assert seen[0]['scheduled'][2] == ['scheduled', 'retried'] or seen[0]['scheduled'][2] == ['retried', 'scheduled']
    assert {name: row[0] for name, row in seen[0].items()} == {
        'started': 1, 'finished': 1, 'failed': 1, 'deferred': 0, 'scheduled': 2, 'canceled': 1, 'ready': 0,
    }  # fmt: skip
    for job_id in ('finished', 'failed', 'retried', 'scheduled', 'waiting', 'running', 'canceled', 'queued'):
        assert producer.picture(job_id) == worker.picture(job_id)
    redis.rpush('test:gate', 'open')


INFO = ['', '--raw', '-R', '--raw -W q other', '--raw -Q']


def test_info(producer: Side, worker: Side, redis: Redis) -> None:
    """The same words from either command."""
    name = state_of_all_kinds(producer, worker, redis)

    def info(side: Side, options: str) -> list[str]:
        said = re.sub(r'Updated: .*', 'Updated', side.cli('info', *options.split()))
        return sorted(line.rstrip() for line in said.splitlines())

    for options in INFO:
        said = info(producer, options)
        assert info(worker, options) == said, options
        assert any(name in line for line in said) == ('-Q' not in options)
    redis.rpush('test:gate', 'open')


def test_waiting_for_a_result(producer: Side, worker: Side, redis: Redis) -> None:
    """One side blocks for the result that the other makes."""
    producer.run("q.enqueue(jobs.gate, job_id='a')")
    worker.start()
    wait_until(lambda: runs(redis)['a'] == 1, 15, 'the job runs')
    redis.rpush('test:gate', 'open')
    text = "r = Job.fetch('a', connection=redis).latest_result(timeout=10); r.type.name, r.return_value, r.worker_name"
    seen = producer.run(text)
    assert seen[:2] == ['SUCCESSFUL', 'passed']
    assert worker.run(text) == seen
    results = """
        r = Job.fetch('a', connection=redis).latest_result()
        r.id, str(r.created_at), r.execution_id, str(r.execution_started_at), str(r.execution_ended_at), r.job_id
    """
    assert producer.run(results) == worker.run(results)
