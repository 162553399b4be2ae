"""The table of states. All that decides whether a move is legal stands here; this file knows no Redis.

The verbs are also the names of the Lua files, of the store's functions and of the words in the log.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class JobStatus(str, Enum):
    """Where a job is in its life; the value is the text stored in the job's hash."""

    CREATED = 'created'
    QUEUED = 'queued'
    FINISHED = 'finished'
    FAILED = 'failed'
    STARTED = 'started'
    DEFERRED = 'deferred'
    SCHEDULED = 'scheduled'
    STOPPED = 'stopped'
    CANCELED = 'canceled'
    RATE_LIMITED = 'rate_limited'
    READY_TO_ENQUEUE = 'ready_to_enqueue'


JobStatus.__module__ = 'rq.job'  # its public address, and the one that pickles of it carry


class Move(NamedTuple):
    """From which statuses a verb may start, and in which it may end."""

    sources: frozenset[str]
    targets: frozenset[str]


EVERY = frozenset(status.value for status in JobStatus)
NOWHERE: frozenset[str] = frozenset()


def _move(sources: frozenset[str] | str, targets: str = '') -> Move:
    if isinstance(sources, str):
        sources = frozenset(sources.split())
    return Move(sources, frozenset(targets.split()))


#: verb -> legal moves. `enqueue` of a started job leaves it started and queues it after its outcome ("again").
TABLE: dict[str, Move] = {
    'enqueue': _move(EVERY, 'queued started rate_limited'),
    'enqueue_new': _move('', 'queued'),
    'enqueue_plain': _move('', 'queued'),
    'defer': _move(EVERY - {'started'}, 'deferred queued rate_limited'),
    'schedule': _move(EVERY - {'started'}, 'scheduled'),
    'promote_due': _move('scheduled created queued', 'queued rate_limited'),
    'promote_ready': _move('deferred ready_to_enqueue', 'queued rate_limited'),
    'promote_dependents': _move('deferred ready_to_enqueue', 'queued rate_limited'),
    'make_ready': _move('deferred', 'ready_to_enqueue'),
    'fill_slots': _move('rate_limited', 'queued'),
    'free_slot': _move('rate_limited', 'queued'),
    'clean_slots': _move('rate_limited', 'queued'),
    'claim': _move('queued created started', 'started'),
    'start': _move(EVERY - {'canceled'}, 'started'),
    'recover': _move('queued created', 'queued'),
    'begin': _move('started', 'started'),
    'renew': _move('started', 'started'),
    'note': _move('started', 'started'),
    'release': _move('started', 'queued rate_limited'),
    'rescue': _move('started scheduled', 'started queued rate_limited'),
    'finish': _move('started', 'finished queued scheduled rate_limited'),
    'finish_many': _move('started', 'finished'),
    'retry': _move('started', 'queued scheduled rate_limited'),
    'retry_returned': _move('started', 'queued scheduled rate_limited'),
    'fail': _move('started', 'failed queued rate_limited'),
    'quarantine': _move(EVERY, 'failed'),
    'stop': _move('started', 'stopped queued rate_limited'),
    'cancel': _move(EVERY - {'canceled'}, 'canceled'),
    'requeue': _move(EVERY - {'started'}, 'queued rate_limited'),
    'return_aside': _move(EVERY, 'queued rate_limited'),
    'delete': Move(EVERY, NOWHERE),
    'empty': Move(EVERY, NOWHERE),
    'requeue_many': _move('failed', 'queued rate_limited'),
    'delete_many': _move('failed'),
    'cancel_many': _move('failed', 'canceled'),
}


def check(verb: str, source: str) -> bool:
    """Whether the verb may be applied to a job of this status."""
    return source in TABLE[verb].sources
