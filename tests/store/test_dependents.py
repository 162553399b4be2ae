"""Those who wait for others go on: at the end of a job, or when somebody looks."""

import pytest

from rq.store import enter, keys, operate, promote, settle
from rq.store.call import run
from tests.invariants import check
from tests.store.world import (
    JOB,
    NOW,
    SECOND,
    WAKE,
    dump,
    enqueue,
    job,
    listed,
    members,
    record,
    rest,
    started,
    take,
    text,
    text_of,
    unchanged,
)

TIMES = (1.5, 4.0, 2.5)


def child(redis, job_id='c', *parents, queue='q', mode='enter', **words):
    made = record(job_id, queue, _dependency_ids=list(parents or ['j']), **words)
    return run(redis, enter.defer(made, mode, bool(words.get('enqueue_at_front')), NOW))


def finish(redis, lease, ttl=500, **words):
    return run(redis, settle.finish(lease, ttl, b'7', TIMES, {}, NOW, **words))


def fail(redis, lease, ttl=500, stored=True):
    return run(redis, settle.fail(lease, ttl, 'x', TIMES, {}, stored, now=NOW))


def status(redis, *ids):
    return [job(redis, job_id).get('status') for job_id in ids or ['c']]


def test_a_success_releases(redis):
    lease = started(redis)
    child(redis, 'c', ttl=90)
    child(redis, 'd', queue='other')
    redis.delete(WAKE)
    assert finish(redis, lease) == 'ok'
    assert (job(redis, 'c')['status'], job(redis, 'c')['enqueued_at']) == ('queued', text_of(NOW))
    assert (listed(redis), listed(redis, 'other'), members(redis, 'deferred')) == (['c'], ['d'], {})
    assert redis.exists(WAKE, keys.wake('other')) == 2 and not redis.exists(keys.dependents('j'))
    assert text(redis.smembers(keys.dependencies('c'))) == {'j'}  # as in RQ
    assert redis.ttl(keys.job('c')) == 90
    assert check(redis) == []
    take(redis, 'e2')
    with unchanged(redis):
        assert finish(redis, lease) == 'already'


@pytest.mark.parametrize('ttl', [500, 0, -1])
def test_whatever_becomes_of_the_record(redis, ttl):
    lease = started(redis)
    child(redis)
    finish(redis, lease, ttl)
    assert status(redis) == ['queued']
    assert redis.exists(JOB) == (ttl != 0) and not redis.exists(keys.dependents('j'))
    assert check(redis) == []


def test_a_repetition_releases_too(redis):
    lease = started(redis, repeats_left=1)
    child(redis)
    finish(redis, lease, repeat=0)
    assert listed(redis) == ['j', 'c']
    assert check(redis) == []


@pytest.mark.parametrize('first', ['j', 'k'])
def test_of_two_the_last_one_releases(redis, first):
    leases = {name: started(redis, name, f'e{name}') for name in 'jk'}
    child(redis, 'c', 'j', 'k')
    finish(redis, leases.pop(first))
    assert status(redis) == ['deferred']
    assert check(redis) == []
    finish(redis, leases.popitem()[1])
    assert status(redis) == ['queued']
    assert check(redis) == []


def test_front(redis):
    lease = started(redis)
    enqueue(redis, 'k')
    child(redis, 'c', enqueue_at_front=True)
    finish(redis, lease)
    assert listed(redis) == ['c', 'k']


@pytest.mark.parametrize('allow, wanted', [(True, 'queued'), (False, 'deferred'), (None, 'deferred')])
@pytest.mark.parametrize('stored', [True, False])
def test_a_failure(redis, allow, wanted, stored):
    lease = started(redis)
    child(redis, 'c', allow_dependency_failures=allow)
    child(redis, 'd', 'j', 'k')
    fail(redis, lease, stored=stored)
    assert status(redis) == [wanted]
    assert check(redis, [] if stored else ['j']) == []


