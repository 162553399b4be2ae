"""Failed jobs stand in the buckets of their group, and nobody else does."""

import pytest

from rq.store import enter, failures, keys, operate
from rq.store.call import run
from rq.store.failures import Entry
from tests.invariants import check
from tests.store import buckets
from tests.store.causes import GID, cause, group, settled
from tests.store.world import JOB, NOW, REGISTRY, job, record


def names(redis, **words):
    return {(one.queue, one.function): one.name for one in buckets.buckets_matching(redis, **words)}


# --- leaving ----------------------------------------------------------------------------------------------------------

LEAVE = {
    'requeue': operate.requeue(keys.place('failed', 'q'), 'j', now=NOW + 1),
    'delete': operate.delete('j', now=NOW + 1),
    'cancel': operate.cancel('j', now=NOW + 1),
    'enqueue': enter.enqueue(record(), now=NOW + 1),
    'schedule': enter.schedule(record(), NOW + 60, now=NOW + 1),
}


@pytest.mark.parametrize('verb', LEAVE)
def test_who_leaves_the_failed_jobs_leaves_the_bucket(redis, verb):
    settled(redis)
    run(redis, LEAVE[verb])
    assert not redis.exists(keys.failed_in(f'{GID}:1'))
    assert 'failed_in' not in job(redis)
    assert check(redis) == []


def test_trimmed_jobs_leave_the_bucket(redis):
    for number in range(4):
        settled(redis, job_id=f'j{number}', now=NOW + number, keep=2)
    assert {one.job_id for one in buckets.entries(redis, [f'{GID}:1'])[0]} == {'j2', 'j3'}
    assert check(redis) == []


# --- what foreign tools leave -----------------------------------------------------------------------------------------


def seen(redis):
    """Entries of the first bucket that hold."""
    (found,) = buckets.entries(redis, [f'{GID}:1'])
    return [one.job_id for one, record in zip(found, buckets.verified(redis, found), strict=True) if record is not None]


SPOIL = {
    'requeued': lambda redis: redis.hset(JOB, 'status', 'queued'),
    'deleted': lambda redis: redis.delete(JOB),
    'of another type': lambda redis: redis.delete(JOB) and redis.set(JOB, 1),
    'failed elsewhere': lambda redis: redis.hset(JOB, 'failed_in', f'{GID}:2'),
    'failed again': lambda redis: redis.hset(JOB, 'started_at', '2023-11-14T22:13:21.000000Z'),
}


@pytest.mark.parametrize('how', SPOIL)
def test_stale_entries_are_left_out_and_removed(redis, how):
    settled(redis, job_id='k')
    settled(redis)
    SPOIL[how](redis)
    assert seen(redis) == ['k']
    assert run(redis, failures.tidy(now=NOW + 60)) == (2, 1)
    assert redis.zrange(keys.failed_in(f'{GID}:1'), 0, -1) == [b'k']
    assert run(redis, failures.tidy(now=NOW + 62)).removed == 0


def test_a_claim_in_the_same_millisecond_is_not_later(redis):
    settled(redis, now=NOW + 0.0007)
    assert seen(redis) == ['j']


def test_tidying_is_done_in_steps_and_by_one(redis):
    for number in range(3):
        for place in range(2):
            settled(redis, job_id=f'j{number}{place}', cause=cause(f'{number:016}', f'm.f{place}'), now=NOW + number)
    redis.delete(*(keys.job(f'j{number}1') for number in range(3)))
    assert run(redis, failures.tidy(2, now=NOW + 9)) == (2, 1)
    assert run(redis, failures.tidy(2, now=NOW + 9.1)) == (0, 0)
    found = [run(redis, failures.tidy(2, now=NOW + moment)) for moment in (10, 11, 12)]
    assert (sum(one.seen for one in found[:2]), sum(one.removed for one in found)) == (4, 2)
    assert [redis.zcard(keys.failed_in(f'{number:016}:{place}')) for number in range(3) for place in (1, 2)] == [
        1,
        0,
    ] * 3
    assert check(redis) == []


def test_a_look_at_a_large_bucket_is_short(redis):
    settled(redis)
    redis.zadd(keys.failed_in(f'{GID}:1'), {f'gone{number}': number for number in range(1000)})
    looks = [run(redis, failures.tidy(pause=0, now=NOW + number)) for number in range(40)]
    assert max(one.seen for one in looks) < 150
    assert looks[0].is_fruitful and sum(one.removed for one in looks) == 1000
    assert seen(redis) == ['j']


