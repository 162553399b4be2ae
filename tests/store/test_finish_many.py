"""Successes that are written together, or on the short way, leave what the whole script of each would have left."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rq.rules.lease import Lease
from rq.store import keys, settle
from rq.store.call import run
from tests.invariants import check
from tests.store.short_ways import at_length
from tests.store.world import NOW, claims, dump, enqueue, job, rest, results

TIMES = (1.5, 4.0, 2.5)
KINDS = [
    'plain', 'no value', 'no times', 'for ever', 'short', 'beyond', 'warning', 'ttl', 'again', 'waited for', 'limit',
    'depends', 'deleted', 'canceled', 'taken over', 'queued', 'done before', 'results before', 'no stream', 'books',
    'group',
]  # fmt: skip
BROKEN = ['leases', 'finished', 'worker', 'worker_executions']


def make(redis, kinds, letter='e'):
    """Jobs that were claimed, then changed; with the success of each."""
    for number, kind in enumerate(kinds):
        enqueue(redis, f'j{number}', **({'ttl': 900} if kind == 'ttl' else {}))
    taken = claims(redis, *(f'{letter}{number}' for number in range(len(kinds)))).taken if kinds else []
    successes = []
    for number, kind in enumerate(kinds):
        change(redis, kind, number, letter)
        lease = Lease(f'j{number}', f'{letter}{number}', 'q', 'w')
        ttl = {'for ever': -1, 'short': 1, 'beyond': 10**16}.get(kind, 500)
        fields = {'repeats_left': 3, **({'warning': 'too long'} if kind == 'warning' else {})}
        value, times = None if kind == 'no value' else b'7', () if kind == 'no times' else TIMES
        successes.append(settle.Success(lease, ttl, value, times, fields))
    assert len(taken) == len(kinds)
    return successes


def change(redis, kind, number, letter):
    job_id, key = f'j{number}', keys.job(f'j{number}')
    fields = {
        'again': {'again': 'front'}, 'limit': {'rate_limit_key': 'k', 'rate_limit_concurrency': 1},
        'group': {'group_id': 'g'}, 'depends': {'dependency_id': 'x', 'dependency_ids': '["x"]'},
        'queued': {'status': 'queued'},
    }.get(kind)  # fmt: skip
    if fields:
        redis.hset(key, mapping=fields)
    if kind == 'waited for':
        rest(redis, 'deferred', f'd{number}')
        redis.sadd(f'{key}:dependents', f'd{number}')
        redis.sadd(f'rq:job::d{number}:dependencies', job_id)
    elif kind == 'deleted':
        redis.delete(key)
    elif kind in ('canceled', 'taken over'):
        redis.zrem(keys.wip('q'), f'{job_id}:{letter}{number}')
    elif kind == 'done before':
        redis.zadd(keys.place('finished', 'q'), {job_id: 9})
    elif kind == 'results before':
        redis.xadd(keys.results(job_id), {'type': 2})
    elif kind in ('no stream', 'books'):
        name = keys.results(job_id) if kind == 'no stream' else keys.executions(job_id)
        redis.delete(name)
        redis.set(name, 'x')


def one_by_one(redis, successes):
    return [run(redis, settle.finish(*one, now=NOW + 9)) for one in successes]


def at_full_length(redis, successes):
    return [run(redis, at_length(settle.finish(*one, now=NOW + 9), 'finish_plain')) for one in successes]


def together(redis, successes):
    """As a worker does it: in one call, and what that leaves by itself."""
    if not successes:
        return []
    written = run(redis, settle.finish_many(successes, now=NOW + 9))
    pairs = zip(written, successes, strict=True)
    return ['ok' if done else run(redis, settle.finish(*one, now=NOW + 9)) for done, one in pairs]


def left(redis, way, kinds, broken=None, letter='e'):
    redis.flushall()
    redis.hset(keys.worker('w'), mapping={'state': 'busy', 'birth': 'x'})
    redis.expire(keys.worker('w'), 480)
    successes = make(redis, kinds, letter)
    if broken:
        name = {'worker': keys.worker('w'), 'worker_executions': keys.worker_executions('w')}.get(broken)
        name = name or keys.place(broken, 'q')
        redis.delete(name)
        redis.set(name, 'x')
    answers = [str(one.value if hasattr(one, 'value') else one) for one in way(redis, successes)]
    found = dump(redis, tokens=True)
    if not broken:
        worker = found[keys.worker('w')]
        worker['total_working_time'] = round(float(worker.get('total_working_time', 0)), 6)
    return answers, found, {key: (ttl + 5) // 10 for key in redis.scan_iter('*') if (ttl := redis.ttl(key)) >= 0}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(kinds=st.lists(st.sampled_from(KINDS), max_size=7), letter=st.sampled_from('ex'))
def test_all_ways_lead_to_the_same(redis, kinds, letter):
    """For executions of a batch, too, whose ids begin with x."""
    expected = left(redis, at_full_length, kinds, letter=letter)
    assert left(redis, one_by_one, kinds, letter=letter) == expected
    assert in_any_order(left(redis, together, kinds, letter=letter)) == in_any_order(expected)


def in_any_order(found):
    """Those that go by themselves go later, so what they release stands further back."""
    answers, dumped, ttls = found
    return answers, {key: sorted(map(str, one)) if isinstance(one, list) else one for key, one in dumped.items()}, ttls


@pytest.mark.parametrize('broken', BROKEN)
@pytest.mark.parametrize('kinds', [['plain', 'plain', 'for ever'], ['plain', 'waited for', 'plain', 'limit']])
def test_with_keys_of_another_type_too(redis, broken, kinds):
    expected = left(redis, at_full_length, kinds, broken)
    assert left(redis, one_by_one, kinds, broken) == expected
    assert in_any_order(left(redis, together, kinds, broken)) == in_any_order(expected)


def test_a_result_is_written_once_whatever_its_ttl(redis):
    """What the server refuses comes before what cannot be repeated."""
    successes = make(redis, ['beyond', 'plain'])
    assert together(redis, successes) == ['ok', 'ok']
    assert [len(results(redis, f'j{number}')) for number in (0, 1)] == [1, 1]


def test_sent_again_it_writes_nothing_twice(redis):
    successes = make(redis, ['plain', 'plain', 'waited for', 'no times'])
    assert together(redis, successes) == ['ok'] * 4
    before = dump(redis, tokens=True)
    assert together(redis, successes) == ['already'] * 4 and dump(redis, tokens=True) == before
    assert check(redis) == []


def test_a_worker_that_expired_does_not_come_back(redis):
    successes = make(redis, ['plain', 'plain'])
    redis.delete(keys.worker('w'))
    assert together(redis, successes) == ['ok', 'ok'] and not redis.exists(keys.worker('w'))


def test_full_memory_delays_no_outcome(redis):
    successes = make(redis, ['plain', 'plain', 'waited for'])
    redis.config_set('maxmemory', 1)
    try:
        assert together(redis, successes) == ['ok'] * 3
    finally:
        redis.config_set('maxmemory', 0)
    assert [job(redis, f'j{number}')['status'] for number in range(3)] == ['finished'] * 3
    assert check(redis) == []
