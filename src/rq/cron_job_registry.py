"""RQ's address of the book of cron jobs."""

from rq.scheduling.job_book import add, get_names, get_registry_key, remove_stale_entries

__all__ = ['add', 'get_names', 'get_registry_key', 'remove_stale_entries']
