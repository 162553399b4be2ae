"""SpawnWorker: what a fresh interpreter must know, and that it lives and dies like any horse."""

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, SSLConnection
from redis.connection import ConnectionPool
from redis.sentinel import Sentinel, SentinelConnectionPool

from rq import Queue, Retry, SpawnWorker
from rq.command import send_stop_job_command
from rq.connections import assemble, dismantle, parse_connection
from rq.worker import spawning
from tests import jobs
from tests.executors import hands
from tests.invariants import check
from tests.launch import ROOT, Launch, burst, lives, marked, marks, told
from tests.waiting import wait_until

SPAWN = 'rq.worker.SpawnWorker'


def test_all_that_it_is(redis: Redis) -> None:
    words: dict[str, Any] = {'cls': hands.Telling, 'job_class': hands.OtherJob, 'queue_class': hands.OtherQueue}
    queue = hands.OtherQueue(connection=redis, job_class=hands.OtherJob)
    job = queue.enqueue(hands.fetch_itself)
    settings = {'default_result_ttl': 77, 'log_job_description': False, 'exception_handlers': [jobs.foo_handler]}
    worker = burst(redis, queue, **words, **settings)
    assert job.return_value() == job.id and 0 < redis.ttl(job.key) <= 77
    said = json.loads(redis.get('test:words') or '{}')
    assert said.pop('pid') != os.getpid()
    assert said.pop('environment') == [worker.name, job.id, said.pop('execution')]
    assert said == {
        'horse': True, 'class': 'Telling', 'job': 'OtherJob', 'queue': 'OtherQueue', 'penalty': 'Penalty',
        'handlers': 1, 'settings': [77, False, True], 'connection': 'ConnectionPool',
    }  # fmt: skip
    assert not worker.is_horse


@pytest.mark.parametrize('serializer', [hands.Packer, hands, 'tests.executors.hands.Packer', 'json'])
def test_serializers_go_by_name(redis: Redis, serializer: Any) -> None:
    queue = Queue(connection=redis, serializer=serializer)
    job = queue.enqueue(jobs.add, 3, 4)
    burst(redis, queue, cls=SpawnWorker, serializer=serializer)
    assert job.return_value() == 7
    if serializer is hands.Packer:
        assert spawning._serializer_name(serializer) == 'tests.executors.hands.Packer'


def test_nothing_secret_on_the_command_line_and_the_same_path(
    redis: Redis, redis_url: str, queue: Queue, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / 'only_on_the_path.py').write_text('value = 5\n')
    monkeypatch.syspath_prepend(tmp_path)
    line, path = queue.enqueue(hands.command_line), queue.enqueue(hands.own_path)
    burst(redis, queue, cls=SpawnWorker)
    words = line.return_value()
    assert words[0] == sys.executable and path.return_value() == 5  # type: ignore[index]
    assert redis_url.removeprefix('unix://') not in str(words) and line.id not in str(words)


@pytest.mark.parametrize('signum', [signal.SIGKILL, signal.SIGSEGV])
def test_killed(redis: Redis, queue: Queue, signum: int) -> None:
    job, good = queue.enqueue(jobs.kills_itself, int(signum)), queue.enqueue(jobs.leaves_state, 1)
    burst(redis, queue, cls=SpawnWorker, work_horse_killed_handler=jobs.killed_handler)
    result: Any = job.latest_result()
    assert f'(signal {int(signum)})' in result.exc_string and good.return_value() == 0
    assert len(told(redis)) == 1 and check(redis) == []


def test_the_parent_keeps_the_deadline(redis: Redis, queue: Queue, monkeypatch: Any) -> None:
    monkeypatch.setattr('rq.rules.watch.KILL_GRACE', 1)
    job = queue.enqueue(jobs.deaf, job_timeout=1, retry=Retry(max=1))
    burst(redis, queue, cls=SpawnWorker, exception_handlers=[jobs.foo_handler])
    result: Any = job.latest_result()
    assert job.is_failed and 'process group was killed' in result.exc_string
    assert [word.split()[2] for word in told(redis)] == ['JobTimeoutException'] * 2 and check(redis) == []


