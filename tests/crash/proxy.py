"""A TCP proxy of ours on loopback, between clients and a server. It reads RESP, so it can harm one chosen reply.

It works on replies, not on time: `drop_reply(b'...')` waits for the first command that contains these bytes.
"""

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar('T')
CHUNK = 65536
BACKLOG = 256


def end_of(buffer: bytes | bytearray, start: int = 0) -> int | None:
    """Where the RESP value that begins at `start` ends; None while it is incomplete."""
    line = buffer.find(b'\r\n', start)
    if line < 0:
        return None
    kind, end = buffer[start : start + 1], line + 2
    if kind in (b'+', b'-', b':', b'_', b'#', b',', b'('):
        return end
    size = int(buffer[start + 1 : line])
    if kind in (b'$', b'!', b'='):
        whole = end + max(size, -2) + 2  # -1 is nil, which has no body
        return end if size < 0 else whole if len(buffer) >= whole else None
    at: int | None = end
    for _ in range(max(size, 0) * (2 if kind in (b'%', b'|') else 1)):
        at = end_of(buffer, at) if at is not None and at < len(buffer) else None
        if at is None:
            return None
    return at


class Rule:
    """What is to happen to a chosen reply, or to the command itself. `wait` is for the moment it has happened."""

    def __init__(self, contains: bytes, action: str, seconds: float = 0, times: int = 1, skip: int = 0) -> None:
        self.contains, self.action, self.seconds, self.times, self.skip = contains, action, seconds, times, skip
        self.hits = 0
        self._happened = threading.Event()

    def takes(self, command: bytes) -> bool:
        """Whether this command is one of those meant; each call counts."""
        if self.times <= 0 or self.contains not in command:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True

    def happened(self) -> None:
        """It was done once more."""
        self.hits += 1
        self._happened.set()

    def wait(self, timeout: float = 15) -> None:
        """Until it has happened."""
        assert self._happened.wait(timeout), f'no command contained {self.contains!r} in {timeout:g} s'


