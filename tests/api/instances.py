"""One object of each class whose attributes api.md lists, and the check of those attributes."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tests.api.spec import Fact, literal


def _of(dotted: str, *args: Any, **kwargs: Any) -> Any:
    module, _, name = dotted.rpartition('.')
    return getattr(import_module(module), name)(*args, **kwargs)


BUILDERS: dict[str, Callable[[Any], Any]] = {
    'Job': lambda connection: _of('rq.job.Job', connection=connection),
    'Queue': lambda connection: _of('rq.queue.Queue', connection=connection),
    'Worker': lambda connection: _of('rq.worker.Worker', ['default'], connection=connection),
    'WorkerPool': lambda connection: _of('rq.worker_pool.WorkerPool', ['default'], connection=connection),
    'Registry': lambda connection: _of('rq.registry.FailedJobRegistry', connection=connection),
    'Execution': lambda connection: _of('rq.executions.Execution', 'run', 'job', connection),
    'Result': lambda connection: _of(
        'rq.results.Result', 'job', import_module('rq.results').Result.Type.FAILED, connection
    ),
    'RQScheduler': lambda connection: _of('rq.scheduler.RQScheduler', ['default'], connection),
    'CronScheduler': lambda connection: _of('rq.cron.CronScheduler', connection),
    'CronJob': lambda connection: _of('rq.cron.CronJob', 'default', func_name='math.floor', interval=5),
}


def wrong_attribute(fact: Fact, connection: Any) -> str | None:
    """Why an instance attribute is not as api.md says, or None."""
    owner, _, name = fact.name.partition('().')
    made = BUILDERS[owner](connection)
    if not hasattr(made, name):
        return 'is missing'
    try:
        wanted = literal(fact.text)
    except ValueError:
        return None  # a description in words
    found = getattr(made, name)
    return None if found == wanted and (found is None) == (wanted is None) else f'is {found!r}, not {wanted!r}'
