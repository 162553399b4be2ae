"""The public names of `rq.worker`."""

from rq.defaults import DEFAULT_RESULT_TTL
from rq.rules.exits import signal_name
from rq.rules.routing import DequeueStrategy
from rq.worker.base import BaseWorker, logger
from rq.worker.life import SHUTDOWN_SIGNAL, WorkerStatus
from rq.worker.worker_classes import (
    HerokuWorker,
    RandomWorker,
    RoundRobinWorker,
    SimpleWorker,
    SpawnWorker,
    Worker,
)

__all__ = [
    'DEFAULT_RESULT_TTL',
    'SHUTDOWN_SIGNAL',
    'BaseWorker',
    'DequeueStrategy',
    'HerokuWorker',
    'RandomWorker',
    'RoundRobinWorker',
    'SimpleWorker',
    'SpawnWorker',
    'Worker',
    'WorkerStatus',
    'logger',
    'signal_name',
]
