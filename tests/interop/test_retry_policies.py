"""A job with a retry policy of ours in the hands of RQ 3.0: it knows nothing of policies, and goes by the intervals."""

from redis import Redis

from tests.interop.sides import Side, due, runs

ONE = {'max_jobs': 1, 'with_scheduler': True}


def waits(redis: Redis) -> float:
    """For how long job a is scheduled."""
    score = redis.zscore('rq:scheduled:q', 'a')
    assert score is not None
    return float(score) - float(redis.time()[0])


def test_precomputed_intervals(sides: dict[str, Side], redis: Redis) -> None:
    """Jitter, deadline and `on` are for us; RQ 3.0 waits the longest times, and so each attempt is made."""
    ours, rq3 = sides['ours'], sides['rq3']
    ours.run("""
        q.enqueue(jobs.fail, job_id='a', retry=Retry.exponential(3, base=100, cap=300, deadline=900, on=ValueError))
    """)
    field = redis.hget('rq:job:a', 'retry_policy')
    for seconds in (100, 200, 300):
        rq3.burst(work=ONE)
        assert seconds - 20 < waits(redis) <= seconds + 1
        assert rq3.status('a') == ours.status('a') == 'scheduled'
        due(redis)
    rq3.burst(work=ONE)
    seen = rq3.picture('a')
    assert seen == ours.picture('a') and (seen['status'], seen['registries']) == ('failed', ['failed'])
    assert runs(redis) == {'a': 4} and redis.hget('rq:job:a', 'retry_policy') == field


def test_in_turn(sides: dict[str, Side], redis: Redis) -> None:
    """Attempts by either side count down one number; ours obey the policy, whoever was there before."""
    ours, rq3 = sides['ours'], sides['rq3']
    ours.run("q.enqueue(jobs.fail, job_id='a', retry=Retry.exponential(3, base=100, cap=300, jitter=False))")
    for side, seconds in ((rq3, 100), (ours, 200), (rq3, 300)):
        side.burst(work=ONE)
        assert seconds - 20 < waits(redis) <= seconds + 1
        due(redis)
    ours.burst(work=ONE)
    assert ours.status('a') == 'failed' and runs(redis) == {'a': 4}


def test_no_retry_at_all(sides: dict[str, Side], redis: Redis) -> None:
    """`retry=False` is a job whose retries are used up."""
    ours, rq3 = sides['ours'], sides['rq3']
    ours.run("q.enqueue(jobs.fail, job_id='a', retry=False)")
    rq3.burst(work=ONE)
    assert rq3.status('a') == 'failed' and runs(redis) == {'a': 1}


def test_later_is_a_returned_retry_to_rq3(sides: dict[str, Side], redis: Redis) -> None:
    ours, rq3 = sides['ours'], sides['rq3']
    ours.run("q.enqueue(jobs.comes_later, job_id='a')")
    ours.burst(work=ONE)
    assert 40 < waits(redis) <= 60
    assert rq3.status('a') == 'scheduled'
    read = """
        results = Job.fetch('a', connection=redis).results()
        [[r.type.name, r.return_value.max, r.return_value.intervals] for r in results]
    """
    assert rq3.run(read) == ours.run(read) == [['RETRIED', 10, [60]]]
