"""Lists of failed jobs: each filter alone and together, pages, what holds no more, and what cannot be read."""

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Retry, SimpleWorker
from rq.bulk import Bulk
from rq.exceptions import NoSuchGroupError
from rq.inspector import Inspector, Match
from rq.inspector.look import TEXT_BUDGET
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.store import keys
from tests import jobs
from tests.inspector.world import all_pages, fail, failures, ids, left_by_rq3, moved
from tests.launch import burst
from tests.store.world import unchanged


def test_each_filter(redis: Redis) -> None:
    broke, div = fail(redis, (jobs.fail, 'the door broke'), (jobs.div,))
    (other,) = fail(redis, (jobs.div,), queue='other')
    group = next(one.id for one in Inspector(redis).groups() if one.type_name == 'ValueError')
    latest_first = [other, div, broke]
    for match, expected in [
        (Match(), [other, div, broke]),
        (Match(queue='default'), [div, broke]),
        (Match(queue='none'), []),
        (Match(group=group), [broke]),
        (Match(group=group[:3]), [broke]),
        (Match(function='tests.jobs.div'), [other, div]),
        (Match(function='div'), [other, div]),
        (Match(function='iv'), []),
        (Match(type_name='ZeroDivisionError'), [other, div]),
        (Match(type_name='Error'), []),
        (Match(kind='raised'), latest_first),
        (Match(kind='killed'), []),
        (Match(text='DOOR'), [broke]),
        (Match(text='valueerror'), [broke]),
        (Match(text=div[4:20]), [div]),
        (Match(text='nothing like it'), []),
        (Match(queue='other', type_name='ZeroDivisionError', function='div', kind='raised'), [other]),
        (Match(queue='other', text='door'), []),
        (Match(text='division', queue='default', kind='raised'), [div]),
    ]:
        assert ids(all_pages(redis, match)) == expected, match


def test_times(redis: Redis) -> None:
    made = failures(redis, 4)
    at = [moved(redis, job_id, 3600 * (4 - number)) for number, job_id in enumerate(made)]
    millisecond = timedelta(milliseconds=1)
    for match, expected in [
        (Match(since=at[2]), [made[3], made[2]]),
        (Match(since=at[2] + millisecond), [made[3]]),
        (Match(until=at[1]), [made[0]]),
        (Match(until=at[1] + millisecond), [made[1], made[0]]),
        (Match(since=at[1], until=at[3]), [made[2], made[1]]),
        (Match(since=at[1].replace(tzinfo=None), until=at[3], type_name='ValueError'), [made[2], made[1]]),
        (Match(since=datetime(2200, 1, 1, tzinfo=UTC)), []),
    ]:
        assert ids(all_pages(redis, match)) == expected, match
        assert ids(all_pages(redis, match, limit=1)) == expected, match