def test_a_failure_is_gone_on_with(redis: Redis, queue: Queue) -> None:
    raised, killed = queue.enqueue(jobs.fail), queue.enqueue(jobs.leaves, 3)
    burst(redis, queue, cls=SpawnWorker, exception_handlers=[hands.noted_state])
    words = [word.split() for word in told(redis)]
    assert [word[0] for word in words] == ['ValueError', 'JobFailedError', 'HorseKilledError']
    assert words[0][1:3] == ['it', 'broke'] and len({word[-1] for word in words} - {str(os.getpid())}) == 3
    result: Any = raised.latest_result()
    assert 'ValueError: it broke' in result.exc_string and killed.is_failed and check(redis) == []


def test_descriptors_closed_by_the_job(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.closes_everything)
    burst(redis, queue, cls=SpawnWorker)
    assert job.return_value() == 'closed' and check(redis) == []


def test_signals_and_descendants(redis: Redis, queue: Queue) -> None:
    deaf, child, dying = (
        queue.enqueue(jobs.terminates_itself),
        queue.enqueue(jobs.ignores_signals),
        queue.enqueue(jobs.spawns, True, 'dies'),
    )
    burst(redis, queue, cls=SpawnWorker)
    assert (deaf.return_value(), child.return_value()) == ('still here', -15) and dying.is_failed
    left = int(marked(redis, 'child'))
    wait_until(lambda: not lives(left), 5, 'the descendant of the dead horse is gone')


def test_stop_and_shutdown(redis: Redis, queue: Queue, launch: Launch) -> None:
    job = queue.enqueue(jobs.waits)
    worker = launch('default', cls=SPAWN).ready()
    horse = int(marked(redis, 'waits'))
    send_stop_job_command(redis, job.id)
    wait_until(lambda: job.is_stopped, 10, 'it is stopped')
    last = queue.enqueue(jobs.gate)
    marked(redis, 'at gate')
    worker.signal(signal.SIGTERM)
    worker.said('warm shut down')
    redis.rpush('test:gate', 1)
    assert worker.wait() == 0 and last.is_finished and not lives(horse) and check(redis) == []


def test_it_ends_with_its_worker(redis: Redis, queue: Queue, launch: Launch) -> None:
    queue.enqueue(jobs.waits)
    worker = launch('default', cls=SPAWN)
    horse = int(marked(redis, 'waits'))
    children = Path(f'/proc/{worker.pid}/task/{worker.pid}/children')
    wait_until(lambda: len(children.read_text().split()) == 2, 10, 'the next one is spawned')
    spare = next(int(pid) for pid in children.read_text().split() if int(pid) != horse)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    wait_until(lambda: not lives(horse) and not lives(spare), 10, 'both end')


def test_it_ends_when_its_worker_is_frozen(redis: Redis, queue: Queue, launch: Launch) -> None:
    queue.enqueue(jobs.waits)
    worker = launch('default', cls=SPAWN, constants={f'{SPAWN}.lease_seconds': 2, f'{SPAWN}.renew_interval': 0.3})
    horse = int(marked(redis, 'waits'))
    worker.signal(signal.SIGSTOP)
    wait_until(lambda: not lives(horse), 15, 'the horse of a frozen worker ends')


# --- refusals -----------------------------------------------------------------------------------------------


def homeless(name: str) -> Any:
    """A function that claims to stand in __main__."""

    def func(*args: Any) -> None:
        pass

    func.__module__, func.__qualname__ = '__main__', name
    return func


@pytest.mark.parametrize('words', [
    {'exception_handlers': [homeless('handler')]},
    {'job_class': type('Odd', (hands.OtherJob,), {'__module__': '__main__'})},
    {'serializer': type('Odd', (hands.Packer,), {'__module__': '__main__'})},
])  # fmt: skip
def test_main_is_refused_before_birth(redis: Redis, words: dict[str, Any]) -> None:
    worker = SpawnWorker(['default'], connection=redis, **words)
    with pytest.raises(ValueError, match='__main__'):
        worker.work(burst=True)
    assert redis.smembers('rq:workers') == set()


def test_a_class_of_main_is_refused(redis: Redis) -> None:
    odd = type('Odd', (SpawnWorker,), {'__module__': '__main__'})
    with pytest.raises(ValueError, match='Odd.*__main__'):
        odd(['default'], connection=redis).bootstrap()


