"""What a pool knows of the health of its workers: each has a page of shared memory in which it says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rq.rules.health import Crew, Member, Verdict, is_whole, judge_crew
from rq.supervision.health import Health
from rq.supervision.signs import Page


class CrewHealth:
    """The main loop of the pool tells of births and deaths, and each time that it turns."""

    def __init__(self, health: Health, wanted: Callable[[], int], is_leaving: Callable[[], bool]) -> None:
        self._health, self._wanted, self._is_leaving = health, wanted, is_leaving
        self._members: dict[str, tuple[float, Page]] = {}
        self._turned_at = time.monotonic()
        self._whole_at: float | None = None

    @property
    def url(self) -> str:
        """Where it answers; empty when it does not."""
        return self._health.url

    def start(self) -> None:
        """Begin to answer."""
        self._health.start(self._verdict, self._more)

    def stop(self) -> None:
        """Answer no more."""
        self._health.stop()

    def expect(self, name: str) -> Page:
        """A worker is about to be forked; the page it shows its verdicts on."""
        page = Page()
        self._members[name] = time.monotonic(), page
        return page

    def forget(self, name: str) -> None:
        """Its process has ended."""
        self._members.pop(name, None)

    def turned(self) -> None:
        """The main loop is there."""
        self._turned_at = now = time.monotonic()
        if is_whole(self._crew(), now):
            self._whole_at = now

    def _crew(self) -> Crew:
        members = [Member(born_at, *page.read()) for born_at, page in list(self._members.values())]
        return Crew(self._wanted(), members, self._turned_at, self._whole_at, self._is_leaving())

    def _verdict(self, now: float) -> Verdict:
        return judge_crew(self._crew(), now)

    def _more(self) -> dict[str, Any]:
        now, members = time.monotonic(), self._crew().members
        return {'workers': len(members), 'healthy_workers': sum(one.until > now for one in members)}
