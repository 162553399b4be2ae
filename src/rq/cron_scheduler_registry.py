"""RQ's address of the book of cron schedulers."""

from rq.scheduling.scheduler_book import cleanup, get_keys, get_registry_key, register, unregister

__all__ = ['cleanup', 'get_keys', 'get_registry_key', 'register', 'unregister']
