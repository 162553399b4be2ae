"""Workers of the odd surroundings."""

import logging

from rq import SpawnWorker


class QuickSpawn(SpawnWorker):
    """Leases of 3 s, an interpreter for each job."""

    lease_seconds = 3
    renew_interval = 0.5
    rescue_interval = 0.5


class BrokenFormatter(logging.Formatter):
    """Raises for every record."""

    def format(self, record: logging.LogRecord) -> str:
        """Never returns."""
        raise LookupError('this formatter is broken')
