"""FailureGroups: what people say of failures with one cause: that it is mended, or known. `rq.inspector` reads them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rq.exceptions import NoSuchGroupError
from rq.rules.timing import to_epoch
from rq.store import failures
from rq.store.call import Call, run

if TYPE_CHECKING:
    from redis import Redis


class FailureGroups:
    """The failure groups of a server, by their ids; jobs are not touched by what is said of their group."""

    def __init__(self, connection: Redis) -> None:
        self.connection = connection

    def resolve(self, group_id: str) -> None:
        """Say that its cause is mended: the next failure of this kind makes it *regressed*."""
        self._run(group_id, failures.resolve(group_id))

    def reopen(self, group_id: str) -> None:
        """Take back what was said of it: it is open, as it was at first."""
        self._run(group_id, failures.reopen(group_id))

    def mute(self, group_id: str, until: datetime | None = None) -> None:
        """Say that it is known: it stays out of the list until then, or for ever; a naive time is taken as UTC."""
        self._run(group_id, failures.mute(group_id, 0 if until is None else to_epoch(until)))

    def _run(self, group_id: str, call: Call[str]) -> None:
        if run(self.connection, call) == 'gone':
            raise NoSuchGroupError(f'there is no failure group {group_id!r}: it is gone, or was never there')
