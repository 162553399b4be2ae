"""With another key prefix everything of the clock's rooms lies under it, in one slot of a cluster."""

import os
import subprocess
import sys

from tests.launch import ROOT

PROGRAM = """
import sys
from datetime import timedelta
from redis import Redis
from rq import Queue, cron, cron_job_registry
from rq.scheduler import RQScheduler
from rq.store import promote
from rq.store.call import run
from rq.utils import now
from tests.jobs import add
redis = Redis(unix_socket_path=sys.argv[1])
one = cron.CronScheduler(redis, logging_level='ERROR')
one.register(add, 'q', interval=60)
one.register_birth()
(job,) = one.enqueue_jobs()
assert job.get_job_ids(redis) == Queue('q', connection=redis).job_ids
assert cron_job_registry.get_names(redis) == [job.name]
scheduler = RQScheduler(['q'], redis, logging_level='ERROR')
scheduler.register_birth()
assert scheduler.acquire_locks() == {'q'}
Queue('q', connection=redis).enqueue_at(now() - timedelta(seconds=1), add)
assert run(redis, promote.promote_due('q')) == 1  # the mark of our own lock is found
assert Queue('q', connection=redis).scheduler_pid == scheduler.pid
"""


def test_prefix(redis, server):
    subprocess.run(
        [sys.executable, '-c', PROGRAM, str(server.socket)], check=True, timeout=60, cwd=ROOT,
        env={**os.environ, 'RQ_KEY_PREFIX': '{rq}', 'PYTHONPATH': str(ROOT)},
    )  # fmt: skip
    names = [key.decode() for key in redis.scan_iter()]
    assert len(names) >= 13
    assert [name for name in names if not name.startswith('{rq}:')] == []
