"""Rate limits, repeats, groups and webhooks across sides."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from redis import Redis

from tests.interop.sides import Refused, Side, due, jobs_in, overdue, runs
from tests.waiting import wait_until

SLOTS = """
    r = RateLimitRegistry('k', connection=redis)
    [r.concurrency, r.get_allowed_job_ids(), r.get_rate_limited_job_ids(), r.get_allowed_job_count(), q.job_ids,
     [x.config_key for x in RateLimitRegistry.all(redis)]]
"""
LIMITED = "q.enqueue(jobs.{}, job_id='{}', rate_limit=RateLimit('k', {}))"


def slots(producer: Side, worker: Side) -> list[object]:
    """The slots of the key `k`, as both see them."""
    seen, other = producer.run(SLOTS), worker.run(SLOTS)
    return seen[1:3] if seen == other else ['they differ', seen, other]


def test_slots(producer: Side, worker: Side, redis: Redis) -> None:
    """Two at a time, whoever enqueues and whoever works."""
    for number, job_id in enumerate('abcdef'):
        (producer, worker)[number % 2].run(LIMITED.format('gate' if job_id in 'ab' else 'add', job_id, 2))
    assert slots(producer, worker) == [['a', 'b'], ['c', 'd', 'e', 'f']]
    assert [producer.picture(i) == worker.picture(i) for i in 'abcdef'] == [True] * 6
    assert [worker.status(i) for i in 'abcdef'] == ['queued'] * 2 + ['rate_limited'] * 4
    worker.start()
    wait_until(lambda: runs(redis)['a'] == 1, 15, 'the first one runs')
    producer.start()
    wait_until(lambda: runs(redis)['b'] == 1, 15, 'the second one runs')
    assert slots(producer, worker) == [['a', 'b'], ['c', 'd', 'e', 'f']]
    redis.rpush('test:gate', 'open', 'open')
    wait_until(lambda: redis.zcard('rq:finished:q') == 6, 15, 'all of them are finished')
    wait_until(lambda: slots(producer, worker) == [[], []], 5, 'the slots are free')
    assert runs(redis) == dict.fromkeys('abcdef', 1)


@pytest.mark.parametrize('end', ['fails', 'retries', 'stops', 'dies', 'is canceled', 'is deleted', 'is requeued'])
def test_slot_of(end: str, producer: Side, worker: Side, redis: Redis) -> None:
    """Whatever becomes of the one that holds the slot at one side, the next one gets it."""
    what = {'fails': 'fail', 'is requeued': 'fails_until, 1', 'retries': 'fails_until, 1'}.get(end, 'gate')
    retry = ', retry=Retry(max=1, interval=60)' if end == 'retries' else ''
    producer.run(LIMITED.format(what, 'a', 1)[:-1] + retry + ')')
    producer.run(LIMITED.format('add', 'b', 1))
    if end in ('fails', 'is requeued', 'retries'):
        worker.burst(work={'max_jobs': 1})
        wait_until(lambda: slots(producer, worker) == [['b'], []], 5, 'the next one has the slot')
    elif end.startswith('is '):
        worker.run(f"Job.fetch('a', connection=redis).{end.split()[1].rstrip('ed') + 'e' * (end == 'is deleted')}()")
    else:
        process = worker.start()
        wait_until(lambda: runs(redis)['a'] == 1, 15, 'the job runs')
        if end == 'stops':
            producer.run("send_stop_job_command(redis, 'a')")
        else:
            process.kill()
            overdue(redis)
            producer.start(attributes={'rescue_interval': 0.3})
    if end == 'is requeued':
        producer.run("Job.fetch('a', connection=redis).requeue()")
        assert slots(producer, worker) == [['b'], ['a']]
    if end == 'retries':
        due(redis)
    worker.start(work={'with_scheduler': True})
    wait_until(lambda: producer.status('b') == 'finished', 15, 'the next one is finished')
    if end in ('is requeued', 'retries'):
        wait_until(lambda: producer.status('a') == 'finished', 15, 'the first one, too')
    wait_until(lambda: slots(producer, worker) == [[], []], 5, 'no slot is held')
    assert runs(redis)['b'] == 1


def test_promoted_by_maintenance(producer: Side, worker: Side, redis: Redis) -> None:
    """A slot whose job has vanished is given on by either side's cleaning."""
    producer.run(LIMITED.format('add', 'a', 1))
    producer.run(LIMITED.format('add', 'b', 1))
    redis.lrem('rq:queue:q', 0, 'a')
    redis.delete('rq:job:a')
    worker.run("redis.delete('rq:clean_registries:q'); clean_registries(q)")
    assert slots(producer, worker) == [['b'], []]
    worker.burst()
    assert runs(redis) == {'b': 1}
    worker.run("redis.delete('rq:clean_registries:q'); clean_registries(q)")
    assert not list(redis.scan_iter('rq:rl*'))


