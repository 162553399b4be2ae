"""Bulk actions: all that match, once each, whatever runs and fails meanwhile; rehearsed, rationed, and by a canary."""

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry as ClientRetry

from rq import Queue, SimpleWorker
from rq.bulk import Bulk, BulkResult
from rq.inspector import Match
from rq.job import Job
from rq.rate_limit import RateLimit
from rq.registry import CanceledJobRegistry, FailedJobRegistry
from rq.store import keys, many
from rq.store.call import run
from tests import jobs
from tests.conftest import PrivateServer
from tests.crash.proxy import Proxy
from tests.inspector.world import all_pages, fail, failures, ids, left_by_rq3
from tests.invariants import check
from tests.launch import Launch, burst, marks
from tests.store.world import unchanged
from tests.waiting import wait_until


def counts(result: BulkResult) -> tuple[int, int, int]:
    """Matched, changed, passed over."""
    return result.matched, result.changed, result.passed_over


def of_status(redis: Redis, status: str, job_ids: list[str]) -> list[str]:
    """Those that have a status."""
    return [one for one in job_ids if Job.fetch(one, redis).get_status() == status]


def copies(redis: Redis, number: int) -> list[str]:
    """So many failed jobs, written as copies of one that failed."""
    (one,) = failures(redis, 1)
    record, bucket = redis.hgetall(keys.job(one)), redis.hget(keys.job(one), 'failed_in').decode()
    moment, until = redis.zscore(keys.failed_in(bucket), one), redis.zscore(keys.place('failed', 'default'), one)
    made = [f'j{each:05}' for each in range(number)]
    pipeline = redis.pipeline()
    for job_id in made:
        pipeline.hset(keys.job(job_id), mapping=record)
    pipeline.zadd(keys.failed_in(bucket), dict.fromkeys(made, moment))
    pipeline.zadd(keys.place('failed', 'default'), dict.fromkeys(made, until))
    pipeline.execute()
    return [one, *made]


@pytest.mark.parametrize('match', [Match(), Match(type_name='ValueError'), Match(text='broke'), Match(queue='default')])
def test_requeue_all_in_the_order_in_which_they_failed(redis: Redis, queue: Queue, match: Match) -> None:
    fail(redis, (jobs.div,), queue='other')
    made = failures(redis, 4)
    seen: list[Any] = []
    result = Bulk(redis).requeue(match, on_progress=lambda *words: seen.append(words))
    assert result.changed >= 4 and result.passed_over == 0 and result.matched == result.changed
    assert sorted(queue.job_ids) == sorted(made)
    if match.type_name:
        assert queue.job_ids == made and seen == [(4, 4)]
    assert not set(made) & set(ids(all_pages(redis)))
    assert check(redis) == []


def test_at_the_front(redis: Redis, queue: Queue) -> None:
    (made,) = failures(redis, 1)
    waiting = queue.enqueue(jobs.add)
    Bulk(redis).requeue(Match(), at_front=True)
    assert queue.job_ids == [made, waiting.id]


def test_only_what_matches(redis: Redis) -> None:
    made, others = failures(redis, 3), fail(redis, (jobs.div,), (jobs.div,))
    assert counts(Bulk(redis).requeue(Match(function='div'))) == (2, 2, 0)
    assert of_status(redis, 'failed', made) == made and of_status(redis, 'queued', others) == others


@pytest.mark.parametrize('match', [Match(), Match(kind='raised')])
def test_the_first_are_those_that_failed_last(redis: Redis, match: Match) -> None:
    made = failures(redis, 6)
    for number, job_id in enumerate(made):
        redis.zincrby(keys.place('failed', 'default'), number - 100, job_id)
    assert counts(Bulk(redis).requeue(match, first=2)) == (2, 2, 0)
    assert of_status(redis, 'queued', made) == made[4:]


