"""Old address of the default exception handler."""

from rq.legacy import names
from rq.legacy.failed_queue import move_to_failed_queue

__all__ = ['move_to_failed_queue']

names.tell('rq.handlers', 'nothing: failures are stored without it')
