"""Whether a worker may call itself healthy: moments in, a verdict out. All are of one steady clock, in seconds.

It is healthy while the server has accepted its latest renewal and its main loop turns. In doubt it is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

#: so many renewals may fail in a row, but never may a lease run out unseen
MISSED_RENEWALS = 3
#: seconds for which a worker of a pool may be missing, or on its way up
RESTART_SECONDS = 30.0
#: seconds within which the loop of a pool turns, which has nothing to wait for
POOL_TURN_SECONDS = 10.0
NEVER = -math.inf


class Verdict(NamedTuple):
    """What may be said at one moment."""

    why: str  # it is not healthy; empty when it is
    until: float  # if nothing happens, it is healthy up to then
    renewed_at: float  # the renewal that this is founded on; NEVER before the first
    leaving: bool = False

    @property
    def healthy(self) -> bool:
        """Whether its claims hold and it works."""
        return not self.why

    @property
    def ready(self) -> bool:
        """Whether it will also take more jobs."""
        return self.healthy and not self.leaving


#: of what has not begun yet
NOTHING_YET = Verdict('it has not begun to work yet', NEVER, NEVER)


class Vitals(NamedTuple):
    """What is known of a worker; `renewed_at` is None before the first renewal that the server accepted."""

    renewed_at: float | None
    turned_at: float
    renew_limit: float
    turn_limit: float
    leaving: bool = False


def renew_limit(renew_interval: float, lease_seconds: float) -> float:
    """How old the latest accepted renewal may be."""
    return min(MISSED_RENEWALS * renew_interval, lease_seconds)


def judge(vitals: Vitals, now: float) -> Verdict:
    """The verdict on a worker."""
    if vitals.renewed_at is None:
        return Verdict('the server has not accepted a renewal yet', NEVER, NEVER, vitals.leaving)
    why, turned = '', now - vitals.turned_at
    if now - vitals.renewed_at >= vitals.renew_limit:
        why = f'the server accepted the last renewal {now - vitals.renewed_at:.0f} s ago'
    elif turned >= vitals.turn_limit:
        why = f'the main loop has not turned for {turned:.0f} s'
    until = min(vitals.renewed_at + vitals.renew_limit, vitals.turned_at + vitals.turn_limit)
    return Verdict(why, until, vitals.renewed_at, vitals.leaving)


# --- pools --------------------------------------------------------------------------------------------------------


class Member(NamedTuple):
    """A process of a pool: when it was started, and what its worker says; `until` is NEVER before its first word."""

    born_at: float
    until: float
    renewed_at: float


class Crew(NamedTuple):
    """What is known of a pool; `whole_at` is when all of its workers were healthy at once, None before that."""

    wanted: int
    members: Sequence[Member]
    turned_at: float
    whole_at: float | None
    leaving: bool = False


def is_whole(crew: Crew, now: float) -> bool:
    """Whether there are as many workers as there should be, all of them healthy."""
    return len(crew.members) >= crew.wanted and all(one.until > now for one in crew.members)


def judge_crew(crew: Crew, now: float) -> Verdict:
    """The verdict on a pool: one that replaces a worker is healthy for a while, one that never gets there is not."""
    well = [one for one in crew.members if one.until > now]
    ill = [one for one in crew.members if one.until <= now]
    renewed_at = min((one.renewed_at for one in well), default=NEVER)
    why, turned = '', now - crew.turned_at
    if crew.whole_at is None:
        why = 'its workers have not all been healthy yet'
    elif turned >= POOL_TURN_SECONDS:
        why = f'the loop of the pool has not turned for {turned:.0f} s'
    elif any(now - one.born_at >= RESTART_SECONDS for one in ill):
        why = f'{len(ill)} of its {len(crew.members)} workers are not healthy'
    elif not is_whole(crew, now) and now - crew.whole_at >= RESTART_SECONDS:
        why = f'only {len(well)} of its {crew.wanted} workers have been healthy for {now - crew.whole_at:.0f} s'
    until = min([crew.turned_at + POOL_TURN_SECONDS, *(one.until for one in well)])
    return Verdict(why, until, renewed_at, crew.leaving)
