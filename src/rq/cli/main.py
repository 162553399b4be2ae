"""The `rq` command: the group that its commands hang on."""

import click

from rq.cli.demo import demo
from rq.cli.enqueue import enqueue
from rq.cli.errors import Group
from rq.cli.info import info
from rq.cli.manage import empty, requeue
from rq.cli.worker import worker
from rq.version import VERSION


@click.group(cls=Group)
@click.version_option(VERSION, prog_name='rq')
def main() -> None:
    """Simple job queues for Python."""


for _command in (demo, empty, enqueue, info, requeue, worker):
    main.add_command(_command)
