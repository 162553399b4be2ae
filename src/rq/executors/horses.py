"""The stable: fork horses, hand them jobs, read their reports, reap and kill them. Forks: main thread only.

A horse serves one job. The next one waits already forked, so that a job costs no fork before it starts.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from rq.executors import horse as child
from rq.executors import tree
from rq.executors.base import Ended, Running
from rq.executors.horse import Reporter
from rq.executors.nursery import Nursery, is_possible
from rq.executors.pulse import Pulse
from rq.executors.reins import Horse
from rq.failure.notify import Settlement, unpack
from rq.perform.output import Ring

Ride = Callable[[Reporter], None]
MOST_SPARES = 2
REAP_EVERY = 1.0  # seconds between two looks for daemons of finished jobs that have ended
LEAVING_SECONDS = 10.0  # how long a horse may take to exit after its report


class Spare(NamedTuple):
    """A horse that waits: our end of its socket, and itself, or None while it is the nursery's to tell its pid."""

    end: socket.socket
    horse: Horse | None


class Stable:
    """The fork executor: a fresh horse for each job, with a spare waiting."""

    capacity = 1
    rescues_while_busy = True
    lease_seconds: int
    on_commit: Callable[[Running, Settlement], bool]  # the loop's: write an outcome whose horse has more to do

    def __init__(
        self,
        brief_of: Callable[[Running], dict[str, Any]],
        ride_job: Callable[[dict[str, Any], Reporter], None],
        ride_failure: Callable[[Running, Reporter], None],
        rehearse: Callable[[], None],
        prepare_child: Callable[[], None],
        on_note: Callable[[Running, dict[str, Any], int], bool],
        lease_seconds: int,
    ) -> None:
        self._brief_of, self._ride_job, self._ride_failure = brief_of, ride_job, ride_failure
        self._rehearse, self._prepare_child, self._on_note = rehearse, prepare_child, on_note
        self.lease_seconds = lease_seconds
        self._pulse = Pulse(lease_seconds)
        self._horses: list[Horse] = []
        self._spares: list[Spare] = []
        self._nursery: Nursery | None = None
        self._next_reaping = 0.0
        child.become_subreaper()

    # --- starting -----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Before there are threads: make the process that will fork the horses."""
        if not is_possible():
            return
        try:
            self._nursery = Nursery(self._pulse, self._in_child, self._wait_for_brief)
        except OSError:
            return  # no process can be made now: the worker forks horses itself, and says so when that fails, too

    def prepare(self, expected: int = 1) -> None:
        """Have horses waiting: one, and a few while jobs come one after the other."""
        while len(self._spares) < min(expected, MOST_SPARES):
            try:
                self._spares.append(self._order())
            except OSError:
                return  # said when a job needs one

    def _order(self) -> Spare:
        if self._nursery is None:
            horse = self._fork(self._wait_for_brief)
            return Spare(horse.end, horse)
        ours, theirs = socket.socketpair()
        try:
            self._nursery.order(theirs)
        except OSError:
            ours.close()
            self._lose_nursery()
            return self._order()
        finally:
            theirs.close()
        return Spare(ours, None)

    def _lose_nursery(self) -> None:
        """It was killed, and its horses with it: those that wait are of no use either."""
        nursery, self._nursery = self._nursery, None
        if nursery is None:
            return
        nursery.close()
        for spare in self._spares:
            spare.end.close()
        self._spares.clear()

    def start(self, running: Running) -> None:
        """Hand a job to the waiting horse, or to a new one; `OSError` when no process can be made."""
        self._hand(running, self._brief_of(running))

    def _hand(self, running: Running, brief: dict[str, Any]) -> None:
        for attempt in (1, 2):
            horse = self._take_spare()
            try:
                horse.send(brief)
                break
            except OSError:
                self._discard(horse)
                if attempt == 2:
                    raise
        self._mount(horse, running)

    def resume(self, running: Running) -> None:
        """A fresh horse, forked now so that it inherits job and failure as they are, takes the failure's steps."""
        self._mount(self._fork(lambda reporter: self._ride_failure(running, reporter)), running)

    def _mount(self, horse: Horse, running: Running) -> None:
        horse.running = running
        horse.passed = [] if running.keeps_output else None
        self._horses.append(horse)

    def _take_spare(self) -> Horse:
        while True:
            spare = self._spares.pop(0) if self._spares else self._order()
            horse = spare.horse or self._delivered(spare.end)
            if horse is not None and not horse.is_dead():
                return horse
            if horse is not None:
                self._discard(horse)

    def _delivered(self, end: socket.socket) -> Horse | None:
        try:
            if self._nursery is not None:
                return self._watchable(Horse(self._nursery.delivered(), end, self._nursery), self._nursery)
        except ConnectionError:
            self._lose_nursery()
        except OSError:
            end.close()
            raise  # no process could be made
        end.close()
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
        self._rehearse()
        self._ride_job(reporter.receive(), reporter)

    def _fork(self, ride: Ride) -> Horse:
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if pid == 0:
            os.close(ours.detach())
            signal.set_wakeup_fd(-1)
            self._in_child()
            self._pulse.watch()
            child.live(child.lift(theirs.detach()), parent, ride)
        theirs.close()
        child.own_group(pid)
        return Horse(pid, ours)

    def _in_child(self) -> None:
        # A parent's end held here would keep another horse from seeing that the parent has gone.
        for horse in self._horses:
            horse.close()
        for spare in self._spares:
            spare.end.close()
        self._prepare_child()

    # --- watching -----------------------------------------------------------------------------------------------

    def descriptors(self) -> list[int]:
        """Sockets and process descriptors of all horses that run a job."""
        return [descriptor for horse in self._horses for descriptor in horse.descriptors()]

    def poll(self) -> list[Ended]:
        """Read reports, notice deaths."""
        ended: list[Ended] = []
        for horse in list(self._horses):
            ended += self._hear(horse)
            if horse.is_dead():
                ended += self._hear(horse)  # what it said before it died
                ended += self._bury(horse)
            elif horse.leaving_since is not None and time.monotonic() > horse.leaving_since + LEAVING_SECONDS:
                os.kill(horse.pid, signal.SIGKILL)
        self._reap_adopted()
        return ended

    def _reap_adopted(self) -> None:
        if time.monotonic() < self._next_reaping:
            return
        self._next_reaping = time.monotonic() + REAP_EVERY
        ours = [*self._horses, *(spare.horse for spare in self._spares if spare.horse)]
        tree.reap_adopted({horse.pid for horse in ours})

    def _hear(self, horse: Horse) -> list[Ended]:
        ended: list[Ended] = []
        for message in horse.read():
            running = horse.running
            if running is None:
                continue
            horse.takes_along = horse.takes_along or 'takes_along' in message
            if message['do'] == 'settle':
                horse.running, horse.leaving_since = None, time.monotonic()
                ended.append(Ended(running, settlement=unpack(message), pid=horse.pid, reported=True))
            elif message['do'] == 'commit':
                self._answer(horse, self.on_commit(running, unpack(message)))
            elif message['do'] == 'done':
                horse.running, horse.leaving_since = None, time.monotonic()
                ended.append(Ended(running, pid=horse.pid, reported=True))
            elif message['do'] == 'note':
                self._answer(horse, self._on_note(running, message['failure'], message['told']))
            elif message['do'] == 'words':
                running.words = message['text']
            elif message['do'] == 'output' and horse.passed:
                running.ring = Ring.of_file(horse.passed.pop())
            elif message['do'] == 'allow':
                running.watch.allow(message['seconds'], time.monotonic(), message['phase'])
        return ended

    @staticmethod
    def _answer(horse: Horse, value: bool) -> None:
        try:
            horse.send(value)
        except OSError:
            return  # it died while we wrote its note; the note counts

    def _bury(self, horse: Horse) -> list[Ended]:
        running = horse.running
        if running is not None or horse.takes_along:
            tree.kill_tree(horse.pid)  # a horse that died badly takes its descendants along
        pid, raw_status, rusage = horse.reap() if running else horse.forget()
        horse.close()
        self._horses.remove(horse)
        if pid is None:
            self._lose_nursery()
            self.open()
        return [] if running is None else [Ended(running, None, pid, raw_status, rusage, orphaned=pid is None)]

    # --- ending -------------------------------------------------------------------------------------------------

    def pulse(self) -> None:
        """Horses may go on: their worker lives."""
        self._pulse.beat()

    def pid_of(self, running: Running) -> int | None:
        """The process an execution runs in."""
        for horse in self._horses:
            if horse.running is running:
                return horse.pid
        return None

    def kill(self, running: Running, signum: int = signal.SIGKILL) -> None:
        """Signal the horse of an execution with its whole tree; its end is noticed by `poll`."""
        for horse in self._horses:
            if horse.running is running and not horse.is_dead():
                tree.kill_tree(horse.pid, signum)

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
            spare.end.close()  # a horse of the nursery reads that there is no job, and leaves
        self._spares.clear()
        for horse in list(self._horses):
            if horse.running is not None:
                tree.kill_tree(horse.pid)
            else:
                _wait_a_moment(horse)
            self._discard(horse)
            self._horses.remove(horse)
        self._lose_nursery()


def _wait_a_moment(horse: Horse) -> None:
    """Let a horse that has reported flush and leave by itself."""
    until = time.monotonic() + 1
    while not horse.is_dead() and time.monotonic() < until:
        time.sleep(0.001)
