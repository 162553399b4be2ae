"""What api.md says of comparing, hashing and printing objects, and of the package as a program."""

import logging
import subprocess
import sys
from typing import Any

import pytest
from redis import Redis

from rq import VERSION, Queue, SimpleWorker, Worker
from rq.cron import CronScheduler
from rq.executions import Execution
from rq.job import Job
from rq.results import Result
from tests import jobs


class OwnJob(Job):
    """Another class of jobs."""


def test_jobs_by_class_and_id(redis: Redis) -> None:
    one, same, other = Job('a', redis), Job('a', redis), Job('b', redis)
    assert one == same and hash(one) == hash(same) and len({one, same, other}) == 2
    assert one != other and one != OwnJob('a', redis) and one != 'a'


def test_queues_by_name(redis: Redis) -> None:
    one, same, other = Queue('a', redis), Queue('a', redis), Queue('b', redis)
    assert one == same and hash(one) == hash(same) and one != other
    assert sorted([other, one]) == [one, other] and one < other and other >= same and one <= same and other > one
    for comparison in (lambda: one == 'a', lambda: one < 'b', lambda: one > None):  # type: ignore[operator]
        with pytest.raises(TypeError):
            comparison()


def test_queues_are_true_and_counted(redis: Redis) -> None:
    queue = Queue('a', redis)
    assert queue and len(queue) == 0 and list(queue) == [queue]
    job = queue.enqueue(jobs.add, 1, y=2)
    assert len(queue) == queue.count == 1
    assert (str(queue), repr(queue)) == ('<Queue a>', "Queue('a')")
    assert str(job) == f'<Job {job.id}: tests.jobs.add(1, y=2)>'


def test_workers_by_class_and_name(redis: Redis) -> None:
    one, same = Worker(['a'], name='w', connection=redis), Worker(['b'], name='w', connection=redis)
    assert one == same and hash(one) == hash(same) and one != Worker(['a'], name='v', connection=redis)
    for other in ('w', SimpleWorker(['a'], name='w', connection=redis)):
        with pytest.raises(TypeError):
            assert one == other


def test_executions_results_and_cron_schedulers(redis: Redis) -> None:
    assert Execution('e', 'a', redis) == Execution('e', 'b', redis) != Execution('f', 'a', redis)

    def result(number: str | None) -> Result:
        return Result('a', Result.Type.FAILED, redis, id=number)

    assert result('1') == result('1') != result('2') and bool(result('1')) and not result(None)
    one, same = CronScheduler(redis, name='c'), CronScheduler(redis, name='c')
    assert one == same and hash(one) == hash(same) and one != CronScheduler(redis, name='d')


@pytest.mark.parametrize(
    'command', [['-m', 'rq.cli', '--version'], ['-c', 'from rq.cli import main; main(["--version"])']]
)
def test_as_a_program(command: list[str]) -> None:
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60)
    assert (done.returncode, VERSION in done.stdout, done.stdout.split(',')[0]) == (0, True, 'rq')


@pytest.mark.parametrize(('before', 'after'), [(logging.NOTSET, logging.INFO), (logging.ERROR, logging.ERROR)])
def test_the_worker_log_starts_at_info(before: int, after: int) -> None:
    code = f'import logging; log = logging.getLogger("rq.worker"); log.setLevel({before}); import rq; print(log.level)'
    done: Any = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [str(after)]
