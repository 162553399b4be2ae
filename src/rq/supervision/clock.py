"""One thread with a table of periodic verbs: renew and beat, promote what is due, take out news, adopt expired leases.

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
from rq.store import claim, outbox, promote, workers
from rq.store.call import Line, is_weather
from rq.supervision.courier import Courier
from rq.supervision.gate import passage

ADOPT_AT_ONCE = 20  # orphans per look; a full look is followed by another at once
SOON = 0.25  # seconds until a look for more orphans, when we had our hands full with others
PROMOTE_BATCH = 1000


@dataclass
class Inbox:
    """What other threads tell the main loop. Appending to a deque or list is atomic; `wake` interrupts its wait."""

    wake: Callable[[], None]
    orphans: list[tuple[str, claim.Orphan]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    words: list[tuple[int, str]] = field(default_factory=list)
    vanished: bool = False  # the books no longer know this worker

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
    ) -> None:
        self._line = Line(client)
        self._courier = Courier(client)
        self._name, self._instance, self._queues = worker_name, instance, list(queues)
        self._inbox, self._leases, self._may_rescue = inbox, leases, may_rescue
        self._worker_ttl, self._lease_seconds = worker_ttl, lease_seconds
        self._table: list[tuple[float, Callable[[], bool | None]]] = [
            (renew_interval, self._renew_and_beat),
            (PROMOTE_INTERVAL, self._promote),
            (PROMOTE_INTERVAL, self._take_news),
            (rescue_interval, self._rescue),
        ]
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        #: monotonic time of the last renewal the server accepted; what a health check may believe
        self.renewed_at = self._heard_at = time.monotonic()
        self._quiet_until = 0.0

    def start(self) -> None:
        """Begin to tick."""
        self._thread = threading.Thread(target=self._run, name='rq-clock', daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop ticking and close the connection."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        self._line.drop()
        self._courier.finish()

    def _run(self) -> None:
        due = [time.monotonic() + random.uniform(0, period) for period, _ in self._table]
        while not self._stop.wait(max(min(due) - time.monotonic(), 0)):
            for number, (period, verb) in enumerate(self._table):
                if time.monotonic() >= due[number]:
                    due[number] = time.monotonic() + period * random.uniform(0.8, 1.0)
                    if self._tick(verb):
                        due[number] = time.monotonic() + SOON

    def _tick(self, verb: Callable[[], bool | None]) -> bool:
        """Whether the verb wants to be called again soon."""
        try:
            return bool(verb())
        except Exception as error:
            self._line.drop()
            # bad weather is the main loop's to tell; anything else would otherwise be unseen
            if not is_weather(error):
                self._say(40, f'{verb.__name__.strip("_")} failed: {type(error).__name__}: {error}')
            return False

    def _say(self, level: int, words: str) -> None:
        self._inbox.words.append((level, words))
        self._inbox.wake()

    def _call(self, *calls: Any) -> list[Any]:
        with passage():
            replies = self._line.run(*calls)
        now = time.monotonic()
        if now - self._heard_at > self._lease_seconds / 2:
            # After an outage owners get the time of a whole lease to renew, before we take them for dead.
            self._quiet_until = now + self._lease_seconds
        self._heard_at = now
        return replies

    def _renew_and_beat(self) -> None:
        leases = self._leases()
        calls: list[Any] = [workers.beat(self._name, self._worker_ttl, self._instance)]
        if leases:
            calls.append(claim.renew(self._name, leases))
        beat, *renewed = self._call(*calls)
        self.renewed_at = time.monotonic()
        if beat == 'gone':
            self._inbox.vanished = True
            self._inbox.wake()
        for lease, ours in zip(leases, renewed[0] if renewed else [], strict=True):
            if not ours:
                self._inbox.lost.append(lease.execution)
                self._inbox.wake()

    def _promote(self) -> bool:
        due: list[Any] = [promote.promote_due(queue, PROMOTE_BATCH) for queue in self._queues]
        left = self._call(*due, promote.promote_dependents())[-1]
        return bool(left)

    def _take_news(self) -> None:
        # in a call of their own: a refusal of another would lose them until their time is up
        if self._courier.is_free:
            (news,) = self._call(outbox.take(1))
            for one in news:
                self._courier.take_along(one)

    def _rescue(self) -> bool:
        if time.monotonic() < self._quiet_until:
            return False
        for queue in self._queues:
            while not self._stop.is_set():
                if not self._may_rescue():
                    return True
                ids = [uuid4().hex for _ in range(ADOPT_AT_ONCE)]
                (found,) = self._call(claim.rescue(queue, self._name, ids, self._lease_seconds))
                self._inbox.orphans += [(queue, orphan) for orphan in found.orphans]
                if found.orphans:
                    self._inbox.wake()
                if found.released:
                    self._say(30, f'{found.released} jobs of a lost worker had not begun and went back to {queue}')
                if len(found.orphans) + found.released < ADOPT_AT_ONCE:
                    break
        return False
