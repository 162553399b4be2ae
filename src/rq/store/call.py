"""Call: one verb, ready to be sent. Runners execute it now, in a pipeline, or packed with others on a Line.

The only place where scripts meet redis-py; its error classes are handed on from here.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    MovedError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from rq.connections import is_plain
from rq.store import kept
from rq.store.headed import Headed
from rq.store.scripts import Script, load, names

pack_command: Any = None  # without hiredis redis-py packs, in Python
try:
    from hiredis import pack_command
except ImportError:
    pass

if TYPE_CHECKING:
    from redis import Redis

__all__ = [
    'Answer', 'Batch', 'Call', 'Line', 'NoScriptError', 'RedisError', 'ResponseError', 'borrow', 'enqueue_on',
    'is_full', 'is_slow', 'is_weather', 'packed', 'run', 'run_async', 'run_many', 'run_many_async',
]  # fmt: skip

T = TypeVar('T')
Argument = str | bytes | int | float

#: Refusals that a server gives for a while: full memory, missing replicas, failed saves, a cluster that elects or
#: has moved our slot.
#: redis-py takes the code off the message where it has a class for it, and has other classes in every version.
_PASSING_CLASSES = (
    *(ConnectionError, TimeoutError, BusyLoadingError, OSError),
    *(OutOfMemoryError, ReadOnlyError, ClusterDownError, MasterDownError, TryAgainError, MovedError),
)
#: A protocol error is how it refuses an argument for its length, before it hangs up: who sent it makes it shorter.
_PASSING = (
    'Protocol error',
    'OOM',
    'NOREPLICAS',
    'MISCONF',
    'CLUSTERDOWN',
    'MASTERDOWN',
    'TRYAGAIN',
    'LOADING',
    'READONLY',
    'BUSY',
)


class Answer(str, Enum):
    """What a settle says: done; done before by us; no longer ours, nothing written; the job is gone."""

    OK = 'ok'
    ALREADY = 'already'
    LOST = 'lost'
    GONE = 'gone'


_ANSWERS = {one.value.encode(): one for one in Answer}


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A script with its keys and arguments, and the function that turns the reply into a typed answer."""

    script: Script
    keys: Sequence[Argument]
    args: Sequence[Argument]
    decode: Callable[[Any], T]

    def words(self, sha: bool = True) -> tuple[Argument, ...]:
        """The command as it goes over the wire, by hash or with the whole text."""
        head = ('EVALSHA', self.script.sha) if sha else ('EVAL', self.script.text)
        return (*head, len(self.keys), *self.keys, *self.args)


def answer(reply: bytes) -> Answer:
    """The decoder of every settle."""
    return _ANSWERS.get(reply) or Answer(reply.decode())


def text(reply: bytes) -> str:
    """The decoder of scripts that answer one word."""
    return reply.decode()


def is_weather(error: BaseException) -> bool:
    """Whether waiting may help: the server is away, loading, read-only, full or without replicas."""
    if isinstance(error, _PASSING_CLASSES):
        return True
    # in a pipeline redis-py puts the command before what the server said
    return isinstance(error, ResponseError) and str(error).rpartition(' caused error: ')[2].startswith(_PASSING)


def is_slow(error: BaseException) -> bool:
    """Whether the server took too long, which is not to say that it hung up."""
    return isinstance(error, TimeoutError | builtins.TimeoutError)


def is_full(error: BaseException) -> bool:
    """Whether the server refused for want of memory."""
    return isinstance(error, OutOfMemoryError) or str(error).startswith('OOM')


def borrow(pool: Any) -> Any:
    """A connection of a redis-py pool; older versions want to be told what for."""
    try:
        return pool.get_connection()
    except TypeError:
        return pool.get_connection('EVALSHA')


def packed(connection: Any, commands: Sequence[tuple[Argument, ...]]) -> Any:
    """Commands as they go over the wire, in one write."""
    # redis-py looks at each word for what these never are
    return connection.pack_commands(commands) if pack_command is None else [b''.join(map(pack_command, commands))]


