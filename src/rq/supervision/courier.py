"""The courier: tells the news of the outbox outside, in threads of its own, because a telling may take its time.

News are taken for a while and exchanged once told; if this process dies between, another worker's courier tells them.
They are taken one by one: of many, the last would be somebody else's again before a slow listener has heard the first.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from rq import stairs
from rq.defaults import WEBHOOK_PAUSES
from rq.failure.delivery import Telling
from rq.rules.telling import host_of
from rq.store import outbox
from rq.store.call import Call, is_weather, run
from rq.store.outbox import News
from rq.supervision.gate import passage

LEAVING_SECONDS = 30.0  # how long a worker that leaves still tells
WEATHER_PAUSE = 1.0
SLOW_SECONDS = 1.0


class Courier:
    """Started by the first news; most workers never have any."""

    #: seconds before the second, third ... try
    pauses: Sequence[float] = WEBHOOK_PAUSES
    #: how many are told at a time
    tellers = 4

    def __init__(self, client: Any, say: Callable[[int, str], None] = lambda level, words: None) -> None:
        self._client, self._say = client, say  # `say`: a level and words for the log of the worker
        self._telling = Telling(self._send, self.pauses, passage)
        self._threads: list[threading.Thread] = []
        self._leaves = threading.Event()
        self._lock = threading.Lock()
        self._asked: Counter[str] = Counter()  # hosts that are being told something
        self._slow: set[str] = set()  # hosts that took long over the latest try

    @property
    def is_free(self) -> bool:
        """Whether it can take along more; until then somebody else may take what is due."""
        return sum(thread.is_alive() for thread in self._threads) < self.tellers

    def take_along(self, news: News) -> None:
        """News that were taken out of the outbox for us, who are free; what else is due there we take ourselves."""
        thread = threading.Thread(target=self._run, args=(news,), name='rq-courier', daemon=True)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()

    def _run(self, news: News) -> None:
        try:
            with passage():
                stairs.posting()  # no fork may meet a half-done import
        except Exception:
            pass  # each try says so
        self._tell_due(self._leaves.is_set, news)

    def _tell_due(self, ends: Callable[[], bool], first: News | None = None) -> None:
        try:
            if first is not None:
                self._see_to(first)
            while not ends():
                with passage():
                    due = run(self._client, outbox.take(1))
                if not due:
                    return
                self._see_to(due[0])
        except Exception as error:
            # the server is away: it keeps them, and they are told once more: better twice than never
            if not is_weather(error):
                self._say(40, f'taking webhooks out of the outbox failed: {type(error).__name__}: {error}')

    def _see_to(self, news: News) -> None:
        """Tell them; what nobody thought of is said, and does not keep us from those behind them."""
        try:
            self._tell(news)
        except Exception as error:
            if is_weather(error):
                raise
            self._say(40, f'a webhook could not be told: {type(error).__name__}: {error}')

    def _tell(self, news: News) -> None:
        found = self._telling.read(news)
        if found is None:
            return
        host = host_of(found['calls'][0])
        began = time.monotonic()
        try:
            if self._may_ask(host):
                self._telling.tell(news, found)
            else:
                self._put_off(news, found['calls'][0])
                began = 0.0
        finally:
            self._asked_of(host, began)

    def _may_ask(self, host: str) -> bool:
        """A host that is slow to answer holds up one teller, and leaves the others to those who listen.

        And who leaves does not wait for it at all.
        """
        with self._lock:
            self._asked[host] += 1
            return host not in self._slow or (self._asked[host] == 1 and not self._leaves.is_set())

    def _asked_of(self, host: str, began: float) -> None:
        with self._lock:
            self._asked -= Counter({host: 1})
            if began:
                (self._slow.add if time.monotonic() - began > SLOW_SECONDS else self._slow.discard)(host)

    def _put_off(self, news: News, call: dict[str, Any]) -> None:
        seconds = call.get('timeout')
        pause = max(float(seconds), 1.0) if isinstance(seconds, int | float) else 1.0
        self._send(outbox.hold(news, pause * random.uniform(0.5, 1.5)))

    def _send(self, call: Call[Any]) -> Any:
        """Run a call; in bad weather again and again, as long as the news are ours."""
        until = time.monotonic() + outbox.HOLD_SECONDS / 2
        while True:
            try:
                with passage():
                    return run(self._client, call)
            except Exception as error:
                if not is_weather(error) or time.monotonic() > until or self._leaves.wait(WEATHER_PAUSE):
                    raise

    def finish(self) -> None:
        """Tell what is under way and what is left in the outbox, for a limited time; the rest is for others."""
        until = time.monotonic() + LEAVING_SECONDS
        self._leaves.set()
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))
        self._tell_due(lambda: time.monotonic() > until)
