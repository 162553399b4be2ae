"""The stable: fork horses, hand them jobs, send them home. Forks: main thread only.

Without terms a horse serves one job. The next one waits already forked, so that a job costs no fork before it starts.
With terms it is used again, until it has done its share or is unfit for more.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from rq.executors import grooming, tree
from rq.executors import horse as child
from rq.executors.base import Ended, Running
from rq.executors.grooming import Terms
from rq.executors.hearing import DEFAULT_TIMEOUT, Hearing
from rq.executors.horse import Reporter, frame
from rq.executors.nursery import Nursery, is_possible
from rq.executors.pages import Pages
from rq.executors.pulse import Pulse
from rq.executors.reins import Horse
from rq.executors.tokens import Tokens
from rq.forking import Forks

Ride = Callable[[Reporter], None]
MOST_SPARES = 2
_PRACTICE = 'practise'  # in the place of a brief
REHEARSALS = 30  # of the nursery: then the interpreter has made of our code what it makes of code used often
FRESH_SECONDS = 0.1  # who reported less than so long ago still lives, or says that it does not


class Spare(NamedTuple):
    """A horse that waits: our end of its socket, and itself, or None while it is the nursery's to tell its pid."""

    end: socket.socket
    horse: Horse | None
    tokens: Tokens | None = None

    def close(self) -> None:
        """Of the nursery: it reads that there is no job, and leaves."""
        self.end.close()
        if self.tokens is not None:
            self.tokens.close()


