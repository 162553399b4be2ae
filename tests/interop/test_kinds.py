"""Jobs of every kind, enqueued by one side and run by the other: calls, words of enqueue, values, callbacks."""

import pytest
from redis import Redis

from tests.interop.sides import Refused, Side, lines, runs

#: name, and id -> (program text that enqueues it, repr of its value)
KINDS = {
    'function': ('q.enqueue(jobs.add, 1, y=2, job_id=job_id)', '3'),
    'named': ("q.enqueue('jobs.add', 1, y=2, job_id=job_id)", '3'),
    'builtin': ('q.enqueue(len, [1, 2, 3], job_id=job_id)', '3'),
    'method': ('q.enqueue(jobs.Bag(3).add, 4, job_id=job_id)', '7'),
    'callable-object': ('q.enqueue(jobs.Bag(3), 4, job_id=job_id)', '12'),
    'class-method': ('q.enqueue(jobs.Bag.made, 4, job_id=job_id)', '4'),
    'static-method': ('q.enqueue(jobs.Bag.plain, 4, job_id=job_id)', '4'),
    'coroutine': ('q.enqueue(jobs.coroutine, 4, job_id=job_id)', "[4, 'coroutine']"),
    'args-and-kwargs': (
        "q.enqueue(jobs.words, args=(1, b'2'), kwargs={'timeout': 3}, job_id=job_id)",
        "[[1, b'2'], {'timeout': 3}]",
    ),
    'enqueue_call': ("q.enqueue_call('jobs.add', args=(1, 2), timeout=30, job_id=job_id)", '3'),
    'created-apart': ('q.enqueue_job(Job.create(jobs.add, (1, 2), connection=redis, id=job_id, timeout=30))', '3'),
    'enqueue_many': ("q.enqueue_many([Queue.prepare_data(jobs.add, (1, 2), job_id=job_id, meta={'k': 1})])", '3'),
    'pipelined': ('p = redis.pipeline(); q.enqueue(jobs.add, 1, 2, job_id=job_id, pipeline=p); p.execute()', '3'),
    'unique': ('q.enqueue(jobs.add, 1, 2, job_id=job_id, unique=True)', '3'),
    'decorated': (
        "from rq.decorators import job\njob('q', connection=redis, timeout=9)(jobs.add).delay(1, 2, job_id=job_id)",
        '3',
    ),
    'no-value': ('q.enqueue(jobs.nothing, job_id=job_id)', 'None'),
    'big-value': ('q.enqueue(jobs.big, 300_000, job_id=job_id)', repr(b'\xff' * 300_000)),
    'about-itself': (
        "q.enqueue(jobs.about_itself, job_id=job_id, job_timeout='2m')",
        "['about-itself', 'q', 'started', 120, 'about-itself']",
    ),
}


def test_kinds(producer: Side, worker: Side, redis: Redis) -> None:
    for job_id, (text, _) in KINDS.items():
        producer.run(text, job_id=job_id)
    waiting = {job_id: producer.picture(job_id) for job_id in KINDS}
    assert {job_id: worker.picture(job_id) for job_id in KINDS} == waiting
    assert producer.run('q.job_ids') == worker.run('q.job_ids') == list(KINDS)
    worker.burst()
    seen = {job_id: producer.picture(job_id) for job_id in KINDS}
    assert {job_id: one['value'] for job_id, one in seen.items()} == {
        job_id: value for job_id, (_, value) in KINDS.items()
    }
    assert {(one['status'], one['results'][0][0], len(one['results'])) for one in seen.values()} == {
        ('finished', 'SUCCESSFUL', 1)
    }
    assert {job_id: worker.picture(job_id) for job_id in KINDS} == seen
    assert runs(redis) == {job_id: 1 for job_id in KINDS if job_id != 'builtin'}


