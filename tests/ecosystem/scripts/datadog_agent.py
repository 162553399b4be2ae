"""`ddtrace-run rq worker`, with an agent of ours on the loopback: the traces of the jobs arrive there."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jobs
from play import URL, command, redis, status, tell

from rq import Queue

bodies = []


class Agent(BaseHTTPRequestHandler):
    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        if 'traces' in self.path:
            bodies.append(body)
        self.answer(b'{"rate_by_service": {}}')

    do_POST = do_PUT

    def do_GET(self):
        self.answer(b'{"version": "7", "endpoints": ["/v0.4/traces", "/v0.5/traces"]}')

    def answer(self, text):
        self.send_response(200)
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words):
        """Say nothing."""


agent = ThreadingHTTPServer(('127.0.0.1', 0), Agent)
threading.Thread(target=agent.serve_forever, daemon=True).start()
queue = Queue(connection=redis)
good, bad = queue.enqueue(jobs.add, 1, 2), queue.enqueue(jobs.fail)
said = command(
    'ddtrace-run', 'rq', 'worker', '--burst', '--url', URL,
    DD_TRACE_AGENT_URL=f'http://127.0.0.1:{agent.server_port}', DD_INSTRUMENTATION_TELEMETRY_ENABLED='0',
    DD_REMOTE_CONFIGURATION_ENABLED='0', DD_TRACE_STARTUP_LOGS='0',
)  # fmt: skip
agent.shutdown()
arrived = b''.join(bodies)
tell(
    statuses=[status(good), status(bad)], said=said,
    arrived=[word in arrived for word in (b'rq.worker.perform_job', good.id.encode(), bad.id.encode(), b'ValueError')],
)  # fmt: skip
