"""Birth, death and the books: who may take a name, what a worker's hash says, reading it back."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

from rq.rules.timing import str_to_date, utcformat
from rq.store import keys, read, workers
from rq.store.call import run
from rq.utils import now
from rq.version import VERSION

FRESH_SECONDS = 15  # a beat younger than this proves that a worker on another host lives


def fields_of(worker: Any) -> dict[str, Any]:
    """What the hash says of a worker at birth."""
    return {
        'queues': ','.join(worker.queue_names()),
        'pid': worker.pid,
        'hostname': worker.hostname,
        'ip_address': worker.ip_address,
        'version': VERSION,
        'python_version': sys.version,
        'state': 'started',
        'instance': worker.instance,
    }


def be_born(worker: Any) -> None:
    """Enter the books; `ValueError` when a living worker has the name."""
    seen = ''
    old = read_hash(worker.connection, worker.key)
    if old and 'death' not in old:
        if old.get('instance') != worker.instance and _lives(old, worker):
            raise ValueError(f'There exists an active worker named {worker.name!r} already; choose another name')
        seen = old.get('instance', '')
    call = workers.born(worker.name, worker.queue_names(), worker.worker_ttl + 60, fields_of(worker), seen)
    if run(worker.connection, call) == 'taken':
        raise ValueError(f'There exists an active worker named {worker.name!r} already; it was faster')


def _lives(old: dict[str, str], worker: Any) -> bool:
    """Whether the process that wrote this hash still runs, as far as we can know."""
    if old.get('hostname') == worker.hostname:
        pid = int(old['pid']) if old.get('pid', '').isdigit() else 0
        return pid != worker.pid and _process_exists(pid)
    if 'instance' not in old:
        return True  # RQ 3.0 beats only every few minutes: its hash is proof enough
    beat = old.get('last_heartbeat')
    return beat is not None and (now() - str_to_date(beat)).total_seconds() < FRESH_SECONDS


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
        return None
    name = worker_key[len(cls.redis_worker_namespace_prefix) :]
    queues = [part for part in data.get('queues', '').split(',') if part]
    worker = cls(queues, name, connection=connection, prepare_for_work=False, **classes)
    restore(worker, data)
    return worker


def registered_keys(connection: Any, queue_name: str | None) -> list[str]:
    """Keys of all workers, or of those of a queue."""
    return sorted(read.texts(list(connection.smembers(keys.workers(queue_name) if queue_name else keys.WORKERS))))


def client_address(connection: Any, name: str, log: Any) -> str:
    """Name the connection after the worker, and learn its address; servers without these commands do no harm."""
    try:
        connection.client_setname(name)
        return str(connection.client_info()['addr'])
    except Exception as error:
        if type(error).__name__ == 'ResponseError':
            log.warning('CLIENT SETNAME or CLIENT INFO is not supported, setting ip_address to unknown')
        return 'unknown'


def hostname() -> str:
    """This host's name."""
    return socket.gethostname()


def moment_text() -> str:
    """Now, as timestamp text."""
    return utcformat(now())
