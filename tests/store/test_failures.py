"""Failed attempts are counted in the group of their cause."""

import threading

import pytest

from rq.store import failures, keys, operate, quarantine
from rq.store.call import run
from rq.store.failures import HOURS, MUTED, OPEN, REGRESSED, RESOLVED
from tests.invariants import check
from tests.store import buckets
from tests.store.causes import GID, HOUR, cause, group, settled
from tests.store.world import NOW, dump, enqueue, job, record, rest, started, take, unchanged

# --- counting ---------------------------------------------------------------------------------------------------------


def test_a_failed_job(redis):
    assert settled(redis)[0] == 'ok'
    one = group(redis)
    assert (one.id, one.title, one.kind, one.type_name) == (GID, 'ValueError in m:f', 'raised', 'ValueError')
    assert (one.message, one.frames, one.sample_ids) == ('no <n>', ('m:g', 'm:f'), ('j',))
    assert (one.state, one.muted_until, one.resolved_at, one.regressed_at) == (OPEN, None, None, None)
    assert (one.count, one.first_seen, one.last_seen, one.failed_count) == (1, NOW, NOW, 1)
    (bucket,) = one.buckets
    assert bucket == failures.Bucket(f'{GID}:1', GID, 'q', 'm.f', 1, False)
    assert job(redis)['failed_in'] == bucket.name
    assert redis.zrange(keys.failed_in(bucket.name), 0, -1, withscores=True) == [(b'j', NOW * 1000)]
    assert check(redis) == []


def test_a_retried_attempt_counts_and_stands_nowhere(redis):
    assert settled(redis, 'retry')[0] == 'ok'
    one = group(redis)
    assert (one.count, one.failed_count, one.sample_ids) == (1, 0, ('j',))
    assert 'failed_in' not in job(redis)
    assert check(redis) == []


@pytest.mark.parametrize('verb', ['fail', 'retry'])
def test_a_repeated_call_counts_once(redis, verb):
    answer, call = settled(redis, verb)
    with unchanged(redis):
        assert (answer, run(redis, call)) == ('ok', 'already')
    assert group(redis).count == 1


@pytest.mark.parametrize('verb', ['fail', 'retry'])
def test_what_is_not_ours_counts_nothing(redis, verb):
    lease = started(redis)
    run(redis, operate.cancel('j', now=NOW))
    assert settled(redis, verb, lease=lease)[0] == 'lost'
    assert buckets.number_of_groups(redis) == 0


def test_without_a_cause_nothing_is_counted(redis):
    settled(redis, cause=())
    assert buckets.number_of_groups(redis) == 0
    assert 'failed_in' not in job(redis)


def test_each_attempt_of_a_job_counts(redis):
    settled(redis, 'retry')
    settled(redis, 'retry', lease=take(redis, 'f'), cause=cause('b' * 16))
    settled(redis, lease=take(redis, 'g'))
    one = group(redis)
    assert (one.count, one.failed_count, one.sample_ids) == (2, 1, ('j',))
    assert group(redis, 'b' * 16).count == 1
    assert check(redis) == []


@pytest.mark.parametrize('words', [{'stored': False}, {'ttl': 0}])
def test_who_is_not_among_the_failed_jobs_stands_in_no_bucket(redis, words):
    settled(redis, **words)
    assert (group(redis).count, group(redis).failed_count) == (1, 0)
    assert check(redis, unstored=['j']) == []


def test_failed_and_again(redis):
    lease = started(redis)
    enqueue(redis)
    settled(redis, lease=lease)
    assert (job(redis)['status'], group(redis).count, group(redis).failed_count) == ('queued', 1, 0)
    assert 'failed_in' not in job(redis)
    assert check(redis) == []


def test_stored_by_the_default_handler_of_an_old_worker(redis):
    """It is counted where the failure is decided, and stands in its bucket from when it is stored."""
    settled(redis, stored=False)
    made = record()
    assert run(redis, quarantine.quarantine(made, 600, 'text', 'e', only_failed=True, now=NOW + 1)) == 'ok'
    assert (group(redis).count, group(redis).failed_count) == (1, 1)
    (entry,) = buckets.entries(redis, [f'{GID}:1'])[0]
    assert buckets.verified(redis, [entry]) != [None]
    assert check(redis) == []


def test_what_a_program_calls_failed_is_in_no_group(redis):
    rest(redis, 'finished')
    assert run(redis, quarantine.quarantine(record(), 600, 'text', now=NOW)) == 'ok'
    assert buckets.number_of_groups(redis) == 0


