"""Groups as the inspector shows them: in order, by state and filter, by the beginning of an id."""

from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from rq import Queue, Retry, SimpleWorker
from rq.exceptions import NoSuchGroupError
from rq.inspector import FailureGroup, Inspector, Match
from rq.store import failures as stored
from rq.store import keys
from rq.store.call import run
from tests import jobs
from tests.inspector.world import fail, failures
from tests.launch import burst


def types(found: list[FailureGroup]) -> list[str]:
    """The exceptions of a list."""
    return [one.type_name.rpartition('.')[2] for one in found]


def test_what_a_group_says(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.fail, 'door 7 broke', retry=Retry(max=2))
    burst(redis, queue, cls=SimpleWorker)
    (other,) = failures(redis, 1, 'other')
    (found,) = Inspector(redis).groups()
    assert (found.count, found.failed_count, found.state, found.kind) == (4, 2, 'open', 'raised')
    assert found.queues == {'default': 3, 'other': 1} and list(found.queues) == ['default', 'other']
    assert found.functions == {'tests.jobs.fail': 4}
    assert set(found.sample_ids) == {job.id, other}
    assert found.frames == ['tests.jobs:fail'] and 'ValueError' in found.title
    assert len(found.trend) == 168 and sum(found.trend) == 4
    assert found.first_seen <= found.last_seen and abs(found.last_seen - datetime.now(UTC)) < timedelta(minutes=1)
    assert (found.muted_until, found.resolved_at, found.regressed_at) == (None, None, None)
    assert Inspector(redis).group(found.id) == found


def test_the_latest_seen_first_and_a_piece_of_them(redis: Redis) -> None:
    fail(redis, (jobs.div,), (jobs.fail, 'x'), (jobs.raises, 'plain'), (jobs.div,))
    inspector = Inspector(redis)
    found = types(inspector.groups())
    assert found[0] == 'ZeroDivisionError' and len(found) == 3
    assert types(inspector.groups(limit=2)) == found[:2]
    assert types(inspector.groups(limit=2, offset=2)) == found[2:]
    assert inspector.groups(offset=9) == []


def test_filters(redis: Redis) -> None:
    fail(redis, (jobs.div,), (jobs.fail, 'the door broke'))
    fail(redis, (jobs.div,), queue='other')
    inspector, now = Inspector(redis), datetime.now(UTC)
    hour = timedelta(hours=1)
    both = ['ZeroDivisionError', 'ValueError']
    for match, expected in [
        (Match(), both),
        (Match(queue='default'), both),
        (Match(queue='other'), both[:1]),
        (Match(queue='other', function='fail'), []),
        (Match(function='tests.jobs.fail'), both[1:]),
        (Match(type_name='ValueError'), both[1:]),
        (Match(kind='killed'), []),
        (Match(text='DOOR'), both[1:]),
        (Match(text='division by'), both[:1]),
        (Match(since=now - hour, until=now + hour), both),
        (Match(since=now + hour), []),
        (Match(until=now - hour), []),
    ]:
        assert types(inspector.groups(match=match)) == expected, match


def test_states(redis: Redis) -> None:
    fail(redis, (jobs.div,), (jobs.fail, 'x'))
    inspector = Inspector(redis)
    zero, value = inspector.groups()[::-1]
    run(redis, stored.resolve(zero.id))
    run(redis, stored.mute(value.id))
    assert inspector.groups() == []
    assert types(inspector.groups('resolved')) == ['ZeroDivisionError']
    assert types(inspector.groups('muted')) == ['ValueError']
    assert len(inspector.groups('all')) == 2
    assert inspector.group(value.id).muted_until is None and inspector.group(zero.id).resolved_at is not None
    fail(redis, (jobs.div,))
    (back,) = inspector.groups()
    assert (back.state, back.regressed_at is not None) == ('regressed', True)
    with pytest.raises(ValueError, match='no state'):
        inspector.groups('broken')


def test_by_the_beginning_of_an_id(redis: Redis) -> None:
    fail(redis, (jobs.div,), (jobs.fail, 'x'))
    inspector = Inspector(redis)
    one, other = inspector.groups()
    assert inspector.group(one.id[:8]).id == one.id
    for prefix in ('', 'zz', '0' * 16, '\x1b[2J'):
        with pytest.raises(NoSuchGroupError, match='no failure group'):
            inspector.group(prefix)
    redis.zadd('rq:failures', {one.id[:12] + 'ffff': 1})
    with pytest.raises(NoSuchGroupError, match='2 failure groups begin with'):
        inspector.group(one.id[:12])
    assert inspector.group(other.id[:12]).id == other.id


@pytest.mark.parametrize(
    'field',
    ['count', 'first_seen', 'last_seen', 'hour', 'resolved_at', 'muted_until', 'places', 'in:default\ntests.jobs.fail'],
)
@pytest.mark.parametrize('value', ['9' * 5000, '1 ' + '9' * 5000, 'x', '-5', '\u0663'])
def test_numbers_that_make_no_sense(redis: Redis, field: str, value: str) -> None:
    (job_id,) = failures(redis, 1)
    [group] = Inspector(redis).groups()
    redis.hset(keys.failure(group.id), field, value)
    [found] = Inspector(redis).groups('all')
    assert (found.id, found.title) == (group.id, group.title)
    assert [one.id for one in Inspector(redis).failed_jobs().items] == [job_id]
    Inspector(redis).failed_jobs(Match(function='fail'))


def test_groups_whose_key_holds_another_type(redis: Redis) -> None:
    redis.set(keys.FAILURES, 'no set')
    assert Inspector(redis).groups() == []
    failures(redis, 1)
    assert len(Inspector(redis).groups()) == 1
