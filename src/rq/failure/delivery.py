"""Telling news of an outcome outside: one try, and what it leaves in the outbox. Nothing here changes a job's fate."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rq import stairs
from rq.defaults import MAX_NEWS, WEBHOOK_PAUSES
from rq.rules import telling
from rq.rules.telling import Reply
from rq.store import outbox
from rq.store.call import Call

logger = logging.getLogger('rq.webhook')

JITTER = (0.75, 1.25)
MARGIN = 30.0  # seconds that news are ours beyond the timeout of their call
UNREADABLE = '{"error": "news that cannot be read", "outcome": "dropped"}'

Send = Callable[[Call[Any]], Any]


class Telling:
    """Tells news that are ours. `send` runs a call on the server; `quiet` is held while a log line is written."""

    def __init__(
        self,
        send: Send,
        pauses: Sequence[float] = WEBHOOK_PAUSES,
        quiet: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self._send, self._pauses, self._quiet = send, pauses, quiet

    def read(self, news: outbox.News) -> dict[str, Any] | None:
        """News of one call. Others are taken apart, or out when they make no sense; then there is none to be told."""
        found = telling.read(news)
        if found is None:
            self._say(logging.WARNING, 'the outbox holds news that cannot be read; dropped')
            self._send(outbox.exchange(news, UNREADABLE))
        elif len(found['calls']) == 1:
            return found
        else:
            self._send(outbox.exchange(news, rest=telling.apart(found)))
        return None

    def tell(self, news: outbox.News, found: dict[str, Any]) -> Reply:
        """One try, and its outcome written."""
        call = found['calls'][0]
        seconds = call.get('timeout')
        if isinstance(seconds, int | float) and seconds + MARGIN > outbox.HOLD_SECONDS:
            self._send(outbox.hold(news, seconds + MARGIN))
        reply = self._attempt(call)
        told = telling.judge(found, reply, self._pauses, random.uniform(*JITTER))
        level = logging.WARNING if told.is_lost else logging.DEBUG if reply.is_good else logging.INFO
        self._say(level, told.words)
        dropped = self._send(outbox.exchange(news, told.record, told.pause, [told.rest] if told.rest else []))
        if dropped > 0:
            words = (
                f'{dropped} webhooks were dropped: more than {MAX_NEWS:,} waited, because listeners answer too slowly'
            )
            self._say(logging.WARNING, words)
        return reply

    def _attempt(self, call: dict[str, Any]) -> Reply:
        """A fault of ours counts as a try that failed: else these news would be taken again for ever."""
        try:
            reply: Reply = stairs.posting().attempt(call)
            return reply
        except Exception as error:
            return Reply(error=f'not tried: {type(error).__name__}: {error}')

    def _say(self, level: int, words: str) -> None:
        if logger.isEnabledFor(level):
            with self._quiet():
                logger.log(level, '%s', words)


def tell_here(send: Send, news: str) -> None:
    """Outside of workers, right after the outcome was written: the first try here and now, others are for couriers."""
    teller = Telling(send)
    waiting: list[str] = [news]
    while waiting:
        news = waiting.pop(0)
        if not send(outbox.hold(news, outbox.HOLD_SECONDS, only_due=True)):
            continue  # a courier was quicker
        found = teller.read(news)
        if found is not None:
            teller.tell(news, found)
        else:
            waiting += telling.apart(telling.read(news) or {'calls': []})