def test_nothing_to_tidy(redis):
    assert run(redis, failures.tidy()) == (0, 0)
    assert not run(redis, failures.tidy(pause=0)).is_fruitful


# --- broken keys ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('verb', ['fail', 'retry'])
@pytest.mark.parametrize('key', [keys.FAILURES, keys.failure(GID), keys.failed_in(f'{GID}:1')])
def test_a_key_of_another_type_ends_no_settle_and_is_put_right(redis, verb, key):
    redis.set(key, 'x')
    assert settled(redis, verb)[0] == 'ok'
    assert job(redis)['status'] == ('failed' if verb == 'fail' else 'queued')
    assert group(redis).count == 1
    if verb == 'fail':
        assert seen(redis) == ['j']
        assert check(redis) == []


@pytest.mark.parametrize('field', ['count', 'trend', 'hour', 'places', 'jobs', 'muted_until', 'state', 'in:q\nm.f'])
def test_a_field_that_makes_no_sense_ends_no_settle(redis, field):
    settled(redis)
    redis.hset(keys.failure(GID), field, 'nonsense')
    assert settled(redis, job_id='k', now=NOW + 1)[0] == 'ok'
    assert job(redis, 'k')['status'] == 'failed'
    assert group(redis).last_seen == NOW + 1


@pytest.mark.parametrize('words', [('zz',), ('a' * 16, 'too few'), ('x',) * 7, ('a' * 16, *'bcdefgh')])
def test_words_that_make_no_sense_are_counted_nowhere(redis, words):
    assert settled(redis, cause=words)[0] == 'ok'
    assert buckets.number_of_groups(redis) == 0


@pytest.mark.parametrize('key', [keys.TIDYING, keys.failure(GID), keys.failed_in(f'{GID}:1'), keys.FAILURES])
def test_looking_at_keys_of_other_types(redis, key):
    settled(redis)
    redis.delete(key)
    redis.set(key, 'x')
    run(redis, failures.tidy(now=NOW + 60))
    run(redis, failures.tidy(now=NOW + 61))
    if key != keys.FAILURES:
        failures.groups_page(redis)
        failures.sizes(redis, [f'{GID}:1'])
        buckets.entries(redis, [f'{GID}:1'])


# --- reading ----------------------------------------------------------------------------------------------------------


def test_pages_of_groups(redis):
    for number in range(5):
        settled(redis, job_id=f'j{number}', cause=cause(f'{number:016}'), now=NOW + number)
    assert [one.id[-1] for one in failures.groups_page(redis, 1, 2)] == ['3', '2']
    assert failures.groups_page(redis, 5, 2) == failures.groups_page(redis, 0, 0) == []
    assert failures.groups_of(redis, ['none', f'{2:016}'])[0].id == f'{2:016}'
    assert failures.ids_beginning(redis, f'{0:015}') == failures.group_ids(redis)
    assert failures.ids_beginning(redis, f'{3:016}') == [f'{3:016}']
    assert failures.group_of(redis, 'none') is None


def test_odd_names(redis):
    settled(redis, queue='a\nb c', cause=cause(function=''))
    assert set(names(redis)) == {('a\nb c', '')}
    assert check(redis) == []


def test_entries_between_two_times(redis):
    for number in range(6):
        settled(redis, job_id=f'j{number}', now=NOW + number)
    bucket = f'{GID}:1'
    ((first, *others),) = buckets.entries(redis, [bucket])
    assert first == Entry('j5', NOW + 5, bucket) and len(others) == 5
    found = buckets.entries(redis, [bucket, f'{GID}:2'], since=NOW + 1, until=NOW + 5, offset=1, limit=2)
    assert [[one.job_id for one in each] for each in found] == [['j3', 'j2'], []]
    assert failures.sizes(redis, [bucket, 'none:1'], since=NOW + 1, until=NOW + 5) == [4, 0]
    assert failures.sizes(redis, [bucket]) == [6]
    assert failures.sizes(redis, []) == buckets.entries(redis, []) == buckets.verified(redis, []) == []


def test_what_the_record_says_of_an_entry(redis):
    settled(redis)
    entry = buckets.entries(redis, [f'{GID}:1'])[0][0]
    (found,) = buckets.verified(redis, [entry], ['origin', 'nothing'])
    assert found is not None and found['origin'] == b'q' and 'nothing' not in found


def test_every_registry_is_known():
    """A new kind of place that failed jobs may go to has to leave the bucket, too."""
    assert set(REGISTRY.values()) == set(keys.PLACES)
