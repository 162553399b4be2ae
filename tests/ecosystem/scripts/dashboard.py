"""rq-dashboard: every page and every list while a worker works, then its buttons.

The data of a single job with dependencies is left out: rq-dashboard 0.9.0 decodes ids that are text, on RQ 3.0 too.
"""

import jobs
from play import URL, at_work, burst, jobs_left, redis, status, tell
from rq_dashboard.cli import make_flask_app
from rq_dashboard.web import setup_rq_connection

from rq import Queue

queue = Queue(connection=redis)
done = queue.enqueue(jobs.add, 1, 2)
broken, again = queue.enqueue(jobs.fail, 'it broke here'), queue.enqueue(jobs.fail)
burst()
running = queue.enqueue(jobs.gate)
queue.enqueue(jobs.add, 5, depends_on=running, job_id='later')

app = make_flask_app(None, None, None, '/rq')
app.config['RQ_DASHBOARD_REDIS_URL'] = URL
setup_rq_connection(app)
app.config['TESTING'] = True  # an exception of a page becomes ours
page = app.test_client()


def listed(registry):
    data = page.get(f'/rq/0/data/jobs/default/{registry}/8/asc/1.json').get_json()
    return {job['id']: job['exc_info'] for job in data['jobs']}


with at_work():
    waiting = queue.enqueue(jobs.add, 7, job_id='waiting')
    views = ['', '0/view/workers', '0/view/jobs', f'0/view/job/{broken.id}', '0/view/jobs/default/failed/8/dsc/1']
    pages = {view: page.get(f'/rq/{view}').status_code for view in views}
    registries = ['queued', 'failed', 'started', 'deferred', 'finished', 'canceled', 'scheduled']
    lists = {registry: listed(registry) for registry in registries}
    details = {job.id: page.get(f'/rq/0/data/job/{job.id}.json').get_json() for job in (done, broken, running)}
    workers = page.get('/rq/0/data/workers.json').get_json()['workers']
    queues = page.get('/rq/0/data/queues.json').get_json()['queues']

answers = [page.post(f'/rq/job/{broken.id}/requeue').get_json()]
requeued = [status(broken), queue.get_job_ids()]
answers.append(page.post('/rq/requeue/default').get_json())
requeued.append(status(again))
answers.append(page.post('/rq/queue/default/compact').get_json())
burst()
answers.append(page.post(f'/rq/job/{done.id}/delete').get_json())
answers.append(page.post('/rq/queue/default/failed/empty').get_json())
queue.enqueue(jobs.add, 9)
answers.append(page.post('/rq/queue/default/queued/empty').get_json())
tell(
    ids={'done': done.id, 'broken': broken.id, 'again': again.id, 'running': running.id},
    pages=pages, lists=lists, details=details, workers=workers, queues=queues, answers=answers, requeued=requeued,
    left=jobs_left(), size=queue.count,
)  # fmt: skip
