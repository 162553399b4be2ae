"""Every default number and name, with a line of why each.

First the ones RQ knows under the same name and value, then ours. Nothing here is computed at run time
except the key prefix, which the environment may set once, before the import.
"""

from __future__ import annotations

import os
import re


def _key_prefix() -> str:
    prefix = os.environ.get('RQ_KEY_PREFIX', 'rq')
    # Anything outside this alphabet could be read as a glob, a template or a shell word by some tool.
    if not re.fullmatch(r'[A-Za-z0-9_.:{}-]+', prefix):
        raise ValueError(
            f'Invalid RQ_KEY_PREFIX {prefix!r}: it must be one or more of A-Z a-z 0-9 _ . : {{ }} -; '
            'change or unset the environment variable'
        )
    return prefix


# First part of every key, so that several installations can share one database.
RQ_KEY_PREFIX = _key_prefix()
# The same for `str.format` templates, where a brace of a cluster hash tag would be a placeholder.
FORMAT_KEY_PREFIX = RQ_KEY_PREFIX.replace('{', '{{').replace('}', '}}')

# What the command line uses when no class is named.
DEFAULT_JOB_CLASS = 'rq.job.Job'
DEFAULT_QUEUE_CLASS = 'rq.Queue'
DEFAULT_WORKER_CLASS = 'rq.Worker'
DEFAULT_SERIALIZER_CLASS = 'rq.serializers.DefaultSerializer'
DEFAULT_CONNECTION_CLASS = 'redis.Redis'
DEFAULT_DEATH_PENALTY_CLASS = 'rq.timeouts.UnixSignalDeathPenalty'

# Seconds a silent worker counts as alive.
DEFAULT_WORKER_TTL = 420
# Seconds between two looks of the worker at its horse.
DEFAULT_JOB_MONITORING_INTERVAL = 30
# Seconds a finished job and its result stay readable.
DEFAULT_RESULT_TTL = 500
# Seconds a failed job stays: a year, so that nobody loses evidence over a holiday.
DEFAULT_FAILURE_TTL = 31536000
# Job ids remembered per cron job, and for how many seconds after the latest.
DEFAULT_CRON_JOB_HISTORY_LIMIT = 1000
DEFAULT_CRON_JOB_HISTORY_TTL = 31536000
# Seconds without a heartbeat after which a cron scheduler is stale.
DEFAULT_CRON_SCHEDULER_TTL = 120
# Seconds until an idle scheduler tries again for the locks it did not get.
DEFAULT_SCHEDULER_FALLBACK_PERIOD = 120
# Seconds between two rounds of registry cleaning.
DEFAULT_MAINTENANCE_TASK_INTERVAL = 600
# Seconds a callback may take when it names no timeout.
CALLBACK_TIMEOUT = 60
DEFAULT_LOGGING_DATE_FORMAT = '%H:%M:%S'
DEFAULT_LOGGING_FORMAT = '%(asctime)s %(message)s'
# Stored in place of a value that the serializer refuses, so that readers see that there was one.
UNSERIALIZABLE_RETURN_VALUE_PAYLOAD = 'Unserializable return value'

# --- ours ---------------------------------------------------------------------------------------------

# Seconds a claim holds without renewal: six missed renewals, and a crash is noticed within 45 s.
LEASE_SECONDS = 30
# Seconds between two renewals of a lease.
LEASE_RENEW_INTERVAL = 5
# Seconds ahead of now for the scores that RQ's own cleaners look at; longer than any pause of ours.
WIP_SECONDS = 90
# Seconds between two looks for leases that ran out.
RESCUE_INTERVAL = 5
# Seconds between two looks for jobs that are due, half of the two seconds we promise; and for what else any worker does
# for all: ids without a record are dropped at the second look, within five seconds.
PROMOTE_INTERVAL = 1
# Seconds the parent waits after a job's own timeout before it kills the process group.
KILL_GRACE = 5
# Seconds one exception handler may take: it must not hold the failure it is told about.
HANDLER_TIMEOUT = 60
# Bytes of a payload or result: above this a database wants a file store, not a queue.
MAX_PAYLOAD_BYTES = 16 * 1024 * 1024
# Characters of an id or a name that becomes part of keys: more is a mistake, and every command would carry it.
MAX_NAME_LENGTH = 1024
# Characters of a description or another text of a record: it is read with every listing.
MAX_TEXT_LENGTH = 64 * 1024
# Bytes of traceback kept per attempt, head and tail: enough to read, too little to fill the server.
MAX_TRACEBACK_BYTES = 64 * 1024
# Bytes of an attempt as it is read: its text as JSON, where each byte may take six.
MAX_ATTEMPT_BYTES = 8 * MAX_TRACEBACK_BYTES
# Lost workers after which a job is suspected of killing them ...
POISON_LOSSES = 3
# ... when they were lost within so many seconds.
POISON_WINDOW = 86400
# Seconds until a job is tried again that has lost a worker before: time for the fleet to recover, should it be why.
RECOVERY_PAUSE = 5
# Seconds a burst worker waits for an unreachable server before it gives up with exit code 1.
BURST_PATIENCE = 30
# Seconds between two attempts to reach the server, at most: with the attempt itself work goes on within five.
MAX_BACKOFF = 2
# Seconds until a worker that cannot start a process tries again, at first and at most.
START_BACKOFF = 1
MOST_IN_BATCH = 64  # jobs claimed together at most: the server does nothing else meanwhile
MAX_START_BACKOFF = 30
# Seconds one command may take: half-open connections are then noticed before a lease runs out.
SOCKET_TIMEOUT = 5
# Seconds before the second, third ... try of a webhook: a restart of the listener is outlived, a dead one is let go.
WEBHOOK_PAUSES = (2.0, 8.0, 32.0, 128.0)
# Seconds that one try of a webhook may take at most, whatever is stored: its news are kept from others for as long.
MAX_WEBHOOK_TIMEOUT = 3600
# News that wait for a try, at most: a listener that hangs must not fill the server.
MAX_NEWS = 10_000
# Tries of webhooks that stay on record, and for how many seconds after the latest: a week.
DELIVERIES_KEPT = 1000
DELIVERIES_TTL = 604800
