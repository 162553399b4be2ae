"""`with_scheduler=True`: a scheduler holds the locks, as one of RQ 3.0 would; and what a burst sees to at its start."""

import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from redis import Redis

from rq import Queue, Retry, SimpleWorker, Worker
from rq.scheduler import RQScheduler
from tests import jobs
from tests.launch import Launch, expire
from tests.waiting import wait_until


def test_burst_makes_one_pass(redis: Redis, queue: Queue) -> None:
    queue.enqueue_at(datetime.now(UTC) - timedelta(seconds=5), jobs.add, job_id='due')
    worker = SimpleWorker([queue], connection=redis)
    assert worker.work(burst=True, with_scheduler=True)
    assert isinstance(worker.scheduler, RQScheduler) and worker.scheduler.acquired_locks == set()
    assert queue.finished_job_registry.get_job_ids() == ['due']
    assert not redis.exists('rq:scheduler-lock:default') and not redis.exists(worker.scheduler.key)


def test_error_of_the_pass_is_raised(redis: Redis, queue: Queue) -> None:
    with patch.object(RQScheduler, 'enqueue_scheduled_jobs', side_effect=KeyError('x')), pytest.raises(KeyError):
        SimpleWorker([queue], connection=redis).work(burst=True, with_scheduler=True)
    assert not redis.exists('rq:scheduler-lock:default')


def test_process_holds_the_lock(redis: Redis, queue: Queue, launch: Launch) -> None:
    worker = launch('default', work={'with_scheduler': True})
    wait_until(lambda: queue.scheduler_pid, 10, 'a scheduler serves the queue')
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert not redis.exists('rq:scheduler-lock:default')


def hears_the_second(ready: Any) -> None:
    """A process whose handlers come late: the first request to stop is lost."""
    signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)))
    ready.set()
    threading.Event().wait(10)
    sys.exit(1)


def test_a_lost_request_to_stop_is_repeated(queue: Queue) -> None:
    context = get_context('fork')
    ready = context.Event()
    process = context.Process(target=hears_the_second, args=(ready,), daemon=True)
    process.start()
    assert ready.wait(10)
    worker = Worker([queue])
    worker.scheduler = SimpleNamespace(_process=process)
    worker.stop_scheduler()
    assert process.exitcode == 0


def test_burst_sees_to_abandoned_jobs_first(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add, retry=Retry(1))
    redis.delete(queue.key)
    lost = Worker([queue], connection=redis)
    lost.prepare_execution(job)
    lost.prepare_job_execution(job)
    expire(redis)
    assert SimpleWorker([queue], connection=redis).work(burst=True)
    assert job.get_status() == 'finished'
