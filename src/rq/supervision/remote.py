"""Listen to the command channel in a thread of its own; what arrives is carried out by the main loop.

A subscription is silent for days when nobody sends a command, so silence is questioned: a dead connection must not
look like a quiet one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rq.store.channel import Listener
from rq.supervision.bell import Bell, ready
from rq.supervision.gate import passage

RETRY_SECONDS = 2.0
LOOK_SECONDS = 1.0
ASK_SECONDS = 10.0  # of silence, then the server is asked for a sign of life ...
ANSWER_SECONDS = 5.0  # ... and without one for so long the connection is dead
LEAVE_SECONDS = 1.0  # how long who leaves waits for a thread that may be connecting to nobody


class Remote:
    """The subscription of one worker. `deliver` gets each message, in this thread, and must only hand it on."""

    def __init__(self, client: Any, worker_name: str, deliver: Callable[[dict[str, Any]], None]) -> None:
        self._client, self._name, self._deliver = client, worker_name, deliver
        self._stop = threading.Event()
        self._bell = Bell()
        self._listener: Listener | None = None
        self._heard_at = 0.0
        self._asked_at: float | None = None
        self.thread = threading.Thread(target=self._run, name='rq-remote', daemon=True)

    @property
    def pubsub(self) -> Any:
        """redis-py's object, for programs that look at it; None while the server is away."""
        return None if self._listener is None else self._listener.pubsub

    def start(self) -> None:
        """Subscribe, then listen. A server that is away is tried again by the thread."""
        self._subscribe()
        self.thread.start()

    def stop(self) -> None:
        """End the subscription. A thread that hangs in the network ends it later, by itself."""
        self._stop.set()
        self._bell.ring()
        if self.thread.ident is None:
            self._finish()
        else:
            self.thread.join(timeout=LEAVE_SECONDS)

    def _subscribe(self) -> None:
        try:
            with passage():
                self._listener = Listener(self._client, self._name)
            self._heard_at, self._asked_at = time.monotonic(), None
        except Exception:
            self._listener = None

    def _close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            try:
                listener.close()
            except Exception:
                return

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._listener is None:
                self._stop.wait(RETRY_SECONDS)
                self._subscribe()
            else:
                self._listen(self._listener)
        self._finish()

    def _finish(self) -> None:
        self._close()
        self._client.close()
        self._bell.close()

    def _listen(self, listener: Listener) -> None:
        try:
            # Waiting happens outside the gate, so that a fork never waits for a silent channel.
            readable = ready((listener.fileno(), self._bell.listens), LOOK_SECONDS)
            if self._stop.is_set():
                return
            if not readable:
                self._question(listener)
                return
            self._heard_at, self._asked_at = time.monotonic(), None
            with passage():
                messages = listener.messages()
        except Exception:
            self._close()
            return
        for message in messages:
            self._deliver(message)

    def _question(self, listener: Listener) -> None:
        """Nothing has come: ask whether anybody is there, or give up who was asked and did not answer."""
        now = time.monotonic()
        if self._asked_at is not None:
            if now - self._asked_at > ANSWER_SECONDS:
                self._close()
        elif now - self._heard_at > ASK_SECONDS:
            with passage():
                listener.ask()
            self._asked_at = now
