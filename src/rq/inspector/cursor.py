"""The cursor of a list: where the next page begins, and of which list. Who is given one need not read it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from rq.inspector.views import Match
from rq.store.search import Candidate

_LONGEST = 8192  # a job id has at most 1024 characters


def _digest(match: Match) -> str:
    return hashlib.sha256(repr(match).encode('utf-8', 'surrogatepass')).hexdigest()[:12]


def write(match: Match, last: Candidate) -> str:
    """A cursor to what stands behind this candidate."""
    place = [1, _digest(match), repr(last.moment), last.job_id.decode('latin-1')]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip('=')


def read(match: Match, cursor: str) -> Candidate | None:
    """Where the page begins; `ValueError` for what is no cursor, or that of another list."""
    if not cursor:
        return None
    try:
        if not isinstance(cursor, str) or len(cursor) > _LONGEST:
            raise ValueError('too long')
        raw = base64.b64decode(cursor + '=' * (-len(cursor) % 4), altchars=b'-_', validate=True)
        version, digest, moment, job_id = json.loads(raw)
        last = Candidate(float(moment), job_id.encode('latin-1'), 0)
        if version != 1 or last.moment != last.moment:
            raise ValueError('of another version')
    except (ValueError, TypeError, AttributeError, binascii.Error, RecursionError) as error:
        raise ValueError('this is no cursor: give the `cursor` of the page before, or none to begin') from error
    if digest != _digest(match):
        raise ValueError('this cursor is of another search: a cursor goes with the match that its page was made for')
    return last
