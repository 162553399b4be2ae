"""A load of many short jobs for workers of one executor, and what must be true of it when all is over."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Retry
from rq.job import Job
from rq.store import keys
from tests.crash import jobs_x
from tests.crash.driver import Crew, Witness
from tests.waiting import wait_until

#: words of `rq worker` for each executor, with a worker class whose leases are those of the profile
EXECUTORS = {
    'prefork': ('--executor', 'prefork', '--concurrency', '2'),
    'thread': ('--executor', 'thread', '--concurrency', '4'),
    'async': ('--executor', 'async', '--concurrency', '20'),
    'inline': ('--executor', 'inline', '--batch-ms', '50'),
    'batches': ('--executor', 'prefork', '--batch-ms', '50'),
}
IN_BATCHES = ('inline', 'batches')
EACH = pytest.mark.parametrize('executor', EXECUTORS)
TOLD = ('--exception-handler', 'tests.crash.jobs.told')


def function_for(executor: str, name: str) -> Callable[..., Any]:
    """A job of tests/crash/jobs_x.py; for the event loop as a coroutine function."""
    found: Callable[..., Any] = getattr(jobs_x, f'{name}_async' if executor == 'async' else name)
    return found


class Crowd:
    """So many jobs, each with retries enough for every worker that is lost with it."""

    def __init__(self, redis: Redis, queue: Queue, witness: Witness) -> None:
        self.redis, self.queue, self.witness = redis, queue, witness
        self.jobs: list[Job] = []

    def add(self, number: int, function: Callable[..., Any], *args: Any, **words: Any) -> list[Job]:
        """At one blow, so that they can be claimed together."""
        words = {'retry': Retry(max=5), 'timeout': 60, **words}
        new = self.queue.enqueue_many([Queue.prepare_data(function, args, **words) for _ in range(number)])
        self.jobs += new
        return new

    def load(self, executor: str, number: int, seconds: float = 0.005) -> list[Job]:
        """Short jobs that suit an executor."""
        return self.add(number, function_for(executor, 'short'), seconds)

    def statuses(self, some: Sequence[Job] | None = None) -> Counter[str]:
        """How many have which status."""
        pipeline = self.redis.pipeline(transaction=False)
        for job in self.jobs if some is None else some:
            pipeline.hget(job.key, 'status')
        return Counter((status or b'gone').decode() for status in pipeline.execute())

    def all_are(self, status: str, some: Sequence[Job] | None = None) -> bool:
        """Whether every one of them is so."""
        return set(self.statuses(some)) <= {status}

    def finishes(self, timeout: float = 25) -> None:
        """Every one of them has finished, with one recorded outcome."""
        wait_until(lambda: self.all_are('finished'), timeout, Left(self))  # type: ignore[arg-type]
        pipeline = self.redis.pipeline(transaction=False)
        for job in self.jobs:
            pipeline.xlen(keys.results(job.id))
        assert set(pipeline.execute()) == {1}

    def extra(self) -> dict[str, int]:
        """Who began more than once, and how many times more."""
        ours = {job.id for job in self.jobs}
        begins = self.witness.counts('begin')
        assert ours <= set(begins), f'finished, but never begun: {ours - set(begins)}'
        return {job_id: begins[job_id] - 1 for job_id in ours if begins[job_id] > 1}


class Left:
    """What is waited for, told when it did not come: how many jobs are where."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd

    def __str__(self) -> str:
        return f'all jobs finish; they are {self.crowd.statuses()}'


def held_by(redis: Redis, *crews: Crew) -> set[str]:
    """Ids of the jobs that these workers have claimed."""
    members = [member for crew in crews for member in redis.smembers(keys.worker_executions(crew.name))]
    return {member.decode().rpartition(':')[0] for member in members}


def run_out(redis: Redis, *crews: Crew) -> set[str]:
    """Let the leases of workers that are dead or frozen run out, and tell whose they were.

    Those of *inline*, *thread* and *async* go by the timeout of the job, and last for minutes.
    """
    held = set()
    for crew in crews:
        for member in redis.smembers(keys.worker_executions(crew.name)):
            redis.zadd(keys.leases('q'), {member: 1}, xx=True)
            held.add(member.decode().rpartition(':')[0])
    return held


def ended(job: Job, status: str, timeout: float = 15) -> str:
    """Wait for its end; the text of its only record."""
    wait_until(lambda: job.get_status() == status, timeout, f'job {job.id} is {status}')
    [result] = job.results()
    return result.exc_string or ''


def told(witness: Witness, job: Job) -> list[str]:
    """What the handler was told of it."""
    return [line.event for line in witness.lines(who=job.id) if line.event.startswith('told')]
