"""Whether a group or a job is meant by a `Match`: words against words, nothing of Redis."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from rq.inspector.views import Match
from rq.rules.timing import to_epoch
from rq.store.failures import MUTED, RESOLVED, StoredGroup


def is_name(wanted: str, name: str) -> bool:
    """Whether a dotted name is the wanted one, or ends in it: `ValueError` is also `builtins.ValueError`."""
    return not wanted or name == wanted or name.endswith('.' + wanted)


def contains(text: str, words: Iterable[str]) -> bool:
    """Whether one of the words contains the text, in any case of letters."""
    wanted = text.casefold()
    return any(wanted in word.casefold() for word in words)


def words_of(group: StoredGroup) -> tuple[str, ...]:
    """The words of a group that a text is looked for in."""
    return group.id, group.title, group.type_name, group.message, *group.frames


def is_meant(match: Match, state: str | None, group: StoredGroup) -> bool:
    """Whether a group is in a list; without a state, all but the muted and the resolved ones are."""
    if state is None:
        if group.state in (MUTED, RESOLVED):
            return False
    elif state not in ('all', group.state):
        return False
    since, until = bounds(match)
    return (
        group.id.startswith(match.group)
        and (not match.kind or group.kind == match.kind)
        and is_name(match.type_name, group.type_name)
        and (since is None or group.last_seen >= since)
        and (until is None or group.first_seen < until)
        and _has_bucket(match, group)
        and (not match.text or contains(match.text, words_of(group)))
    )


def _has_bucket(match: Match, group: StoredGroup) -> bool:
    """Whether it was seen in the queue and function; what stands in its rest may be of any."""
    return not (match.queue or match.function) or any(
        one.is_rest or (match.queue in ('', one.queue) and is_name(match.function, one.function))
        for one in group.buckets
    )


def bounds(match: Match) -> tuple[float | None, float | None]:
    """The times of a match in seconds since 1970."""
    return _seconds(match.since), _seconds(match.until)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else to_epoch(moment)


def utc(seconds: float | None) -> datetime | None:
    """A moment, or none; what is no moment of a calendar is none either."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def called(description: str) -> str:
    """The function in a description as RQ makes it, `module.function(arguments)`; empty where it is another text."""
    name, parenthesis, _ = description.partition('(')
    parts = name.split('.')
    return name if parenthesis and len(parts) > 1 and all(part.isidentifier() for part in parts) else ''
