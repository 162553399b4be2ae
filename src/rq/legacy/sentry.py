"""Tell Sentry of failures through the client of its time; new programs use sentry-sdk, which needs nothing of this."""

from __future__ import annotations

from typing import Any

from rq.legacy import names


def register_sentry(client: Any, worker: Any) -> None:
    """Push an exception handler that sends every failure to this client; deprecated: use sentry-sdk."""
    names.tell('rq.contrib.sentry.register_sentry', 'sentry_sdk.integrations.rq.RqIntegration')

    def send_to_sentry(job: Any, *exc_info: Any) -> None:
        client.captureException(
            exc_info=exc_info,
            extra={
                'job_id': job.id,
                'func': job.func_name,
                'args': job.args,
                'kwargs': job.kwargs,
                'description': job.description,
            },
        )

    worker.push_exc_handler(send_to_sentry)
