"""Durations and moments as text and numbers: timeouts with units, timestamp text, epoch seconds.

Nobody here knows what time it is: that is for the server, or for `rq.utils.now`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from rq.exceptions import TimeoutFormatError

_UNITS = {'d': 86400, 'h': 3600, 'm': 60, 's': 1}


def parse_timeout(timeout: int | float | str | None) -> int | None:
    """Seconds of a number, a text like '90' or a text with a unit like '2h'; None stays None."""
    if timeout is None or type(timeout) is int:
        return timeout
    number: int | float | str = timeout
    factor = 1
    if isinstance(timeout, str):
        number = timeout.strip().lower()
        if number and number[-1] in _UNITS:
            factor = _UNITS[number[-1]]
            number = number[:-1]
    try:
        return int(number) * factor
    except (TypeError, ValueError, OverflowError) as error:
        raise TimeoutFormatError(
            f'{timeout!r} is no duration: give seconds as a number, or a whole number followed by '
            "one of d, h, m, s, as in '90', '1m', '2h', '1d'"
        ) from error


def utcformat(dt: datetime) -> str:
    """Timestamp text of a moment; a naive one is taken as UTC."""
    if dt.tzinfo is not None and dt.tzinfo is not UTC:
        dt = dt.astimezone(UTC)
    # The first 26 characters end with the sixth digit of the fraction; an offset would follow.
    return dt.isoformat('T', 'microseconds')[:26] + 'Z'


@lru_cache(maxsize=8)
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def epoch_text(seconds: float) -> str:
    """Timestamp text of so many seconds after 1970: `utcformat(from_epoch(seconds))` for a third of it."""
    whole, rest = divmod(round(seconds * 1_000_000), 1_000_000)
    return f'{_second_text(whole)}.{rest:06d}Z'


def utcparse(string: str) -> datetime:
    """The moment (aware, UTC) of a timestamp text, with or without a fraction."""
    try:
        moment = datetime.fromisoformat(string)
    except ValueError as error:
        raise ValueError(
            f"{string!r} is no timestamp: UTC text like '2030-01-31T12:00:00.000000Z' is expected"
        ) from error
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def str_to_date(date_str: bytes | str) -> datetime:
    """The moment of a timestamp as Redis returns it; `ValueError` when it is empty."""
    text = date_str.decode() if isinstance(date_str, bytes) else date_str
    if not text:
        raise ValueError('an empty text is no timestamp: test for it first, empty means that there is none')
    return utcparse(text)


def to_epoch(dt: datetime) -> float:
    """Seconds since 1970 of a moment; a naive one is taken as UTC."""
    return (dt.replace(tzinfo=UTC) if dt.tzinfo is None else dt).timestamp()


def from_epoch(seconds: float) -> datetime:
    """The moment (aware, UTC) so many seconds after 1970."""
    return datetime.fromtimestamp(seconds, UTC)
