"""Wait until a queue may have work. Waiting is not claiming: what is taken here is a token, never a job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rq.store import keys
from rq.store.call import borrow

if TYPE_CHECKING:
    from redis import Redis


class Waiter:
    """A BLPOP in flight on a connection of its own; its descriptor becomes readable when there may be work."""

    def __init__(self, client: Redis) -> None:
        self._pool = client.connection_pool
        self._connection: Any = None
        self._waiting = False

    def start(self, queues: Sequence[str], seconds: float) -> int:
        """Begin to wait, unless a wait is under way; returns the descriptor to select on."""
        if self._connection is None:
            self._connection = borrow(self._pool)
        if not self._waiting:
            command = ('BLPOP', *(keys.wake(queue) for queue in queues), f'{seconds:.3f}')
            try:
                self._connection.send_packed_command(self._connection.pack_commands([command]))
            except BaseException:
                self.drop()
                raise
            self._waiting = True
        return int(self._connection._sock.fileno())

    def finish(self) -> None:
        """Read the reply that the descriptor announced."""
        try:
            self._connection.read_response()
            self._waiting = False
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Give up waiting and close the connection."""
        connection, self._connection, self._waiting = self._connection, None, False
        if connection is not None:
            connection.disconnect()
            self._pool.release(connection)
