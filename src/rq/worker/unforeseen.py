"""The edge of the work loop: what nobody foresaw ends it, is logged, and goes no further, as in RQ 3.0."""

from __future__ import annotations

from typing import Any

from rq.exceptions import StopRequested
from rq.worker.claiming import GaveUp


def run(worker: Any, loop: Any) -> bool:
    """The loop, to its end; returns whether any job was done. A server that stays away is the caller's business."""
    try:
        return bool(loop.run())
    except GaveUp:
        raise
    except StopRequested:
        worker.log.info('Worker %s: asked to leave', worker.name)
    except Exception:
        worker.log.exception('Worker %s: an error that nobody expected, leaving', worker.name)
    return bool(loop.jobs_done)
