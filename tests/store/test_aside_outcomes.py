"""Outcomes beside broken keys: with the claim gone, what a settle does not write is lost."""

import pytest

from rq.store import aside, keys, read, settle, slots
from rq.store.call import run
from tests.invariants import check
from tests.store.world import JOB, NOW, QUEUE, enqueue, job, members, started, take


def of_queue(redis):
    return aside.of_queue(redis, 'q')


class TestOutcomes:
    """With the claim gone, what a settle does not write is lost: broken keys around a job must not end its script."""

    VERBS = {
        'finish': lambda lease: settle.finish(lease, 500, b'x', (NOW, NOW + 1, 1.0), {}, NOW),
        'repeat': lambda lease: settle.finish(lease, 500, None, (), {}, NOW, repeat=5),
        'fail': lambda lease: settle.fail(lease, 500, 'why', (NOW, NOW + 1, 1.0), {}, now=NOW),
        'retry': lambda lease: settle.retry(lease, 0, False, (), {}, now=NOW),
        'later': lambda lease: settle.retry(lease, 5, False, (), {}, now=NOW),
        'release': lambda lease: settle.release(lease, now=NOW),
        'stop': lambda lease: settle.stop(lease, 500, 'why', {}, now=NOW),
    }

    @pytest.mark.parametrize('verb', VERBS)
    def test_a_record_of_another_type_is_set_aside(self, redis, verb):
        lease = started(redis)
        redis.delete(JOB)
        redis.set(JOB, 'x')
        assert run(redis, self.VERBS[verb](lease)) == 'gone'
        assert list(of_queue(redis)) == ['j'] and redis.get(JOB) == b'x' and members(redis, 'wip') == {}
        assert run(redis, self.VERBS[verb](lease)) == 'gone'

    @pytest.mark.parametrize('verb', VERBS)
    @pytest.mark.parametrize(
        'key',
        [
            keys.leases('q'), keys.executions('j'), keys.execution('j', 'e'), keys.worker('w'),
            keys.worker_executions('w'), keys.results('j'), keys.wake('q'), keys.OUTBOX,
        ],
    )  # fmt: skip
    def test_books_of_another_type(self, redis, verb, key):
        lease = started(redis)
        redis.delete(key)
        redis.set(key, 'x')
        assert run(redis, self.VERBS[verb](lease)) == 'ok'
        assert members(redis, 'wip') == {} and of_queue(redis) == {}
        wanted = {
            'finish': 'finished',
            'repeat': 'scheduled',
            'fail': 'failed',
            'later': 'scheduled',
            'stop': 'stopped',
        }
        assert job(redis)['status'] == wanted.get(verb, 'queued')

    @pytest.mark.parametrize('verb', sorted({*VERBS} - {'repeat'}))
    def test_a_rate_limit_of_another_type(self, redis, verb):
        enqueue(redis, rate_limit_key='L', rate_limit_concurrency=1)
        enqueue(redis, 'k', rate_limit_key='L', rate_limit_concurrency=1)
        lease = take(redis)
        redis.delete(keys.limit('L'))
        redis.set(keys.limit('L'), 'x')
        assert run(redis, self.VERBS[verb](lease)) == 'ok'
        redis.delete(keys.limit('L'))
        redis.hset(keys.limit('L'), 'concurrency', 1)
        run(redis, slots.fill('L', 1, NOW))
        assert check(redis) == [], 'it stands where its status says'

    @pytest.mark.parametrize('verb, status', [('fail', 'failed'), ('retry', 'queued'), ('stop', 'stopped')])
    def test_a_count_of_attempts_that_is_no_number(self, redis, verb, status):
        attempt = {'kind': 'raised', 'type': 'ValueError'}
        lease = started(redis)
        redis.hset(JOB, 'attempts', 'x')
        call = {
            'fail': lambda: settle.fail(lease, 500, 'why', (), {}, now=NOW, attempt=attempt),
            'retry': lambda: settle.retry(lease, 0, False, (), {}, now=NOW, attempt=attempt),
            'stop': lambda: settle.stop(lease, 500, 'why', {}, now=NOW, attempt=attempt),
        }[verb]
        assert run(redis, call()) == 'ok'
        assert (job(redis)['status'], job(redis)['attempts']) == (status, '1')
        assert [one['number'] for one in read.attempts(redis, 'j')] == [1] and check(redis) == []

    @pytest.mark.parametrize('verb, place', [('finish', 'finished'), ('fail', 'failed'), ('later', 'scheduled')])
    def test_a_registry_of_another_type(self, redis, verb, place):
        lease = started(redis)
        redis.set(keys.place(place, 'q'), 'x')
        assert run(redis, self.VERBS[verb](lease)) == 'ok'
        assert job(redis)['status'] == place and list(of_queue(redis)) == ['j']

    @pytest.mark.parametrize('verb', ['retry', 'release'])
    def test_a_queue_of_another_type(self, redis, verb):
        lease = started(redis)
        redis.set(QUEUE, 'x')
        assert run(redis, self.VERBS[verb](lease)) == 'ok' and list(of_queue(redis)) == ['j']
        redis.delete(QUEUE)
        assert run(redis, aside.return_aside('q', 'j', NOW)) == ('ok', '')
