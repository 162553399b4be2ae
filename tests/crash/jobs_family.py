"""Jobs that leave descendants behind, as near and as far as they can."""

import os
import signal
import subprocess
import time
from typing import Any

from tests.crash.jobs import say
from tests.crash.jobs_a import no_descriptors
from tests.crash.jobs_e import block

MEMBERS = 6  # of the family


def leaves_family(then: str) -> str:
    """Start children of every kind, then `then`. Each says its pid to the witness."""
    say('begin')
    for away, bare in ((False, False), (True, False), (True, True)):
        child = subprocess.Popen(
            ['/bin/sleep', '600'], start_new_session=away, env={} if bare else None, close_fds=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        say('child', str(child.pid))
    _orphan(lambda: os.execv('/bin/sleep', ['sleep', '600']))
    _orphan(lambda: os.execve('/bin/sleep', ['sleep', '600'], {}), detached=True)
    _orphan(lambda: time.sleep(600), detached=True)
    return _then(then)


def _orphan(work: Any, detached: bool = False) -> None:
    """A descendant whose parent has ended; detached: as daemons do it, with a session and descriptors of its own."""
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        if detached:
            os.setsid()
        if os.fork() != 0:
            os._exit(0)
        say('child', str(os.getpid()))
        os.closerange(0, 1024)
        try:
            work()
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(middle, 0)
    os.read(reader, 1)  # its end is closed: it has said who it is
    os.close(reader)


def leaves_growing_family(then: str) -> str:
    """One that forks again and again, faster than anybody can look."""
    say('begin')
    if os.fork() == 0:
        os.setsid()
        until = time.monotonic() + 60
        while time.monotonic() < until:
            say('grown')
            if os.fork() != 0:
                os._exit(0)
            time.sleep(0.001)
        os._exit(0)
    return _then(then)


def _then(then: str) -> str:
    if then == 'dies':
        os.kill(os.getpid(), signal.SIGKILL)
    if then == 'deaf':
        block()
    if then == 'waits':
        time.sleep(60)
    if then == 'blind':
        no_descriptors()
        time.sleep(60)
    return then