def test_those_that_were_passed_over_do_not_count_as_first(redis: Redis) -> None:
    made = failures(redis, 4)
    redis.hset(keys.job(made[3]), 'status', 'queued')
    assert counts(Bulk(redis).requeue(Match(kind='raised'), first=2)) == (3, 2, 1)
    assert of_status(redis, 'queued', made) == made[1:]


def test_delete(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div)
    child = queue.enqueue(jobs.add, depends_on=job)
    burst(redis, queue, cls=SimpleWorker)
    assert counts(Bulk(redis).delete(Match())) == (1, 1, 0)
    assert not Job.exists(job.id, redis) and child.get_status() == 'queued'
    assert not redis.exists(keys.results(job.id)) and all_pages(redis) == []
    assert check(redis) == []


def test_delete_with_dependents(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div)
    child = queue.enqueue(jobs.add, depends_on=job)
    burst(redis, queue, cls=SimpleWorker)
    Bulk(redis).delete(Match(), delete_dependents=True)
    assert not Job.exists(child.id, redis)
    assert check(redis) == []


@pytest.mark.parametrize('release', [False, True])
def test_cancel(redis: Redis, queue: Queue, release: bool) -> None:
    job = queue.enqueue(jobs.div)
    child = queue.enqueue(jobs.add, depends_on=job)
    burst(redis, queue, cls=SimpleWorker)
    assert counts(Bulk(redis).cancel(Match(), enqueue_dependents=release)) == (1, 1, 0)
    assert job.get_status() == 'canceled' and CanceledJobRegistry(queue=queue).get_job_ids() == [job.id]
    assert child.get_status() == ('queued' if release else 'deferred')
    assert FailedJobRegistry(queue=queue).get_job_ids() == [] and all_pages(redis) == []
    assert check(redis) == []


def test_jobs_with_very_many_dependents_come_in_several_batches(redis: Redis, queue: Queue) -> None:
    parents = [queue.enqueue(jobs.div) for _ in range(3)]
    children = [queue.prepare_data(jobs.add, depends_on=[parent]) for parent in parents for _ in range(400)]
    made = queue.enqueue_many(children)
    burst(redis, queue, cls=SimpleWorker)
    seen: list[int] = []
    result = Bulk(redis).delete(Match(), on_progress=lambda done, _: seen.append(done))
    assert counts(result) == (3, 3, 0) and seen == [2, 3]
    assert len(of_status(redis, 'queued', [one.id for one in made])) == 1200


def test_rate_limited_jobs_wait_for_their_slots(redis: Redis, queue: Queue) -> None:
    limit = RateLimit('slow', concurrency=1)
    made = [queue.enqueue(jobs.div, rate_limit=limit).id for _ in range(3)]
    burst(redis, queue, cls=SimpleWorker)
    assert len(of_status(redis, 'failed', made)) == 3
    assert counts(Bulk(redis).requeue(Match())) == (3, 3, 0)
    assert len(of_status(redis, 'queued', made)) == 1 and len(of_status(redis, 'rate_limited', made)) == 2
    assert check(redis) == []


@pytest.mark.parametrize('verb', ['requeue', 'delete', 'cancel'])
@pytest.mark.parametrize('match', [Match(), Match(kind='raised'), Match(text='broke')])
def test_a_rehearsal_changes_no_key(redis: Redis, verb: str, match: Match) -> None:
    failures(redis, 13)
    with unchanged(redis):
        result = getattr(Bulk(redis), verb)(match, dry_run=True)
    assert counts(result) == (13, 0, 0) and len(result.samples) == 10


def test_nothing_matches(redis: Redis) -> None:
    assert Bulk(redis).requeue(Match()) == BulkResult(0, 0, 0)
    failures(redis, 1)
    assert Bulk(redis).delete(Match(type_name='KeyError')) == BulkResult(0, 0, 0)


@pytest.mark.parametrize('words', [{'first': 0}, {'first': -1}, {'rate': 0}, {'rate': -2.5}, {'rate': float('nan')}])
def test_words_that_make_no_sense(redis: Redis, words: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match='leave it out'):
        Bulk(redis).requeue(Match(), **words)


