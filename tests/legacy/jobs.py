"""Jobs and handlers of programs of 0.x, which name no connection: while a job runs, its worker's lies on the stack."""

import os

from rq import Queue, cancel_job, get_current_job
from rq.connections import get_current_connection
from rq.job import Job
from tests.jobs import add, fail


def say(word):
    """Leave a word where the test can read it."""
    get_current_connection().rpush('test:told', word)


def enqueue_another():
    return Queue('other').enqueue(add, 1, 2).id


def fetch(job_id):
    return Job.fetch(job_id).origin


def fail_and_say():
    say('job')
    fail()


def on_failure(job, connection, *exc_info):
    say(f'callback {job.get_status().value}')


def black_hole(job, *exc_info):
    say('black_hole')
    return False


def my_handler(job, *exc_info):
    say(f'my_handler {job.get_status().value} {exc_info[0].__name__}')


def truthy(job, *exc_info):
    say('truthy')
    return True


def a(job, *exc_info):
    say('a')


def b(job, *exc_info):
    say('b')


def breaks(job, *exc_info):
    raise KeyError('a handler that breaks')


def slow(job, *exc_info):
    job.connection.blpop('nobody:pushes', 0.7)
    say('slow')


def cancels_itself():
    cancel_job(get_current_job().id)
    fail()


def dies(job, *exc_info):
    say('dies')
    os._exit(7)


def lasts(job, *exc_info):
    job.connection.rpush('test:told', 'lasts')
    job.connection.blpop('nobody:pushes', 20)


def retry_handler(job, *exc_info):
    job.meta['failures'] = job.meta.get('failures', 0) + 1
    job.save()
    if job.meta['failures'] >= 3:
        return True
    Queue(job.origin).enqueue_job(job)
    return False


def requeues(job, *exc_info):
    job.status = 'queued'
    Queue(job.origin).enqueue_job(job)
    return False


def moves_on(job, *exc_info):
    """Not final: it falls through to the default handler."""
    Queue(job.origin).enqueue_job(job)


def sets_status(job, *exc_info):
    job.status = 'finished'
    return False
