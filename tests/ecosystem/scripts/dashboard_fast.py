"""rq-dashboard-fast: every page and every list while a worker and a cron scheduler are awake, then its buttons."""

from datetime import timedelta

import jobs
from play import URL, at_work, burst, jobs_left, redis, status, tell, ticking
from rq_dashboard_fast import RedisQueueDashboard
from starlette.testclient import TestClient

from rq import Queue

queue = Queue(connection=redis)
done, broken = queue.enqueue(jobs.add, 1, 2), queue.enqueue(jobs.fail)
burst()
running = queue.enqueue(jobs.gate)
queue.enqueue(jobs.add, 5, depends_on=running, job_id='later')
queue.enqueue_in(timedelta(days=1), jobs.add, 5, job_id='tomorrow')
page = TestClient(RedisQueueDashboard(URL, ''))


def listed(state):
    data = page.get('/jobs/json', params={'state': state, 'queue_name': 'default'}).json()['data']
    return [job['id'] for part in data for job in part[state]]


with ticking(), at_work():
    queue.enqueue(jobs.add, 7, job_id='waiting')
    views = ['/', '/queues', '/workers', '/jobs', '/schedulers', '/export', '/export/queues', '/export/workers']
    pages = {view: page.get(view).status_code for view in [*views, '/export/jobs', f'/job/{done.id}']}
    queues = {one['queue_name']: one for one in page.get('/queues/json').json()}
    lists = {one: listed(one) for one in ['queued', 'started', 'failed', 'deferred', 'finished', 'scheduled']}
    workers = page.get('/workers/json').json()
    schedulers = page.get('/schedulers/json').json()
    shown = page.get(f'/job/{broken.id}').text

answers = [page.post(f'/job/{broken.id}/requeue').status_code]
requeued = status(broken)
burst()
answers.append(page.delete(f'/job/{done.id}').status_code)
redis.delete(running.key)
answer = page.post('/queues/default/cleanup-stale')
answers.append(answer.status_code)
answers += [page.delete('/queues/default').status_code, page.delete('/queues/clock').status_code]
left = jobs_left()
after = queue.enqueue(jobs.add, 1)
burst()
tell(
    ids={'done': done.id, 'broken': broken.id, 'running': running.id},
    pages=pages, queues=queues, lists=lists, workers=workers, schedulers=schedulers, shown=shown, answers=answers,
    requeued=requeued, stale=answer.json(), left=left, after=status(after),
)  # fmt: skip
