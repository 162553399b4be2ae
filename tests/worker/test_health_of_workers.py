"""What a whole worker tells probes, and what its pool makes of it."""

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from rq import Queue, SimpleWorker, Worker
from rq.rules.health import NEVER
from rq.supervision.health import Health
from rq.supervision.signs import Page
from rq.suspension import suspend
from tests import jobs
from tests.launch import Launch, marked
from tests.waiting import wait_until
from tests.worker.probing import ILL, WELL, ask, port_of

# --- a worker -----------------------------------------------------------------------------------------------------


def test_of_a_worker(redis: Redis, queue: Queue, launch: Launch, tmp_path: Path) -> None:
    """Nothing of it is inherited: nursery and horses hold neither its port nor its lock."""
    path = tmp_path / 'health'
    queue.enqueue(jobs.gate)
    worker = launch(constants=constants(health_port=0, health_file=str(path)))
    marked(redis, 'at gate')
    port = port_of(worker)
    wait_until(lambda: ask(port)[0] == 200, 10, 'it is healthy')
    told = ask(port, '/readyz')[1]
    assert (told['ready'], told['pid'], told['state']) == (True, worker.pid, 'busy')
    wait_until(path.exists, 10, 'the file is there')
    assert json.loads(path.read_text())['pid'] == worker.pid
    holders = [pid for pid in descendants(worker.pid) if is_held(pid, port) or is_held(pid, str(path))]
    assert descendants(worker.pid) and holders == []
    worker.signal(signal.SIGTERM)
    wait_until(lambda: ask(port, '/readyz')[0] == 503, 10, 'it is not ready')
    assert ask(port, '/livez')[0] == 200 and ask(port, '/livez')[1]['leaving'] is True
    wait_until(lambda: json.loads(path.read_text())['ready'] is False, 10, 'the file says so, too')
    redis.rpush('test:gate', 1)
    assert worker.wait() == 0
    assert ask(port)[0] == 0 and not path.exists()


def constants(**words: Any) -> dict[str, Any]:
    """Attributes of every worker, as `launch` sets them."""
    return {f'rq.worker.BaseWorker.{name}': value for name, value in words.items()}


def descendants(pid: int) -> list[int]:
    found = [int(child) for child in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]
    return found + [one for child in found for one in descendants(child)]


def is_held(pid: int, what: int | str) -> bool:
    """Whether a process holds a listening port, or a file whose path begins so."""
    names = []
    for descriptor in Path(f'/proc/{pid}/fd').iterdir():
        try:
            names.append(str(descriptor.readlink()))
        except FileNotFoundError:
            continue
    if isinstance(what, str):
        return any(name.startswith(what) for name in names)
    rows = [line.split() for line in Path('/proc/net/tcp').read_text().splitlines()[1:]]
    inodes = {row[9] for row in rows if row[1].endswith(f':{what:04X}') and row[3] == '0A'}
    assert inodes
    return any(f'socket:[{inode}]' in names for inode in inodes)


def test_suspended_is_alive(redis: Redis, launch: Launch) -> None:
    suspend(redis)
    port = port_of(launch(constants=constants(health_port=0)))
    wait_until(lambda: ask(port)[1].get('state') == 'suspended', 10, 'it waits')
    wait_until(lambda: ask(port)[0] == 200 == ask(port, '/readyz')[0], 10, 'it is healthy')


@pytest.mark.parametrize('cls', [Worker, SimpleWorker])
def test_systemd_is_told_by_the_worker_alone(
    redis: Redis, queue: Queue, listener: socket.socket, cls: type[Any]
) -> None:
    job = queue.enqueue(os.getenv, 'NOTIFY_SOCKET', 'jobs do not know it')
    worker = cls([queue])
    worker.notifies_systemd = True
    worker.renew_interval = 0.4  # a socket holds ten datagrams that nobody reads
    worker.work(max_idle_time=1)
    assert job.return_value() == 'jobs do not know it'
    said = []
    listener.setblocking(False)
    while True:
        try:
            said.append(listener.recv(100).decode())
        except BlockingIOError:
            break
    assert said[0].startswith('READY=1') and said[-1] == 'STOPPING=1'
    assert said.count('WATCHDOG=1') > 1 and set(said[1:-1]) == {'WATCHDOG=1'}


