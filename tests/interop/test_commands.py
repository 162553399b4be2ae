"""The command line of one side, and the jobs of the other; cron schedulers; another prefix of keys."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.interop.sides import Agent, Side, runs


@pytest.mark.parametrize(
    'command', ['worker --burst q', 'worker-pool --burst --num-workers 2 q'], ids=['worker', 'pool']
)
def test_work(command: str, producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("for n in range(4): q.enqueue(jobs.fail if n == 3 else jobs.add, job_id=f'j{n}')")
    worker.cli(*command.split())
    assert producer.run('q.count, len(q.finished_job_registry), len(q.failed_job_registry)') == [0, 3, 1]
    assert set(runs(redis).values()) == {1}


def test_enqueue(producer: Side, worker: Side, redis: Redis) -> None:
    """Each form of an argument, dependencies, retries, a time."""
    q = ('--queue', 'q')
    said = producer.cli('enqueue', *q, '--job-id', 'a', 'jobs.words', 'one', ':{"two": 2}', '%(3,)', 'k=v', 'n:=5')
    assert "with job-id 'a'" in said
    producer.cli(
        'enqueue', *q, '--job-id', 'b', '--depends-on', 'a', '--retry-max', '2', '--timeout', '2m', 'jobs.fail'
    )
    producer.cli('enqueue', *q, '--job-id', 'c', '--at-front', '--quiet', 'jobs.add')
    producer.cli('enqueue', *q, '--job-id', 'd', '--schedule-in', '2d', 'jobs.add')
    for job_id in 'abcd':
        assert producer.picture(job_id) == worker.picture(job_id)
    assert worker.run('q.job_ids') == ['c', 'a']
    worker.burst()
    value = "[['one', {'two': 2}, (3,)], {'k': 'v', 'n': 5}]"
    assert [producer.picture(i)['value'] for i in 'abcd'] == [value, 'None', '2', 'None']
    assert [worker.status(i) for i in 'abcd'] == ['finished', 'failed', 'finished', 'scheduled']
    assert runs(redis) == {'a': 1, 'b': 3, 'c': 1}


def test_empty(producer: Side, worker: Side) -> None:
    producer.run("for n in range(3): q.enqueue(jobs.add, job_id=f'j{n}')")
    assert '3 jobs removed from q queue' in worker.cli('empty', 'q')
    assert producer.run("q.count, Job.exists('j0', redis)") == [0, False]


def test_cron(producer: Side, worker: Side, redis: Redis) -> None:
    """A cron scheduler of one side, seen by the other, which runs its jobs."""
    producer.run("""
        s = CronScheduler(connection=redis, name='s')
        s.register(jobs.add, 'q', args=(1, 2), interval=3600, meta={'k': 1}, job_timeout=9, name='adds')
        s.register(jobs.nothing, 'q', cron='0 0 1 1 *')
        s.register_birth()
        s.enqueue_jobs()
        s.save()
        s.heartbeat()
    """)
    seen = """
        (s,) = CronScheduler.all(redis)
        dicts = [job.to_dict() for job in s.get_jobs()]
        ids = get_cron_job_ids('adds', redis)
        [s.name, s.pid, s.hostname, str(s.created_at), str(s.last_heartbeat), dicts, len(ids)]
    """
    assert producer.run(seen) == worker.run(seen)
    assert worker.run("CronScheduler.fetch('s', redis).name, get_cron_job_ids('jobs.nothing', redis)") == ['s', []]
    worker.burst()
    (job_id,) = producer.run("get_cron_job_ids('adds', redis)")
    assert producer.picture(job_id) == worker.picture(job_id)
    assert worker.picture(job_id)['value'] == '3'
    assert runs(redis) == {job_id: 1}


@pytest.fixture
def prefixed() -> Iterator[dict[str, Agent]]:
    """Both sides with another prefix of their keys."""
    agents = {side: Agent(side, RQ_KEY_PREFIX='{mine}') for side in ('ours', 'rq3')}
    yield agents
    for agent in agents.values():
        agent.close()


def test_prefix(prefixed: dict[str, Agent], socket: Path, redis: Redis, tmp_path: Path) -> None:
    ours, rq3 = (Side(agent, f'unix://{socket}', redis, tmp_path) for agent in prefixed.values())
    try:
        for producer, worker in ((ours, rq3), (rq3, ours)):
            producer.run("q.enqueue(jobs.add, 1, 2, job_id='a' + me, retry=Retry(max=1))", me=producer.name)
            producer.run("q.enqueue(jobs.add, job_id='b' + me, depends_on='a' + me)", me=producer.name)
            worker.burst()
            assert producer.picture(f'b{producer.name}') == worker.picture(f'b{producer.name}')
            assert producer.run('len(q.finished_job_registry)') == (2 if producer is ours else 4)
    finally:
        ours.close(), rq3.close()
    assert {key for key in redis.scan_iter() if not key.startswith((b'{mine}:', b'test:'))} == set()
    assert set(runs(redis).values()) == {1}