def test_a_rate_makes_small_batches(redis: Redis) -> None:
    failures(redis, 7)
    seen: list[int] = []
    Bulk(redis).requeue(Match(), rate=8, first=3, on_progress=lambda done, _: seen.append(done))
    assert seen == [2, 3]


def test_more_than_a_batch(redis: Redis, queue: Queue) -> None:
    made = copies(redis, 1700)
    seen: list[Any] = []
    result = Bulk(redis).requeue(Match(kind='raised'), on_progress=lambda *words: seen.append(words))
    assert counts(result) == (1701, 1701, 0)
    assert [done for done, _ in seen] == [500, 1000, 1500, 1701] and seen[0][1] == 1701
    assert sorted(queue.job_ids) == sorted(made)
    assert all(redis.ttl(key) > 0 for key in redis.keys('rq:bulk:*'))


def test_jobs_of_rq3(redis: Redis, queue: Queue) -> None:
    theirs, (ours,) = left_by_rq3(redis, 'theirs'), failures(redis, 1)
    assert counts(Bulk(redis).requeue(Match())) == (2, 2, 0)
    assert sorted(queue.job_ids) == sorted([theirs, ours])
    assert check(redis) == []


def test_what_is_failed_no_more_is_passed_over(redis: Redis, queue: Queue) -> None:
    made = failures(redis, 5)
    redis.delete(keys.job(made[0]))
    redis.hset(keys.job(made[1]), 'status', 'finished')
    redis.hset(keys.job(made[2]), 'started_at', '2199-01-01T00:00:00.000000Z')
    assert counts(Bulk(redis).requeue(Match(kind='raised'))) == (5, 2, 3)
    assert queue.job_ids == made[3:]


def test_one_broken_job_does_not_keep_the_others(redis: Redis, queue: Queue) -> None:
    made = failures(redis, 3)
    redis.hset(keys.job(made[1]), mapping={'rate_limit_key': 'l', 'rate_limit_concurrency': 1})
    redis.set('rq:rl:l', 'no hash')
    assert counts(Bulk(redis).requeue(Match(kind='raised'))) == (3, 2, 1)
    assert queue.job_ids == [made[0], made[2]]
    assert redis.hexists('rq:aside:default', made[1])


# --- exactly once -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('match', [Match(), Match(kind='raised'), Match(text='note')])
def test_jobs_that_fail_again_meanwhile_are_not_taken_again(redis: Redis, queue: Queue, match: Match) -> None:
    made = fail(redis, *((jobs.note_and_fail, f'm{number}') for number in range(30)))
    redis.delete('test:marks')

    def work(done: int, _: int | None) -> None:
        burst(redis, queue, cls=SimpleWorker)  # after each batch they fail again, at once

    result = Bulk(redis).requeue(match, rate=1e6, on_progress=work)
    assert result.changed == 30
    assert sorted(marks(redis)) == sorted(f'm{number}' for number in range(30))
    assert of_status(redis, 'failed', made) == made


@pytest.mark.parametrize('match', [Match(), Match(kind='raised')])
def test_exactly_once_while_workers_run(redis: Redis, queue: Queue, launch: Launch, match: Match) -> None:
    made = fail(redis, *((jobs.note_and_fail, f'm{number}') for number in range(120)))
    redis.delete('test:marks')
    for _ in range(2):
        launch('default', cls='SimpleWorker').ready()
    result = Bulk(redis).requeue(match, rate=1500)
    assert result.changed == 120
    wait_until(lambda: len(marks(redis)) >= 120 and not queue.job_ids, 20, 'all have run')
    wait_until(lambda: len(of_status(redis, 'failed', made)) == 120, 20, 'all have failed again')
    assert sorted(marks(redis)) == sorted(f'm{number}' for number in range(120))


