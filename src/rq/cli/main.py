"""The `rq` command: the group that its commands hang on."""

import click

from rq.cli.cron import cron
from rq.cli.debug import debug
from rq.cli.demo import demo
from rq.cli.enqueue import enqueue
from rq.cli.errors import Group
from rq.cli.failures import failures
from rq.cli.info import info
from rq.cli.job import job
from rq.cli.manage import empty, requeue
from rq.cli.retry_plan import retry_plan
from rq.cli.suspend import resume, suspend
from rq.cli.webhooks import webhooks
from rq.cli.worker import worker
from rq.cli.worker_pool import worker_pool
from rq.version import VERSION


@click.group(cls=Group)
@click.version_option(VERSION, prog_name='rq')
def main() -> None:
    """Simple job queues for Python."""


for _command in (
    *(cron, debug, demo, empty, enqueue, failures, info, job, requeue, resume),
    *(retry_plan, suspend, webhooks, worker, worker_pool),
):
    main.add_command(_command)
