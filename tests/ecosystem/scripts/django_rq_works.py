"""django-rq: its queues, its commands, and every page and button of its admin."""

from datetime import timedelta

import jobs
from project import page  # the first: it sets Django up

import django_rq  # isort: skip
import site_jobs  # isort: skip
from django.core.management import call_command
from play import GIVEN, at_work, jobs_left, redis, status, tell, ticking, until

CLASS = {'Worker': 'rq.Worker', 'SimpleWorker': 'rq.SimpleWorker'}[GIVEN['worker']]
RQWORKER = ['rqworker', 'default', '--burst', '--worker-class', CLASS, '--name']
PLACE = '/admin/django_rq/dashboard/'


def press(path, **data):
    answer = page.post(PLACE + path, data)
    assert answer.status_code == 302, (path, answer.status_code, answer.content[:2000])
    return [str(message) for message in page.get(answer.url).context['messages']]


queue = django_rq.get_queue('default')
done, broken = site_jobs.add.delay(1, 2), django_rq.enqueue(jobs.fail, 'it broke here')
call_command('rqenqueue', 'jobs.say', 'hello')
said = queue.jobs[-1]
call_command('rqsuspend'), call_command(*RQWORKER, 'idle')
suspended = len(queue)
call_command('rqresume'), call_command(*RQWORKER, 'first')

running = queue.enqueue(jobs.gate)
queue.enqueue(jobs.add, 5, depends_on=running, job_id='later')
queue.enqueue_in(timedelta(days=1), jobs.add, 5, job_id='tomorrow')
far = django_rq.get_scheduler('default').enqueue_in(timedelta(days=2), jobs.add, 6)  # of rq-scheduler
one = f'queues/1/{done.id}/'
views = [
    '', 'stats.json', 'metrics', 'queues/1/', 'queues/1/details/', 'queues/1/finished/', 'queues/1/failed/',
    'queues/1/scheduled/', 'queues/1/started/', 'queues/1/deferred/', one, f'{one}results/{done.latest_result().id}/',
    'queues/1/later/', f'queues/1/{broken.id}/', 'schedulers/1/', 'workers/1/', 'workers/1/rq:worker:busy/',
    f'queues/1/{running.id}/',
]  # fmt: skip
with ticking('django-admin', 'rqcron', 'clock'), at_work('django-admin', *RQWORKER, 'busy'):
    queue.enqueue(jobs.add, 7, job_id='waiting')
    pages = {view: page.get(PLACE + view) for view in views}
    texts = {view: answer.content.decode() for view, answer in pages.items()}
    (clock,) = pages[''].context['cron_schedulers']
    crons = [page.get(f'{PLACE}cron-schedulers/0/{clock.name}/{rest}') for rest in ('', 'jobs/jobs.add/')]
    statistics = {one['name']: one for one in pages['stats.json'].json()['queues']}
    stopped = press(f'queues/1/{running.id}/stop/')
    if GIVEN['worker'] == 'Worker':
        until(lambda: status(running) == 'stopped', 'the job is stopped')
stopped.append(status(running))

presses = [
    press(f'queues/1/{broken.id}/requeue/'),
    press('queues/actions/1/', action='requeue', job_ids=[done.id, 'later', 'tomorrow']),
]
requeued = [status(job) for job in (broken, done, 'later', 'tomorrow')]
waiting, scheduled = sorted(queue.job_ids), queue.scheduled_job_registry.get_job_ids()
call_command('rqworker-pool', 'default', '--burst', '--num-workers', '2', '--worker-class', CLASS)
after = [status(job) for job in (broken, done, 'later', 'tomorrow')]
presses += [press('queues/1/requeue-all/'), press('queues/1/empty/'), press('queues/1/waiting/delete/')]
queue.enqueue(jobs.fail)
call_command(*RQWORKER, 'last')
presses.append(press('queues/1/failed/clear/'))
parts = [
    (f'queues/1/{broken.id}/', 'it broke here'), ('queues/1/started/', running.id), ('metrics', 'rq_jobs'),
    ('workers/1/rq:worker:busy/', running.id), ('queues/1/scheduled/', 'tomorrow'), ('queues/1/', 'waiting'),
    ('schedulers/1/', far.id),
    (f'queues/1/{done.id}/', 'site_jobs.add'), ('queues/1/later/', running.id),
]  # fmt: skip
tell(
    ids={'done': done.id, 'broken': broken.id, 'running': running.id}, suspended=suspended, said=said.return_value(),
    pages={view: answer.status_code for view, answer in pages.items()}, crons=[one.status_code for one in crons],
    fired=[one['job_id'] for one in crons[1].context['history']], queued=django_rq.get_queue('clock').job_ids,
    missing=[part for part in parts if part[1] not in texts[part[0]]],
    statistics=statistics, stopped=stopped, presses=presses, ttl=redis.ttl(done.key),
    requeued=requeued, waiting=waiting, scheduled=scheduled, after=after, left=jobs_left(),
)  # fmt: skip
