"""scout-apm: its worker classes, and what it tracks of a job."""

import jobs
import scout_apm.rq
from play import GIVEN, redis, tell
from scout_apm.api import Config
from scout_apm.core.tracked_request import TrackedRequest
from spans import keep, kept

from rq import Queue


def finish(self):
    if self.operation:  # of a job: there are others, of every command to the server
        keep('scout', operation=self.operation, tags=self.tags)


TrackedRequest.finish = finish
Config.set(monitor=True, core_agent_launch=False, core_agent_download=False, shutdown_timeout_seconds=0, key='key')
queue = Queue(connection=redis)
good, bad = queue.enqueue(jobs.add, 1), queue.enqueue(jobs.fail)
getattr(scout_apm.rq, GIVEN['worker'])([queue], connection=redis).work(burst=True)
tell(ids=[good.id, bad.id], seen=kept('scout'))
