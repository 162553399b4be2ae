"""Those who override a part of running a job get RQ 3.0's plain way of it, inside the loop."""

import contextlib
import functools
import json
import logging
import os
import signal
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Retry, SimpleWorker, Worker
from rq.command import send_kill_horse_command, send_stop_execution_command, send_stop_job_command
from rq.job import Job
from rq.worker import BaseWorker, SpawnWorker, plain
from tests import jobs
from tests.invariants import check
from tests.launch import Launch, burst, lives, marked, told
from tests.waiting import wait_until
from tests.worker import overrides

WORDS = {
    overrides.Forks: ['waited', 'waited'],
    overrides.Mains: ['main True', 'main True'],
    overrides.Monitors: ['monitor', 'monitor'],
    overrides.Scopes: ['scope True', 'scope True', 'teardown'],
    overrides.Executes: ['executed finished', 'executed failed'],
    overrides.Here: [],
}


@pytest.mark.parametrize('cls', WORDS)
def test_outcomes(redis: Redis, queue: Queue, cls: Any, caplog: Any) -> None:
    good, bad = queue.enqueue(jobs.add), queue.enqueue(jobs.div)
    with caplog.at_level(logging.WARNING, 'rq.worker'):
        worker = burst(redis, queue, cls=cls)
    assert good.return_value() == 2 and bad.is_failed and told(redis) == WORDS[cls]
    assert 'ZeroDivisionError' in bad.latest_result().exc_string  # type: ignore[union-attr]
    assert redis.hmget(worker.key, 'successful_job_count', 'failed_job_count', 'state') == [b'1', b'1', b'idle']
    assert worker.executions == {} and worker.leases == {} and 'no longer ours' not in caplog.text
    assert check(redis) == []


def test_an_alarm_at_the_wait_loses_no_status(queue: Queue) -> None:
    """Its exception may strike anywhere; the horse is reaped once, and how it ended is known."""

    class Rang(Exception):
        pass

    def ring(*_: Any) -> None:
        raise Rang

    worker = Worker([queue])
    before = signal.signal(signal.SIGALRM, ring)
    try:
        for turn in range(300):
            worker._horse_pid, worker.horse_end = os.spawnv(os.P_NOWAIT, '/bin/true', ['true']), []
            pid, ended = worker._horse_pid, None
            while ended is None:
                with contextlib.suppress(Rang):
                    with contextlib.suppress(Rang):
                        signal.setitimer(signal.ITIMER_REAL, 1e-5 * (1 + turn % 40))
                        ended = plain.wait(worker)
                    signal.setitimer(signal.ITIMER_REAL, 0)
            assert ended[:2] == (pid, 0) == plain.wait(worker)[:2] and worker._horse_pid == 0
            assert signal.SIGALRM not in signal.pthread_sigmask(signal.SIG_BLOCK, ()), turn
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_who_gets_it(queue: Queue, monkeypatch: Any) -> None:
    for cls in (Worker, SimpleWorker, SpawnWorker, overrides.Executes, overrides.Scopes, overrides.Idles):
        assert not plain.wants_plain(cls([queue])), cls
    for cls in (overrides.Forks, overrides.Mains, overrides.Monitors):
        assert plain.wants_plain(cls([queue])), cls
    worker = Worker([queue])
    worker.wait_for_horse = lambda: (None, None, None)  # type: ignore[method-assign]
    assert plain.wants_plain(worker)
    original = BaseWorker.main_work_horse
    wrapped = functools.wraps(original)(lambda *args: original(*args))
    monkeypatch.setattr(Worker, 'main_work_horse', wrapped)
    assert plain.wants_plain(Worker([queue]))


def test_a_wrapped_main_work_horse_is_called(redis: Redis, queue: Queue, monkeypatch: Any) -> None:
    for name in ('main_work_horse', 'execute_job'):
        original = getattr(Worker, name)

        def wrapper(self: Any, *args: Any, original: Any = original, name: str = name) -> Any:
            overrides.tell(self, name)
            return original(self, *args)

        monkeypatch.setattr(Worker, name, wrapper)
    job = queue.enqueue(jobs.add)
    burst(redis, queue)
    assert job.is_finished and told(redis) == ['execute_job', 'main_work_horse'] and check(redis) == []


@pytest.mark.parametrize('cls', [overrides.Forks, overrides.Executes])
def test_killed(redis: Redis, queue: Queue, cls: Any) -> None:
    job, once = queue.enqueue(jobs.kills_itself), queue.enqueue(jobs.kills_once, retry=Retry(max=1))
    burst(redis, queue, cls=cls, work_horse_killed_handler=jobs.killed_handler)
    assert job.is_failed and once.return_value() == 'survived'
    assert '(signal 9)' in job.latest_result().exc_string  # type: ignore[union-attr]
    assert len([word for word in told(redis) if word.startswith('killed')]) == 2 and check(redis) == []


