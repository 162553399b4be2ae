"""The address at which RQ keeps the sets of worker keys; the books themselves are kept in `rq.worker.life`."""

from rq.store import keys
from rq.worker.life import MAX_KEYS, clean_worker_registry, get_keys, register, unregister

WORKERS_BY_QUEUE_KEY = keys.workers('%s')
REDIS_WORKER_KEYS = keys.WORKERS

__all__ = [
    'MAX_KEYS',
    'REDIS_WORKER_KEYS',
    'WORKERS_BY_QUEUE_KEY',
    'clean_worker_registry',
    'get_keys',
    'register',
    'unregister',
]
