"""What is remembered of failed attempts, and of a success that is not quite one."""

from pathlib import Path

import pytest
from redis import Redis

from rq import Queue, Retry, SimpleWorker
from rq.job import Job
from rq.store import keys
from tests.invariants import check

FINAL: list[bool] = []


def fails_differently() -> None:
    """Raises another error each time."""
    number = int(Path('counter').read_text()) + 1
    Path('counter').write_text(str(number))
    raise [ValueError, KeyError, TypeError][number % 3](f'number {number}')


def unstorable() -> object:
    """Returns what cannot be pickled."""
    return lambda: None


def ask(job: Job, *exc_info: object) -> None:
    """An exception handler."""
    FINAL.append(job.is_final_attempt)


@pytest.fixture(autouse=True)
def counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts are counted in a file."""
    monkeypatch.chdir(tmp_path)
    Path('counter').write_text('0')
    FINAL.clear()


def work(queue: Queue, **settings: object) -> None:
    worker = SimpleWorker([queue], connection=queue.connection, exception_handlers=[ask])
    for name, value in settings.items():
        setattr(worker, name, value)
    worker.work(burst=True, logging_level='CRITICAL')


def test_each_is_kept(queue: Queue) -> None:
    job = queue.enqueue(fails_differently, retry=Retry(max=2))
    work(queue)
    attempts = job.attempts
    assert [(one.number, one.type_name, one.message, one.is_final) for one in attempts] == [
        (1, 'KeyError', "'number 1'", False),
        (2, 'TypeError', 'number 2', False),
        (3, 'ValueError', 'number 3', True),
    ]
    assert all(f'number {one.number}' in one.exc_string and 'Traceback' in one.exc_string for one in attempts)
    assert len({one.execution_id for one in attempts}) == 3
    assert all(one.started_at and one.ended_at and one.started_at <= one.ended_at for one in attempts)
    assert FINAL == [False, False, True]


def test_the_text_of_the_last_one_is_stored_once(queue: Queue, redis: Redis) -> None:
    job = queue.enqueue(fails_differently)
    work(queue)
    (attempt,) = job.attempts
    assert attempt.exc_string == job.latest_result().exc_string
    kept = [value for name, value in redis.hgetall(job.key).items() if name.startswith(b'attempt')]
    assert kept and b'fails_differently' not in b''.join(kept)


def test_the_latest_ten(queue: Queue) -> None:
    job = queue.enqueue(fails_differently, retry=Retry(max=14))
    work(queue)
    assert [one.number for one in job.attempts] == list(range(6, 16))


def test_they_outlive_a_requeue(queue: Queue) -> None:
    job = queue.enqueue(fails_differently)
    work(queue)
    job.requeue()
    work(queue)
    assert [one.number for one in job.attempts] == [1, 2]


def test_a_new_record_of_the_id_begins_anew(queue: Queue) -> None:
    queue.enqueue(fails_differently, job_id='same')
    work(queue)
    job = queue.enqueue(fails_differently, job_id='same')
    assert job.attempts == []


def test_they_go_with_the_job(queue: Queue, redis: Redis) -> None:
    job = queue.enqueue(fails_differently, retry=Retry(max=2))
    work(queue)
    job.delete()
    assert redis.keys(f'*{job.id}*') == [] and job.attempts == []


def test_what_cannot_be_read_is_left_out(queue: Queue, redis: Redis) -> None:
    job = queue.enqueue(fails_differently, retry=Retry(max=2))
    work(queue)
    redis.hset(job.key, 'attempt:2', b'2 \xff\x00 no zlib')
    redis.hset(job.key, 'attempt:5', b'')
    assert [one.number for one in job.attempts] == [1, 3]


def test_final_before_it_runs(queue: Queue) -> None:
    assert queue.enqueue(fails_differently).is_final_attempt
    assert not queue.enqueue(fails_differently, retry=Retry(max=1)).is_final_attempt


def test_a_result_that_cannot_be_stored_warns(queue: Queue, redis: Redis) -> None:
    job = queue.enqueue(unstorable)
    work(queue)
    job.refresh()
    assert job.is_finished and 'function' in str(job.warning) and 'cannot be stored' in str(job.warning)
    assert job.attempts == []


def test_a_later_success_takes_the_warning_back(queue: Queue, redis: Redis) -> None:
    job = queue.enqueue(max, 1, 2)
    redis.hset(job.key, 'warning', 'of an earlier run')
    work(queue)
    job.refresh()
    assert job.warning is None


def test_only_the_latest_failed_jobs_stay(queue: Queue, redis: Redis) -> None:
    for number in range(12):
        queue.enqueue(fails_differently, job_id=f'j{number:02}', failure_ttl=1000 + number)
    forever = queue.enqueue(fails_differently, job_id='forever', failure_ttl=-1)
    work(queue, max_failed_jobs=4)
    assert queue.failed_job_registry.get_job_ids() == [forever.id, 'j09', 'j10', 'j11']
    kept = sorted(key.decode().rpartition(':')[2] for key in redis.keys(keys.job('*')))
    assert kept == ['forever', 'j09', 'j10', 'j11']
    assert len(redis.keys(f'{keys.PREFIX}:results:*')) == 4
    assert check(redis) == []
