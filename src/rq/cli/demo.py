"""`rq demo`: the guided tour from the shell. What it does stands in `rq.demo.run`."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType

import click

from rq.cli.errors import Command, talking_to
from rq.demo import run
from rq.devserver import ServerBinaryNotFound, ServerFailed


@click.command('demo', cls=Command)
@click.argument('directory', required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
def demo(directory: Path | None) -> None:
    """Show the whole of RQ at work: a private server in .rq/, two workers, real jobs, failures.

    Each Python file below DIRECTORY is one job; without it, each file of Python's standard library. Hidden and
    site-packages directories are passed over.
    """  # fmt: skip
    files = run.python_files(directory)
    if not files:
        raise click.BadParameter(f'there is no Python file below {str(directory)!r}', param_hint="'DIRECTORY'")
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        with talking_to(run.URL):
            complete = run.tour(files, click.echo)
    except KeyboardInterrupt:
        click.echo('\nStopped; the workers have left.', err=True)
        raise SystemExit(130) from None
    except (ServerBinaryNotFound, ServerFailed) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f'the demo cannot work in this directory: {error}') from error
    finally:
        signal.signal(signal.SIGTERM, before)
    if not complete:
        raise SystemExit(1)


def _leave(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)
