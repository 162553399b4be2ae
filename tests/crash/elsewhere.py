"""A program with a worker that does not work in the main thread, or on a platform without fork."""

import os
import sys
import threading

if 'without-fork' in sys.argv:  # before anything of ours is imported
    del os.fork, os.forkpty, os.register_at_fork

from redis import Redis  # noqa: E402 - after the lines above

from rq import Queue  # noqa: E402
from rq.utils import import_attribute  # noqa: E402


def main(url: str, name: str, class_name: str, how: str) -> None:
    """Work on queue q until told to stop: in a thread of its own, or (without-fork) in the main one."""
    worker = import_attribute(class_name)([Queue('q', connection=Redis.from_url(url))], name=name)
    if how == 'thread':
        thread = threading.Thread(target=worker.work, name='not the main one')
        thread.start()
        thread.join()
    else:
        worker.work()


if __name__ == '__main__':
    main(*sys.argv[1:5])