def test_a_silent_horse_is_a_killed_one(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    burst(redis, queue, cls=overrides.Silent)
    assert job.is_failed and 'code 0' in job.latest_result().exc_string and check(redis) == []  # type: ignore[union-attr]


def test_no_fork(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    burst(redis, queue, cls=overrides.Raises)
    assert job.is_failed and 'no fork today' in job.latest_result().exc_string  # type: ignore[union-attr]
    assert check(redis) == []


def test_a_job_that_was_not_run_goes_back_when_the_worker_leaves(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    burst(redis, queue, cls=overrides.Idles)
    assert told(redis) == ['looked at it'] and job.is_queued and check(redis) == []
    burst(redis, queue)
    assert job.is_finished


def test_a_queue_class_with_its_own_way(redis: Redis) -> None:
    for cls in (Worker, SimpleWorker):
        redis.flushall()
        queue = overrides.Picky(connection=redis)
        good, bad, killed = queue.enqueue(jobs.add), queue.enqueue(jobs.div), None
        if cls is Worker:
            killed = queue.enqueue(jobs.kills_itself)
        burst(redis, queue, cls=cls, queue_class=overrides.Picky)
        assert good.is_finished and bad.is_failed and (killed is None or killed.is_failed)
        assert set(told(redis)) == {"['death_penalty_class', 'job_class', 'serializer']"} and check(redis) == []


def test_an_overridden_heartbeat_beats(redis: Redis, queue: Queue) -> None:
    queue.enqueue(jobs.add)
    burst(redis, queue, cls=overrides.Beats)
    assert told(redis).count('beat') == 2


@pytest.mark.parametrize('cls', ['Forks', 'Executes', 'Mains'])
@pytest.mark.parametrize('how', ['job', 'execution', 'kill'])
def test_commands(redis: Redis, queue: Queue, launch: Launch, cls: str, how: str) -> None:
    job = queue.enqueue(jobs.waits, on_stopped=Callback(jobs.on_stopped))
    worker = launch('default', cls=f'tests.worker.overrides.{cls}', name='w').ready()
    horse = int(marked(redis, 'waits'))
    (member,) = redis.zrange('rq:wip:default', 0, -1)
    if how == 'job':
        send_stop_job_command(redis, job.id)
    elif how == 'execution':
        send_stop_execution_command(redis, job.id, member.decode().split(':')[1])
    else:
        send_kill_horse_command(redis, 'w')
    wait_until(lambda: job.get_status() == ('failed' if how == 'kill' else 'stopped'), 10, 'it has ended')
    after = queue.enqueue(jobs.add)
    wait_until(lambda: after.is_finished, 10, 'the worker lives')
    assert not lives(horse) and len([word for word in told(redis) if word.startswith('stopped')]) == (how != 'kill')
    worker.signal(15)
    assert worker.wait() == 0 and check(redis) == []


def test_cold(redis: Redis, queue: Queue, launch: Launch) -> None:
    queue.enqueue(jobs.waits)
    worker = launch('default', cls='tests.worker.overrides.Mains')
    horse = int(marked(redis, 'waits'))
    worker.signal(15)

    def again() -> bool:
        if 'cold shut down' not in worker.text:
            worker.signal(15)
        return worker.process.poll() is not None

    wait_until(again, 10, 'a later second signal ends it')
    assert worker.wait() == 0 and not lives(horse) and redis.smembers('rq:workers') == set()


def test_stop_before_an_overridden_execute_job_hands_on(redis: Redis, queue: Queue) -> None:
    class Waits(Worker):
        def execute_job(self, job: Any, queue: Any) -> None:
            self._loop.deliver({'data': json.dumps({'command': 'stop-job', 'job_id': job.id})})  # type: ignore[union-attr]
            super().execute_job(job, queue)

    job = queue.enqueue(jobs.waits)
    worker = burst(redis, queue, cls=Waits)
    assert job.is_stopped and worker._stopped_job_id is None and check(redis) == []


def test_stop_between_claim_and_fork(redis: Redis, queue: Queue) -> None:
    class Slow(Worker):
        def fork_work_horse(self, job: Any, queue: Any) -> None:
            assert self.request_stop_job('another') is False
            assert self.request_stop_job(job.id) is True
            super().fork_work_horse(job, queue)

    job, after = queue.enqueue(jobs.waits), queue.enqueue(jobs.add)
    worker = Slow([queue])
    worker.work(burst=True, max_jobs=1)
    assert job.is_stopped and check(redis) == []
    burst(redis, queue)
    assert after.is_finished and Job.fetch(job.id, redis).is_stopped
