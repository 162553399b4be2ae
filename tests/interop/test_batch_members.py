"""What RQ 3.0 does to a job that waits in a batch of ours: it finds no books of it, and leaves its claim."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from rq.rules.lease import Lease
from rq.store import claim, keys, settle
from rq.store.call import Answer, Call, run
from tests.interop.sides import Side, jobs_in, lines, runs
from tests.waiting import wait_until

TIMES = (1.5, 4.0, 2.5)
VALUE = pickle.dumps(7)


def finish(lease: Lease) -> Call[Any]:
    return settle.finish(lease, 500, VALUE, TIMES, {})


def fail(lease: Lease) -> Call[Any]:
    return settle.fail(lease, 500, 'text', TIMES, {}, attempt={'n': 1}, cause=('A', 'B'))


def retry(lease: Lease) -> Call[Any]:
    return settle.retry(lease, 0, False, TIMES, {}, attempt={'n': 1}, cause=('A', 'B'))


SETTLES = pytest.mark.parametrize('verb', [finish, fail, retry, settle.release])
Settle = Callable[[Lease], Call[Any]]
CANCEL = "Job.fetch('a', connection=redis).cancel()"
LOSSES = {
    'cancel': CANCEL,
    'cancel_job': "cancel_job('a', connection=redis)",
    'delete': "Job.fetch('a', connection=redis).delete()",
    'again': "Job.fetch('a', connection=redis).delete(); q.enqueue(jobs.add, job_id='a')",
    'requeue': f"{CANCEL}; q.canceled_job_registry.requeue('a')",
}
LOST = pytest.mark.parametrize('how', LOSSES)


@pytest.fixture
def rq3(sides: dict[str, Side]) -> Side:
    """RQ 3.0, on the server where batches of ours are claimed."""
    return sides['rq3']


def claimed(redis: Redis, rq3: Side, function: str = 'add') -> list[Lease]:
    """Jobs a and b of RQ 3.0, in one batch of a worker of ours."""
    rq3.run(f"jobs.kept = q.enqueue(jobs.{function}, job_id='a'); q.enqueue(jobs.add, job_id='b'); None")
    redis.hset(keys.worker('w'), mapping={'state': 'idle', 'birth': 'b'})
    redis.expire(keys.worker('w'), 480)
    executions = claim.for_batch(['e' * 31 + digit for digit in '12'])
    taken = run(redis, claim.claim('w', ['q'], executions)).taken
    assert [one.job_id for one in taken] == ['a', 'b']
    assert not any(redis.exists(keys.executions(one.job_id)) for one in taken)
    return [Lease(one.job_id, one.execution, 'q', 'w') for one in taken]


def ended(redis: Redis, lease: Lease) -> None:
    """Nothing of the claim is left, and its end was written by nobody."""
    for key in (keys.wip('q'), keys.leases('q')):
        assert redis.zscore(key, lease.member) is None
    assert not redis.sismember(keys.worker_executions('w'), lease.member)
    assert not redis.exists(keys.results(lease.job_id))


def as_wanted(redis: Redis, rq3: Side, how: str) -> None:
    """What RQ 3.0 wanted of job a is so, and stays so."""
    if how.startswith('cancel'):
        assert rq3.status('a') == 'canceled' and rq3.run('q.canceled_job_registry.get_job_ids()') == ['a']
    elif how == 'delete':
        assert not redis.exists(keys.job('a'))
    else:
        assert rq3.status('a') == 'queued' and rq3.run('q.job_ids') == ['a']
        (again,) = run(redis, claim.claim('w', ['q'], claim.for_batch(['f' * 32]))).taken
        assert run(redis, finish(Lease('a', again.execution, 'q', 'w'))) is Answer.OK
        assert rq3.run("len(Job.fetch('a', connection=redis).results())") == 1


@LOST
@SETTLES
def test_an_outcome_of_the_member_is_not_wanted(redis: Redis, rq3: Side, verb: Settle, how: str) -> None:
    lease, other = claimed(redis, rq3)
    rq3.run(LOSSES[how])
    assert run(redis, verb(lease)) in (Answer.LOST, Answer.GONE, Answer.ALREADY)
    ended(redis, lease)
    as_wanted(redis, rq3, how)
    assert run(redis, finish(other)) is Answer.OK


@LOST
def test_nor_with_the_others_of_its_batch(redis: Redis, rq3: Side, how: str) -> None:
    leases = claimed(redis, rq3)
    rq3.run(LOSSES[how])
    some = [settle.Success(lease, 500, VALUE, TIMES, {}) for lease in leases]
    assert run(redis, settle.finish_many(some)) == [False, True]
    assert run(redis, finish(leases[0])) in (Answer.LOST, Answer.GONE)
    ended(redis, leases[0])
    as_wanted(redis, rq3, how)


@LOST
def test_whoever_holds_it_is_told(redis: Redis, rq3: Side, how: str) -> None:
    lease, other = claimed(redis, rq3)
    rq3.run(LOSSES[how])
    assert run(redis, claim.begin(lease)) == 'lost' and not run(redis, claim.note(lease, {'type': 'E'}, 1))
    assert not redis.exists(keys.execution('a', lease.execution), keys.executions('a'))
    assert run(redis, claim.renew('w', [lease, other])) == [False, True]
    ended(redis, lease)
    as_wanted(redis, rq3, how)
    assert run(redis, finish(other)) is Answer.OK


@SETTLES
def test_a_worker_of_rq_3_runs_it_by_now(redis: Redis, rq3: Side, verb: Settle) -> None:
    """It leaves our `execution` in the record of a job that it starts."""
    lease, other = claimed(redis, rq3, 'gate')
    rq3.run(LOSSES['requeue'])
    rq3.start('q')
    wait_until(lambda: bool(lines(redis, 'ran')), 10, 'it runs')
    assert redis.hget(keys.job('a'), 'execution') == lease.execution.encode()
    assert run(redis, claim.renew('w', [lease])) == [False]
    assert run(redis, verb(lease)) is Answer.LOST
    some = [settle.Success(one, 500, VALUE, TIMES, {}) for one in (lease, other)]
    assert run(redis, settle.finish_many(some)) == [False, True]
    redis.rpush('test:gate', 'open')
    wait_until(lambda: rq3.status('a') == 'finished', 10, 'it ends')
    assert runs(redis) == {'a': 1} and rq3.run("len(Job.fetch('a', connection=redis).results())") == 1


@SETTLES
def test_a_record_that_is_saved_late_takes_nothing_away(redis: Redis, rq3: Side, verb: Settle) -> None:
    """A program that enqueued it saves what it knows: the job is queued, as it says, but stands in no list."""
    lease, other = claimed(redis, rq3)
    rq3.run("jobs.kept.meta['k'] = 1; jobs.kept.save(); None")
    assert rq3.status('a') == 'queued' and jobs_in(redis, 'wip') == [lease.member, other.member]
    assert run(redis, claim.renew('w', [lease, other])) == [True, True]
    assert run(redis, verb(lease)) is Answer.OK
    if verb in (finish, fail):
        assert rq3.status('a') == ('finished' if verb is finish else 'failed')
    else:
        assert rq3.run('q.job_ids') == ['a']
    assert run(redis, finish(other)) is Answer.OK