def test_a_worker_of_a_program_tells_nobody(queue: Queue, listener: socket.socket) -> None:
    Worker([queue]).work(burst=True)
    assert 'NOTIFY_SOCKET' in os.environ
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.recv(100)


def test_what_cannot_be_used_is_said_at_once(redis: Redis, queue: Queue, tmp_path: Path) -> None:
    worker = Worker([queue])
    worker.health_file = str(tmp_path / 'no' / 'such')
    with pytest.raises(ValueError, match='health_file'):
        worker.work(burst=True)
    assert redis.smembers('rq:workers') == set() and worker._loop is None
    worker.health_file = None
    assert worker.work(burst=True) is False


def test_lease_that_was_lost(redis: Redis, queue: Queue) -> None:
    """The clock believes no renewal while it holds an execution that is not its own any more."""
    worker = SimpleWorker([queue], name='w')
    worker.renew_interval, worker.health_port = 0.05, 0
    queue.enqueue(lose_the_lease_and_look, 'w')
    worker.work(burst=True, max_jobs=1)
    first, last = (json.loads(one) for one in redis.lrange('test:seen', 0, 1))
    assert first['healthy'] is True and last['healthy'] is False, last


def lose_the_lease_and_look(name: str) -> None:
    """In the worker's own process."""
    from rq import get_current_job  # as in a module of somebody

    health = next(one for one in _open_healths() if one._name == name)
    job = get_current_job()
    assert job is not None and job.connection is not None
    wait_until(lambda: health.report()['healthy'], 10)
    job.connection.rpush('test:seen', json.dumps(health.report()))
    job.connection.delete('rq:wip:default')
    wait_until(lambda: not health.report()['healthy'], 10)
    job.connection.rpush('test:seen', json.dumps(health.report()))


def _open_healths() -> list[Health]:
    from rq.supervision import health

    return health._open


# --- a pool -------------------------------------------------------------------------------------------------------


def test_page() -> None:
    page = Page()
    assert page.read() == (NEVER, NEVER)
    page.show(WELL)
    assert page.read() == (15, 10)
    page.show(ILL)
    assert page.read() == (NEVER, 10)


def test_of_a_pool(redis: Redis, launch: Launch, tmp_path: Path) -> None:
    """A worker that is killed is replaced, one that is frozen is not healthy, nor is its pool then."""
    path = tmp_path / 'health'
    pool = launch(
        cls='tests.worker.pools.Pool',
        num_workers=2,
        constants={
            'rq.worker_pool.WorkerPool.health_port': 0,
            'rq.worker_pool.WorkerPool.health_file': str(path),
            'rq.worker.BaseWorker.renew_interval': 0.2,
            'rq.rules.health.RESTART_SECONDS': 4.0,
        },
    )
    port = port_of(pool)
    wait_until(lambda: ask(port)[0] == 200, 15, 'both are healthy')
    assert ask(port)[1]['healthy_workers'] == 2
    wait_until(path.exists, 10, 'the file is there')
    pids = [int(pid) for pid in (redis.hget(key, 'pid') or 0 for key in redis.smembers('rq:workers'))]
    assert not any(is_held(pid, port) for pid in pids)
    os.kill(pids[0], signal.SIGKILL)
    wait_until(lambda: ask(port)[1].get('healthy_workers') == 1, 10, 'it is missed')
    assert ask(port)[0] == 200
    wait_until(lambda: ask(port)[1].get('healthy_workers') == 2, 15, 'it is replaced')
    os.kill(pids[1], signal.SIGSTOP)
    try:
        wait_until(lambda: ask(port)[0] == 503, 10, 'one is frozen')
        wait_until(lambda: not path.exists(), 10, 'the file is gone')
    finally:
        os.kill(pids[1], signal.SIGCONT)
    wait_until(lambda: ask(port, '/readyz')[0] == 200, 10, 'it goes on')
    pool.signal(signal.SIGTERM)
    assert pool.wait() == 0 and not path.exists()
