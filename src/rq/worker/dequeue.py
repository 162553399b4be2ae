"""Taking the next job as RQ 3.0 does, by `dequeue_any` of the queue class: for those who have their own or call it."""

from __future__ import annotations

import math
import time
from typing import Any

from rq.exceptions import DequeueTimeout
from rq.store.call import is_weather
from rq.worker.life import WorkerStatus


def next_job(worker: Any, timeout: int | None, max_idle_time: int | None = None) -> Any:
    """The next job and its queue, or None when there is none (timeout None) or after so long in vain."""
    worker.set_state(WorkerStatus.IDLE)
    worker.procline(f'Listening on {",".join(worker.queue_names())}')
    began, pause = time.monotonic(), 1.0
    while True:
        try:
            worker.heartbeat()
            worker.maintain()
            if timeout is not None and max_idle_time is not None:
                left = math.ceil(max_idle_time - (time.monotonic() - began))
                if left <= 0:
                    return None
                timeout = min(timeout, left)
            found = take(worker, timeout)
            if found is not None:
                worker.reorder_queues(reference_queue=found[1])
                worker.announce_job(*found)
            worker.heartbeat()
            return found
        except DequeueTimeout:
            if max_idle_time is not None and time.monotonic() - began >= max_idle_time:
                return None
        except Exception as error:
            if not is_weather(error):
                raise
            worker.log.error('Worker %s: cannot reach Redis (%s); trying again in %d s', worker.name, error, pause)
            time.sleep(pause)
            pause = min(pause * worker.exponential_backoff_factor, worker.max_connection_wait_time)


def take(worker: Any, timeout: int | None) -> Any:
    """One call of the queue class, with the arguments that RQ 3.0 gives it."""
    return worker.queue_class.dequeue_any(
        worker._ordered_queues,
        timeout,
        connection=worker.connection,
        job_class=worker.job_class,
        serializer=worker.serializer,
        death_penalty_class=worker.death_penalty_class,
    )