def test_words_of_enqueue(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("""
        q.enqueue(
            jobs.progress, job_id='a', job_timeout='1m', result_ttl='2h', failure_ttl=77, ttl=50,
            meta={'who': ['me', 1]}, description='what it does', on_success=Callback(jobs.on_success, timeout=9),
        )
    """)
    assert 45 < redis.ttl('rq:job:a') <= 50
    waiting = producer.picture('a')
    assert waiting['limits'] == [60, 7200, 77, 50]
    assert worker.picture('a') == waiting
    worker.burst()
    assert 7190 < redis.ttl('rq:job:a') <= 7200
    assert 7190 < redis.ttl('rq:results:a') <= 7200
    assert producer.picture('a')['meta'] == {'who': ['me', 1], 'progress': 50}
    assert producer.picture('a') == worker.picture('a')
    assert lines(redis, 'told') == ['success a None finished']
    assert runs(redis) == {'a': 1}


def test_ttls_of_an_end(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("""
        q.enqueue(jobs.add, job_id='now', result_ttl=0)
        q.enqueue(jobs.add, job_id='never', result_ttl=-1)
        q.enqueue(jobs.fail, job_id='failed', failure_ttl=66)
        q.enqueue(jobs.add, job_id='default')
        q.enqueue(jobs.fail, job_id='year')
    """)
    worker.burst()
    assert not redis.exists('rq:job:now')
    assert redis.ttl('rq:job:never') == -1
    assert 60 < redis.ttl('rq:job:failed') <= 66
    assert 60 < redis.ttl('rq:results:failed') <= 66
    assert 490 < redis.ttl('rq:job:default') <= 500
    assert 31535990 < redis.ttl('rq:job:year') <= 31536000
    assert redis.zscore('rq:finished:q', 'never') == float('inf')
    assert runs(redis) == {'now': 1, 'never': 1, 'failed': 1, 'default': 1, 'year': 1}
    for side in (producer, worker):
        assert side.run('q.count, q.job_ids, len(q.finished_job_registry), len(q.failed_job_registry)') == [0, [], 2, 2]


def test_expired(producer: Side, worker: Side, redis: Redis) -> None:
    """A `ttl` that has run out: the id is dropped."""
    producer.run("q.enqueue(jobs.add, job_id='a', ttl=100); q.enqueue(jobs.add, job_id='b')")
    redis.delete('rq:job:a')
    worker.burst('q', 'r')  # a worker of one queue of RQ 3.0 leaves such ids in its intermediate list
    assert producer.run('q.job_ids, q.finished_job_registry.get_job_ids()') == [[], ['b']]
    assert runs(redis) == {'b': 1}


def test_order(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("""
        q.enqueue(jobs.order, 'x', job_id='a')
        q.enqueue(jobs.order, 'x', job_id='b')
        q.enqueue(jobs.order, 'x', job_id='c', at_front=True)
        q.enqueue_many([q.prepare_data(jobs.order, ('x',), job_id=i, at_front=i == 'e') for i in 'de'])
        Queue('low', connection=redis).enqueue(jobs.order, 'x', job_id='low')
        Queue('high', connection=redis).enqueue(jobs.order, 'x', job_id='high')
    """)
    for side in (producer, worker):
        assert side.run('q.job_ids, Job.fetch("b", connection=redis).get_position()') == [['e', 'c', 'a', 'b', 'd'], 3]
    worker.burst('high', 'q', 'low')
    assert [line.split()[0] for line in lines(redis, 'ran')] == ['high', 'e', 'c', 'a', 'b', 'd', 'low']


def test_json(producer: Side, worker: Side, redis: Redis) -> None:
    text = "Queue('q', connection=redis, serializer='json').enqueue(jobs.words, 1, two=[2], job_id='a', meta={'k': 1})"
    producer.run(text)
    worker.burst(serializer='json')
    seen = (
        "job = Job.fetch('a', connection=redis, serializer='json'); job.args, job.kwargs, job.meta, job.return_value()"
    )
    for side in (producer, worker):
        assert side.run(seen) == [[1], {'two': [2]}, {'k': 1}, [[1], {'two': [2]}]]
    assert runs(redis) == {'a': 1}


def test_unique(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("q.enqueue(jobs.add, job_id='a', unique=True)")
    again = "q.enqueue(jobs.add, job_id='a', unique=True)"
    for side in (producer, worker):
        with pytest.raises(Refused, match='DuplicateJobError'):
            side.run(again)
    worker.burst()
    with pytest.raises(Refused, match='DuplicateJobError'):
        worker.run(again)
    worker.run("Job.fetch('a', connection=redis).delete()")
    producer.run(again)
    worker.burst()
    assert runs(redis) == {'a': 2}


@pytest.mark.parametrize('how', ['add', 'fail'])
def test_synchronous(how: str, producer: Side, worker: Side) -> None:
    producer.run(
        """
        q = Queue('q', connection=redis, is_async=False)
        q.enqueue(
            getattr(jobs, how), job_id='a', on_success=Callback(jobs.on_success), on_failure=Callback(jobs.on_failure)
        )
        """,
        how=how,
    )
    seen = producer.picture('a')
    assert seen['status'] == ('finished' if how == 'add' else 'failed')
    assert worker.picture('a') == seen


def test_failure_callback_and_handlers(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("q.enqueue(jobs.fail, job_id='a', on_failure=Callback('jobs.on_failure'))")
    worker.burst(exception_handlers='handler')
    assert lines(redis, 'told') == ['failure a ValueError failed', 'handler a ValueError']
    assert producer.picture('a') == worker.picture('a')


@pytest.mark.parametrize('cls', ['SimpleWorker', 'SpawnWorker'])
def test_worker_class(cls: str, producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("q.enqueue(jobs.add, 1, 2, job_id='a'); q.enqueue(jobs.fail, job_id='b')")
    worker.burst(cls=cls)
    assert producer.status('a') == 'finished'
    assert producer.status('b') == 'failed'
    assert runs(redis) == {'a': 1, 'b': 1}


def test_round_robin(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("""
        for name in 'xyz':
            for number in range(2):
                Queue(name, connection=redis).enqueue(jobs.order, 'x', job_id=f'{name}{number}')
    """)
    worker.burst(*'xyz', work={'dequeue_strategy': 'round_robin'})
    assert [line.split()[0] for line in lines(redis, 'ran')] == ['x0', 'y0', 'z0', 'x1', 'y1', 'z1']
