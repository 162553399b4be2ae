"""One connection of a client's pool is kept at hand from call to call.

redis-py's pool looks at a connection with each loan and each return, which takes longer than a small call itself.
Whether the server has closed the one at hand shows when it is used: who uses it tries once more then.
"""

from __future__ import annotations

import os
from typing import Any

_PLACE = '_rq_kept'  # on the pool, so that it goes with it
FEWEST = 16  # connections that a pool must allow before one of them is kept from its other users


def take(pool: Any) -> Any:
    """The connection at hand; None when there is none, or another thread has it just now."""
    kept = pool.__dict__.get(_PLACE)
    try:
        pid, connection = kept.pop()
    except (AttributeError, IndexError):
        return None
    return connection if pid == os.getpid() else None  # a fork has its own


def give_back(pool: Any, connection: Any) -> None:
    """Keep a connection at hand, or return it to its pool."""
    kept = pool.__dict__.get(_PLACE)
    if kept is None:
        kept = pool.__dict__[_PLACE] = [] if _may_keep(pool) else ()
    must_leave = getattr(connection, 'should_reconnect', None)  # its server is about to move
    if kept == [] and not (must_leave is not None and must_leave()):
        kept.append((os.getpid(), connection))
    else:
        pool.release(connection)


def let_go(pool: Any) -> None:
    """Close the connection at hand, and return it to its pool: who disconnects those not in use does not reach it."""
    connection = take(pool)
    if connection is not None:
        connection.disconnect()
        pool.release(connection)


def _may_keep(pool: Any) -> bool:
    """Whether it has more than enough, nobody waits for one, and none is needed back for a new token of its user."""
    is_patient = hasattr(pool, 'timeout')  # of those who wait for a connection
    words = pool.connection_kwargs
    return pool.max_connections >= FEWEST and not is_patient and words.get('credential_provider') is None
