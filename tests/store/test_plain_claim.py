"""The usual claim goes a short way through its script; what it leaves is what the whole script would have left."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rq.store import claim, keys, settle
from rq.store.call import run
from tests.invariants import check
from tests.store.short_ways import at_length
from tests.store.world import JOB, NOW, WIP, claims, dump, enqueue, listed, members, started

FLAGS = {'begun': [False, True], 'repeated': [False, True], 'lease_seconds': [0, 30, 3600]}
KINDS = [
    'plain', 'timeout', 'no limit', 'endless', 'ttl', 'odd id', 'other origin', 'no origin', 'created', 'started',
    'gone', 'alone', 'again', 'dependents', 'twice', 'of no type', 'limit', 'status unknown',
]  # fmt: skip


def place(redis, kind, number):
    """A job at the end of the queue; jobs of the same number have the same id."""
    words = {'timeout': {'timeout': 7}, 'no limit': {'timeout': -1}, 'endless': {'timeout': 10**9}, 'ttl': {'ttl': 90}}
    enqueue(redis, id_of(kind, number), **words.get(kind, {}))


def id_of(kind, number):
    return f'a:b {number}' if kind == 'odd id' else f'j{number}'


def change(redis, kind, number):
    """It becomes a job of its kind."""
    key = keys.job(id_of(kind, number))
    if kind == 'gone':
        redis.delete(key)
    elif kind == 'of no type':
        redis.delete(key)
        redis.set(key, 'x')
    elif kind == 'no origin':
        redis.hdel(key, 'origin')
    elif kind == 'dependents':
        redis.sadd(f'{key}:dependents', 'waits')
        redis.expire(f'{key}:dependents', 50)
    elif kind == 'twice':
        redis.rpush(keys.queue('q'), id_of(kind, number))
    else:
        fields = {
            'other origin': {'origin': 'r'}, 'created': {'status': 'created'}, 'started': {'status': 'started'},
            'alone': {'alone': 1}, 'again': {'again': 'front'}, 'limit': {'rate_limit_key': 'k', 'slot_of': 'k'},
            'status unknown': {'status': 'sleeping'},
        }.get(kind)  # fmt: skip
        if fields:
            redis.hset(key, mapping=fields)


def known(redis):
    """The worker is in the books."""
    redis.hset(keys.worker('w'), 'state', 'idle')
    redis.expire(keys.worker('w'), 480)


def seen(redis, call):
    """The answer of a claim and everything it leaves, TTLs too."""
    reply = run(redis, call)
    taken = [one._replace(raw={name: value for name, value in one.raw.items() if name != b'nonce'}) for one in reply[0]]
    return [*map(str, taken)], reply[1:], dump(redis, tokens=True), ttls(redis)


def ttls(redis):
    """In tens of seconds, as time goes on meanwhile."""
    return {key: (left + 5) // 10 for key in redis.scan_iter('*') if (left := redis.ttl(key)) >= 0}


def both_ways(redis, before, **words):
    found = []
    for way in (lambda call: call, lambda call: at_length(call, 'claim_plain')):
        redis.flushall()
        before()
        call = claim.claim('w', ('q',), ['e1', 'e2', 'e3', 'e4'], now=NOW, **words)
        found.append(seen(redis, way(call)))
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    kinds=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5)), max_size=6),
    words=st.fixed_dictionaries({name: st.sampled_from(some) for name, some in FLAGS.items()}),
    born=st.booleans(),
)
def test_both_ways_take_the_same(redis, kinds, words, born):
    def before():
        if born:
            known(redis)
        for kind, number in kinds:
            place(redis, kind, number)
        for kind, number in sorted(kinds, key=lambda one: one[0] == 'of no type'):
            change(redis, kind, number)

    short, long = both_ways(redis, before, **words)
    assert short == long


def test_a_job_that_lasts_keeps_those_who_wait_for_it(redis):
    """RQ 3.0 makes a job lasting when it starts, but not the set of its dependents."""
    enqueue(redis)
    redis.sadd(f'{JOB}:dependents', 'waits')
    redis.expire(f'{JOB}:dependents', 50)
    known(redis)
    claims(redis)
    assert redis.ttl(f'{JOB}:dependents') == -1


@pytest.mark.parametrize('kind', ['execution', 'executions'])
def test_a_broken_book_of_one_job_leaves_no_claim_on_another(redis, kind):
    """What the short way had written for those behind it is gone: they get other executions."""
    known(redis)
    for number in range(4):
        enqueue(redis, f'j{number}')
    redis.set(keys.executions('j1') if kind == 'executions' else keys.execution('j1', 'e2'), 'x')
    taken = claims(redis, 'e1', 'e2', 'e3').taken
    assert [(one.job_id, one.execution) for one in taken] == [('j0', 'e1'), ('j2', 'e2'), ('j3', 'e3')]
    held = {'j0:e1', 'j2:e2', 'j3:e3'}
    assert set(members(redis, 'wip')) == set(members(redis, 'leases')) == held
    assert redis.smembers(keys.worker_executions('w')) == {one.encode() for one in held}


def test_a_broken_wip_set_takes_nothing_and_loses_nothing(redis):
    known(redis)
    for number in range(3):
        enqueue(redis, f'j{number}')
    redis.set(WIP, 'x')
    assert claims(redis, 'e1', 'e2').taken == [] and listed(redis) == ['j0', 'j1', 'j2']
    redis.delete(WIP)
    assert [one.job_id for one in claims(redis, 'e1', 'e2').taken] == ['j0', 'j1']
    assert check(redis) == []


def test_what_is_claimed_by_itself_is_so_in_a_streak_too(redis):
    started(redis)
    enqueue(redis, 'j1')
    enqueue(redis, 'j2')
    enqueue(redis, 'j3')
    redis.hset(keys.job('j2'), 'alone', 1)
    assert [one.job_id for one in claims(redis, 'e1', 'e2', 'e3', streak=True).taken] == ['j1']
    assert [one.job_id for one in claims(redis, 'e4', 'e5', 'e6', streak=True).taken] == ['j2']
    assert not redis.hexists(keys.job('j2'), 'alone')
    assert [one.job_id for one in claims(redis, 'e7', 'e8', streak=True).taken] == ['j3']
    assert check(redis) == []


def test_a_claim_of_a_streak_is_repeated_when_it_says_so(redis):
    started(redis)
    for number in range(3):
        enqueue(redis, f'j{number}')
    first = claims(redis, 'e1', 'e2', streak=True).taken
    again = claims(redis, 'e1', 'e2', repeated=True).taken
    assert sorted(one[:3] for one in again) == sorted(one[:3] for one in first) and listed(redis) == ['j2']
    assert run(redis, settle.release(started_lease(again[0]), NOW)) == 'ok'


def started_lease(one):
    return claim.Lease(one.job_id, one.execution, 'q', 'w')


def test_the_same_queue_twice_and_one_without_a_name(redis):
    def before():
        known(redis)
        for number in range(3):
            enqueue(redis, f'j{number}')
        enqueue(redis, 'k', 'r')

    for queues in (('q', 'q', 'r'), ('', 'q', 'r')):
        found = []
        for way in (lambda call: call, lambda call: at_length(call, 'claim_plain')):
            redis.flushall()
            before()
            found.append(seen(redis, way(claim.claim('w', queues, ['e1', 'e2', 'e3', 'e4'], now=NOW))))
        assert found[0] == found[1] and len(found[0][0]) == 4
