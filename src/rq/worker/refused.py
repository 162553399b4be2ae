"""Outcomes that a server refuses for their length (`proto-max-bulk-len`): it hangs up, and would do so for ever.

What is too long goes, the outcome stays: a job that has finished is never run again for want of room.
"""

from __future__ import annotations

from typing import Any

from rq.failure.notify import Settlement
from rq.perform.success import too_large
from rq.store.call import RedisError, is_slow

#: the least limit that a server can be given
LONG = 1024 * 1024
#: hang-ups in a row, each by a server that answered right after it, until we believe that it means us
BELIEVED = 3


class Refusals:
    """Of one attempt to write outcomes."""

    def __init__(self, worker: Any, client: Any, waiting: list[Settlement]) -> None:
        self._worker, self._client, self._waiting = worker, client, waiting
        self._hang_ups = 0

    def see(self, error: Exception) -> None:
        """The server could not be told; when that is for their length, make them shorter before the next try."""
        large = [one for one in self._waiting if is_long(one)]
        if not large or is_slow(error) or not self._answers():
            return
        self._hang_ups += 1
        if self._hang_ups >= BELIEVED:
            for one in large:
                shorten(one, self._worker)

    def _answers(self) -> bool:
        try:
            return bool(self._client.ping())
        except (RedisError, OSError):
            return False


def is_long(settlement: Settlement) -> bool:
    """Whether any argument could be over the limit of a server."""
    return any(isinstance(one, bytes | str) and len(one) > LONG for one in settlement.call.args)


def shorten(settlement: Settlement, worker: Any) -> None:
    """Leave out what is long: a placeholder and a warning take the place of the result."""
    words = settlement.words
    size = len(words.get('value') or b'')
    why = (
        f'its result takes {size:,} bytes, more than the server accepts, and is not stored; return a reference instead'
    )
    if size > LONG // 2:
        words['value'] = bytes(worker.serializer.dumps(too_large(size)))
    words['fields'] = {
        name: value
        for name, value in words.get('fields', {}).items()
        if not (isinstance(value, bytes | str) and len(value) > LONG)
    }
    if settlement.verb == 'finish':
        words['fields']['warning'] = why
    worker.log.warning('Worker %s: job %s: %s', worker.name, settlement.lease.job_id, why)
