"""Birth, death and the books: who may take a name, what a worker's hash says, reading it back."""

from __future__ import annotations

import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

from rq.rules.names import check_length
from rq.rules.timing import str_to_date
from rq.store import keys, read, workers
from rq.store.call import ResponseError, run
from rq.version import VERSION

SHUTDOWN_SIGNAL = getattr(signal, 'SIGKILL', signal.SIGTERM)
MAX_KEYS = 1000
FRESH_SECONDS = 15  # a beat younger than this proves that a worker on another host lives


class WorkerStatus(str, Enum):  # noqa: UP042 - as DequeueStrategy
    """What a worker says it does."""

    STARTED = 'started'
    SUSPENDED = 'suspended'
    BUSY = 'busy'
    IDLE = 'idle'


#: instances born by this very process that have not left; a namesake among them is no leftover of an older container
_living: set[tuple[int, str]] = set()


def fields_of(worker: Any) -> dict[str, Any]:
    """What the hash says of a worker at birth."""
    return {
        'queues': ','.join(worker.queue_names()),
        'pid': worker.pid,
        'hostname': worker.hostname,
        'ip_address': worker.ip_address,
        'version': VERSION,
        'python_version': worker.python_version or sys.version,
    }


def be_born(worker: Any, again: bool = False) -> None:
    """Enter the books; `ValueError` when a living worker has the name. `again`: they forgot this one."""
    check_length('a worker name', worker.name)
    if worker.name.endswith(':executions'):
        raise ValueError(f'{worker.name!r} cannot be a worker name: its key is the list of runs of another; rename it')
    seen = ''
    old = read_hash(worker.own, worker.key)
    if old and 'death' not in old:
        mine = again and (old.get('instance', worker.instance) == worker.instance)
        if not mine and _lives(old, worker):
            raise ValueError(f'There exists an active worker named {worker.name!r} already; choose another name')
        seen = old.get('instance', '')
    fields = {**fields_of(worker), 'instance': worker.instance}
    moment = worker.birth_date.timestamp() if worker.birth_date and not again else ''
    if again:
        fields['state'] = worker.get_state()
    call = workers.born(worker.name, worker.queue_names(), worker.worker_ttl + 60, fields, seen, moment)
    if run(worker.own, call) == 'taken':
        raise ValueError(f'There exists an active worker named {worker.name!r} already; it was faster')
    if worker.pid in (None, os.getpid()):
        _living.add((os.getpid(), worker.instance))


def is_born(worker: Any) -> bool:
    """Whether it has entered the books, and not left them."""
    return (os.getpid(), worker.instance) in _living


def leave(worker: Any) -> None:
    """Leave the books."""
    _living.discard((os.getpid(), worker.instance))
    run(worker.own, workers.gone(worker.name, worker.queue_names(), worker.instance))


def _lives(old: dict[str, str], worker: Any) -> bool:
    """Whether the process that wrote this hash still runs, as far as we can know."""
    if (os.getpid(), old.get('instance')) in _living:
        return True
    if old.get('hostname') == worker.hostname:
        pid = int(old['pid']) if old.get('pid', '').isdigit() else 0
        return pid != worker.pid and _process_exists(pid)
    if 'instance' not in old:
        return True  # RQ 3.0 beats only every few minutes: its hash is proof enough
    beat = old.get('last_heartbeat')
    # beats are written by the server's clock, so ours does not matter
    return beat is not None and read.server_time(worker.connection) - str_to_date(beat).timestamp() < FRESH_SECONDS


