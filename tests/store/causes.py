"""Failures of a cause that the test names, on a real server."""

from rq.rules.fingerprint import Cause
from rq.store import failures, settle
from rq.store.call import run
from tests.store.world import NOW, started

GID = 'a' * 16
HOUR = 3600
TIMES = (1.5, 4.0, 2.5)


def cause(gid=GID, function='m.f', **words):
    words = {'title': 'ValueError in m:f', 'kind': 'raised', 'type_name': 'ValueError', 'message': 'no <n>', **words}
    return Cause(gid, frames=('m:g', 'm:f'), function=function, **words).words()


def settled(redis, verb='fail', job_id='j', queue='q', now=NOW, lease=None, **words):
    """Enqueue a job, take it, and let it fail; the answer, with the call."""
    lease = lease or started(redis, job_id, queue=queue, now=now)
    told = {'cause': cause(), 'now': now, **words}
    if verb == 'fail':
        call = settle.fail(lease, told.pop('ttl', 600), 'text', TIMES, {}, **told)
    else:
        call = settle.retry(lease, told.pop('interval', 0), False, TIMES, {}, **told)
    return run(redis, call), call


def group(redis, gid=GID, now=NOW):
    found = failures.group_of(redis, gid, now)
    assert found is not None
    return found
