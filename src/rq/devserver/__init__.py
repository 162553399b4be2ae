"""A private Valkey server per directory, for development, tests and demos; it knows nothing of jobs."""

from rq.devserver.binary import ServerBinaryNotFound, find_binary
from rq.devserver.server import Server, ServerFailed, serve

__all__ = ['Server', 'ServerBinaryNotFound', 'ServerFailed', 'find_binary', 'serve']