def _process_exists(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Dead, but nobody has asked for its status yet."""
    try:
        return Path(f'/proc/{pid}/stat').read_bytes().rpartition(b')')[2].split()[0] == b'Z'
    except (OSError, IndexError):
        return False


def read_hash(connection: Any, key: str) -> dict[str, str]:
    """A worker's hash as text; empty when it is gone."""
    raw = connection.hgetall(key)
    return {name.decode(): value.decode('utf-8', 'backslashreplace') for name, value in raw.items()}


def restore(worker: Any, data: dict[str, str]) -> None:
    """Set a worker's attributes from its hash; fields that cannot be read stay at their default."""
    worker.hostname, worker.ip_address = data.get('hostname'), data.get('ip_address')
    worker.pid = int(data['pid']) if data.get('pid', '').isdigit() else None
    worker.version, worker.python_version = data.get('version'), data.get('python_version')
    worker._state = data.get('state', '?')
    worker.last_heartbeat = _date(data.get('last_heartbeat'))
    worker.birth_date = _date(data.get('birth'))
    worker.successful_job_count = _count(data.get('successful_job_count'))
    worker.failed_job_count = _count(data.get('failed_job_count'))
    worker.total_working_time = float(data.get('total_working_time') or 0)


def _date(text: str | None) -> Any:
    try:
        return str_to_date(text) if text else None
    except ValueError:
        return None


def _count(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def find(cls: Any, worker_key: str, connection: Any, **classes: Any) -> Any:
    """The worker of a key, or None for a key whose hash is gone; maintenance takes those out of the books."""
    if not worker_key.startswith(cls.redis_worker_namespace_prefix):
        raise ValueError(f'Not a valid RQ worker key: {worker_key!r}')
    data = read_hash(connection, worker_key)
    if not data:
        connection.srem(keys.WORKERS, worker_key)
        return None
    name = worker_key[len(cls.redis_worker_namespace_prefix) :]
    queues = [part for part in data.get('queues', '').split(',') if part]
    worker = cls(queues, name, connection=connection, prepare_for_work=False, **classes)
    restore(worker, data)
    return worker


def settle_in(worker: Any) -> None:
    """A class may have key prefixes of its own, as in RQ; whoever has the name after that may not."""
    if (worker.redis_worker_namespace_prefix, worker.redis_workers_keys) != (keys.WORKER_PREFIX, keys.WORKERS):
        keys.ELSEWHERE[worker.name] = worker.key, worker.redis_workers_keys
    else:
        keys.ELSEWHERE.pop(worker.name, None)


def register(worker: Any, pipeline: Any = None) -> None:
    """Enter both worker sets; being born does so by itself."""
    target = worker.connection if pipeline is None else pipeline
    target.sadd(worker.redis_workers_keys, worker.key)
    for name in worker.queue_names():
        target.sadd(keys.workers(name), worker.key)


def unregister(worker: Any, pipeline: Any = None) -> None:
    """Leave both worker sets."""
    target = worker.connection.pipeline() if pipeline is None else pipeline
    target.srem(worker.redis_workers_keys, worker.key)
    for name in worker.queue_names():
        target.srem(keys.workers(name), worker.key)
    if pipeline is None:
        target.execute()


def get_keys(queue: Any = None, connection: Any = None) -> set[str]:
    """Worker keys of a queue, or of a connection."""
    if queue is None and connection is None:
        raise ValueError('"queue" or "connection" must be given')
    source = connection if queue is None else queue.connection
    return set(read.texts(list(source.smembers(keys.workers(queue.name) if queue is not None else keys.WORKERS))))


def clean_worker_registry(queue: Any) -> None:
    """Take workers without a record out of both sets, so many at a time."""
    known = sorted(get_keys(queue))
    for first in range(0, len(known), MAX_KEYS):
        some = known[first : first + MAX_KEYS]
        pipeline = queue.connection.pipeline(transaction=False)
        for key in some:
            pipeline.exists(key)
        gone = [key for key, exists in zip(some, pipeline.execute(), strict=True) if not exists]
        if gone:
            queue.connection.srem(keys.WORKERS, *gone)
            queue.connection.srem(keys.workers(queue.name), *gone)


def client_address(connection: Any, name: str, log: Any) -> str:
    """Name the connection after the worker, and learn its address; servers without these commands do no harm."""
    try:
        if not _try(lambda: connection.client_setname(name), 'CLIENT SETNAME'):
            return 'unknown'
        info = _try(connection.client_info)
        if not info:
            named = [one for one in _try(connection.client_list, 'CLIENT LIST') or [] if one.get('name') == name]
            info = named[0] if named else {}
        return str(info.get('addr') or 'unknown')
    except Warning:
        raise  # of a program that treats them as errors
    except Exception as error:
        log.debug('The address of worker %s is unknown: %s', name, error)  # the server is away: work() waits for it
        return 'unknown'


def _try(command: Callable[[], Any], words: str = '') -> Any:
    try:
        return command()
    except ResponseError:
        if words:
            warnings.warn(f'{words} command not supported, setting ip_address to unknown', Warning, stacklevel=5)
        return None


def allow_waiting(connection: Any, seconds: float) -> None:
    """Raise the socket timeout of a client's pool to so many seconds, when it is lower or none."""
    pool = getattr(connection, 'connection_pool', None)
    if pool is None:
        return  # a cluster's client has a pool for each node; what waits is a connection of our own
    kwargs = pool.connection_kwargs
    if kwargs.get('socket_timeout') is None or kwargs['socket_timeout'] < seconds:
        kwargs['socket_timeout'] = seconds


def hostname() -> str:
    """This host's name."""
    return socket.gethostname()
