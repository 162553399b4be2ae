"""rq-rediscron: cron jobs that live in Redis, fired by a subclass of CronScheduler, edited at run time, listed."""

import jobs
from play import URL, burst, command, redis, tell
from rediscron import RedisCronScheduler

from rq import Queue
from rq.cron import CronScheduler

scheduler = RedisCronScheduler(redis, name='red')
scheduler.register(jobs.add, 'default', id='each', args=(1, 2), interval=600, meta={'by': 'cron'}, result_ttl=50)
scheduler.register(jobs.add, 'default', id='nightly', args=(3, 4), cron='0 3 * * *')
scheduler.register_birth()
fired = [job.id for job in scheduler.enqueue_jobs()]
queue = Queue(connection=redis)
(job,) = queue.jobs
burst()
again = [one.id for one in scheduler.enqueue_jobs()]
scheduler.register(jobs.add, 'default', id='each', args=(5, 6), interval=1)
scheduler.heartbeat()
alive = [one.name for one in CronScheduler.all(redis)]
listed = command('rqrcron', 'info', '--url', URL)
scheduler.register_death()
tell(
    fired=fired, again=again, value=job.return_value(), meta=job.meta, ttl=redis.ttl(job.key), alive=alive,
    listed=listed, left=[one.name for one in CronScheduler.all(redis)],
    jobs=sorted(one.id for one in scheduler.get_jobs()),
)  # fmt: skip
