"""Times in words, and words for times: `3 d ago`, `--since 2h`, `--until 2031-05-27`. Who asks says what time it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rq.exceptions import TimeoutFormatError
from rq.rules.timing import parse_timeout

_UNITS = ((86400 * 365, 'y'), (86400, 'd'), (3600, 'h'), (60, 'min'))
_ENOUGH = 2  # of a unit, before it is used: 90 minutes say more than 1 hour
LONGEST_SECONDS = 1000 * 365 * 86400


def span(seconds: float) -> str:
    """A length of time, in its largest unit that says enough."""
    for size, unit in _UNITS:
        if seconds >= size * _ENOUGH:
            return f'{int(seconds // size)} {unit}'
    return f'{max(int(seconds), 0)} s'


def took(seconds: float) -> str:
    """How long something ran; short runs with more digits."""
    if seconds < 0.0995:
        return f'{max(seconds, 0) * 1000:.0f} ms'
    return f'{seconds:.1f} s' if seconds < 99.5 else span(seconds)


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago a moment was, or in how long it will be."""
    if moment is None:
        return 'never'
    seconds = (now - moment).total_seconds()
    if -1 < seconds < 2:
        return 'just now'
    return f'{span(seconds)} ago' if seconds > 0 else f'in {span(-seconds)}'


def on_screen(moment: datetime | None, now: datetime) -> str:
    """A moment with date and time of day, and how long ago that was."""
    if moment is None:
        return '-'
    return f'{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC ({ago(moment, now)})'


def read_moment(text: str, now: datetime, ahead: bool = False) -> datetime:
    """The moment that a text means: a time of day, UTC unless it says otherwise, or a duration before (after) now."""
    words = text.strip()
    try:
        seconds = parse_timeout(words)
    except TimeoutFormatError:
        seconds = None
    if seconds is not None:
        if not 0 <= seconds <= LONGEST_SECONDS:
            raise ValueError(f'{text!r} is no length of time that makes sense here')
        try:
            return now + timedelta(seconds=seconds) if ahead else now - timedelta(seconds=seconds)
        except OverflowError as error:
            raise ValueError(f'{text!r} is too long ago') from error
    try:
        moment = datetime.fromisoformat(words)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is neither a duration such as '2h' or '3d' nor a time such as '2031-05-27T21:45' (UTC)"
        ) from error
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f'{text!r} is out of range') from error
