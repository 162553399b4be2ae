"""One contract, run against every executor; and what only a process of its own can promise."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Retry, SimpleWorker, SpawnWorker, Worker
from tests import jobs
from tests.executors import hands, side
from tests.invariants import check
from tests.launch import Launch, burst, lives, marked, marks, told
from tests.waiting import wait_until


class Prefork(Worker):
    """Uses its horses again."""

    executor = 'prefork'


class Threads(SimpleWorker):
    """Runs jobs in threads, here one after the other."""

    executor, concurrency = 'thread', 1


class Coroutines(SimpleWorker):
    """Runs jobs on an event loop or in threads, here one after the other."""

    executor, concurrency = 'async', 1


EACH = pytest.mark.parametrize('cls', [Worker, Prefork, SimpleWorker, SpawnWorker, Threads, Coroutines])
PROCESSES = pytest.mark.parametrize('cls', [Worker, Prefork, SpawnWorker])
HORSES = pytest.mark.parametrize('cls', [Worker, Prefork])


@EACH
def test_outcomes_and_order(redis: Redis, queue: Queue, cls: Any) -> None:
    made = [queue.enqueue(jobs.note, f'n{number}') for number in range(5)]
    made.insert(3, queue.enqueue(jobs.note_and_fail, 'bad', at_front=True))
    burst(redis, queue, cls=cls)
    assert marks(redis) == ['bad', 'n0', 'n1', 'n2', 'n3', 'n4']
    assert [job.get_status() for job in made] == ['finished'] * 3 + ['failed'] + ['finished'] * 2
    assert check(redis) == []


@EACH
def test_environment(redis: Redis, queue: Queue, cls: Any) -> None:
    made = [queue.enqueue(jobs.environment) for _ in range(2)]
    worker = burst(redis, queue, cls=cls)
    for job in made:
        job_id, worker_name, pid, group = job.return_value()  # type: ignore[misc]
        assert (pid == os.getpid()) is issubclass(cls, SimpleWorker)
        if not issubclass(cls, SimpleWorker):
            assert (job_id, worker_name, group) == (job.id, worker.name, pid)


@EACH
def test_time_out(redis: Redis, queue: Queue, cls: Any) -> None:
    bad, good = queue.enqueue(side.spins, job_timeout=1), queue.enqueue(jobs.add)
    burst(redis, queue, cls=cls)
    result: Any = bad.latest_result()
    assert bad.is_failed and 'Task exceeded maximum timeout value (1 seconds)' in result.exc_string
    assert good.is_finished and check(redis) == []


@EACH
def test_exits_are_failures(redis: Redis, queue: Queue, cls: Any) -> None:
    made = [queue.enqueue(jobs.exits, code) for code in (0, 3, None, 'text')]
    burst(redis, queue, cls=cls)
    assert all(job.is_failed for job in made)
    result: Any = made[0].latest_result()
    assert 'SystemExit: 0' in result.exc_string


@PROCESSES
def test_a_report_that_makes_no_sense(redis: Redis, queue: Queue, cls: Any) -> None:
    """Its horse settles by itself, and the worker lives."""
    made = [queue.enqueue(hands.garbles, job_timeout=20), queue.enqueue(jobs.add)]
    burst(redis, queue, cls=cls)
    assert [job.get_status() for job in made] == ['finished'] * 2 and check(redis) == []


@EACH
def test_current_job_and_coroutines(redis: Redis, queue: Queue, cls: Any) -> None:
    one, two = queue.enqueue(jobs.current), queue.enqueue(jobs.coroutine, 4)
    burst(redis, queue, cls=cls)
    assert one.return_value() == [one.id, 'default', 'started'] and two.return_value() == [4, two.id]


@EACH
def test_a_descendant_has_no_say(redis: Redis, queue: Queue, cls: Any) -> None:
    job, good = queue.enqueue(jobs.forks_and_returns), queue.enqueue(jobs.note, 'once')
    burst(redis, queue, cls=cls)
    assert job.return_value() == 'parent' and good.is_finished and marks(redis) == ['once']
    assert len(job.results()) == 1 and check(redis) == []


@EACH
def test_much_output(redis: Redis, queue: Queue, cls: Any, capfd: Any) -> None:
    job = queue.enqueue(jobs.shouts, 10_000_000)
    burst(redis, queue, cls=cls)
    assert job.is_finished and len(capfd.readouterr().out) >= 10_000_000


@EACH
def test_large_results_and_arguments(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(jobs.words, 'x' * 5_000_000)
    burst(redis, queue, cls=cls)
    assert len(job.return_value()[0][0]) == 5_000_000  # type: ignore[index]


# --- a process of its own -----------------------------------------------------------------------------------


def test_no_state_is_left_in_a_fresh_process(redis: Redis, queue: Queue) -> None:
    made = [queue.enqueue(jobs.leaves_state, 7) for _ in range(3)]
    burst(redis, queue)
    assert [job.return_value() for job in made] == [0, 0, 0]


@HORSES
@pytest.mark.parametrize('func', [jobs.closes_descriptors, jobs.closes_everything])
def test_closed_descriptors(redis: Redis, queue: Queue, cls: Any, func: Any) -> None:
    job, good = queue.enqueue(func), queue.enqueue(jobs.add)
    burst(redis, queue, cls=cls, exception_handlers=[jobs.foo_handler], work_horse_killed_handler=jobs.killed_handler)
    assert job.is_finished and good.is_finished and told(redis) == []
    assert check(redis) == []


@HORSES
@pytest.mark.parametrize('code', [0, 1, 255])
def test_any_exit_code_is_killed(redis: Redis, queue: Queue, cls: Any, code: int) -> None:
    job = queue.enqueue(jobs.leaves, code)
    burst(redis, queue, cls=cls, work_horse_killed_handler=jobs.killed_handler)
    result: Any = job.latest_result()
    assert job.is_failed and f'exited with code {code}' in result.exc_string and len(told(redis)) == 1


@HORSES
@pytest.mark.parametrize('signum', [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_any_signal_is_killed(redis: Redis, queue: Queue, cls: Any, signum: int) -> None:
    job = queue.enqueue(jobs.kills_itself, int(signum))
    burst(redis, queue, cls=cls)
    result: Any = job.latest_result()
    assert job.is_failed and f'(signal {int(signum)})' in result.exc_string


@HORSES
def test_the_parent_keeps_the_deadline(redis: Redis, queue: Queue, cls: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr('rq.rules.watch.KILL_GRACE', 1)
    job, good = queue.enqueue(jobs.deaf, job_timeout=1, retry=Retry(max=1)), queue.enqueue(jobs.add)
    burst(redis, queue, cls=cls, exception_handlers=[jobs.foo_handler], work_horse_killed_handler=jobs.killed_handler)
    result: Any = job.latest_result()
    assert job.is_failed and good.is_finished and 'process group was killed' in result.exc_string
    assert [word.split()[0] for word in told(redis)] == ['killed', 'foo'] * 2
    assert told(redis)[1].split()[2] == 'JobTimeoutException' and check(redis) == []


@HORSES
@pytest.mark.parametrize('new_session', [False, True])
@pytest.mark.parametrize('then', ['waits', 'deaf', 'dies'])
def test_descendants_of_failed_processes_go_too(
    redis: Redis, queue: Queue, cls: Any, new_session: bool, then: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr('rq.rules.watch.KILL_GRACE', 1)
    job = queue.enqueue(jobs.spawns, new_session, then, job_timeout=1)
    burst(redis, queue, cls=cls)
    child = int(marked(redis, 'child'))
    try:
        assert job.is_failed
        wait_until(lambda: not lives(child), 5, 'the descendant is gone')
    finally:
        if lives(child):
            os.kill(child, signal.SIGKILL)


@HORSES
@pytest.mark.parametrize('new_session', [False, True])
def test_daemons_of_finished_jobs_live(redis: Redis, queue: Queue, cls: Any, new_session: bool) -> None:
    job = queue.enqueue(jobs.spawns, new_session, 'finishes')
    good = queue.enqueue(jobs.add)
    burst(redis, queue, cls=cls)
    child = int(marked(redis, 'child'))
    try:
        assert job.is_finished and good.is_finished and lives(child)
    finally:
        os.kill(child, signal.SIGKILL)


@HORSES
def test_signals_in_a_horse(redis: Redis, queue: Queue, cls: Any) -> None:
    deaf, process, fork = (
        queue.enqueue(jobs.terminates_itself),
        queue.enqueue(jobs.ignores_signals),
        queue.enqueue(jobs.forks_a_victim),
    )
    burst(redis, queue, cls=cls)
    assert (deaf.return_value(), process.return_value(), fork.return_value()) == ('still here', -15, 15)


def test_the_horse_ends_with_its_parent(redis: Redis, queue: Queue, launch: Launch) -> None:
    queue.enqueue(jobs.waits)
    worker = launch('default')
    horse = int(marked(redis, 'waits'))
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    wait_until(lambda: not lives(horse), 10, 'the horse ends')


def test_no_spare_horse_is_left_behind(redis: Redis, queue: Queue, launch: Launch) -> None:
    worker = launch('default').ready()
    queue.enqueue(jobs.add)
    worker.said('Job OK')
    children = {int(pid) for pid in Path(f'/proc/{worker.pid}/task/{worker.pid}/children').read_text().split()}
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    wait_until(lambda: not any(lives(pid) for pid in children), 5, 'its children are gone')