def test_ends_that_release_nobody(redis):
    lease = started(redis)
    child(redis, 'c', allow_dependency_failures=True)
    run(redis, settle.retry(lease, 0, False, TIMES, {}, NOW))
    lease = take(redis, 'e2')
    run(redis, settle.retry_returned(lease, 0, False, 600, b'1', TIMES, {}, NOW))
    lease = take(redis, 'e3')
    run(redis, settle.release(lease, NOW))
    lease = take(redis, 'e4')
    assert status(redis) == ['deferred']
    run(redis, settle.stop(lease, 600, 'x', {}, NOW))
    assert status(redis) == ['deferred']
    assert check(redis) == []


def test_a_failure_that_is_to_run_again(redis):
    lease = started(redis)
    enqueue(redis)
    child(redis, 'c', allow_dependency_failures=True)
    fail(redis, lease)
    assert status(redis, 'j', 'c') == ['queued', 'deferred']
    assert check(redis) == []


def test_a_lost_execution_releases_nobody(redis):
    lease = started(redis)
    child(redis)
    run(redis, operate.cancel('j', now=NOW))
    assert finish(redis, lease) == 'lost'
    assert status(redis) == ['deferred']


def test_a_limit_is_respected(redis):
    words = {'rate_limit_key': 'l', 'rate_limit_concurrency': 1}
    lease = started(redis)
    child(redis, 'c', **words)
    child(redis, 'd', **words)
    finish(redis, lease)
    assert sorted(status(redis, 'c', 'd')) == ['queued', 'rate_limited']
    assert check(redis) == []


@pytest.mark.parametrize('now', ['canceled', 'finished', 'queued'])
def test_those_who_do_not_wait_any_more(redis, now):
    lease = started(redis)
    child(redis)
    if now == 'queued':
        enqueue(redis, 'c')
    else:
        redis.zrem(keys.place('deferred', 'q'), 'c')
        rest(redis, now, 'c')
    finish(redis, lease)
    assert status(redis) == [now]
    assert listed(redis) == (['c'] if now == 'queued' else [])


@pytest.mark.parametrize('broken', ['gone', 'other type', 'no origin', 'set of another type', 'links of another type'])
def test_broken_records_do_not_keep_the_outcome_from_being_written(redis, broken):
    lease = started(redis)
    child(redis)
    child(redis, 'd')
    if broken in ('gone', 'other type'):
        redis.delete(keys.job('c'))
    if broken == 'other type':
        redis.set(keys.job('c'), 'x')
    if broken == 'no origin':
        redis.hdel(keys.job('c'), 'origin')
    if broken == 'set of another type':
        redis.delete(keys.dependents('j'))
        redis.set(keys.dependents('j'), 'x')
    if broken == 'links of another type':
        redis.delete(keys.dependencies('c'))
        redis.set(keys.dependencies('c'), 'x')
    assert finish(redis, lease) == 'ok'
    assert status(redis, 'j') == ['finished']
    assert status(redis, 'd') == ['deferred' if broken.startswith('set') else 'queued']


def test_a_parent_whose_record_was_made_again(redis):
    """It does not know who waits for it; the end of the other one tells it."""
    leases = {name: started(redis, name, f'e{name}') for name in 'jk'}
    child(redis, 'c', 'j', 'k')
    run(redis, operate.delete('j'))
    enqueue(redis, 'j')
    finish(redis, leases['k'])
    assert status(redis) == ['deferred']
    assert text(redis.smembers(keys.dependents('j'))) == {'c'}
    finish(redis, take(redis, 'e2'))
    assert status(redis) == ['queued']
    assert check(redis) == []


def test_those_who_wait_are_known_as_long_as_it_runs(redis):
    """A ttl is for waiting; a second attempt may last longer."""
    enqueue(redis, ttl=60)
    child(redis)
    lease = take(redis)
    run(redis, settle.retry(lease, 0, False, TIMES, {}, NOW))
    assert redis.ttl(keys.dependents('j')) == 60
    lease = take(redis, 'e2')
    assert redis.ttl(keys.dependents('j')) == -1
    finish(redis, lease)
    assert status(redis) == ['queued']


