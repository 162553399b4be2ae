"""Jobs as django-rq and django-tasks make them."""

from django_rq import job
from django_tasks import task


@job('default', result_ttl=77)
def add(x, y):
    return x + y


@task(queue_name='tasks')
def double(value):
    return value * 2


@task(queue_name='tasks', takes_context=True)
def attempt(context):
    return [context.attempt, context.task_result.status]


@task(queue_name='tasks')
def broken():
    raise KeyError('no such thing')
