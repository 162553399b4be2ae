"""Those who are told by webhooks: an HTTP server of a test, friendly or not, chosen by the path of the call."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

DRIP_SECONDS = 0.05


class Call(NamedTuple):
    """One call that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


class Listener:
    """`calls` are what came. Paths: a status is answered; /hang waits; /drip sends a byte of the head now and then;
    /body sends a body without end; /to/<status> leads to /landed; what `answers` has for a path is answered in turn."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: dict[str, list[int]] = {}
        self.headers: dict[str, str] = {}
        self.ended = threading.Event()
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), self._handler())
        self.server.daemon_threads = True
        self.url = f'http://127.0.0.1:{self.server.server_port}'
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def told(self, path: str) -> list[Call]:
        """The calls to one path."""
        return [call for call in self.calls if call.path == path]

    def close(self) -> None:
        """Let go of everybody."""
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(listener) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
                listener.calls.append(Call(self.command, self.path, dict(self.headers), body, time.monotonic()))
                try:
                    self._answer(self.path.partition('?')[0])
                except OSError:
                    pass  # they did not wait for us

            def _answer(self, path: str) -> None:
                if path == '/hang':
                    listener.ended.wait(60)
                    return
                if path == '/drip':
                    while not listener.ended.wait(DRIP_SECONDS):
                        self.wfile.write(b'H')
                    return
                status = int(path.rpartition('/')[2]) if path.rpartition('/')[2].isdigit() else 200
                if listener.answers.get(path):
                    status = listener.answers[path].pop(0)
                self.send_response(status)
                if path.startswith('/to/'):
                    self.send_header('Location', f'{listener.url}/landed')
                for name, value in listener.headers.items():
                    self.send_header(name, value)
                if path != '/body':
                    self.send_header('Content-Length', '0')
                self.end_headers()
                while path == '/body' and not listener.ended.wait(DRIP_SECONDS):
                    self.wfile.write(b'x' * 65536)

            do_GET = do_POST = answer

            def log_message(self, *words: Any) -> None:
                """Quiet."""

        return Handler


@contextmanager
def listening() -> Iterator[Listener]:
    """A listener for a while."""
    made = Listener()
    try:
        yield made
    finally:
        made.close()