class Stable(Hearing):
    """The executors fork and, with terms, prefork: so many horses side by side, with spares waiting."""

    is_inline = has_slots = False
    stuck = 0
    rescues_while_busy = True
    lease_seconds: int
    practise: Callable[[], None] | None = None  # in the nursery, and what a horse for one job does with none in sight

    def __init__(
        self,
        brief_of: Callable[[Running], dict[str, Any]],
        ride_job: Callable[[dict[str, Any], Reporter], bool],
        ride_failure: Callable[[Running, Reporter], None],
        rehearse: Callable[[Reporter | None], None],
        prepare_child: Callable[[], None],
        on_note: Callable[[Running, dict[str, Any], int], bool],
        lease_seconds: int,
        capacity: int = 1,
        terms: Terms | None = None,
    ) -> None:
        self._brief_of, self._ride_job, self._ride_failure = brief_of, ride_job, ride_failure
        self._rehearse, self._prepare_child, self._on_note = rehearse, prepare_child, on_note
        self.lease_seconds, self.capacity = lease_seconds, capacity
        self._terms, self.takes_batches = terms, terms is not None
        self._pulse = Pulse(lease_seconds)
        self._horses: list[Horse] = []  # all that were ever given a job, and live
        self._idle: list[Horse] = []  # those of them that wait for another one
        self._spares: list[Spare] = []
        self._practised: list[Spare] = []
        self._returned: list[Ended] = []
        self._nursery: Nursery | None = None
        self._forks, self._pages = Forks(), Pages()
        self._next_look = 0.0
        child.become_subreaper()
        tree.keep_reserve()

    # --- starting -----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Before there are threads: make the process that will fork the horses."""
        if not is_possible():
            return
        try:
            self._nursery = Nursery(self._pulse, self._in_nursery, self._learn, self._wait_for_brief, self._forks)
        except OSError:
            return  # no process can be made now: the worker forks horses itself, and says so when that fails, too

    def prepare(self, expected: int = 1) -> None:
        """Have horses waiting: one, and a few while jobs come one after the other. With none in sight they practise."""
        if expected == 0 and self._terms is None:  # who serves many takes each message for a job
            self._have_practised()
        wanted = min(expected, MOST_SPARES + self.capacity - 1)
        if self._terms is not None:
            wanted = min(expected, self.capacity) - sum(self._stays(horse) for horse in self._horses)
        while len(self._spares) < wanted:
            try:
                self._spares.append(self._order())
            except OSError:
                return  # said when a job needs one

    def _have_practised(self) -> None:
        told, self._practised = self._practised, list(self._spares)
        for spare in self._spares if self.practise is not None else ():
            try:
                if spare not in told:
                    spare.end.sendall(frame(_PRACTICE))
            except OSError:
                continue  # it has gone, which is seen when it is needed

    def _stays(self, horse: Horse) -> bool:
        """Whether a horse is there after its job, too."""
        terms = self._terms
        is_last = (
            terms is None or horse.is_for_one or grooming.is_spent(terms, horse.done + len(horse.line), horse.born_at)
        )
        return horse.leaving_since is None and not is_last

    def _order(self) -> Spare:
        if self._nursery is None:
            horse = self._fork(self._wait_for_brief, self.takes_batches)
            return Spare(horse.end, horse)
        ours, theirs, tokens = _ends(self.takes_batches)
        try:
            self._nursery.order(theirs.fileno(), *([tokens.end] if tokens else []))
        except OSError:
            Spare(ours, None, tokens).close()
            self._lose_nursery()
            return self._order()
        finally:
            theirs.close()
        return Spare(ours, None, tokens)

    def _lose_nursery(self) -> None:
        """It was killed, and its horses with it: those that wait are of no use either."""
        nursery, self._nursery = self._nursery, None
        if nursery is None:
            return
        nursery.close()
        for spare in self._spares:
            spare.close()
        self._spares.clear()

    def start(self, running: Running) -> None:
        """Hand a job to the waiting horse, or to a new one; `OSError` when no process can be made."""
        self._hand([running])

    def start_batch(self, jobs: list[Running]) -> None:
        """Hand several to one horse, which does them in order; only with terms. Each begins its own time by itself."""
        if jobs:
            self._hand(jobs)

    def _hand(self, jobs: list[Running], briefs: list[dict[str, Any]] | None = None) -> None:
        briefs = briefs or [self._brief_of(one) for one in jobs]
        for attempt in (1, 2, 3):
            horse = self._take_idle() or self._take_spare()
            try:
                horse.give(jobs, briefs)
                break
            except OSError:
                self._let_go(horse)
                self._discard(horse)
                if horse in self._horses:
                    self._horses.remove(horse)
                if attempt == 3:
                    raise
        if len(jobs) > 1:
            jobs[0].watch.allow(jobs[0].job.timeout or DEFAULT_TIMEOUT, time.monotonic())
            for waits in jobs[1:]:
                waits.watch.allow(None, 0)
        if horse not in self._horses:
            self._horses.append(horse)

    def resume(self, running: Running) -> None:
        """A fresh horse, forked now so that it inherits job and failure as they are, takes the failure's steps."""
        horse = self._fork(lambda reporter: self._ride_failure(running, reporter))
        horse.take_over(running)
        self._horses.append(horse)

    def _take_idle(self) -> Horse | None:
        while self._idle:
            horse = self._idle[-1]
            assert horse.idle_since is not None
            now = time.monotonic()
            if now - horse.idle_since > FRESH_SECONDS:
                self._look_at(horse, now)
            if self._idle and self._idle[-1] is horse:
                return self._idle.pop()
        return None

    def _take_spare(self) -> Horse:
        while True:
            spare = self._spares.pop(0) if self._spares else self._order()
            horse = spare.horse or self._delivered(spare)
            if horse is not None and not horse.is_dead():
                return horse
            if horse is not None:
                self._discard(horse)

    def _delivered(self, spare: Spare) -> Horse | None:
        try:
            if self._nursery is not None:
                horse = Horse(self._nursery.delivered(), spare.end, self._nursery, spare.tokens)
                return self._watchable(horse, self._nursery)
        except ConnectionError:
            self._lose_nursery()
        except OSError:
            spare.close()
            raise  # no process could be made
        spare.close()
        return None

    @staticmethod
    def _watchable(horse: Horse, nursery: Nursery) -> Horse:
        """A grandchild whose end we could not see is sent home; `OSError` for want of a descriptor."""
        if not horse.is_watched:
            os.kill(horse.pid, signal.SIGKILL)
            nursery.forget(horse.pid)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return horse

    def _wait_for_brief(self, reporter: Reporter) -> None:
        if not self._pages.are_known:
            self._rehearse(None)
        if self._terms is None:
            brief = reporter.receive()
            while brief == _PRACTICE:
                if self.practise is not None:
                    self.practise()
                brief = reporter.receive()
            self._ride_job(brief, reporter)
        else:
            grooming.serve(reporter, self._ride_job, self._terms)

    def _fork(self, ride: Ride, in_batches: bool = False) -> Horse:
        ours, theirs, tokens = _ends(in_batches)
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            Spare(ours, None, tokens).close()
            theirs.close()
            raise
        if pid == 0:
            os.close(ours.detach())
            signal.set_wakeup_fd(-1)
            self._in_child()
            self._pulse.watch()
            mine = -1 if tokens is None else child.lift(os.dup(tokens.end))
            child.live(child.lift(theirs.detach()), parent, ride, mine)
        theirs.close()
        child.own_group(pid)
        return Horse(pid, ours, tokens=tokens)

    def _in_child(self) -> None:
        # A parent's end held here would keep another horse from seeing that the parent has gone.
        for horse in self._horses:
            horse.close()
        for spare in self._spares:
            spare.close()
        self._prepare_child()

    def _in_nursery(self) -> None:
        self._in_child()
        for _ in range(REHEARSALS):
            self._play(None)
        gc.collect()
        gc.freeze()  # as in the worker
        self._forks.settle()

    def _learn(self) -> None:
        self._pages.learn(self._forks, self._play)

    def _play(self, reporter: Reporter | None) -> None:
        """What a horse does with a usual job; a scout says so, too."""
        if self.practise is not None:
            self.practise()
        self._rehearse(reporter)

    def _waiting_horses(self) -> list[Horse]:
        return [spare.horse for spare in self._spares if spare.horse]

    def pulse(self) -> None:
        """Horses may go on: their worker lives."""
        self._pulse.beat()

    # --- ending -------------------------------------------------------------------------------------------------

    def _discard(self, horse: Horse) -> None:
        if not horse.is_dead():
            os.kill(horse.pid, signal.SIGKILL)
        horse.reap()
        horse.close()

    def close(self) -> None:
        """Send the spares home; end horses that have reported but did not leave, and any that still run."""
        for spare in self._spares:
            if spare.horse is not None:
                self._discard(spare.horse)
            else:
                spare.close()
        self._spares.clear()
        for horse in self._idle:
            horse.dismiss()
        self._idle.clear()
        for horse in list(self._horses):
            if horse.running is not None:
                tree.kill_tree(horse.pid)
            else:
                _wait_a_moment(horse)
            self._discard(horse)
            self._horses.remove(horse)
        self._lose_nursery()


def _ends(in_batches: bool) -> tuple[socket.socket, socket.socket, Tokens | None]:
    """What a horse is reached by: all of it, or `OSError` and no descriptor more than before."""
    ours, theirs = socket.socketpair()
    try:
        return ours, theirs, Tokens() if in_batches else None
    except OSError:
        ours.close()
        theirs.close()
        raise


def _wait_a_moment(horse: Horse) -> None:
    """Let a horse that has reported flush and leave by itself."""
    until = time.monotonic() + 1
    while not horse.is_dead() and time.monotonic() < until:
        time.sleep(0.001)
