"""One try of a webhook's HTTP call. Apart, and loaded with the first call only: it costs each work horse memory.

A try is over within its timeout whatever the other side does. The timeouts of sockets begin anew with every byte, and
looking up a name knows none: so it runs in a thread of its own, and its connection is cut when its time is over.
"""

from __future__ import annotations

import logging
import socket
import threading
from http.client import HTTPConnection, HTTPException, HTTPSConnection, InvalidURL
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from rq.rules.telling import Reply, address_of

logger = logging.getLogger('rq.webhook')


def make(call: dict[str, Any], job_id: str) -> None:
    """Make a call that `Webhook` wrote down, once; what goes wrong is logged, never raised."""
    reply = attempt(call)
    level = logging.DEBUG if reply.is_good else logging.WARNING
    logger.log(level, 'webhook of job %s to %s: %s', job_id, address_of(call), reply.words)


def attempt(call: dict[str, Any]) -> Reply:
    """One try. No body is read: the code says it all."""
    lines: list[Any] = []
    replies: list[Reply] = []
    try:
        seconds = float(call['timeout'])
        thread = threading.Thread(target=lambda: replies.append(_ask(call, lines)), name='rq-webhook', daemon=True)
        thread.start()
        thread.join(seconds)
    except (KeyError, TypeError, ValueError, OverflowError):
        return _unfit('its timeout is none')
    except RuntimeError as error:  # no more threads
        return Reply(error=f'not tried: {error}')
    if replies:
        return replies[0]
    for line in lines:
        _cut(line)
    return Reply(error=f'no answer within {seconds:g} s')


class _Stays(HTTPRedirectHandler):
    """Goes nowhere else: a redirect turns a POST into a GET without its body, and may lead to what is private here."""

    def redirect_request(self, *words: Any) -> None:
        """Refused; the answer's code is told."""
        return


class _Plain(HTTPHandler):
    def __init__(self, lines: list[Any]) -> None:
        super().__init__()
        self._lines = lines

    def http_open(self, request: Request) -> Any:
        return self.do_open(_kept(HTTPConnection, self._lines), request)


class _Secure(HTTPSHandler):
    def __init__(self, lines: list[Any]) -> None:
        super().__init__()
        self._lines = lines

    def https_open(self, request: Request) -> Any:
        return self.do_open(_kept(HTTPSConnection, self._lines), request)


def _kept(made: type[HTTPConnection], lines: list[Any]) -> Any:
    def make_it(host: str, **words: Any) -> HTTPConnection:
        line = made(host, **words)
        lines.append(line)
        return line

    return make_it


def _ask(call: dict[str, Any], lines: list[Any]) -> Reply:
    try:
        body = call['body']
        request = Request(
            call['url'], None if body is None else body.encode(), headers=call['headers'], method=call['method']
        )
        if request.type not in ('http', 'https'):
            return _unfit('it goes neither to http: nor to https:')
        opener = build_opener(_Plain(lines), _Secure(lines), _Stays())
        with opener.open(request, timeout=call['timeout']) as response:
            return Reply(response.status)
    except HTTPError as error:
        with error:
            return Reply(error.code, wish=_wish(error.headers.get('Retry-After')))
    except (InvalidURL, ValueError, TypeError, KeyError, AttributeError) as error:
        return _unfit(type(error).__name__)  # its text quotes what it does not like: a password, a token
    except Exception as error:
        return Reply(error=_words(error))


def _unfit(why: str) -> Reply:
    return Reply(error=f'the call itself cannot be made ({why})', is_hopeless=True)


def _wish(header: str | None) -> float:
    return float(header) if header and header.isascii() and header.isdigit() and len(header) < 9 else 0.0


def _words(error: Exception) -> str:
    reason: Any = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, HTTPException) and not isinstance(reason, OSError):
        return f'the answer is no HTTP ({type(reason).__name__})'
    text = getattr(reason, 'strerror', None) or str(reason)
    return f'{type(reason).__name__}: {text}' if text else type(reason).__name__


def _cut(line: Any) -> None:
    """End whatever its thread waits for."""
    ours = line.sock
    if ours is None:
        return
    try:
        socket.socket.shutdown(ours, socket.SHUT_RDWR)
    except OSError:
        pass  # it has ended meanwhile
