"""Who is beside a fault: a healthy worker with twenty jobs of its own, which must not feel anything of it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from redis import Redis

from rq import Queue
from rq.job import Job
from tests.crash import jobs
from tests.crash.driver import Crew, Fleet
from tests.waiting import wait_until

NUMBER = 20
LATE = 5.0  # seconds beyond their normal time


@contextmanager
def flowing(fleet: Fleet, redis: Redis) -> Iterator[Crew]:
    """Half of the jobs come before the fault and half after it; all have finished soon after that."""
    queue = Queue('beside', connection=redis)
    others = _some(queue)
    crew = fleet.start(name='beside', queues=['beside'], wait=False)
    fleet.expected.append(lambda: fleet.is_up(crew) and _all_finished(others))  # it starts while the next one does
    yield crew
    others += _some(queue)
    ended_at = time.monotonic()
    wait_until(lambda: _all_finished(others), LATE + 1, 'the jobs beside it finish')
    assert time.monotonic() - ended_at < LATE
    assert fleet.innocent_deaths(*(one for one in fleet.crews if one is not crew)) == []


def _all_finished(others: Sequence[Job]) -> bool:
    return all(one.get_status() == 'finished' for one in others)


def _some(queue: Queue) -> list[Job]:
    return [queue.enqueue(jobs.quiet, number) for number in range(NUMBER // 2)]
