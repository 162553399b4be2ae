"""What the jobs of group H (commands and races) run."""

import time
from typing import Any

from tests.crash.jobs import say


def ok(*args: Any) -> Any:
    """Gives back what it was given."""
    say('ran')
    return args[0] if args else None


def brief(seconds: float) -> None:
    """A moment."""
    say('begin')
    time.sleep(seconds)
    say('end')


def raises() -> None:
    """Fails."""
    say('begin')
    raise ValueError('on purpose')


def on_stopped(job: Any, connection: Any) -> None:
    """A callback."""
    say('stopped', job.id)


def told(job: Any, *exc_info: Any) -> bool:
    """An exception handler."""
    say(f'told {exc_info[0].__name__}', job.id)
    return True
