"""Workers that very old versions left in the books when they were killed."""

from __future__ import annotations

from typing import Any

from rq import eras
from rq.defaults import DEFAULT_WORKER_TTL
from rq.legacy import names
from rq.store import keys
from rq.worker import Worker


def cleanup_ghosts(conn: Any = None) -> None:
    """Let records of workers that never expire do so; deprecated: workers of today clean up by themselves."""
    names.tell('rq.contrib.legacy.cleanup_ghosts', 'nothing: workers clean up by themselves')
    connection = eras.at_hand() if conn is None else conn
    for key in Worker.all_keys(connection):
        # -2: its record is gone, so it goes from the books too; -1: it never expires. A living worker renews its own.
        life = connection.ttl(key)
        if life == -2:
            connection.srem(keys.WORKERS, key)
        elif life == -1:
            connection.expire(key, DEFAULT_WORKER_TTL)
