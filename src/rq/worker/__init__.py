"""The public names of `rq.worker`."""

from rq.defaults import DEFAULT_RESULT_TTL
from rq.rules.exits import signal_name
from rq.rules.routing import DequeueStrategy
from rq.worker.base import BaseWorker, logger
from rq.worker.worker_classes import SimpleWorker, Worker

__all__ = [
    'DEFAULT_RESULT_TTL',
    'BaseWorker',
    'DequeueStrategy',
    'SimpleWorker',
    'Worker',
    'logger',
    'signal_name',
]
