"""When a cron job is due: times of an interval and of a cron string, in a time zone and across its clock changes.

A cron string is read on the wall clock. An hour that comes twice counts once, the first time; a time that the clock
skips shifts forward by the gap. The zone is that of the process, or the one named in front of the string:
`CRON_TZ=Europe/Rome 0 9 * * *`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, croniter

# How far back a clock change may lie to matter now: longer than any gap that a change leaves.
_LOOK_BACK = timedelta(hours=3)
_ZONED = re.compile(r'(?:CRON_TZ|TZ)=(\S+)\s+(.*)')


def split_zone(line: str) -> tuple[tzinfo | None, str]:
    """The zone that a cron string names (None: that of the process) and the rest of it."""
    match = _ZONED.fullmatch(line.strip())
    if match is None:
        return None, line
    try:
        return ZoneInfo(match[1]), match[2]
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f'{line!r} names the time zone {match[1]!r}, which is not known here') from error


def next_of_interval(latest: datetime, seconds: float) -> datetime:
    """When an interval job is due after its latest run."""
    return latest + timedelta(seconds=seconds)


def next_of_line(line: str, after: datetime) -> datetime:
    """The first time (UTC) of a cron string after a moment; `ValueError` for a string that is none."""
    zone, line = split_zone(line)
    here, before = _walls(after, zone)
    # Just after a gap, times that were skipped are still to come, shifted: so we begin where the old clock would stand.
    times = croniter(line, min(here, before))
    best: datetime | None = None
    while True:
        try:
            wall: datetime = times.get_next(datetime)
        except CroniterBadDateError:
            if best is None:
                raise
            return best
        if best is not None and wall >= _wall(best, zone):
            return best
        moment = _moment(wall, zone)
        if moment > after and (best is None or moment < best):
            best = moment
        if best is not None and _wall(best, zone) == wall:
            return best  # nothing was shifted, so nothing can come before it


def latest_of_line(line: str, until: datetime) -> datetime | None:
    """The last time (UTC) of a cron string not after a moment, or None."""
    zone, line = split_zone(line)
    here, before = _walls(until, zone)
    gap = max(here - before, timedelta(0))
    times = croniter(line, max(here, before) + timedelta(seconds=1))
    best: datetime | None = None
    while True:
        try:
            wall: datetime = times.get_prev(datetime)
        except CroniterBadDateError:
            return best
        if best is not None and wall + gap <= _wall(best, zone):
            return best
        moment = _moment(wall, zone)
        if moment <= until and (best is None or moment > best):
            best = moment


def _wall(moment: datetime, zone: tzinfo | None) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _moment(wall: datetime, zone: tzinfo | None) -> datetime:
    """The first moment at which a clock shows this; a time it skips is read with the offset before the gap."""
    local = wall if zone is None else wall.replace(tzinfo=zone)
    # Not astimezone: of the process's own zone it shifts skipped times back.
    return datetime.fromtimestamp(local.timestamp(), UTC)


def _walls(moment: datetime, zone: tzinfo | None) -> tuple[datetime, datetime]:
    """What the clock shows, and what it would show had it not been changed lately."""
    return _wall(moment, zone), _wall(moment - _LOOK_BACK, zone) + _LOOK_BACK