# --- others end it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('release', [False, True])
def test_cancel(redis, release):
    enqueue(redis)
    child(redis)
    child(redis, 'd', 'j', 'k')
    rest(redis, 'created', 'k')
    child(redis, 'd', 'j', 'k')
    call = operate.cancel('j', release, now=NOW)
    assert run(redis, call) == ('ok', {'q': ['c']} if release else {})
    assert status(redis, 'j', 'c', 'd') == ['canceled', 'queued' if release else 'deferred', 'deferred']
    assert check(redis) == []
    with unchanged(redis):
        assert run(redis, call) == ('canceled', {})


@pytest.mark.parametrize('forget', [False, True])
def test_cancel_one_who_waits(redis, forget):
    lease = started(redis)
    child(redis)
    run(redis, operate.cancel('c', False, forget, NOW))
    assert (status(redis), members(redis, 'deferred')) == (['canceled'], {})
    assert text(redis.smembers(keys.dependents('j'))) == (set() if forget else {'c'})
    finish(redis, lease)
    assert (status(redis), listed(redis)) == (['canceled'], [])
    assert check(redis) == []


@pytest.mark.parametrize('how', ['queued', 'started', 'failed'])
def test_delete_releases(redis, how):
    if how == 'failed':
        rest(redis, 'failed')
    else:
        started(redis) if how == 'started' else enqueue(redis)
    child(redis)
    assert run(redis, operate.delete('j')) == 'ok'
    assert (status(redis), listed(redis)) == (['queued'], ['c'])
    assert not redis.exists(keys.dependents('j'))
    assert check(redis) == []


def test_delete_one_who_waits(redis):
    enqueue(redis)
    child(redis)
    run(redis, operate.delete('c'))
    assert not redis.exists(keys.dependents('j'), keys.dependencies('c'), keys.job('c'))
    assert check(redis) == []


def test_delete_with_all_who_wait(redis):
    enqueue(redis)
    child(redis, 'c')
    child(redis, 'd', 'c', 'j')
    child(redis, 'e', 'd', queue='other')
    enqueue(redis, 'k')
    child(redis, 'f', 'k')
    before = {keys.job('k'), keys.job('f'), keys.dependents('k'), keys.dependencies('f'), keys.QUEUES, keys.queue('q')}
    assert run(redis, operate.delete('j', with_dependents=True)) == 'ok'
    assert set(dump(redis)) == {*before, keys.place('deferred', 'q')}
    assert (listed(redis), members(redis, 'deferred')) == (['k'], {'f': SECOND})
    assert check(redis) == []


def test_a_ring_is_deleted_once(redis):
    child(redis, 'c', 'd', mode='link')
    child(redis, 'd', 'c', mode='link')
    assert run(redis, operate.delete('c', with_dependents=True)) == 'ok'
    assert set(dump(redis)) == {keys.QUEUES}


def test_empty_releases(redis):
    enqueue(redis)
    child(redis)
    child(redis, 'd', 'j', queue='other')
    assert run(redis, operate.empty('q')) == 1
    assert (listed(redis), listed(redis, 'other')) == (['c'], ['d'])
    assert not redis.exists(JOB, keys.dependents('j'))
    assert check(redis) == []


# --- looking again ------------------------------------------------------------------------------------------------


def test_make_ready_then_promote(redis):
    rest(redis, 'finished')
    child(redis, mode='link')
    child(redis, 'd', mode='link', queue='other')
    enqueue(redis, 'k')
    call = promote.make_ready('j', ['c', 'd', 'k', 'gone'], NOW)
    assert run(redis, call) == {'q': ['c'], 'other': ['d']}
    assert status(redis, 'c', 'd', 'k') == ['ready_to_enqueue', 'ready_to_enqueue', 'queued']
    assert (members(redis, 'ready'), members(redis, 'deferred')) == ({'c': SECOND}, {})
    assert not redis.exists(keys.dependents('j'))
    assert check(redis) == []
    with unchanged(redis):
        assert run(redis, call) == {}
    assert run(redis, promote.promote_ready(['d', 'c', 'gone', 'k'], 'ready', NOW)) == {'other': ['d'], 'q': ['c']}
    assert (listed(redis), members(redis, 'ready')) == (['k', 'c'], {})
    assert check(redis) == []
    with unchanged(redis):
        assert run(redis, promote.promote_ready(['d', 'c'], now=NOW)) == {}


