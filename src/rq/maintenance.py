"""One deprecated function of RQ: maintenance is the business of the worker, and of the registries."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from rq.intermediate_queue import IntermediateQueue

if TYPE_CHECKING:
    from rq.queue import Queue
    from rq.worker import BaseWorker


def clean_intermediate_queue(worker: BaseWorker, queue: Queue) -> None:
    """Deprecated: `IntermediateQueue.cleanup` of that queue."""
    warnings.warn(
        'clean_intermediate_queue() is deprecated, call queue.intermediate_queue.cleanup(worker, queue)',
        DeprecationWarning,
        stacklevel=2,
    )
    IntermediateQueue(queue.key, queue.connection).cleanup(worker, queue)
