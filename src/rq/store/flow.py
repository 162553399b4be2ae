"""Many large calls over one connection: the server works on one while the next is written, and few are on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, TypeVar

from rq.store.call import Call, Line, NoScriptError, run

T = TypeVar('T')
Write = Sequence[Call[Any]]  # calls that go out together

MOST_ON_THE_WAY = 4  # writes: so much is kept in the buffers of both ends


def run_in_turn(connection: Any, writes: Sequence[Write], meanwhile: Callable[[], T]) -> T:
    """Execute calls in large writes; `meanwhile` runs while the server works. After an error no more are sent."""
    if not hasattr(connection, 'connection_pool'):  # a cluster's client has no one pool
        for call in chain.from_iterable(writes):
            run(connection, call)
        return meanwhile()
    flow = Flow(connection)
    try:
        return flow.run_in_turn(writes, meanwhile)
    finally:
        flow.release()


class Flow(Line):
    """A line on which several writes are on the way before their replies are read."""

    def run_in_turn(self, writes: Sequence[Write], meanwhile: Callable[[], T]) -> T:
        """Send write after write; the first error is raised."""
        connection = self._open()
        on_the_way: list[Write] = []
        try:
            for write in writes:
                if len(on_the_way) == MOST_ON_THE_WAY:
                    self._settle(connection, on_the_way)
                self._write(connection, [call.words() for call in write])
                on_the_way.append(write)
            result = meanwhile()
            while on_the_way:
                self._settle(connection, on_the_way)
        except BaseException:
            self.drop()  # there may be replies that nobody read
            raise
        return result

    def _settle(self, connection: Any, on_the_way: list[Write]) -> None:
        """Read what the earliest of several writes was answered."""
        calls = list(on_the_way.pop(0))
        replies = [self._read(connection) for _ in calls]
        if any(isinstance(reply, NoScriptError) for reply in replies):
            # neither did the later ones find their script: all are repeated, in their order
            calls += chain.from_iterable(on_the_way)
            on_the_way.clear()
            replies += [self._read(connection) for _ in range(len(calls) - len(replies))]
            self._teach(connection, calls, replies)
        self._decoded(calls, replies)