def run(connection: Any, call: Call[T] | Headed[T]) -> T:
    """Execute one call now."""
    if is_plain(connection):
        try:
            reply = _exchange(connection, call)
        except NoScriptError:
            reply = _exchange(connection, call, sha=False)
        return call.decode(reply)
    try:
        reply = connection.execute_command(*call.words())
    except NoScriptError:
        reply = connection.execute_command(*call.words(sha=False))
    return call.decode(reply)


def _exchange(client: Redis, call: Call[Any] | Headed[Any], sha: bool = True) -> Any:
    """Send a call and read its reply, with the retries of the client; at a third of the cost of the client itself."""
    pool = client.connection_pool
    connection = kept.take(pool)
    failed: list[Exception] | None = None
    if connection is None:
        connection, failed = borrow(pool), []
    try:
        packed = (call.packed(),) if sha and isinstance(call, Headed) else _packed(connection, call.words(sha))
        if failed is None:
            try:
                return _answered(connection, packed)
            except ConnectionError:
                failed = []  # closed since its last use, perhaps, which a pool would have noticed
            except TimeoutError as error:
                failed = [error]

        def attempt() -> Any:
            if failed:
                raise failed.pop()
            return _answered(connection, packed)

        return connection.retry.call_with_retry(attempt, lambda error: connection.disconnect())
    finally:
        kept.give_back(pool, connection)


def _packed(connection: Any, words: tuple[Argument, ...]) -> Sequence[bytes]:
    packed: Sequence[bytes] = connection.pack_command(*words) if pack_command is None else (pack_command(words),)
    return packed


def _answered(connection: Any, packed: Sequence[bytes]) -> Any:
    try:
        connection.send_packed_command(packed)
        return connection.read_response()
    except ResponseError:
        raise
    except BaseException:
        connection.disconnect()  # a reply that was not read would answer the next question
        raise


def run_many(connection: Redis, calls: Sequence[Call[T]]) -> list[T]:
    """Execute calls in one write. Not a transaction: each one is atomic, and errors are raised after all ran."""
    if len(calls) == 1 or not hasattr(connection, 'connection_pool'):
        return [run(connection, call) for call in calls]  # a cluster's client has no one pool
    line = Line(connection)
    try:
        return line.run(*calls)
    finally:
        line.release()


async def run_async(connection: Any, call: Call[T] | Headed[T]) -> T:
    """Await one call over a client of redis.asyncio."""
    try:
        reply = await connection.execute_command(*call.words())
    except NoScriptError:
        reply = await connection.execute_command(*call.words(sha=False))
    return call.decode(reply)


async def run_many_async(connection: Any, calls: Sequence[Call[T]]) -> list[T]:
    """Await calls in one write; no transaction, and errors are raised after all ran."""
    pipeline = connection.pipeline(transaction=False)
    for call in calls:
        pipeline.execute_command(*call.words())
    replies = await pipeline.execute(raise_on_error=False)
    decoded = []
    for call, reply in zip(calls, replies, strict=True):
        if isinstance(reply, NoScriptError):
            decoded.append(await run_async(connection, call))
        elif isinstance(reply, Exception):
            raise reply
        else:
            decoded.append(call.decode(reply))
    return decoded


class Batch:
    """What seams that take a `pipeline` are given when many calls are to go in few writes; no transaction."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection
        self._pipeline: Any = None
        self.calls: list[Call[Any]] = []

    def __getattr__(self, name: str) -> Any:
        # an overridden seam may write more than our calls
        if self._pipeline is None:
            self._pipeline = self._connection.pipeline(transaction=False)
        return getattr(self._pipeline, name)

    def run(self, size: int) -> list[Any]:
        """Send everything, so many calls in a write; the decoded replies of the calls."""
        if self._pipeline is not None:
            self._pipeline.execute()
        replies: list[Any] = []
        for start in range(0, len(self.calls), size):
            replies += run_many(self._connection, self.calls[start : start + size])
        return replies


def enqueue_on(pipeline: Any, call: Call[Any]) -> None:
    """Put a call into a caller's pipeline, with its text: a NOSCRIPT inside MULTI would leave the rest committed."""
    if isinstance(pipeline, Batch):
        pipeline.calls.append(call)
    else:
        pipeline.execute_command(*call.words(sha=False))


