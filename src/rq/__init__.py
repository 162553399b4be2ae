"""RQ: put Python functions on a queue in Redis or Valkey, have workers run them, and know what became of each."""

from collections.abc import Callable
from typing import Any

from rq import connections, job, queue, utils
from rq.callbacks import Callback
from rq.exceptions import DoNotRetry as DoNotRetry
from rq.exceptions import RetryLater as RetryLater
from rq.job import Retry, cancel_job, get_current_job, requeue_job
from rq.queue import Queue
from rq.rate_limit import RateLimit
from rq.rules.backoff import Backoff as Backoff
from rq.rules.repeat import Repeat
from rq.version import VERSION
from rq.webhook import Webhook
from rq.worker import SimpleWorker, SpawnWorker, Worker

__version__ = VERSION
__all__ = [
    'Callback',
    'Queue',
    'RateLimit',
    'Repeat',
    'Retry',
    'SimpleWorker',
    'SpawnWorker',
    'Webhook',
    'Worker',
    'cancel_job',
    'get_current_job',
    'requeue_job',
]


def _door(module: str) -> Callable[[str], Any]:
    """What looks up a name that a module does not have: those of RQ 0.x are loaded from `legacy/`, with a warning."""

    def open_door(name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(f'module {module!r} has no attribute {name!r}')
        from rq.legacy import names

        return names.find(module, name)

    return open_door


# Planted from here, so that no lower room knows of legacy/.
__getattr__ = _door('rq')
for _module in (connections, job, queue, utils):
    vars(_module)['__getattr__'] = _door(_module.__name__)
