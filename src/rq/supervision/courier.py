"""The courier: tells the news of the outbox outside, in a thread of its own, because a telling may take its time.

News are taken for a while and removed once told; if this process dies between, another worker's courier tells them.
They are taken one by one: of many, the last would be somebody else's again before a slow listener has heard the first.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from rq.store import outbox
from rq.store.call import run
from rq.supervision.gate import passage
from rq.webhook import tell_news

LEAVING_SECONDS = 30.0  # how long a worker that leaves still tells


class Courier:
    """Started by the first news; most workers never have any."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_leaving = False
        #: whether all that was taken along has been told; until then somebody else may take what is due
        self.is_free = True

    def take_along(self, news: str) -> None:
        """News that were taken out of the outbox for us, who are free; what else is due there we take ourselves."""
        self.is_free = False
        self._waiting.put(news)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name='rq-courier', daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (news := self._waiting.get()) is not None:
            self._tell(news)
            self._tell_due(lambda: self._is_leaving)
            self.is_free = True

    def _tell_due(self, ends: Callable[[], bool]) -> None:
        try:
            while not ends():
                with passage():
                    due = run(self._client, outbox.take(1))
                if not due:
                    return
                self._tell(due[0])
        except Exception:
            return  # the server is away: it keeps them

    def _tell(self, news: str) -> None:
        tell_news(news)
        try:
            with passage():
                outbox.remove(self._client, news)
        except Exception:
            return  # told once more when the server is back: better twice than never

    def finish(self) -> None:
        """Tell what is under way and what is left in the outbox, for a limited time; the rest is for others."""
        until = time.monotonic() + LEAVING_SECONDS
        if self._thread is not None:
            self._is_leaving = True
            self._waiting.put(None)
            self._thread.join(LEAVING_SECONDS)
        self._tell_due(lambda: time.monotonic() > until)
