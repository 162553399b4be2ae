"""The gate between forking and everything that other threads do on the network.

A fork copies locks and half-read sockets as they are; so the clock and command threads pass the gate for each call,
and a fork waits until nobody is inside.
"""

from __future__ import annotations

import threading

from rq.forking import mind_threads

_lock = threading.RLock()


def passage() -> threading.RLock:
    """Hold this while talking to the server from a thread that is not the main one."""
    return _lock


def _reset() -> None:
    global _lock
    _lock = threading.RLock()


mind_threads(_reset, before=lambda: _lock.acquire(), parent=lambda: _lock.release())