def test_an_end_takes_ready_ones_along(redis):
    lease = started(redis)
    child(redis)
    run(redis, promote.make_ready('x', ['c'], NOW))
    finish(redis, lease)
    assert (status(redis), members(redis, 'ready')) == (['queued'], {})
    assert check(redis) == []


@pytest.mark.parametrize('which', ['ready', 'deferred', 'healed'])
def test_promote_ready_and_deferred_ones(redis, which):
    too = which != 'ready'
    rest(redis, 'finished')
    child(redis, mode='link')
    rest(redis, 'created', 'k')
    child(redis, 'd', 'k', 'gone', mode='link')
    wanted = {'q': ['c']} if too else {}
    assert run(redis, promote.promote_ready(['c', 'd'], which, NOW)) == wanted
    assert status(redis, 'c', 'd') == ['queued' if too else 'deferred', 'deferred']
    if too:
        assert not redis.exists(keys.dependents('j'), keys.dependents('gone'))
        assert check(redis) == []


# --- very many ----------------------------------------------------------------------------------------------------


def crowd(redis, number):
    for each in range(number):
        child(redis, f'c{each}', **({'allow_dependency_failures': True} if each % 2 else {}))


@pytest.mark.parametrize('ttl', [500, 0])
@pytest.mark.parametrize('end', [finish, fail])
def test_a_crowd_is_released_bit_by_bit(redis, end, ttl):
    lease = started(redis)
    crowd(redis, 501)
    end(redis, lease, ttl)
    how = 'finished' if end is finish else 'failed'
    assert text(redis.hgetall(keys.RELEASING)) == {'j': f'0 {how}'}
    assert listed(redis) == [] and redis.ttl(keys.dependents('j')) == (500 if ttl else -1)
    rounds = 1
    while run(redis, promote.promote_dependents(50, NOW)):
        rounds += 1
    assert rounds > 3 and not redis.exists(keys.RELEASING)
    assert sorted(listed(redis)) == sorted(f'c{each}' for each in range(501) if end is finish or each % 2)
    assert redis.exists(keys.dependents('j')) == (end is fail and ttl > 0)
    if ttl or end is finish:
        assert check(redis) == []
    with unchanged(redis):
        assert run(redis, promote.promote_dependents(50, NOW)) == 0


def test_a_crowd_of_a_deleted_job(redis):
    enqueue(redis)
    crowd(redis, 501)
    run(redis, operate.delete('j'))
    assert check(redis) == []
    while run(redis, promote.promote_dependents(200, NOW)):
        pass
    assert len(listed(redis)) == 501 and not redis.exists(keys.dependents('j'))
    assert check(redis) == []


def test_healed_only_by_known_ends(redis):
    """Somebody of RQ 3.0 died between an end and its telling; what became of a parent that is gone is unknown."""
    for parent, end in (('p', 'finished'), ('f', 'failed')):
        rest(redis, end, parent)
    child(redis, 'told', 'p', mode='link')
    child(redis, 'lost', 'gone', mode='link')
    child(redis, 'both', 'p', 'gone', mode='link')
    child(redis, 'failed', 'f', mode='link')
    child(redis, 'allowed', 'f', mode='link', allow_dependency_failures=True)
    rest(redis, 'deferred', 'alone')
    ids = ['told', 'lost', 'both', 'failed', 'allowed', 'alone']
    assert run(redis, promote.promote_ready(ids, 'healed', NOW)) == {'q': ['told', 'allowed']}
    assert status(redis, *ids) == ['queued', 'deferred', 'deferred', 'deferred', 'queued', 'deferred']
