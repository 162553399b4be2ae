"""Making one HTTP call of a webhook. Apart, and loaded with the first call only: it costs each work horse memory."""

from __future__ import annotations

import logging
from typing import Any
from urllib.request import Request, build_opener

from rq.connections import redact

logger = logging.getLogger('rq.webhook')


def make(call: dict[str, Any], job_id: str) -> None:
    """Make a call that `Webhook` wrote down; what goes wrong is logged, never raised."""
    try:
        body = call['body']
        request = Request(
            call['url'], None if body is None else body.encode(), headers=call['headers'], method=call['method']
        )
        if request.type not in ('http', 'https'):
            raise ValueError(f'no webhook goes to {request.type}:')
        with build_opener().open(request, timeout=call['timeout']) as response:
            logger.debug('webhook of job %s: %s answered %s', job_id, redact(call['url']), response.status)
    except Exception as error:  # http.client raises exceptions of its own for answers that are no HTTP
        url = call.get('url') if isinstance(call, dict) else call
        logger.warning('webhook of job %s to %s failed: %s', job_id, redact(str(url)), error or repr(error))
