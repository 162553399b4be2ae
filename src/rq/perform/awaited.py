"""The call of a coroutine function, on an event loop that other jobs share. Who runs the loop limits it in time."""

from __future__ import annotations

import inspect
import os
from typing import Any

from rq import eras
from rq.perform import context, output, steps
from rq.rules.keeping import OUTPUT, keeps
from rq.rules.retry import Retry
from rq.types import Hooks, JobLike


class NotAwaitable(Exception):
    """It is a plain function: it belongs into a thread."""


async def call(job: JobLike, hooks: Hooks) -> Any:
    """The value of the coroutine function of a job; bound to the context of the task that calls this."""
    steps.begin(job, hooks)
    steps.check(job)
    function = job.func
    if not inspect.iscoroutinefunction(function):
        raise NotAwaitable
    args, kwargs = job.args, job.kwargs
    context.enter(job)
    eras.restack((*eras.stacked(), job.connection))
    job._called, home = True, os.getpid()
    try:
        if keeps(OUTPUT, job, hooks):
            with output.heard_beside_others(job, hooks):
                value = await function(*args, **kwargs)
        else:
            value = await function(*args, **kwargs)
        job._result = value
        return value
    finally:
        context.enter(None)
        if os.getpid() != home:
            os._exit(0)  # a forked descendant fell out of the function: it has no say in the outcome


def is_quick(job: JobLike, value: Any) -> bool:
    """Whether no user code follows this value."""
    return not getattr(job, '_success_callback_name', None) and not isinstance(value, Retry)


def is_coroutine_function(job: JobLike) -> bool:
    """Whether a job that was loaded is the call of one; whatever goes wrong, it is not."""
    try:
        return job.instance is None and inspect.iscoroutinefunction(job.func)
    except Exception:
        return False
