"""Group D of the faults, D11 and D12: names like keys of ours, and what is too large."""

from typing import Any

import pytest
from redis import Redis

from rq import Queue, RateLimit, Worker
from rq.exceptions import PayloadTooLargeError
from rq.store import keys
from tests.crash import jobs_d
from tests.crash.driver import Fleet
from tests.crash.spoilt import info, is_finished
from tests.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures('beside')]

TOLD = ('--exception-handler', 'tests.crash.jobs_d.told')


# --- D11 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', ['a:intermediate', 'a:intermediate:first_seen:x', 'n' * 10_240, 'n' * (1 << 20)])
def test_d11_names_that_are_refused(redis: Redis, name: str) -> None:
    with pytest.raises(ValueError, match=r'rename it|use a shorter one'):
        Queue(name, connection=redis)
    assert not redis.keys(f'*{name[:20]}*')


HARMLESS = [
    *('{a}', '{0}', '{', 'a\nb', '', ' ', 'x:y', 'q:dependents', 'a*', '[a]', '\x1b[2J', 'ü🦆', '../../x', 'a:job:b'),
    *('allowed', 'q:executions', 'n' * 1024),
]


def test_d11_names_that_are_harmless(fleet: Fleet, redis: Redis, queue: Queue) -> None:
    """A job runs through each, beside the queue whose key it resembles."""
    crew = fleet.start(queues=[*HARMLESS, 'q', 'a'])
    plain = [one.enqueue(jobs_d.ok) for one in (queue, Queue('a', connection=redis))]
    odd = {name: Queue(name, connection=redis) for name in HARMLESS}
    ran = {name: one.enqueue(jobs_d.ok) for name, one in odd.items()}
    failed = {name: one.enqueue('no.such.function') for name, one in odd.items()}
    limited = [queue.enqueue(jobs_d.ok, rate_limit=RateLimit(name or 'limit', 1)) for name in HARMLESS]
    wait_until(lambda: all(is_finished(job) for job in [*plain, *ran.values(), *limited]), 20)
    wait_until(lambda: all(job.get_status() == 'failed' for job in failed.values()), 10)
    for name, one in odd.items():
        assert one.finished_job_registry.get_job_ids() == [ran[name].id]
        assert one.failed_job_registry.get_job_ids() == [failed[name].id]
    assert '\x1b' not in info(fleet) and '\x1b' not in crew.text()
    assert {one.name for one in Queue.all(redis)} == {*HARMLESS, 'q', 'a', 'beside'}
    assert fleet.innocent_deaths() == []


@pytest.mark.parametrize('key', ['limit:allowed', 'limit:rate_limited', 'n' * 5000])
def test_d11_rate_limits(redis: Redis, key: str) -> None:
    with pytest.raises(ValueError, match=r'rename it|use a shorter one'):
        RateLimit(key, 1)


@pytest.mark.parametrize('name', ['w1:executions', 'n' * 5000])
def test_d11_workers(fleet: Fleet, name: str) -> None:
    crew = fleet.start(name='plain')
    if len(name) > 200:  # no log file could have the name
        with pytest.raises(ValueError, match='use a shorter one'):
            Worker([], connection=fleet.redis, name=name).register_birth()
        return
    bad = fleet.start(name=name, wait=False)
    assert bad.wait() == 1 and 'rename it' in bad.text() and 'Traceback' not in bad.text()
    assert fleet.innocent_deaths(bad) == [] and crew.process.poll() is None


# --- D12 ----------------------------------------------------------------------------------------------------------


MIB = 1 << 20


@pytest.mark.parametrize(
    'words, refusal',
    [
        ({'args': (b'x' * (17 * MIB),)}, '17,825,... bytes, over the limit of 16,777,216; store them elsewhere'),
        ({'meta': {'x': 'x' * (16 * MIB)}}, r'notes \(meta\) .* over the limit of 16,777,216; store them elsewhere'),
        ({'description': 'x' * MIB}, 'description .* 1,048,576 characters, over the limit of 65,536; write a shorter'),
        ({'job_id': 'x' * MIB}, 'job id of 1,048,576 characters .* at most 1,024 are allowed; use a shorter one'),
        ({'group_id': 'x' * MIB}, 'group_id .* over the limit'),
    ],
    ids=['payload', 'meta', 'description', 'id', 'group'],
)
def test_d12_too_large(redis: Redis, queue: Queue, words: dict[str, Any], refusal: str) -> None:
    """Refused at enqueue, with value, rule and way out; nothing is stored."""
    with pytest.raises(ValueError, match=refusal):
        if 'group_id' in words:
            queue.enqueue_job(queue.create_job(jobs_d.ok, **words))
        else:
            queue.enqueue(jobs_d.ok, args=words.pop('args', ()), **words)
    assert queue.count == 0 and not redis.sismember(keys.QUEUES, queue.key)
    stored = [key for key in redis.scan_iter(keys.job('*')) if redis.type(key) == b'hash']
    assert b'q' not in [redis.hget(key, 'origin') for key in stored]


def test_d12_ten_thousand_arguments(fleet: Fleet, redis: Redis, queue: Queue) -> None:
    fleet.start()
    job = queue.enqueue(jobs_d.ok, *['argument'] * 10_000, **{f'k{n}': n for n in range(1000)})
    wait_until(lambda: is_finished(job), 10)
    assert job.return_value() == 10_000 and len(job.description or '') <= 65_536


def test_d12_many_at_once_are_refused_together(redis: Redis, queue: Queue) -> None:
    with pytest.raises(PayloadTooLargeError):
        queue.enqueue_many([Queue.prepare_data(jobs_d.ok), Queue.prepare_data(jobs_d.ok, (b'x' * (17 * MIB),))])
    assert queue.count == 0
