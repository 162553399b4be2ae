"""Pools and workers that tests start by name."""

import os
from typing import Any

from rq import Worker
from rq.worker_pool import WorkerPool


class Pool(WorkerPool):
    """A pool that `launch` can start like a worker."""

    def work(self, **words: Any) -> None:
        self.start(**words)


class Stillborn(Worker):
    """Dies as soon as it starts."""

    def work(self, *args: Any, **words: Any) -> bool:
        self.connection.incr('test:births')
        os._exit(1)
