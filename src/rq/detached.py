"""A detached copy of a stored job, to be run again without touching the original: what it writes goes to its own key.

Whatever the job does by way of itself (`job.meta`, `save_meta()`, `cancel()`, fetching itself by its id) happens to the
copy. It stands in no queue and no registry, expires if its process is killed, and is removed in the end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from rq.exceptions import NoSuchJobError
from rq.store import keys, operate, read
from rq.store.call import run

SECONDS = 86400  # how long a copy stays when its process was killed
WORKER = 'rq debug'
#: of the original's own life: claims, calls that may be repeated, places
_LEFT_OUT = (b'execution', b'nonce', b'again', b'slot_of', b'failed_in', b'lost', b'lost_at', b'result', b'exc_info')


def as_if_claimed(job_class: Any, connection: Any, serializer: Any, raw: dict[bytes, bytes], job_id: str) -> Any:
    """The job of a hash, as a worker has it that begins to run it."""
    job = job_class(id=job_id, connection=connection, serializer=serializer)
    job.restore_claimed(raw)
    job.worker_name, job.ended_at = WORKER, None
    job.started_at = job.last_heartbeat = job._moment()
    return job


@contextmanager
def detached(job_class: Any, connection: Any, serializer: Any, job_id: str) -> Iterator[Any]:
    """The copy, while it is needed; `NoSuchJobError` when there is no such job."""
    raw = read.job(connection, job_id)
    if b'data' not in raw:
        raise NoSuchJobError(f'No such job: {keys.job(job_id)}; it expired, was deleted, or the id is wrong')
    own = f'debug-{uuid4()}'
    fields = {name: value for name, value in raw.items() if name not in _LEFT_OUT}
    fields[b'copy_of'] = job_id.encode()
    with connection.pipeline() as pipeline:
        pipeline.hset(keys.job(own), mapping=fields)
        pipeline.expire(keys.job(own), SECONDS)
        pipeline.execute()
    known = os.environ.get('RQ_JOB_ID')
    os.environ['RQ_JOB_ID'] = own
    try:
        yield as_if_claimed(job_class, connection, serializer, fields, own)
    finally:
        os.environ.pop('RQ_JOB_ID')
        if known is not None:
            os.environ['RQ_JOB_ID'] = known
        run(connection, operate.delete(own, True, False))
