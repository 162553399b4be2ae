"""What horses say and how they end: the half of the stable that reads reports, notices deaths and signals."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from rq.executors import tree
from rq.executors.base import Ended, Running
from rq.executors.grooming import Terms, is_spent
from rq.executors.reins import Horse
from rq.failure.notify import Settlement, unpack
from rq.perform.output import Ring

LOOK_EVERY = 1.0  # seconds between two looks at horses that wait, and for daemons of finished jobs that have ended
LEAVING_SECONDS = 10.0  # how long a horse may take to exit after its report
DEFAULT_TIMEOUT = 180  # seconds for a job that names no timeout


class Hearing:
    """Mixin of Stable."""

    settlement_of: Callable[[Running, dict[str, Any]], Settlement]  # of a success that a horse only tells of
    on_commit: Callable[[Running, Settlement], bool]  # the loop's: write an outcome whose horse has more to do
    _on_note: Callable[[Running, dict[str, Any], int], bool]
    _terms: Terms | None
    _horses: list[Horse]
    _idle: list[Horse]
    _returned: list[Ended]
    _next_look: float
    _waiting_horses: Callable[[], list[Horse]]
    _hand: Callable[[list[Running]], None]
    _lose_nursery: Callable[[], None]
    open: Callable[[], None]

    def descriptors(self) -> list[int]:
        """Sockets and process descriptors of all horses that run a job, or are leaving."""
        return [descriptor for horse in self._horses if horse.idle_since is None for descriptor in horse.descriptors()]

    def poll(self) -> list[Ended]:
        """Read reports, notice deaths."""
        ended, self._returned = self._returned, []
        now = time.monotonic()
        looks = now >= self._next_look
        for horse in list(self._horses):
            # what an unfit one had left was given to another perhaps, which turned out to be dead
            if (horse.idle_since is None or looks) and horse in self._horses:
                ended += self._look_at(horse, now)
        if looks:
            self._next_look = now + LOOK_EVERY
            ours = [*self._horses, *self._waiting_horses()]
            tree.reap_adopted({horse.pid for horse in ours})
        return ended

    def _look_at(self, horse: Horse, now: float) -> list[Ended]:
        messages = horse.read()
        ended = self._hear(horse, messages)
        if messages and horse.end_is_open:
            return ended  # it lives, or its end will be seen next
        if horse.is_dead():
            ended += self._hear(horse, horse.read(to_the_end=True))  # what it said before it died
            ended += self._bury(horse)
        elif horse.leaving_since is not None and now > horse.leaving_since + LEAVING_SECONDS:
            os.kill(horse.pid, signal.SIGKILL)
        return ended

    def _hear(self, horse: Horse, messages: list[Any]) -> list[Ended]:
        ended: list[Ended] = []
        for message in messages:
            running = horse.running
            if message['do'] == 'bye':
                ended += self._farewell(horse, message['taken'])
            elif running is None:
                continue
            elif message['do'] == 'value':
                self._next_of(horse)
                settlement = self.settlement_of(running, message)
                ended.append(Ended(running, settlement=settlement, pid=horse.pid, reported=True))
            elif message['do'] == 'settle':
                horse.takes_along = horse.takes_along or 'takes_along' in message
                self._next_of(horse)
                ended.append(Ended(running, settlement=unpack(message), pid=horse.pid, reported=True))
            elif message['do'] == 'done':
                self._next_of(horse)
                ended.append(Ended(running, pid=horse.pid, reported=True))
            else:
                self._heed(horse, running, message)
        return ended

    def _heed(self, horse: Horse, running: Running, message: dict[str, Any]) -> None:
        """What is said of a job that goes on."""
        what = message['do']
        if what == 'commit':
            horse.takes_along = horse.takes_along or 'takes_along' in message
            self._answer(horse, self.on_commit(running, unpack(message)))
        elif what == 'note':
            self._answer(horse, self._on_note(running, message['failure'], message['told']))
        elif what == 'words':
            running.words = message['text']
        elif what == 'output' and horse.passed:
            running.ring = Ring.of_file(horse.passed.pop(0))
        elif what == 'allow':
            running.watch.allow(message['seconds'], time.monotonic(), message['phase'])

    @staticmethod
    def _answer(horse: Horse, value: bool) -> None:
        try:
            horse.send(value)
        except OSError:
            return  # it died while we wrote its note; the note counts

    def _next_of(self, horse: Horse) -> None:
        """It has reported a job: the next one of its batch begins, or it waits, or leaves."""
        horse.line.popleft()
        horse.done += 1
        now = time.monotonic()
        if horse.line:
            begins = horse.line[0]
            begins.watch.allow(begins.job.timeout or DEFAULT_TIMEOUT, now)
        elif self._terms is None or horse.is_for_one:
            horse.leaving_since = now
        elif horse.leaving_since is None:
            if is_spent(self._terms, horse.done, horse.born_at):
                horse.dismiss()
            else:
                horse.idle_since = now
                self._idle.append(horse)

    def _farewell(self, horse: Horse, taken: int) -> list[Ended]:
        """It is not fit for another job, and leaves. What it was given meanwhile is another's."""
        self._let_go(horse)
        horse.leaving_since = horse.leaving_since or time.monotonic()
        jobs = horse.without(horse.given - taken)
        ended = [Ended(one, pid=horse.pid) for one in jobs if one.watch.killed_for]
        jobs = [one for one in jobs if not one.watch.killed_for]
        try:
            if jobs:
                self._hand(jobs)
        except OSError:
            ended += [Ended(one, unbegun=True) for one in jobs]
        return ended

    def _let_go(self, horse: Horse) -> None:
        horse.idle_since = None
        if horse in self._idle:
            self._idle.remove(horse)

    def _bury(self, horse: Horse) -> list[Ended]:
        self._let_go(horse)
        unbegun = [Ended(one, pid=horse.pid, unbegun=True) for one in horse.take_back()]
        line, horse.line = horse.line, deque()
        if line or horse.takes_along:
            tree.kill_tree(horse.pid)  # a horse that died badly takes its descendants along
        pid, raw_status, rusage = horse.reap() if line else horse.forget()
        horse.close()
        self._horses.remove(horse)
        if pid is None:
            self._lose_nursery()
            self.open()
        return [*(Ended(one, None, pid, raw_status, rusage, orphaned=pid is None) for one in line), *unbegun]

    # --- ending -------------------------------------------------------------------------------------------------

    def _horse_of(self, running: Running) -> Horse | None:
        return next((horse for horse in self._horses if any(one is running for one in horse.line)), None)

    def pid_of(self, running: Running) -> int | None:
        """The process an execution runs in; None while it waits for its turn in a batch."""
        horse = self._horse_of(running)
        return horse.pid if horse is not None and horse.running is running else None

    def take_back(self, asked: list[Running]) -> list[Running]:
        """Of the batches these are in, what has not begun; it never will, and is the caller's again."""
        horses = {horse.pid: horse for one in asked if (horse := self._horse_of(one)) is not None}
        return [one for horse in horses.values() for one in horse.take_back()]

    def kill(self, running: Running, signum: int = signal.SIGKILL) -> None:
        """Signal the horse of an execution with its whole tree; its end is noticed by `poll`.

        One that has not begun is taken back instead, with all that are behind it in its batch.
        """
        horse = self._horse_of(running)
        if horse is None:
            return
        if len(horse.line) > 1:
            back = horse.take_back()
            self._returned += [Ended(one, unbegun=True) for one in back]
            if not horse.line or horse.line[-1] is not running:
                return  # it is among them; or one behind it has begun: then it has ended, and its report is on its way
        if signum == signal.SIGKILL:  # if it has just reported, it is not to be given another one while it dies
            horse.leaving_since = horse.leaving_since or time.monotonic()
        if not horse.is_dead():
            tree.kill_tree(horse.pid, signum)
