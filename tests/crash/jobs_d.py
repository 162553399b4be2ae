"""What the jobs of group D (bad data) run."""

import os
import time
from pathlib import Path
from typing import Any

from rq import get_current_job
from tests.crash.jobs import say


def ok(*args: Any, **kwargs: Any) -> int:
    """Takes whatever it is given."""
    say('ran')
    return len(args)


def wait_for(path: str) -> str:
    """Runs until the test lets it go."""
    say('begin')
    for _ in range(6000):
        if Path(path).exists():
            break
        time.sleep(0.01)
    say('end')
    return 'done'


def long_at_first() -> None:
    """Takes a minute, but not when it is tried again."""
    say('begin')
    job = get_current_job()
    mine = [line for line in Path(os.environ['RQ_WITNESS']).read_text().splitlines() if line.startswith(f'{job.id}\t')]
    if len([line for line in mine if '\tbegin\t' in line]) == 1:
        time.sleep(60)
    say('end')


def told(job: Any, *exc_info: Any) -> bool:
    """An exception handler."""
    say(f'told {exc_info[0].__name__}', job.id)
    return True
