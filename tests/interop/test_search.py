"""Failed jobs that either side recorded are found by the inspector, and put right by bulk actions."""

from redis import Redis

from rq.bulk import Bulk
from rq.inspector import Inspector, Match
from tests.interop.sides import Side, runs


def test_found_and_requeued(producer: Side, worker: Side, redis: Redis) -> None:
    for job_id in ('a', 'b', 'c'):
        producer.run('q.enqueue(jobs.fails_until, 1, job_id=job_id)', job_id=job_id)
    worker.burst()
    found = {one.id: one for one in Inspector(redis).failed_jobs(Match(queue='q')).items}
    assert sorted(found) == ['a', 'b', 'c']
    assert all(one.type_name == 'RuntimeError' and one.function == 'jobs.fails_until' for one in found.values()), found
    assert all(bool(one.group) == worker.is_ours for one in found.values())
    assert Inspector(redis).job('a').exc_string == producer.run("Job.fetch('a', connection=redis).exc_info")
    result = Bulk(redis).requeue(Match())
    assert (result.matched, result.changed) == (3, 3)
    worker.burst()
    assert runs(redis) == {'a': 2, 'b': 2, 'c': 2}
    assert [producer.status(job_id) for job_id in 'abc'] == ['finished'] * 3


def test_what_the_other_side_requeued_and_failed_again(sides: dict[str, Side], redis: Redis) -> None:
    """An entry of ours is stale then; the job is found as one of theirs, and taken once."""
    ours, theirs = sides['ours'], sides['rq3']
    ours.run("q.enqueue(jobs.fail, 'x', job_id='a')")
    ours.burst()
    theirs.run("Job.fetch('a', connection=redis).requeue()")
    theirs.burst()
    inspector = Inspector(redis)
    assert inspector.failed_jobs(Match(kind='raised')).items == []
    (found,) = inspector.failed_jobs().items
    assert (found.id, found.group) == ('a', '')
    assert Bulk(redis).requeue(Match()).changed == 1
    assert Bulk(redis).requeue(Match()).matched == 0
    ours.burst()
    assert runs(redis) == {'a': 3}
    assert len(inspector.failed_jobs(Match(kind='raised')).items) == 1