def test_fleet_of_slots(producer: Side, worker: Side, redis: Redis) -> None:
    """Sixty jobs of one key in three slots, workers of both: never more than three at once, each once."""
    for side, start in ((producer, 0), (worker, 30)):
        side.run(
            "for n in range(30): q.enqueue(jobs.counted, job_id=f'j{start + n}', rate_limit=RateLimit('k', 3))",
            start=start,
        )
    for side in (producer, worker, producer, worker):
        side.start()
    wait_until(lambda: redis.zcard('rq:finished:q') == 60, 30, 'all of them are finished')
    assert set(runs(redis).values()) == {1}
    assert int(redis.get('test:most')) <= 3


def test_repeat(producer: Side, worker: Side, redis: Redis) -> None:
    """Each repetition by another side than the one before."""
    producer.run("q.enqueue(jobs.add, 1, 2, job_id='a', repeat=Repeat(times=3, interval=[0, 60, 90]))")
    worker.burst(work={'max_jobs': 1})
    assert producer.picture('a') == worker.picture('a')
    assert [producer.status('a'), *worker.picture('a')['repeat']] == ['queued', 2, [60, 90]]
    for side, left in ((producer, 1), (worker, 0)):
        side.burst(work={'max_jobs': 1})
        assert [producer.status('a'), worker.picture('a')['repeat'][0]] == ['scheduled', left]
        due(redis)
        side.burst(
            work={'with_scheduler': True, 'burst': True, 'max_jobs': 1} if not left else {'with_scheduler': True}
        )
    assert producer.picture('a')['value'] == '3'
    assert runs(redis) == {'a': 4}


def test_group(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("""
        group = Group.create(connection=redis, name='g')
        group.enqueue_many(q, [Queue.prepare_data(jobs.add, (n,), job_id=f'j{n}') for n in range(3)])
    """)
    text = "[sorted(j.id for j in Group.fetch('g', redis).get_jobs()), [g.name for g in Group.all(redis)]]"
    for side in (producer, worker):
        assert side.run(text) == [['j0', 'j1', 'j2'], ['g']]
        assert side.run("Job.fetch('j1', connection=redis).group_id") == 'g'
    worker.burst()
    assert [j['status'] for j in map(producer.picture, ['j0', 'j1', 'j2'])] == ['finished'] * 3
    worker.run("Job.fetch('j0', connection=redis).delete()")
    redis.delete('rq:job:j1')
    assert producer.run(text) == worker.run(text) == [['j2'], ['g']]
    redis.delete('rq:job:j2')
    producer.run('Group.clean_registries(connection=redis)')
    with pytest.raises(Refused, match='NoSuchGroupError'):
        worker.run("Group.fetch('g', redis)")
    assert not redis.exists('rq:groups')


class Calls(BaseHTTPRequestHandler):
    """Notes who calls."""

    def do_POST(self) -> None:
        """One call."""
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0)).decode()
        self.server.calls.append((self.command, self.path, self.headers.get('X-Mine'), body))  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    do_GET = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[HTTPServer]:
    """A server on the loopback that notes its calls."""
    server = HTTPServer(('127.0.0.1', 0), Calls)
    server.calls = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_webhooks(producer: Side, worker: Side, hook: HTTPServer) -> None:
    producer.run(
        """
        hooks = [
            Webhook(url + '/done', 'finished'),
            Webhook(url + '/failed', 'failed', method='POST', headers={'X-Mine': 'yes'}, timeout=3),
        ]
        q.enqueue(jobs.add, job_id='a', webhooks=hooks)
        q.enqueue(jobs.fail, job_id='b', webhooks=hooks)
        q.enqueue(jobs.fails_until, 1, job_id='c', webhooks=hooks, retry=Retry(max=1))
        """,
        url=f'http://127.0.0.1:{hook.server_port}',
    )
    hooks = "[w.to_dict() for w in Job.fetch('a', connection=redis).webhooks]"
    assert producer.run(hooks) == worker.run(hooks)
    process = worker.start()
    calls = hook.calls  # type: ignore[attr-defined]
    wait_until(lambda: len(calls) == 3, 15, 'they were told')
    wait_until(lambda: producer.status('c') == 'finished', 15, 'all is done')
    assert process.poll() is None
    assert sorted((c[0], c[1], c[2]) for c in calls) == [
        ('GET', '/done', None), ('GET', '/done', None), ('POST', '/failed', 'yes'),
    ]  # fmt: skip
    (told,) = (c[3] for c in calls if c[0] == 'POST')
    assert '"job_id": "b"' in told
    assert 'it broke' in told
    assert jobs_in(redis := producer.redis, 'wip') == [] and redis.exists('rq:job:a')