def test_what_does_not_pickle_is_refused(redis: Redis) -> None:
    worker = SpawnWorker(['default'], connection=redis, exception_handlers=[lambda *args: None])
    with pytest.raises((pickle.PicklingError, AttributeError)):
        worker.bootstrap()
    assert redis.smembers('rq:workers') == set()


# --- connections --------------------------------------------------------------------------------------------


def travelled(client: Redis) -> Redis:
    return assemble(*pickle.loads(pickle.dumps(dismantle(client))))


def test_connections_travel() -> None:
    tls = travelled(Redis(host='h', port=7, password='p', ssl=True, ssl_ca_certs='/ca', db=3))
    kwargs = tls.connection_pool.connection_kwargs
    assert tls.connection_pool.connection_class is SSLConnection
    assert (kwargs['host'], kwargs['port'], kwargs['password'], kwargs['ssl_ca_certs'], kwargs['db']) == (
        'h', 7, 'p', '/ca', 3,
    )  # fmt: skip
    pool = ConnectionPool.from_url('unix://u:s@/tmp/x.sock?db=2')
    kwargs = travelled(Redis(connection_pool=pool)).connection_pool.connection_kwargs
    assert (kwargs['path'], kwargs['username'], kwargs['password'], kwargs['db']) == ('/tmp/x.sock', 'u', 's', 2)


def test_sentinels_travel() -> None:
    asked: Any = Sentinel([('one', 1), ('two', 2)], sentinel_kwargs={'password': 'x'}, db=4)  # type: ignore[no-untyped-call]
    pool: Any = travelled(asked.slave_for('service', password='y')).connection_pool
    assert isinstance(pool, SentinelConnectionPool) and (pool.service_name, pool.is_master) == ('service', False)
    assert (pool.connection_kwargs['db'], pool.connection_kwargs['password']) == (4, 'y')
    forked: Any = assemble(*parse_connection(asked.master_for('service'))).connection_pool
    assert (forked.service_name, forked.is_master, len(forked.sentinel_manager.sentinels)) == ('service', True, 2)
    found = [one.connection_pool.connection_kwargs for one in pool.sentinel_manager.sentinels]
    assert [(one['host'], one['port'], one['password']) for one in found] == [('one', 1, 'x'), ('two', 2, 'x')]


# --- called directly ----------------------------------------------------------------------------------------


def exit_code(worker: Any) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(worker._horse_pid, 0)[1])


def test_fork_work_horse_spawns(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(hands.command_line)
    worker = SpawnWorker([queue], connection=redis)
    worker.register_birth()
    redis.lrem(queue.key, 0, job.id)
    worker.prepare_execution(job)
    worker.fork_work_horse(job, queue)
    worker.monitor_work_horse(job, queue, worker.execution)
    assert job.return_value()[0] == sys.executable and check(redis) == []  # type: ignore[index]


def test_a_part_overridden(redis: Redis, queue: Queue) -> None:
    """Who overrides a part of the plain way gets it: spawned after the claim, and asked for each job."""
    made = [
        queue.enqueue(jobs.environment),
        queue.enqueue(jobs.fail, retry=Retry(max=1)),
        queue.enqueue(jobs.leaves, 3),
    ]
    worker = burst(redis, queue, cls=hands.Watching)
    said = made[0].return_value()
    assert said[:2] == [made[0].id, worker.name] and said[2] == said[3] != os.getpid()  # type: ignore[index]
    assert [job.get_status() for job in made] == ['finished', 'failed', 'failed']
    assert marks(redis) == ['watched'] * 4 and check(redis) == []


def test_without_a_record_the_child_ends_with_one(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.note, 'ran')
    worker = SpawnWorker([queue], connection=redis)
    worker.fork_work_horse(job, queue)
    assert exit_code(worker) == 1 and redis.exists('test:marks') == 0


def test_a_worker_of_a_script(redis: Redis, redis_url: str, queue: Queue, tmp_path: Path) -> None:
    """No work is lost on those who start it from a script, as programs do."""
    job = queue.enqueue(jobs.add, 1, 2)
    script = tmp_path / 'program.py'
    script.write_text(f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'src')!r}]
from redis import Redis
from rq import SpawnWorker
SpawnWorker(['default'], connection=Redis.from_url({redis_url!r})).work(burst=True)
""")
    subprocess.run([sys.executable, str(script)], timeout=30, check=True, stdin=subprocess.DEVNULL)
    assert job.return_value() == 3
