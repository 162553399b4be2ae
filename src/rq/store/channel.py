"""The command channel of a worker: publish one, and listen without blocking inside the client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rq.store import keys

if TYPE_CHECKING:
    from redis import Redis


def publish(connection: Redis, worker_name: str, payload: dict[str, Any]) -> int:
    """Send a command; returns the number of listeners that got it."""
    return int(connection.publish(keys.channel(worker_name), json.dumps(payload)))


class Listener:
    """Subscribed to one worker's channel. `fileno` is for poll; `messages` then reads what has come."""

    def __init__(self, client: Redis, worker_name: str) -> None:
        client_: Any = client
        self._pubsub: Any = client_.pubsub(ignore_subscribe_messages=True)
        self._pubsub.subscribe(keys.channel(worker_name))

    @property
    def pubsub(self) -> Any:
        """redis-py's object."""
        return self._pubsub

    def fileno(self) -> int:
        """The descriptor of the subscription."""
        return int(self._pubsub.connection._sock.fileno())

    def ask(self) -> None:
        """Have the server give a sign of life: the descriptor becomes readable."""
        self._pubsub.ping()

    def messages(self) -> list[dict[str, Any]]:
        """Every message that has arrived, as redis-py gives them; signs of life are read and left out."""
        found: list[dict[str, Any]] = []
        while True:
            # one subscription message more or less: None means that nothing is left to read now
            message = self._pubsub.get_message(timeout=0)
            if message is not None:
                found += [message] if message['type'] != 'pong' else []
            elif not self._pubsub.connection.can_read(timeout=0):
                return found

    def close(self) -> None:
        """End the subscription."""
        self._pubsub.close()
