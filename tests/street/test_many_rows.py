"""Very long lists: claims, outcomes, counts and pages issue as many commands as with short ones, and read no more."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner
from redis import Redis

from rq import Queue, SimpleWorker
from rq.cli import main
from rq.inspector import Inspector
from rq.rules.lease import Lease
from rq.store import claim, keys, settle
from rq.store.call import Answer, run
from tests import jobs

MANY = 100_000


def fill(redis: Redis, rows: int) -> None:
    """So many ids behind those that are queued and failed, without records: whoever read them all would need them."""
    older = redis.zrange(keys.place('failed', 'q'), 0, 0, withscores=True)[0][1] - 1
    for first in range(0, rows, 10_000):
        some = [f'id{number:08}' for number in range(first, min(first + 10_000, rows))]
        redis.rpush(keys.queue('q'), *some)
        redis.zadd(keys.place('failed', 'q'), dict.fromkeys(some, older))


def commands(redis: Redis, action: Callable[[], Any]) -> dict[str, int]:
    """What the server was asked for, those inside of scripts too, by name."""
    redis.config_resetstat()
    action()
    return {name: one['calls'] for name, one in redis.info('commandstats').items() if '|' not in name}  # type: ignore[union-attr]


def claim_and_finish(redis: Redis) -> None:
    """As a worker does for each job."""
    (taken,) = run(redis, claim.claim('w', ['q'], [uuid4().hex])).taken
    lease = Lease(taken.job_id, taken.execution, 'q', 'w')
    assert run(redis, settle.finish(lease, 500, None, (), {})) is Answer.OK


def info(redis: Redis, *words: str) -> None:
    """`rq info`."""
    socket = redis.connection_pool.connection_kwargs['path']
    result = CliRunner().invoke(main, ['info', '--url', f'unix://{socket}', *words])
    assert 'q' in result.output and result.exit_code in (0, 1), result.output


ACTIONS: dict[str, Callable[[Redis, Queue], Any]] = {
    'claim and finish': lambda redis, queue: claim_and_finish(redis),
    'info': lambda redis, queue: info(redis),
    'info --check': lambda redis, queue: info(redis, '--check'),
    'enqueue': lambda redis, queue: queue.enqueue(jobs.add),
    'count': lambda redis, queue: (queue.count, queue.failed_job_registry.count),
    'ids': lambda redis, queue: (queue.get_job_ids(5, 10), queue.failed_job_registry.get_job_ids(5, 15)),
    'failed': lambda redis, queue: Inspector(redis).groups(),
    'failures': lambda redis, queue: Inspector(redis).failed_jobs(limit=3),
}


@pytest.mark.parametrize('name', ACTIONS)
def test_no_more_commands(redis: Redis, name: str) -> None:
    found = []
    for rows in (500, MANY):
        redis.flushall()
        queue = Queue('q', redis)
        for _ in range(3):
            queue.enqueue(jobs.div)
        SimpleWorker([queue], connection=redis).work(burst=True)
        queue.enqueue(jobs.add)
        queue.enqueue(jobs.add)
        fill(redis, rows)
        ACTIONS[name](redis, queue)  # scripts are known by now
        found.append(commands(redis, lambda queue=queue: ACTIONS[name](redis, queue)))
    assert found[0] == found[1] and sum(found[0].values()) > 0
