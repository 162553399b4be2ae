"""Wait until a queue may have work. Waiting is not claiming: what is taken here is a token, never a job.

But a call may stand behind the wait, sent with it: the server runs it the moment the wait is over. So who is woken has
the answer at once, and does not have to ask.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rq.store import keys
from rq.store.call import Call, ResponseError, borrow, packed

if TYPE_CHECKING:
    from redis import Redis


class Waiter:
    """A BLPOP in flight on a connection of its own; its descriptor becomes readable when there may be work."""

    def __init__(self, client: Redis) -> None:
        self._pool = client.connection_pool
        self._connection: Any = None
        self._number: int | None = None  # of the connection, as the server counts them
        self._waiting = False
        self._behind: Call[Any] | None = None

    @property
    def has_call(self) -> bool:
        """Whether a call stands behind the wait that is under way."""
        return self._behind is not None

    @property
    def is_answered(self) -> bool:
        """Whether that call has been answered, and nobody has read it yet."""
        return self.has_call and self._is_readable(0)

    def _is_readable(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._connection._sock.fileno(), select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def start(self, queues: Sequence[str], seconds: float, behind: Callable[[], Call[Any]] | None = None) -> int:
        """Begin to wait, unless a wait is under way; returns the descriptor to select on."""
        if self._connection is None:
            self._connection = borrow(self._pool)
        if not self._waiting:
            command = ('BLPOP', *(keys.wake(queue) for queue in queues), f'{seconds:.3f}')
            try:
                if behind is None:
                    self._send(command)
                else:
                    self._learn_number()
                    self._behind = behind()
                    self._send(command, self._behind.words())
            except BaseException:
                self.drop()
                raise
            self._waiting = True
        return int(self._connection._sock.fileno())

    def _send(self, *commands: tuple[Any, ...]) -> None:
        self._connection.send_packed_command(packed(self._connection, commands))

    def _learn_number(self) -> None:
        if self._number is None:
            try:
                self._send(('CLIENT', 'ID'))
                self._number = int(self._connection.read_response())
            except ResponseError:
                self._number = 0  # not allowed here: who stops waiting has to wait for the end

    def finish(self) -> Any:
        """Read the reply that the descriptor announced; what the call behind it gave, None if it was refused."""
        call, self._behind = self._behind, None
        try:
            self._connection.read_response()
            self._waiting = False
            return None if call is None else self._answer(call)
        except BaseException:
            self.drop()
            raise

    def _answer(self, call: Call[Any]) -> Any:
        try:
            return call.decode(self._connection.read_response())
        except ResponseError:
            return None  # whoever asks again is told

    def stop(self, client: Any, seconds: float) -> Any:
        """End a wait with a call behind it: the server runs the call now, unless it has; what it gave.

        `client` says so. Who is not allowed to waits for the end, so many seconds at most.
        """
        if self._number:
            try:
                client.execute_command('CLIENT', 'UNBLOCK', self._number)
            except ResponseError:
                pass
        if not self._is_readable(seconds):
            raise TimeoutError('the server did not say that the wait is over')
        return self.finish()

    def drop(self) -> None:
        """Give up waiting and close the connection."""
        connection, self._connection, self._waiting = self._connection, None, False
        self._behind, self._number = None, None
        if connection is not None:
            connection.disconnect()
            self._pool.release(connection)
