"""Handlers, callbacks and jobs of group F."""

import os
import signal
import time
from typing import Any

from rq import Queue
from rq.job import Job
from rq.store import keys
from tests.crash import jobs
from tests.crash.jobs import say

LONG = 600.0


def kill_myself() -> None:
    """SIGKILL, from within."""
    os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    """For a very long time; heeds an exception."""
    time.sleep(LONG)


def turn_deaf() -> None:
    """For ever, whatever is raised."""
    while True:
        try:
            time.sleep(LONG)
        except BaseException:
            continue


# --- exception handlers -----------------------------------------------------------------------------------------


def noting(job: Any, *exc_info: Any) -> None:
    """Looks whether the failure was remembered before anybody heard of it; then hangs."""
    execution = job.connection.hget(job.key, 'execution').decode()
    noted = job.connection.hget(keys.execution(job.id, execution), 'failure') or b''
    say(f'told {exc_info[0].__name__} {"noted" if b"on purpose" in noted else "not noted"}', job.id)
    hang()


def deaf(job: Any, *exc_info: Any) -> None:
    """Takes no notice of its limit."""
    say('told deaf', job.id)
    turn_deaf()


def raising(job: Any, *exc_info: Any) -> None:
    """Raises."""
    say('told raising', job.id)
    raise LookupError('the handler is broken')


def leaving(job: Any, *exc_info: Any) -> None:
    """Ends its process without a word."""
    say('told leaving', job.id)
    os._exit(7)


def closing(job: Any, *exc_info: Any) -> None:
    """Closes the connection it was given, and every descriptor it finds."""
    say('told closing', job.id)
    job.connection.close()
    job.connection.connection_pool.disconnect()
    os.closerange(3, 4096)


def deleting(job: Any, *exc_info: Any) -> None:
    """Deletes the job."""
    say('told deleting', job.id)
    job.delete()


def queueing_again(job: Any, *exc_info: Any) -> None:
    """Queues the job it is told of once more, at its first failure."""
    say('told queueing', job.id)
    if job.connection.incr(f'seen:{job.id}') == 1:
        Queue(job.origin, connection=job.connection).enqueue_job(job)


def requeueing(job: Any, *exc_info: Any) -> None:
    """Asks for what is only for jobs that have ended."""
    say('told requeueing', job.id)
    job.requeue()


def forgiving(job: Any, *exc_info: Any) -> None:
    """Grants one more attempt."""
    say(f'told forgiving {job.is_final_attempt}', job.id)
    if job.connection.incr(f'seen:{job.id}') == 1:
        job.retries_left = 1


def strict(job: Any, *exc_info: Any) -> None:
    """Grants none."""
    say('told strict', job.id)
    job.retries_left = 0


def following(job: Any, *exc_info: Any) -> None:
    """Enqueues something new."""
    say('told following', job.id)
    Queue(job.origin, connection=job.connection).enqueue(jobs.work, 1, job_id=f'after-{job.id}')


def final(job: Any, *exc_info: Any) -> None:
    """Says which attempt this is."""
    say(f'told final={job.is_final_attempt}', job.id)


def named(job: Any, *exc_info: Any) -> None:
    """The one that the job asks for."""
    globals()[job.meta['handler']](job, *exc_info)


# --- callbacks --------------------------------------------------------------------------------------------------


def on_end(job: Job, connection: Any, *words: Any) -> None:
    """A callback that listens."""
    say('callback', job.id)


def on_end_raising(job: Job, connection: Any, *words: Any) -> None:
    """One that raises."""
    say('callback', job.id)
    raise LookupError('the callback is broken')


def on_end_hanging(job: Job, connection: Any, *words: Any) -> None:
    """One that hangs."""
    say('callback', job.id)
    hang()


def on_end_deaf(job: Job, connection: Any, *words: Any) -> None:
    """One that takes no notice of its limit."""
    say('callback', job.id)
    turn_deaf()


def on_end_dying(job: Job, connection: Any, *words: Any) -> None:
    """One that kills its process."""
    say('callback', job.id)
    kill_myself()


# --- work_horse_killed_handlers ---------------------------------------------------------------------------------


def killed_hanging(job: Any, *words: Any) -> None:
    """Hangs, in the worker's main thread."""
    say('horse killed', job.id)
    hang()


def killed_deaf(job: Any, *words: Any) -> None:
    """Takes no notice of its limit there, so that nothing but a kill ends it."""
    say('horse killed', job.id)
    turn_deaf()


def killed_raising(job: Any, *words: Any) -> None:
    """Raises there."""
    say('horse killed', job.id)
    raise LookupError('this handler is broken')


# --- jobs -------------------------------------------------------------------------------------------------------


def raises_each_time() -> None:
    """Raises, and says which attempt it was."""
    say('begin')
    job = jobs.get_current_job()
    raise ValueError(f'attempt with {job.retries_left if job else None} left')
