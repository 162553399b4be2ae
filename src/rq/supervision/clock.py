"""One thread with a table of periodic verbs: renew and beat, do what any worker does for all, adopt expired leases.

Neither a long job nor a blocked wait starves it. It finds and adopts; it runs no user code and writes no log itself:
what it found goes to the inbox of the main loop.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from rq.defaults import LEASE_RENEW_INTERVAL, PROMOTE_INTERVAL, RESCUE_INTERVAL
from rq.rules.lease import Lease
from rq.rules.names import shown
from rq.store import aside, chores, claim, failures, outbox, promote, workers
from rq.store.call import Line, is_weather
from rq.supervision.courier import Courier
from rq.supervision.gate import passage

ADOPT_AT_ONCE = 20  # orphans per look; a full look is followed by another at once
SOON = 0.25  # seconds until a look for more: of orphans, when we had our hands full; of failures to tidy
NEXT_BATCH = 0.03  # seconds until the next one of what is due: beats, and whoever else wants the server, come between
LEAVE_SECONDS = 2.0  # how long who leaves waits for a thread that may be talking to nobody
AGAIN = 1.0  # seconds until the next try while the server is away


@dataclass
class Inbox:
    """What other threads tell the main loop. Appending to a deque or list is atomic; `wake` interrupts its wait."""

    wake: Callable[[], None]
    orphans: list[tuple[str, claim.Orphan]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    words: list[tuple[int, str]] = field(default_factory=list)
    vanished: bool = False  # the books no longer know this worker
    telling_until: float = 0.0  # a handler is told in the main thread, and may take so long (monotonic)

    @property
    def is_stuck(self) -> bool:
        """Whether that handler takes no notice of its limit: nobody will read what is in here."""
        return 0 < self.telling_until < time.monotonic()

    def take(self, name: str) -> list[Any]:
        """Everything of one kind, once."""
        waiting: list[Any] = getattr(self, name)
        taken = waiting[:]
        del waiting[: len(taken)]
        return taken

    def leases(self, worker_name: str, seconds: float) -> list[Lease]:
        """Of the orphans that nobody took out yet: the main loop may be held up by a handler."""
        return [
            Lease(orphan.job_id, orphan.execution, queue, worker_name, int(seconds * 1000))
            for queue, orphan in list(self.orphans)
        ]


class Clock:
    """The table and its thread."""

    def __init__(
        self,
        client: Any,
        worker_name: str,
        instance: str,
        queues: Sequence[str],
        inbox: Inbox,
        leases: Callable[[], list[Lease]],
        may_rescue: Callable[[], bool],
        worker_ttl: int,
        lease_seconds: int,
        renew_interval: float = LEASE_RENEW_INTERVAL,
        rescue_interval: float = RESCUE_INTERVAL,
        doubt: Callable[[], None] = lambda: None,
    ) -> None:
        self._client, self._line = client, Line(client)
        self._doubt = doubt  # said when the server did not answer here
        self._courier = Courier(client, self._say)
        self._name, self._instance, self._queues = worker_name, instance, list(queues)
        self._inbox, self._leases, self._may_rescue = inbox, leases, may_rescue
        self._worker_ttl, self._lease_seconds = worker_ttl, lease_seconds
        self._rescue_pause = int(rescue_interval * 1000 / 5)  # between two of any workers; each has its own interval
        self._due = chores.Chores(False, False, False, [], [])
        self._table: list[tuple[float, Callable[[], float | None]]] = [
            (renew_interval, self._renew_and_beat),
            (PROMOTE_INTERVAL, self._do_chores),
            (rescue_interval, self._rescue),
        ]
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        #: monotonic time of the last renewal the server accepted, None before it; what a health check may believe
        self.renewed_at: float | None = None
        self._heard_at = time.monotonic()
        self._quiet_until = 0.0
        self.is_away = False  # the server, as far as the last call could tell

    def start(self) -> None:
        """Begin to tick."""
        self._thread = threading.Thread(target=self._run, name='rq-clock', daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop ticking and close the connection."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=LEAVE_SECONDS)
            if self._thread.is_alive():
                self.is_away = True  # it hangs in the network, and closes its connection when that lets it go
                return
        if not self.is_away:
            self._courier.finish()  # else it keeps the news for others
        self._client.close()

    def _run(self) -> None:
        due = [time.monotonic() + random.uniform(0, period) for period, _ in self._table]
        due[0] = 0.0  # nobody calls this worker healthy before its first renewal
        while not self._stop.wait(max(min(due) - time.monotonic(), 0)):
            for number, (period, verb) in enumerate(self._table):
                if time.monotonic() >= due[number] and not self._stop.is_set():
                    due[number] = time.monotonic() + period * random.uniform(0.8, 1.0)
                    wish = self._tick(verb)
                    if wish:
                        due[number] = time.monotonic() + min(wish, period)
        self._line.drop()

    def _tick(self, verb: Callable[[], float | None]) -> float:
        """In how many seconds the verb wants to be called again; 0 when its turn will do."""
        try:
            return verb() or 0.0
        except Exception as error:
            self._line.drop()
            # bad weather is the main loop's to tell; anything else would otherwise be unseen
            if is_weather(error):
                self.is_away = True
                self._doubt()
                return AGAIN
            self._say(40, f'{verb.__name__.strip("_")} failed: {type(error).__name__}: {error}')
            return 0.0

    def _say(self, level: int, words: str) -> None:
        self._inbox.words.append((level, words))
        self._inbox.wake()

    def _call(self, *calls: Any) -> list[Any]:
        with passage():
            replies = self._line.run(*calls)
        self.is_away = False
        return replies

    @property
    def lost_touch(self) -> bool:
        """Whether our leases have run out, for all we know."""
        return time.monotonic() - self._heard_at > self._lease_seconds

    @property
    def _is_silent(self) -> bool:
        """Whether nothing was accepted for long: then owners cannot have renewed either. Reading proves nothing."""
        return time.monotonic() - self._heard_at > self._lease_seconds / 2

    def _renew_and_beat(self) -> None:
        leases = self._leases()
        calls: list[Any] = [
            workers.beat(self._name, self._worker_ttl, self._instance, lease_seconds=self._lease_seconds)
        ]
        if leases:
            calls.append(claim.renew(self._name, leases))
        asked_at = time.monotonic()
        beat, *renewed = self._call(*calls)
        if self._is_silent:
            # After an outage owners get the time of a whole lease to renew, before we take them for dead.
            self._quiet_until = time.monotonic() + self._lease_seconds
        self._heard_at = time.monotonic()
        if beat == 'gone':
            self._inbox.vanished = True
            self._inbox.wake()
        lost = [one.execution for one, ours in zip(leases, renewed[0] if renewed else [], strict=True) if not ours]
        if lost:
            self._inbox.lost += lost
            self._inbox.wake()
        # what was refused because it had been settled meanwhile is held no longer
        if beat == 'ok' and not (lost and {one.execution for one in self._leases()}.intersection(lost)):
            self.renewed_at = asked_at

    def _do_chores(self) -> float:
        """What any worker does for all. One look tells what there is of it, so that a large fleet asks for little."""
        (self._due,) = self._call(chores.look(self._queues))
        wishes = [self._tick(verb) for verb in (self._promote, self._take_news, self._sweep)]
        return min((wish for wish in wishes if wish), default=0.0)

    def _promote(self) -> float:
        left = False
        for queue in self._due.promote:  # not in one write: the server would do them in one go
            (number,) = self._call(promote.promote_due(queue, promote.BATCH))
            left = left or number >= promote.BATCH
        if self._due.dependents:
            left = any(self._call(promote.promote_dependents())) or left
        return NEXT_BATCH if left else 0.0

    def _take_news(self) -> None:
        # in a call of their own: a refusal of another would lose them until their time is up
        if self._due.news and self._courier.is_free:
            (news,) = self._call(outbox.take(1))
            for one in news:
                self._courier.take_along(one)

    def _sweep(self) -> float:
        for queue in self._due.sweep:
            (found,) = self._call(aside.sweep(queue))
            self._say_aside(found.aside)
            if found.missing:
                some = ', '.join(map(shown, found.missing[:10]))
                self._say(
                    30, f'ids of queue {shown(queue)} had no record (expired, evicted or deleted), dropped: {some}'
                )
        return SOON if self._due.tidy and self._call(failures.tidy())[0].is_fruitful else 0.0

    def _say_aside(self, members: Sequence[tuple[str, str]]) -> None:
        for job_id, why in members:
            self._say(30, f'id {shown(job_id)} is set aside: {shown(why)}')

    def _rescue(self) -> float:
        if self._is_silent or time.monotonic() < self._quiet_until:
            return 0.0
        if not self._may_rescue():
            return SOON
        (ours,) = self._call(chores.turns(self._queues, 'rescue', self._rescue_pause))
        for queue in ours:
            while not self._stop.is_set():
                if not self._may_rescue():
                    return SOON
                ids = [uuid4().hex for _ in range(ADOPT_AT_ONCE)]
                (found,) = self._call(claim.rescue(queue, self._name, ids, self._lease_seconds))
                self._say_aside(found.aside)
                self._inbox.orphans += [(queue, orphan) for orphan in found.orphans]
                if found.orphans:
                    self._inbox.wake()
                if found.released:
                    self._say(30, f'{found.released} jobs of a lost worker had not begun and went back to {queue}')
                if len(found.orphans) + found.released < ADOPT_AT_ONCE:
                    break
        return 0.0
