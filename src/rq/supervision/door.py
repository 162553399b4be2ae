"""A door for probes: GET and HEAD of three paths over HTTP, in one thread, and never more than a handful of visitors.

It knows no worker: what it answers is asked for when somebody has asked.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from rq.supervision.bell import ready

MOST_VISITORS = 8
MOST_BYTES = 4096  # of a request, with its headers
PATIENCE = 2.0  # seconds until a request must have come
REST_SECONDS = 0.5
PATHS = ('/livez', '/readyz', '/healthz')

Report = Callable[[], dict[str, Any]]


class Visitor:
    """One connection, and what has come of its request."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.until = time.monotonic() + PATIENCE
        self._request = b''

    def listen(self, report: Report) -> bool:
        """Read what is there, answer a whole request; True when the visit is over."""
        try:
            data = self.connection.recv(MOST_BYTES)
            self._request += data
            if not is_whole(self._request) and data and len(self._request) < MOST_BYTES:
                return False
            if data:
                self.connection.send(answer(self._request, report))
                self.connection.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return False
        except OSError:
            return True  # it did not wait
        return True


class Door:
    """The address is taken when this is made, and opened to visitors with `open`."""

    def __init__(self, host: str, port: int) -> None:
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
            self._listener = socket.socket(family, kind)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6 and address[0] == '::':
                self._listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # every address of both kinds
            self._listener.bind(address)
            # at once, because two can be bound to one port as long as nobody listens
            self._listener.listen(MOST_VISITORS)
        except (OSError, OverflowError, UnicodeError) as error:
            why = getattr(error, 'strerror', None) or error
            raise ValueError(
                f'the health port {port} of {host!r} cannot be used ({why}); '
                'name another with --health-port or `health_port`, or 0 for a free one'
            ) from error
        self._listener.setblocking(False)
        self._visitors: dict[int, Visitor] = {}

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self._listener.getsockname()[:2]
        return f'http://[{host}]:{port}' if ':' in host else f'http://{host}:{port}'

    def attend(self, seconds: float, also: int, report: Report) -> None:
        """See to visitors, until so many seconds are over or `also` becomes readable."""
        until = time.monotonic() + seconds
        while True:
            self._dismiss()
            now = time.monotonic()
            wait = max(min([until, *(one.until for one in self._visitors.values())]) - now, 0)
            readable = self._poll(also, wait)
            for descriptor in readable & self._visitors.keys():
                if self._visitors[descriptor].listen(report):
                    self._visitors.pop(descriptor).connection.close()
            if self._listener.fileno() in readable and not self._admit():
                _rest(also)  # no descriptors are left: instead of being asked again at once
                return
            if also in readable or time.monotonic() >= until:
                return

    def _poll(self, also: int, seconds: float) -> set[int]:
        return ready((also, self._listener.fileno(), *self._visitors), seconds + 0.001)

    def _admit(self) -> bool:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return True  # it has gone again
        except OSError:
            return False
        connection.setblocking(False)
        if len(self._visitors) >= MOST_VISITORS:  # who has been silent for the longest time makes room
            self._visitors.pop(next(iter(self._visitors))).connection.close()
        self._visitors[connection.fileno()] = Visitor(connection)
        return True

    def _dismiss(self) -> None:
        now = time.monotonic()
        for descriptor, visitor in list(self._visitors.items()):
            if now >= visitor.until:
                visitor.connection.close()
                del self._visitors[descriptor]

    def close(self) -> None:
        """Let go of the port and of everybody."""
        self._listener.close()
        for visitor in self._visitors.values():
            visitor.connection.close()
        self._visitors.clear()


def _rest(also: int) -> None:
    ready([also], REST_SECONDS)


def is_whole(request: bytes) -> bool:
    """Whether the headers have come to their end."""
    return b'\r\n\r\n' in request or b'\n\n' in request


def answer(request: bytes, report: Report) -> bytes:
    """The response to what a visitor has sent."""
    words = request.split(b'\n', 1)[0].decode('latin-1').split()
    if not is_whole(request):
        return _response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, {'error': f'more than {MOST_BYTES} bytes'})
    if len(words) != 3 or not words[2].startswith('HTTP/1.'):
        return _response(HTTPStatus.BAD_REQUEST, {'error': 'this is no HTTP request'})
    path = words[1].partition('?')[0]
    if path not in PATHS:
        return _response(HTTPStatus.NOT_FOUND, {'error': f'here are {", ".join(PATHS)}'}, words[0])
    if words[0] not in ('GET', 'HEAD'):
        return _response(HTTPStatus.METHOD_NOT_ALLOWED, {'error': 'GET or HEAD'}, words[0], 'Allow: GET, HEAD\r\n')
    found = report()
    good = found['ready'] if path == '/readyz' else found['healthy']
    return _response(HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, found, words[0])


def _response(status: HTTPStatus, document: dict[str, Any], verb: str = 'GET', more: str = '') -> bytes:
    body = json.dumps(document).encode() + b'\n'
    head = (
        f'HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n'
        f'Cache-Control: no-store\r\nConnection: close\r\n{more}\r\n'
    )
    return head.encode() + (b'' if verb == 'HEAD' else body)
