"""How the tests of groups D and H look: `rq info`, bounds on observed times, keys that somebody has spoilt."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis

from rq.job import Job
from rq.store import keys
from tests.crash.driver import ROOT, Fleet
from tests.waiting import wait_until


def cli(fleet: Fleet, *words: str) -> 'subprocess.CompletedProcess[str]':
    """An `rq` command on the server of the fleet."""
    command = [sys.executable, '-m', 'rq.cli', *words, '--url', fleet.url]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)


def info(fleet: Fleet) -> str:
    """What `rq info` says."""
    done = cli(fleet, 'info')
    assert done.returncode == 0 and done.stderr == '', done.stderr
    return done.stdout


def document(fleet: Fleet, queue: str = 'q') -> Any:
    """What `rq info --json` says of a queue."""
    done = cli(fleet, 'info', '--json')
    assert done.returncode == 0 and done.stderr == '', done.stderr
    return next(one for one in json.loads(done.stdout)['queues'] if one['name'] == queue)


def another_type(redis: Redis, key: str) -> bytes:
    """Somebody overwrites a key; its raw value, for a look whether that is kept."""
    redis.delete(key)
    redis.set(key, 'what somebody wrote')
    return dump(redis, key)


def dump(redis: Redis, key: str) -> bytes:
    """The raw value of a key."""
    raw: Any = redis.dump(key)
    return bytes(raw)


def in_time(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait for a condition, and assert how long that took."""
    began = time.monotonic()
    value = wait_until(condition, seconds + 1, what)
    assert time.monotonic() - began < seconds, what
    return value


def is_finished(job: Job) -> bool:
    """Whether it succeeded."""
    return job.get_status() == 'finished'


def finish(*jobs: Job, within: float = 10) -> None:
    """All of these succeed in time."""
    wait_until(lambda: all(map(is_finished, jobs)), within, f'{len(jobs)} jobs finish')


def fails(redis: Redis, job_id: str, within: float) -> None:
    """A job is failed in time, whatever its record is."""
    in_time(lambda: redis.hget(keys.job(job_id), 'status') == b'failed', within, f'job {job_id} is failed')


def text_of(job: Job) -> str:
    """What its latest result says of its failure."""
    result = job.latest_result()
    assert result is not None
    return result.exc_string or ''


def in_an_hour() -> datetime:
    """A time that no test reaches."""
    return datetime.now(UTC) + timedelta(hours=1)
