"""Outcomes that wait, in as few calls as can be: plain successes of one queue go together, all else by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rq.defaults import MOST_IN_BATCH
from rq.failure.notify import Settlement
from rq.store import settle
from rq.store.call import Answer, Call
from rq.store.settle import Success

LARGE = 1 << 16  # bytes of a result that goes by itself


class Together:
    """The calls that settle some outcomes, and what their replies mean for each."""

    def __init__(self, waiting: Sequence[Settlement]) -> None:
        self._waiting = list(waiting)
        self._groups = [[0]] if len(self._waiting) == 1 else self._grouped()
        self.calls: list[Call[Any]] = [
            self._waiting[some[0]].call
            if len(some) == 1
            else settle.finish_many([_success(self._waiting[n]) for n in some])
            for some in self._groups
        ]

    def _grouped(self) -> list[list[int]]:
        groups: dict[Any, list[int]] = {}
        for number, one in enumerate(self._waiting):
            key = (one.lease.queue, one.lease.worker) if _is_plain(one) else number
            groups.setdefault(key, []).append(number)
        return [some[at : at + MOST_IN_BATCH] for some in groups.values() for at in range(0, len(some), MOST_IN_BATCH)]

    def answers(self, replies: Sequence[Any]) -> list[Any]:
        """An answer or an error for each outcome; None for those that must be asked for by themselves."""
        answers: list[Any] = [None] * len(self._waiting)
        for some, reply in zip(self._groups, replies, strict=True):
            if len(some) == 1:
                answers[some[0]] = reply
            elif not isinstance(reply, Exception):
                for number, is_settled in zip(some, reply, strict=True):
                    answers[number] = Answer.OK if is_settled else None
        return answers


def _is_plain(one: Settlement) -> bool:
    words = one.words
    if one.verb != 'finish' or words['result_ttl'] == 0 or words.get('repeat') is not None or words.get('news'):
        return False
    return len(words['value'] or b'') < LARGE


def _success(one: Settlement) -> Success:
    words = one.words
    return Success(one.lease, words['result_ttl'], words['value'], words['times'], words['fields'])
