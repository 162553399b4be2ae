"""Jobs and handlers of group B."""

import os
import select
import signal
import time
from pathlib import Path
from typing import Any

from tests.crash.driver import tree_of
from tests.crash.jobs import say


def slow_handler(job: Any, *exc_info: Any) -> bool:
    """An exception handler that takes its time."""
    say(f'told {exc_info[0].__name__}', job.id)
    time.sleep(60)
    return True


def end_with_everybody() -> None:
    """Works; the first time it then kills its worker, with all that belongs to it, and itself."""
    first = Path(os.environ['RQ_WITNESS']).read_text().count('\tbegin\t') == 0
    say('begin')
    if first:
        session = os.getsid(0)
        for pid in [session, *(pid for pid in tree_of(session) if pid != os.getpid()), os.getpid()]:
            os.kill(pid, signal.SIGKILL)


def waits(seconds: float) -> str:
    """Takes its time, and not by `sleep`, which does not work under a clock that lies (libfaketime)."""
    say('begin')
    select.select([], [], [], seconds)
    say('end')
    return 'done'