class _Link:
    """One client's connection and its twin to the server."""

    def __init__(self, proxy: 'Proxy', client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.proxy, self.client, self.server = proxy, client, server
        self.asked: deque[Rule | None] = deque()  # one entry a command whose reply has not come
        self.seen = bytearray()  # the beginning of what the client said, for `black_hole(only=...)`
        self.is_hole = False
        self.is_loose = False  # a subscription of RESP2: what comes is no reply to a command
        self._half = {'command': bytearray(), 'reply': bytearray()}

    def cut(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()

    async def commands(self, reader: asyncio.StreamReader) -> None:
        """From the client to the server."""
        await self._pump(reader, self.server, 'command', self._command)

    async def replies(self, reader: asyncio.StreamReader) -> None:
        """From the server to the client."""
        await self._pump(reader, self.client, 'reply', self._reply)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        way: str,
        judge: Callable[[bytes], Rule | None],
    ) -> None:
        buffer = self._half[way]
        while chunk := await reader.read(CHUNK):
            if self.is_hole:
                continue
            buffer += chunk
            start, out = 0, bytearray()
            while not self.is_hole and (end := end_of(buffer, start) if start < len(buffer) else None) is not None:
                whole = buffer[start:end]
                start = end
                rule = judge(bytes(whole))
                if rule is not None:
                    await self._deliver(out, writer)
                    out.clear()
                    if not await self._carry_out(rule):
                        break
                out += whole
            del buffer[:start]
            await self._deliver(out, writer)

    async def _deliver(self, out: bytearray, writer: asyncio.StreamWriter) -> None:
        if not out:
            return
        if self.proxy.delay:
            await asyncio.sleep(self.proxy.delay)
        await self.proxy.flows.wait()
        if not self.is_hole:
            writer.write(bytes(out))
            await writer.drain()

    def _command(self, whole: bytes) -> Rule | None:
        """Note it; a rule when the server is not to hear it."""
        if len(self.seen) < CHUNK:
            self.seen += whole
        verb = whole.split(b'\r\n', 3)[2].upper()
        self.is_loose = self.is_loose or verb in (b'SUBSCRIBE', b'PSUBSCRIBE', b'MONITOR')
        rule = next((rule for rule in self.proxy.rules if rule.takes(whole)), None)
        if rule is not None and rule.action.startswith('lose'):
            return rule
        if not self.is_loose:
            self.asked.append(rule)
        return None

    def _reply(self, whole: bytes) -> Rule | None:
        """The rule of the command that this answers."""
        return self.asked.popleft() if self.asked and whole[:1] != b'>' else None

    async def _carry_out(self, rule: Rule) -> bool:
        """Whether the value goes on after all."""
        if rule.action == 'delay':
            rule.happened()
            await asyncio.sleep(rule.seconds)
            return True
        self.is_hole = True
        if rule.action.endswith('cut'):
            self.cut()
        rule.happened()
        return False


class Proxy:
    """Listens on a free port (`url`); upstream is a path of a unix socket, or a host and port."""

    def __init__(self, upstream: str | tuple[str, int]) -> None:
        self.upstream = upstream
        self.rules: list[Rule] = []
        self.delay = 0.0
        self.connections = 0  # ever made through it
        self._links: list[_Link] = []
        self._loop = asyncio.new_event_loop()
        self.flows = asyncio.Event()
        self._takes = asyncio.Event()
        self._fillers: list[socket.socket] = []
        self._listener = socket.create_server(('127.0.0.1', 0), backlog=BACKLOG)
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self.url = f'redis://127.0.0.1:{self.port}'
        self._thread = threading.Thread(target=self._loop.run_forever, name='proxy', daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> 'Proxy':
        """Begin to listen."""
        self._thread.start()
        self._call(self._begin())
        return self

    def close(self) -> None:
        """Let go of everything."""
        self._call(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    # --- faults -------------------------------------------------------------------------------------------------

    def drop_reply(self, contains: bytes, how: str = 'cut', times: int = 1, skip: int = 0) -> Rule:
        """Lose the reply to the first command that contains these bytes: the server has carried it out.

        `how`: 'cut' closes the connection, 'hole' leaves it open and silent for ever.
        """
        return self._rule(Rule(contains, how, times=times, skip=skip))

    def lose_command(self, contains: bytes, how: str = 'cut', times: int = 1, skip: int = 0) -> Rule:
        """Lose the command itself: the server never hears it."""
        return self._rule(Rule(contains, f'lose, {how}', times=times, skip=skip))

    def delay_reply(self, contains: bytes, seconds: float, times: int = 1, skip: int = 0) -> Rule:
        """Hold the chosen reply, and what comes behind it on its connection, back for so long."""
        return self._rule(Rule(contains, 'delay', seconds, times, skip))

    def black_hole(self, only: bytes = b'') -> int:
        """Half-open: packets vanish, nothing is closed, and nobody can connect. Tells how many connections it met.

        Connections that fell into the hole stay there after `heal`. With `only`, it takes just those whose first
        words contained these bytes, and new connections are made as before.
        """
        return self._call(self._swallow(only))

    def hold(self) -> None:
        """Nothing moves in either direction, and nobody can connect; `heal` delivers what was held."""
        self._call(self._hold())

    def slow(self, seconds: float) -> None:
        """Every chunk, both ways, takes so long."""
        self.delay = seconds

    def cut(self) -> int:
        """Close every connection; tells how many there were."""
        return self._call(self._cut())

    def heal(self) -> None:
        """New connections work again, nothing is harmed any more."""
        self._call(self._heal())

    # --- in the loop's thread -----------------------------------------------------------------------------------

    def _call(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    def _rule(self, rule: Rule) -> Rule:
        self.rules = [*self.rules, rule]
        return rule

    async def _begin(self) -> None:
        self.flows.set()
        self._takes.set()
        self._spawn(self._accept())

    def _spawn(self, what: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        while True:
            await self._takes.wait()
            readable = self._loop.create_future()
            self._loop.add_reader(self._listener, lambda seen=readable: seen.done() or seen.set_result(None))
            try:
                await readable
            finally:
                self._loop.remove_reader(self._listener)
            if self._takes.is_set():
                try:
                    accepted, _ = self._listener.accept()
                except OSError:
                    continue
                self._spawn(self._serve(accepted))

    async def _serve(self, accepted: socket.socket) -> None:
        self.connections += 1
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        from_client, client = await asyncio.open_connection(sock=accepted)
        try:
            if isinstance(self.upstream, str):
                from_server, server = await asyncio.open_unix_connection(self.upstream)
            else:
                from_server, server = await asyncio.open_connection(*self.upstream)
        except OSError:
            client.transport.abort()  # there is no server behind it
            return
        link = _Link(self, client, server)
        self._links.append(link)
        ways = [self._loop.create_task(one) for one in (link.commands(from_client), link.replies(from_server))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if link.is_hole and not ways[0].done():
                await asyncio.wait(ways[:1])  # the client of a hole does not hear that the server hung up
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            link.cut()
            self._links.remove(link)

    async def _swallow(self, only: bytes) -> int:
        met = [link for link in self._links if only in link.seen and not link.is_hole]
        for link in met:
            link.is_hole = True
        if not only:
            self._shut()
        return len(met)

    def _shut(self) -> None:
        """Let SYN packets vanish, as the kernel does when nobody accepts and the queue of a listener is full."""
        if not self._takes.is_set():
            return
        self._takes.clear()
        self._listener.listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(('127.0.0.1', self.port))
            self._fillers.append(filler)

    async def _hold(self) -> None:
        self.flows.clear()
        self._shut()

    async def _cut(self) -> int:
        links = list(self._links)
        for link in links:
            link.cut()
        return len(links)

    async def _heal(self) -> None:
        self.rules, self.delay = [], 0.0
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        self._listener.listen(BACKLOG)
        self.flows.set()
        self._takes.set()

    async def _finish(self) -> None:
        await self._cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._heal()
        self._listener.close()
