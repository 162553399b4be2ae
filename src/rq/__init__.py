"""RQ: put Python functions on a queue in Redis or Valkey, have workers run them, and know what became of each."""

from rq.callbacks import Callback
from rq.job import Retry, cancel_job, get_current_job, requeue_job
from rq.queue import Queue
from rq.version import VERSION
from rq.worker import SimpleWorker, Worker

__version__ = VERSION
__all__ = [
    'Callback',
    'Queue',
    'Retry',
    'SimpleWorker',
    'Worker',
    'cancel_job',
    'get_current_job',
    'requeue_job',
]
