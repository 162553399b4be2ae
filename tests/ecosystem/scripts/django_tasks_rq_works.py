"""django-tasks-rq: Django's tasks on our queue, with the job class of the package."""

from datetime import timedelta

from project import page  # noqa: F401  # the first: it sets Django up

import site_jobs  # isort: skip
from django.core.management import call_command
from django.utils import timezone
from django_tasks import default_task_backend
from play import GIVEN, tell

double, attempt, broken = site_jobs.double.enqueue(4), site_jobs.attempt.enqueue(), site_jobs.broken.enqueue()
later = site_jobs.double.using(run_after=timezone.now() + timedelta(days=1)).enqueue(5)
call_command(
    'rqworker', 'tasks', '--burst', '--job-class', 'django_tasks_rq.Job',
    '--worker-class', {'Worker': 'rq.Worker', 'SimpleWorker': 'rq.SimpleWorker'}[GIVEN['worker']], '--name', 'tasks',
)  # fmt: skip
results = [default_task_backend.get_result(one.id) for one in (double, attempt, broken, later)]
tell(
    statuses=[str(one.status.value) for one in results], values=[one._return_value for one in results[:2]],
    errors=[[error.exception_class_path, error.traceback] for one in results[:3] for error in one.errors],
    workers=results[0].worker_ids, later=results[3].task.run_after,
)  # fmt: skip