def test_what_a_job_says(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.fail, 'the door broke', retry=Retry(max=1), description='close the door')
    burst(redis, queue, cls=SimpleWorker)
    (found,) = Inspector(redis).failed_jobs().items
    assert found.id == job.id and found.queue == 'default' and found.function == 'tests.jobs.fail'
    assert found.description == 'close the door' and found.attempt_count == 2
    assert (found.kind, found.type_name, found.message) == ('raised', 'ValueError', 'the door broke')
    assert Inspector(redis).group(found.group).failed_count == 1
    assert abs(found.failed_at - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize('limit', [1, 3, 7, 50])
@pytest.mark.parametrize('match', [Match(), Match(type_name='ValueError'), Match(since=datetime(2020, 1, 1))])
def test_pages_tell_each_job_once(redis: Redis, limit: int, match: Match) -> None:
    made = failures(redis, 9) + failures(redis, 8, 'other')
    found = ids(all_pages(redis, match, limit))
    assert sorted(found) == sorted(made)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize('match', [Match(), Match(type_name='ValueError'), Match(text='broke')])
def test_pages_are_stable_while_jobs_come_and_go(redis: Redis, match: Match) -> None:
    made = failures(redis, 12)
    for job_id in made:
        moved(redis, job_id, 3600)  # a registry knows seconds only: what fails in the same one may come behind a cursor
    inspector = Inspector(redis)
    first = inspector.failed_jobs(match, limit=4)
    seen = ids(first.items)
    Job.fetch(seen[-1], redis).delete()  # the one the cursor points behind
    FailedJobRegistry(connection=redis).requeue(seen[0])
    rest = [one for one in made if one not in seen]
    Job.fetch(rest[0], redis).delete()
    burst(redis, Queue(connection=redis), cls=SimpleWorker)  # which fails again
    failures(redis, 3)
    found = ids(inspector.failed_jobs(match, first.cursor, 50).items)
    assert sorted(found) == sorted(rest[1:])


@pytest.mark.parametrize('match', [Match(), Match(kind='raised')])
def test_thousands_in_one_instant(redis: Redis, match: Match) -> None:
    (one,) = failures(redis, 1)
    record, bucket = redis.hgetall(keys.job(one)), redis.hget(keys.job(one), 'failed_in').decode()
    moment = redis.zscore(keys.failed_in(bucket), one)
    made = [f'j{number:04}' for number in range(2500)]
    pipeline = redis.pipeline()
    for job_id in made:
        pipeline.hset(keys.job(job_id), mapping=record)
    redis_score = redis.zscore(keys.place('failed', 'default'), one)
    pipeline.zadd(keys.place('failed', 'default'), dict.fromkeys(made, redis_score))
    pipeline.zadd(keys.failed_in(bucket), dict.fromkeys(made, moment))
    pipeline.execute()
    inspector, found, cursor = Inspector(redis), [], ''
    while not found or cursor:
        page = inspector.failed_jobs(match, cursor, 300)
        found, cursor = found + ids(page.items), page.cursor
        redis.zrem(keys.failed_in(bucket), page.items[-1].id)  # the cursor's own place is gone
        redis.zrem(keys.place('failed', 'default'), page.items[-1].id)
    assert sorted(found) == sorted([one, *made])


def test_jobs_of_rq3(redis: Redis) -> None:
    (ours,) = failures(redis, 1)
    theirs = left_by_rq3(redis, 'theirs')
    moved(redis, ours, 3600)
    for match in (Match(), Match(queue='default'), Match(since=datetime.now(UTC) - timedelta(days=1))):
        assert ids(all_pages(redis, match)) == [theirs, ours]
    for match in (Match(kind='raised'), Match(function='shop.pay'), Match(type_name='ValueError')):
        assert theirs not in ids(all_pages(redis, match))
    assert ids(all_pages(redis, Match(text='NOT TODAY'))) == [theirs]
    found = Inspector(redis).failed_jobs(limit=1).items[0]
    assert (found.type_name, found.message) == ('shop.errors.Refused', 'not today')
    assert (found.function, found.group, found.kind, found.attempt_count) == ('shop.pay', '', '', 0)


@pytest.mark.parametrize('ttl', [-1, 60, 5 * 31536000])
def test_jobs_of_rq3_that_are_kept_for_another_time(redis: Redis, ttl: int) -> None:
    score = {-1: -1, 60: None}.get(ttl)
    theirs = left_by_rq3(redis, 'theirs', ttl=ttl)
    if score is not None:
        redis.zadd(keys.place('failed', 'default'), {theirs: score})
    ours = failures(redis, 3)
    assert sorted(ids(all_pages(redis, limit=2))) == sorted([*ours, theirs])


def test_what_is_failed_no_more_is_left_out(redis: Redis) -> None:
    made = failures(redis, 6)
    redis.delete(keys.job(made[0]))  # expired
    redis.hset(keys.job(made[1]), 'status', 'queued')  # requeued by RQ 3.0, which knows no buckets
    redis.hset(keys.job(made[2]), mapping={'status': 'failed', 'started_at': '2199-01-01T00:00:00.000000Z'})
    redis.hset(keys.job(made[3]), 'failed_in', '0000000000000000:1')
    for match in (Match(kind='raised'), Match(type_name='ValueError')):
        assert ids(all_pages(redis, match)) == [made[5], made[4]]
    # what failed again in a worker of RQ 3.0, or of a group that was forgotten, is failed
    assert sorted(ids(all_pages(redis))) == sorted(made[2:])


def test_a_rest_bucket_is_looked_through(redis: Redis) -> None:
    (one,) = failures(redis, 1)
    (two,) = failures(redis, 1, 'other')
    group = Inspector(redis).groups()[0].id
    was = {each: keys.failed_in(redis.hget(keys.job(each), 'failed_in').decode()) for each in (one, two)}
    for field in redis.hkeys(keys.failure(group)):
        if field.startswith(b'in:'):
            redis.hdel(keys.failure(group), field)
    redis.hset(keys.failure(group), 'in:', '1 2')
    bucket = keys.failed_in(f'{group}:1')
    for job_id in (one, two):
        redis.hset(keys.job(job_id), 'failed_in', f'{group}:1')
        redis.zadd(bucket, {job_id: redis.zscore(was[job_id], job_id)})
    assert ids(all_pages(redis, Match(group=group, queue='other'))) == [two]
    assert sorted(ids(all_pages(redis, Match(function='tests.jobs.fail')))) == sorted([one, two])
    assert ids(all_pages(redis, Match(function='tests.jobs.other'))) == []
    assert Inspector(redis).count(Match(queue='other', kind='raised')) is None


@pytest.mark.parametrize(
    'field, value',
    [
        ('attempt:1', b'1 not zlib'),
        ('attempt:1', b''),
        ('attempt:1', b'1 ' + zlib.compress(b'[1]')),
        ('attempt:1', b'1 ' + zlib.compress(b'{"message": 5, "kind": []}')),
        ('attempt:1', b'1 ' + zlib.compress(b'0' * 50_000_000)),
        ('attempts', b'many'),
        ('attempts', b'-7'),
        ('description', b'\xff\xfe'),
        ('description', b'x' * 500_000),
        ('ended_at', b'yesterday'),
        ('started_at', b'\xff'),
        ('data', b'\x80\x04not a pickle'),
        ('origin', b''),
    ],
)
def test_corrupt_records_are_shown_as_far_as_they_can_be_read(redis: Redis, field: str, value: bytes) -> None:
    bad, good = failures(redis, 2)
    redis.hset(keys.job(bad), field, value)
    for match in (Match(), Match(text='broke')):
        found = {one.id: one for one in all_pages(redis, match)}
        assert good in found
        if field != 'started_at':
            assert bad in found
    assert len(found[good].description) < 2000
    inspector = Inspector(redis)
    assert inspector.job(bad).status == 'failed'
    assert len(inspector.attempts(bad)) in (0, 1)


@pytest.mark.parametrize('score', ['inf', '-inf', 1e300, 1e18, -1])
def test_a_moment_of_no_calendar(redis: Redis, score: Any) -> None:
    bad, good = failures(redis, 2)
    [group] = Inspector(redis).groups()
    redis.zadd(keys.failed_in(f'{group.id}:1'), {bad: score})
    for match in (Match(), Match(group=group.id), Match(since=datetime(2020, 1, 1, tzinfo=UTC)), Match(text='broke')):
        assert good in ids(all_pages(redis, match))
    assert Inspector(redis).job(bad).status == 'failed'


@pytest.mark.parametrize('score', [0, 1, 5])
@pytest.mark.parametrize('limit', [1, 2, 50])
def test_kept_for_times_that_make_no_sense(redis: Redis, score: int, limit: int) -> None:
    made = [left_by_rq3(redis, f'j{number}', ended_at='') for number in range(4)]
    redis.zadd(keys.place('failed', 'default'), {made[0]: score, made[1]: -1, made[2]: -2})
    assert sorted(ids(all_pages(redis, limit=limit))) == made
    assert Bulk(redis).requeue(Match(text='refused'), dry_run=True).matched == 4


def test_keys_of_other_types_are_nothing(redis: Redis) -> None:
    (good,) = failures(redis, 1)
    redis.set(keys.job('odd'), 'no hash')
    redis.zadd(keys.place('failed', 'default'), {'odd': 9e9, b'\xff\xfe': 9e9})
    redis.sadd(keys.QUEUES, keys.queue('strange'), b'\xff', 'not a queue')
    redis.set(keys.place('failed', 'strange'), 'no set')
    redis.delete(keys.results(good))
    redis.set(keys.results(good), 'no stream')
    assert ids(all_pages(redis)) == [good]
    assert Inspector(redis).count() == 3
    assert Inspector(redis).attempts(good)[0].exc_string == ''


def test_a_text_that_few_have_is_looked_for_step_by_step(redis: Redis) -> None:
    (one,) = failures(redis, 1)
    record, bucket = redis.hgetall(keys.job(one)), redis.hget(keys.job(one), 'failed_in').decode()
    moment = redis.zscore(keys.failed_in(bucket), one)
    pipeline = redis.pipeline()
    for number in range(2 * TEXT_BUDGET):
        pipeline.hset(keys.job(f'j{number}'), mapping={**record, b'description': f'no {number}'})
        pipeline.zadd(keys.failed_in(bucket), {f'j{number}': moment + 1 + number})
    pipeline.execute()
    match = Match(text="'number 0 broke'", kind='raised')
    page = Inspector(redis).failed_jobs(match)
    assert (page.items, page.is_complete) == ([], False) and page.cursor
    assert ids(all_pages(redis, match)) == [one]


def test_counts(redis: Redis) -> None:
    failures(redis, 3)
    fail(redis, (jobs.div,), queue='other')
    inspector = Inspector(redis)
    assert inspector.count() == 4
    assert inspector.count(Match(queue='other')) == 1
    assert inspector.count(Match(type_name='ValueError')) == 3
    now = datetime.now(UTC)
    assert inspector.count(Match(kind='raised', since=now - timedelta(hours=1))) == 4
    assert inspector.count(Match(kind='raised', until=now - timedelta(hours=1))) == 0
    assert inspector.count(Match(text='broke')) is None
    assert inspector.count(Match(since=now)) is None


@pytest.mark.parametrize('cursor', ['x', 'ÿ', '!!!', 'bm90IGpzb24', 'WzFd', 'W10', 'a' * 10_000, 'eyJhIjogMX0'])
def test_what_is_no_cursor(redis: Redis, cursor: str) -> None:
    failures(redis, 2)
    with pytest.raises(ValueError, match='no cursor'):
        Inspector(redis).failed_jobs(Match(), cursor)


def test_a_cursor_of_another_search(redis: Redis) -> None:
    failures(redis, 2)
    cursor = Inspector(redis).failed_jobs(Match(queue='default'), limit=1).cursor
    with pytest.raises(ValueError, match='another search'):
        Inspector(redis).failed_jobs(Match(), cursor)


@pytest.mark.parametrize('limit', [0, -1, 1001])
def test_a_page_has_a_size(redis: Redis, limit: int) -> None:
    with pytest.raises(ValueError, match='a page has'):
        Inspector(redis).failed_jobs(limit=limit)


def test_an_unknown_group(redis: Redis) -> None:
    with pytest.raises(NoSuchGroupError):
        Inspector(redis).failed_jobs(Match(group='abc'))
    assert Inspector(redis).failed_jobs(Match(group='0' * 16)).items == []


def test_looking_changes_no_key(redis: Redis) -> None:
    made = failures(redis, 3)
    left_by_rq3(redis, 'theirs')
    redis.hset(keys.job(made[0]), 'status', 'queued')
    redis.delete(keys.job(made[1]))
    inspector = Inspector(redis)
    matches: list[Any] = [Match(), Match(kind='raised'), Match(text='broke'), Match(since=datetime(2020, 1, 1))]
    with unchanged(redis):
        for match in matches:
            all_pages(redis, match, 1)
            inspector.count(match)
            inspector.groups('all', match)
        inspector.job(made[2])
        inspector.attempts(made[2])
        inspector.group(inspector.groups()[0].id[:4])
