"""One thread that shows whether its worker (or pool) is healthy, and answers those who ask over HTTP.

It speaks to no server and writes no log, so it needs no gate (supervision/gate.py); a forked child closes its copies.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from rq.forking import mind_threads
from rq.rules.health import NEVER, NOTHING_YET, Verdict
from rq.supervision.bell import Bell
from rq.supervision.door import Door
from rq.supervision.signs import HealthFile, Notifier, Page, Say, Sign

Look = Callable[[float], Verdict]
LOOK_SECONDS = 1.0
FIRST_LOOKS_SECONDS = 0.05  # until it was healthy for the first time
CLOSING_SECONDS = 5.0  # a disk that hangs must not keep anybody from leaving


class Health:
    """Port and file are taken when this is made (`ValueError` when they cannot be); nothing is shown before `start`."""

    def __init__(
        self,
        name: str,
        say: Say,
        port: int | None = None,
        host: str = '127.0.0.1',
        file: str | None = None,
        notifier: Notifier | None = None,
        page: Page | None = None,
    ) -> None:
        self._name, self._pid = name, os.getpid()
        self._look: Look = lambda now: NOTHING_YET
        self._more: Callable[[], dict[str, Any]] = dict
        self._period = FIRST_LOOKS_SECONDS
        self._patient_period = LOOK_SECONDS
        self._is_over = False
        self._thread: threading.Thread | None = None
        self._signs: list[Sign] = [sign for sign in (notifier, page) if sign is not None]
        self._door = None if port is None else Door(host, port)
        try:
            if file is not None:
                self._signs.append(HealthFile(file, name, say))
        except ValueError:
            self._let_go()
            raise
        self._bell = Bell()
        _open.append(self)

    @property
    def url(self) -> str:
        """Where it answers; empty when it does not."""
        return self._door.url if self._door else ''

    def start(self, look: Look, more: Callable[[], dict[str, Any]], period: float = LOOK_SECONDS) -> None:
        """Begin to answer: `look` gives the verdict of a moment, `more` what else a visitor is told."""
        self._look, self._more = look, more
        self._patient_period = min(LOOK_SECONDS, period)
        self._thread = threading.Thread(target=self._run, name='rq-health', daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over:
            verdict = self._verdict(time.monotonic())
            if verdict.healthy:
                self._period = self._patient_period
            for sign in self._signs:
                sign.show(verdict)
            if self._door is None:
                self._bell.wait(self._period)
            else:
                self._door.attend(self._period, self._bell.listens, self.report)
                self._bell.quiet()

    def _verdict(self, now: float) -> Verdict:
        try:
            return self._look(now)
        except Exception as error:  # a thread that ended by it would leave its last word standing
            return Verdict(f'its health cannot be told: {error!r}', NEVER, NEVER)

    def report(self) -> dict[str, Any]:
        """What a visitor is told."""
        now = time.monotonic()
        verdict = self._verdict(now)
        return {
            'healthy': verdict.healthy,
            'ready': verdict.ready,
            'why': verdict.why or ('it is leaving' if verdict.leaving else None),
            'name': self._name,
            'pid': self._pid,
            'leaving': verdict.leaving,
            'renewed_seconds_ago': None if verdict.renewed_at == NEVER else round(now - verdict.renewed_at, 3),
            **self._more(),
        }

    def stop(self) -> None:
        """Say goodbye, close the door."""
        self._is_over = True
        self._bell.ring()
        if self._thread is not None:
            self._thread.join(CLOSING_SECONDS)
        for sign in self._signs:
            sign.close()
        if self in _open:
            _open.remove(self)
        if self._door is not None:
            self._door.close()
        if self._thread is None or not self._thread.is_alive():
            self._bell.close()

    def _let_go(self) -> None:
        """Close what we hold, and say nothing: to a forked child it is not its own."""
        if self._door is not None:
            self._door.close()
        for sign in self._signs:
            sign.let_go()


#: those of this process; by a hook, because worker, nursery, scheduler and user code fork, each in its own way
_open: list[Health] = []


def _let_go_in_child() -> None:
    for health in _open:
        health._let_go()
        health._bell.close()
    _open.clear()


mind_threads(_let_go_in_child)
