"""rq-scheduler: jobs that are due now, in a while, again and again, and by a crontab; its command; our workers."""

from datetime import UTC, datetime, timedelta

import jobs
from play import URL, burst, command, redis, status, tell
from rq_scheduler import Scheduler

from rq import Queue

queue = Queue(connection=redis)
scheduler = Scheduler(queue=queue, connection=redis)
past = datetime.now(UTC) - timedelta(seconds=5)

due = scheduler.enqueue_at(past, jobs.add, 1, 2)
later = scheduler.enqueue_in(timedelta(hours=1), jobs.add, 3)
again = scheduler.schedule(past, jobs.add, args=[5, 6], interval=60, repeat=3)
crontab = scheduler.cron('0 0 * * *', jobs.add, args=[7])
called = scheduler.enqueue_at(past, jobs.fail, on_failure=jobs.told)
canceled = scheduler.enqueue_in(timedelta(hours=1), jobs.add, 9)
scheduler.cancel(canceled)
listed = sorted(job.id for job in scheduler.get_jobs())

said = command('rqscheduler', '--burst', '--url', URL)
queued = sorted(queue.job_ids)
burst()
first = {name: status(job) for name, job in {'due': due, 'again': again, 'later': later, 'called': called}.items()}
scheduler.change_execution_time(again, past)
scheduler.enqueue_jobs()
for job in scheduler.get_jobs_to_queue():
    scheduler.enqueue_job(job)
second = queue.job_ids
burst()
again.refresh()
tell(
    ids={'due': due.id, 'later': later.id, 'again': again.id, 'crontab': crontab.id, 'called': called.id},
    listed=listed, said=said, queued=queued, first=first, second=second, repeats=again.meta['repeat'],
    results=len(again.results()), value=due.return_value(), kept=redis.ttl(again.key),
    still=sorted(job.id for job in scheduler.get_jobs()),
)  # fmt: skip
