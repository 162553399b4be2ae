"""rq-exporter: the text of its metrics while a worker works."""

from datetime import timedelta

import jobs
from play import URL, at_work, burst, redis, tell
from rq_exporter import config, create_app

from rq import Queue

queue = Queue(connection=redis)
queue.enqueue(jobs.add, 1), queue.enqueue(jobs.fail)
burst()
queue.enqueue(jobs.gate)
queue.enqueue_in(timedelta(days=1), jobs.add, 5)
config.REDIS_URL = URL
with at_work():
    queue.enqueue(jobs.add, 1)
    text = b''.join(create_app()({'REQUEST_METHOD': 'GET', 'PATH_INFO': '/metrics'}, lambda *answer: None)).decode()
tell(lines=dict(line.rsplit(' ', 1) for line in text.splitlines() if not line.startswith('#')))
