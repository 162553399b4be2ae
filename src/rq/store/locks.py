"""Locks with an owner: who serves the scheduled jobs of a queue. Typed faces of `lock` and `unlock`."""

from __future__ import annotations

from typing import Literal, cast

from rq.store.call import Call, text
from rq.store.scripts import load

Locked = Literal['acquired', 'refreshed', 'taken']

#: The scripts themselves: lock in KEYS[1], owner (and seconds) in ARGV.
ACQUIRE_OR_REFRESH_LOCK_SCRIPT = load('lock').text
RELEASE_LOCK_SCRIPT = load('unlock').text


def _locked(reply: bytes) -> Locked:
    return cast('Locked', text(reply))


def lock(key: str, owner: str, ttl: float) -> Call[Locked]:
    """Take a free lock, or refresh our own, for `ttl` seconds."""
    return Call(load('lock'), [key], [owner, ttl], _locked)


def unlock(key: str, owner: str) -> Call[bool]:
    """Give our lock back; answers whether it was ours."""
    return Call(load('unlock'), [key], [owner], bool)
