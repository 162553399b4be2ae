"""Pools and workers that tests start by name."""

import multiprocessing.popen_fork  # noqa: F401 - imported here because `Starved` could not read it any more
import os
import resource
from typing import Any

from rq import Worker
from rq.worker_pool import WorkerPool


class Pool(WorkerPool):
    """A pool that `launch` can start like a worker."""

    def work(self, **words: Any) -> None:
        self.start(**words)


class Starved(Pool):
    """A pool that has no descriptor left when it starts its first workers, until somebody raises its limit."""

    def work(self, **words: Any) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        super().work(**words)


class Stillborn(Worker):
    """Dies as soon as it starts."""

    def work(self, *args: Any, **words: Any) -> bool:
        self.connection.incr('test:births')
        os._exit(1)
