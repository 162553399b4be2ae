"""The client class of the pages. In a module of its own, because a SpawnWorker's horses import it.

Its default address is the server of the tests, so that the pages can say `Redis()`.
"""

import os

import redis


class Redis(redis.Redis):
    """The client class, with the tests' server as its default address."""

    def __init__(self, *args: object, **words: object) -> None:
        super().__init__(*args, **(words if args or words else {'unix_socket_path': os.environ['DOCS_SOCKET']}))