def test_two_actions_at_once_take_each_job_once(redis: Redis, queue: Queue) -> None:
    made = copies(redis, 900)
    inner: list[BulkResult] = []

    def other(done: int, _: int | None) -> None:
        if not inner:
            inner.append(Bulk(redis).requeue(Match(kind='raised')))

    result = Bulk(redis).requeue(Match(kind='raised'), on_progress=other)
    assert result.changed + inner[0].changed == 901
    assert sorted(queue.job_ids) == sorted(made)


@pytest.fixture
def proxy(server: PrivateServer, redis: Redis) -> Iterator[Proxy]:
    """Between the action and the server."""
    between = Proxy(str(server.socket)).start()
    try:
        yield between
    finally:
        between.close()


@pytest.mark.parametrize('retries', [0, 3])
def test_a_lost_reply_changes_nothing_twice(redis: Redis, queue: Queue, proxy: Proxy, retries: int) -> None:
    made = fail(redis, *((jobs.note_and_fail, f'm{number}') for number in range(8)))
    redis.delete('test:marks')
    with Redis(port=proxy.port, retry=ClientRetry(NoBackoff(), retries)) as client:
        rule = proxy.drop_reply(b'rq:bulk:')
        result = Bulk(client).requeue(Match(kind='raised'), on_progress=lambda *_: None)
        assert rule.hits == 1
    assert counts(result) == (8, 8, 0)
    assert queue.job_ids == made
    burst(redis, queue, cls=SimpleWorker)
    assert len(marks(redis)) == 8


def test_a_lost_reply_while_they_fail_again(redis: Redis, queue: Queue) -> None:
    """The batch is repeated after all of it has run and failed once more."""
    made = fail(redis, (jobs.fail, 'a'), (jobs.fail, 'b'))
    action = many.Action('a', 2**53)
    call = many.requeue_many(action, 1, [many.Chosen(one.encode()) for one in made])
    assert run(redis, call) == [True, True]
    burst(redis, queue, cls=SimpleWorker)
    with unchanged(redis):
        assert run(redis, call) == [True, True]


# --- canary -------------------------------------------------------------------------------------------------------


def test_a_canary_that_lives(redis: Redis, queue: Queue, launch: Launch) -> None:
    job = queue.enqueue(jobs.fails_until, 1)
    others = failures(redis, 2, 'other')
    burst(redis, queue, cls=SimpleWorker)
    launch('default').ready()
    result = Bulk(redis).canary(Match(queue='default'), timeout=20)
    assert result.outcomes == {job.id: 'finished'} and result.is_good and result.is_over
    assert of_status(redis, 'failed', others) == others


@pytest.mark.parametrize('words, outcome', [({}, 'failed'), ({'failure_ttl': 0}, 'gone')])
def test_a_canary_that_dies(redis: Redis, queue: Queue, launch: Launch, words: Any, outcome: str) -> None:
    made = failures(redis, 3)
    for name, value in words.items():
        redis.hset(keys.job(made[-1]), name, value)
    launch('default').ready()
    seen: list[Any] = []
    result = Bulk(redis).canary(Match(kind='raised'), timeout=20, on_progress=lambda *told: seen.append(told))
    assert result.outcomes == {made[-1]: outcome} and not result.is_good and result.is_over
    assert seen[-1] == (1, 1)


def test_a_canary_that_leaves_nothing_behind(redis: Redis, queue: Queue, launch: Launch) -> None:
    queue.enqueue(jobs.fails_until, 1, result_ttl=0)
    burst(redis, queue, cls=SimpleWorker)
    launch('default').ready()
    assert Bulk(redis).canary(Match(), timeout=20).is_good


def test_a_canary_that_nobody_runs(redis: Redis, queue: Queue) -> None:
    made = queue.enqueue(jobs.div)
    burst(redis, queue, cls=SimpleWorker)
    result = Bulk(redis).canary(Match(), count=5, timeout=0)
    assert result.outcomes == {made.id: 'queued'} and not result.is_over and not result.is_good
    assert Bulk(redis).canary(Match(), timeout=0).outcomes == {}