class Line:
    """One connection of a client's pool, spoken to directly: several calls in one write, replies in order.

    redis-py's client objects cost more than the round trip itself (design, section 11), so the hot path goes below.
    """

    def __init__(self, client: Redis) -> None:
        self._owner = client  # at its end it would disconnect all of its pool, this line in the middle of a call, too
        self._pool = client.connection_pool
        self._connection: Any = None
        self._owed: list[Call[Any]] = []  # posted calls whose replies nobody read yet
        self._is_doubted = False

    def run(self, *calls: Call[Any]) -> list[Any]:
        """Send the calls together and return their decoded replies; the first error is raised after all were read."""
        replies = self.ask(*calls)
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply
        return replies

    def ask(self, *calls: Call[Any]) -> list[Any]:
        """The same with refusals in the place of their replies, but for bad weather, which is raised."""
        connection = self._open()
        try:
            self._write(connection, [call.words() for call in calls])
            owed, self._owed = self._owed, []
            replies = [self._read(connection) for _ in range(len(owed) + len(calls))]
            self._teach(connection, [*owed, *calls], replies)
            # an error of a call that nobody waits for must not hide what the others did
            return self._decoded(calls, replies[len(owed) :])
        except BaseException as error:
            # A reply that was not read would answer the next question: after any error the connection is not reused.
            if not isinstance(error, ResponseError):
                self.drop()
            raise

    def post(self, *calls: Call[Any]) -> None:
        """Send calls whose replies nobody waits for; they are read with the next `run`."""
        connection = self._open()
        try:
            self._write(connection, [call.words() for call in calls])
        except BaseException:
            self.drop()
            raise
        self._owed += calls

    def load_scripts(self) -> None:
        """Teach the server every script, so that no posted call meets an unknown hash."""
        connection = self._open()
        try:
            self._write(connection, [('SCRIPT', 'LOAD', load(name).text) for name in names()])
            for _ in names():
                connection.read_response()
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Close the connection; the next use opens a new one."""
        connection, self._connection, self._owed = self._connection, None, []
        if connection is not None:
            connection.disconnect()
            self._pool.release(connection)

    def doubt(self) -> None:
        """Said by another thread, whose connection to the same server died: this one is renewed before its next use.

        It may be dead as well. And behind a failover it may lead to a primary of old that still takes what it is told.
        """
        self._is_doubted = True

    def release(self) -> None:
        """Give the connection back to its pool."""
        if self._owed:
            self.run()
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.release(connection)

    def _open(self) -> Any:
        if self._is_doubted:
            self._is_doubted = False
            self.drop()
            kept.let_go(self._pool)
            self._pool.disconnect(inuse_connections=False)
        if self._connection is None:
            self._connection = borrow(self._pool)
        return self._connection

    @staticmethod
    def _write(connection: Any, commands: list[tuple[Argument, ...]]) -> None:
        connection.send_packed_command(packed(connection, commands))

    @staticmethod
    def _read(connection: Any) -> Any:
        try:
            return connection.read_response()
        except ResponseError as error:
            return error

    def _teach(self, connection: Any, calls: Sequence[Call[Any]], replies: list[Any]) -> None:
        """Repeat with its text what the server did not know by hash."""
        for index, reply in enumerate(replies):
            if isinstance(reply, NoScriptError):
                self._write(connection, [calls[index].words(sha=False)])
                replies[index] = self._read(connection)

    def _decoded(self, calls: Sequence[Call[Any]], replies: list[Any]) -> list[Any]:
        for reply in replies:
            if isinstance(reply, ResponseError) and is_weather(reply):
                self.drop()  # after a failover the pool must look for the primary again
                raise reply
        return [
            reply if isinstance(reply, ResponseError) else call.decode(reply)
            for call, reply in zip(calls, replies, strict=True)
        ]