def test_many_at_once_are_counted_each(redis):
    leases = [started(redis, f'j{number}', f'e{number}') for number in range(60)]
    clients = [redis] * 4  # it is safe for threads

    def fail(client, mine):
        for lease in mine:
            _, call = settled(client, lease=lease)
            run(client, call)

    threads = [threading.Thread(target=fail, args=(one, leases[at::4])) for at, one in enumerate(clients)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (group(redis).count, group(redis).failed_count) == (60, 60)
    assert check(redis) == []


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_sixty_three_places_and_the_rest(redis):
    for number in range(70):
        settled(redis, job_id=f'j{number}', cause=cause(function=f'm.f{number}'))
    one = group(redis)
    (rest_bucket,) = (bucket for bucket in one.buckets if bucket.is_rest)
    assert (len(one.buckets), one.count, one.failed_count) == (64, 70, 70)
    assert (rest_bucket.name, rest_bucket.count) == (f'{GID}:64', 7)
    assert len(buckets.entries(redis, [rest_bucket.name])[0]) == 7
    settled(redis, job_id='again', cause=cause(function='m.f3'))
    assert job(redis, 'again')['failed_in'] == job(redis, 'j3')['failed_in']
    assert check(redis) == []


def test_ten_samples_the_latest_first(redis):
    for number in [*range(14), 9]:
        settled(redis, job_id=f'j{number}', now=NOW + number)
    assert group(redis).sample_ids == ('j9', 'j13', 'j12', 'j11', 'j10', 'j8', 'j7', 'j6', 'j5', 'j4')


def test_the_group_seen_least_recently_goes(redis):
    settled(redis, job_id='first', cause=cause('0' * 16))
    redis.zadd(keys.FAILURES, {f'{number:016}': NOW * 1000 + number for number in range(1, 1000)})
    settled(redis, job_id='again', cause=cause('0' * 16), now=NOW + 10)
    assert buckets.number_of_groups(redis) == 1000
    settled(redis, job_id='last', cause=cause('f' * 16), now=NOW + 11)
    assert buckets.number_of_groups(redis) == 1000
    assert failures.ids_beginning(redis, f'{1:016}') == []
    assert failures.group_ids(redis, limit=2) == ['f' * 16, '0' * 16]


def test_a_group_that_goes_takes_its_keys_along(redis):
    settled(redis, job_id='first', cause=cause('0' * 16))
    redis.zadd(keys.FAILURES, {f'{number:016}': NOW * 1000 + number for number in range(1, 1000)})
    settled(redis, cause=cause('f' * 16), now=NOW + 10)
    assert [name for name in dump(redis) if '0' * 16 in name] == []
    assert job(redis, 'first')['failed_in'] == f'{"0" * 16}:1'  # and that does no harm
    assert run(redis, operate.requeue(keys.place('failed', 'q'), 'first', now=NOW + 11)).answer == 'ok'
    assert 'failed_in' not in job(redis, 'first')


# --- states -----------------------------------------------------------------------------------------------------------


def test_resolved_and_back_again(redis):
    settled(redis)
    assert run(redis, failures.resolve(GID, NOW + 1)) == 'ok'
    assert (group(redis).state, group(redis).resolved_at) == (RESOLVED, NOW + 1)
    settled(redis, 'retry', job_id='k', now=NOW + 2)
    one = group(redis)
    assert (one.state, one.resolved_at, one.regressed_at) == (REGRESSED, NOW + 1, NOW + 2)
    settled(redis, job_id='l', now=NOW + 3)
    assert (group(redis).state, group(redis).regressed_at) == (REGRESSED, NOW + 2)
    assert run(redis, failures.reopen(GID)) == 'ok'
    assert group(redis).state == OPEN


def test_muted_until_its_time(redis):
    settled(redis)
    assert run(redis, failures.mute(GID, NOW + 10)) == 'ok'
    settled(redis, job_id='k', now=NOW + 9)
    assert (group(redis, now=NOW + 9).state, group(redis, now=NOW + 9).muted_until) == (MUTED, NOW + 10)
    assert (group(redis, now=NOW + 10).state, group(redis, now=NOW + 10).muted_until) == (OPEN, None)
    settled(redis, job_id='l', now=NOW + 11)
    assert redis.hget(keys.failure(GID), 'state') == b'open'


def test_muted_for_ever(redis):
    settled(redis)
    run(redis, failures.mute(GID))
    settled(redis, job_id='k', now=NOW + 10**8)
    assert (group(redis, now=NOW + 10**8).state, group(redis).muted_until) == (MUTED, 0)


@pytest.mark.parametrize('call', [failures.resolve(GID), failures.reopen(GID), failures.mute(GID)])
def test_a_group_that_is_gone_is_not_marked(redis, call):
    assert run(redis, call) == 'gone'
    assert dump(redis) == {}


# --- the trend --------------------------------------------------------------------------------------------------------


def test_trend(redis):
    for number, hour in enumerate([0, 0, 1, 5, 5, 5]):
        settled(redis, job_id=f'j{number}', now=NOW + hour * HOUR)
    assert group(redis, now=NOW + 5 * HOUR).trend[-6:] == (2, 1, 0, 0, 0, 3)
    assert len(group(redis).trend) == HOURS
    assert group(redis, now=NOW + 7 * HOUR).trend[-4:] == (0, 3, 0, 0)
    assert sum(group(redis, now=NOW + 168 * HOUR).trend) == 3 + 1
    assert sum(group(redis, now=NOW + 900 * HOUR).trend) == 0


def test_trend_after_a_week(redis):
    settled(redis)
    settled(redis, job_id='k', now=NOW + 167 * HOUR)
    assert (group(redis, now=NOW + 167 * HOUR).trend[0], group(redis, now=NOW + 167 * HOUR).trend[-1]) == (1, 1)
    settled(redis, job_id='l', now=NOW + 1000 * HOUR)
    assert group(redis, now=NOW + 1000 * HOUR).trend == (*[0] * 167, 1)


def test_trend_when_the_clock_is_put_back(redis):
    settled(redis, now=NOW + HOUR)
    settled(redis, job_id='k', now=NOW)
    assert group(redis, now=NOW + HOUR).trend[-1] == 2
    settled(redis, job_id='l', now=NOW - 50 * HOUR)
    assert group(redis, now=NOW - 50 * HOUR).trend == (*[0] * 167, 1)
