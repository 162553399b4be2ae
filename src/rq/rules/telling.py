"""News of outcomes: how they are written down, what an answer to a webhook's call means, when the next try comes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from rq.defaults import MAX_WEBHOOK_TIMEOUT
from rq.rules.names import shown

MOST_TEXT = 200  # characters of an address or error that are kept
LONGEST_WISH = 300  # seconds of a Retry-After that are heeded

#: answers that no repetition changes: the call was read and refused for what it is, or its address has moved for good
HOPELESS = frozenset({301, 308, 400, 405, 410, 413, 414, 415, 422})


class Reply(NamedTuple):
    """How one try went: the code of the answer, or in words why there was none; `wish`: its Retry-After, seconds."""

    code: int | None = None
    error: str = ''
    wish: float = 0.0
    is_hopeless: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the other side has taken it."""
        return self.code is not None and 200 <= self.code < 300

    @property
    def words(self) -> str:
        """For the log."""
        if self.code is None:
            return self.error
        return f'answered {self.code}' + (': redirects are not followed' if 300 <= self.code < 400 else '')


class Told(NamedTuple):
    """What a try leaves: the news to be told later ('' for none), in how many seconds, its record, and a log line."""

    rest: str
    pause: float
    record: str
    words: str

    @property
    def is_lost(self) -> bool:
        """Whether nobody will try again, though it was not taken."""
        return not self.rest and json.loads(self.record)['outcome'] != 'told'


def read(news: str | bytes) -> dict[str, Any] | None:
    """News as they were written down, by us or by an earlier version; None when they make no sense."""
    try:
        found = json.loads(news)
        calls = [_bounded(dict(call)) for call in found['calls']]
        return {**found, 'job': str(found['job']), 'calls': calls, 'tries': max(int(found.get('tries', 0)), 0)}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _bounded(call: dict[str, Any]) -> dict[str, Any]:
    """A timeout may be stored as anything, also as Infinity or NaN. What is no number is found out by the try."""
    seconds = call.get('timeout')
    if isinstance(seconds, int | float) and not seconds <= MAX_WEBHOOK_TIMEOUT:
        call['timeout'] = MAX_WEBHOOK_TIMEOUT
    return call


def apart(news: dict[str, Any]) -> list[str]:
    """News of several calls as so many news of one call: a listener that hangs holds up nobody else's."""
    parts = enumerate(news['calls'])
    return [json.dumps({**news, 'id': f'{news.get("id", "")}.{number}', 'calls': [call]}) for number, call in parts]


def host_of(call: dict[str, Any]) -> str:
    """Whom a call goes to."""
    try:
        return urlsplit(str(call.get('url'))).netloc.rpartition('@')[2]
    except ValueError:
        return ''


def address_of(call: dict[str, Any]) -> str:
    """Where a call goes, fit for a log: no credentials, no query."""
    try:
        parts = urlsplit(str(call.get('url')))
        text = f'{parts.scheme}://{parts.netloc.rpartition("@")[2]}{parts.path}{"?***" if parts.query else ""}'
    except ValueError:
        text = '(an address that cannot be read)'
    return shown(text)[:MOST_TEXT]


def judge(news: dict[str, Any], reply: Reply, pauses: Sequence[float], spread: float) -> Told:
    """What follows from a try of news with one call; `spread` multiplies the pause, so that not all come at once."""
    call, number = news['calls'][0], news['tries'] + 1
    rest, pause, most = '', 0.0, len(pauses) + 1
    said = (
        f'webhook of job {shown(news["job"])[:MOST_TEXT]} to {address_of(call)}: try {number} of {most}: {reply.words}'
    )
    if reply.is_good:
        outcome = 'told'
    elif reply.is_hopeless or reply.code in HOPELESS:
        outcome, said = 'given up', f'{said}; given up, because another try would change nothing'
    elif number >= most:
        outcome, said = 'given up', f'{said}; given up'
    else:
        outcome = 'again'
        pause = max(pauses[number - 1] * spread, min(reply.wish, LONGEST_WISH))
        rest = json.dumps({**news, 'tries': number})
        said = f'{said}; tried again in {pause:.1f} s'
    record = {
        'job': news['job'], 'url': address_of(call), 'method': str(call.get('method')),
        'status': str(call.get('status', '')), 'try': number, 'code': reply.code,
        'error': reply.error[:MOST_TEXT], 'outcome': outcome,
    }  # fmt: skip
    return Told(rest, pause, json.dumps(record), said)
