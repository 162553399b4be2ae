"""The command line: `rq`, and the names that console scripts and programs import from here."""

from rq.cli.cron import cron
from rq.cli.info import info
from rq.cli.main import main
from rq.cli.worker import worker

__all__ = ['cron', 'info', 'main', 'worker']
