"""How a job came out, asked of its record, of the witness and of the log: in its time, told once, in bounds."""

import re
import time
from collections.abc import Iterator

from redis import Redis

from rq.defaults import MAX_TRACEBACK_BYTES
from rq.job import Job
from rq.store import keys
from tests.crash.driver import Crew, Witness
from tests.crash.sizes import FULL
from tests.waiting import wait_until

#: the classes of tests/crash/workers.py of this profile
FORK, SIMPLE, SPAWN = (
    ('ToldDefault', 'DefaultSimple', 'DefaultSpawn') if FULL else ('Told', 'QuickSimple', 'QuickSpawn')
)
TOLD = ('--exception-handler', 'tests.crash.jobs.told')
NOTED = ('--exception-handler', 'tests.crash.jobs_a.measures')


def outcome(job: Job, witness: Witness, within: float, status: str = 'failed') -> str:
    """It came out so, at most so many seconds after it began, with one result; the text of that."""
    began = witness.wait('begin', job.id, timeout=30)
    wait_until(lambda: job.get_status() == status, within + 10, f'job {job.id} is {status}')
    took = time.time() - began.at
    assert took < within, f'{took:.2f} s until {status}'
    [result] = job.results()
    return result.exc_string or ''


def told(witness: Witness, job: Job) -> list[str]:
    """What handlers were told of a job, in their order."""
    return [line.event for line in witness.lines(who=job.id) if line.event.startswith('told')]


def stored_sizes(redis: Redis, job: Job) -> list[int]:
    """The bytes of every value in the job's hash and in its stream of results."""
    entries = [value for _, fields in redis.xrange(keys.results(job.id)) for value in fields.values()]
    return [len(value) for value in [*entries, *redis.hvals(job.key)]]


def log_lines(crew: Crew) -> Iterator[str]:
    """What was logged, record by record; a traceback belongs to the line before it."""
    return iter(re.split(r'^(?=\d\d:\d\d:\d\d )', crew.text(), flags=re.MULTILINE))


def log_is_well(crew: Crew) -> bool:
    """No line is too long, and none could not be written."""
    lines = list(log_lines(crew))
    assert max(len(line.encode()) for line in lines) <= MAX_TRACEBACK_BYTES
    assert not [line for line in lines if 'Logging error' in line]
    return True
