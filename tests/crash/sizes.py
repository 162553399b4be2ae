"""How large a case is: the fast profile by default, the full lengths of faults.md with RQ_CRASH_FULL=1."""

import os

from rq.defaults import WEBHOOK_PAUSES
from rq.supervision.remote import ANSWER_SECONDS, ASK_SECONDS

FULL = os.environ.get('RQ_CRASH_FULL', '') not in ('', '0')
#: the class of tests/crash/workers.py with the leases of this profile, and their length in seconds
WORKER = 'Default' if FULL else 'Quick'
QUICK_LEASE = 2
LEASE = 30.0 if FULL else float(QUICK_LEASE)
#: seconds of silence until a subscription is asked for a sign of life, and until it counts as dead without one
SILENCE = (ASK_SECONDS, ANSWER_SECONDS) if FULL else (3.0, 2.0)
#: seconds between the tries of a webhook
PAUSES = WEBHOOK_PAUSES if FULL else (0.5, 1.0, 1.5, 2.0)


def sized(fast: float, full: float) -> float:
    """The one that belongs to this profile."""
    return full if FULL else fast
