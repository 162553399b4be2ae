"""Webhook: an HTTP call that tells somebody of a job's outcome.

Workers put the calls into the outbox with the outcome itself (`news_of`), and their couriers make them afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import uuid4

from rq import stairs
from rq.defaults import MAX_WEBHOOK_TIMEOUT
from rq.rules.payload import UNEVALUATED
from rq.rules.timing import from_epoch

STATUSES = ('finished', 'failed')
METHODS = ('GET', 'POST')


@dataclass
class Webhook:
    """An HTTP call made when a job has `finished` or `failed`; timeout in seconds."""

    url: str
    job_status: Literal['finished', 'failed']
    method: Literal['GET', 'POST'] = 'GET'
    headers: dict[str, str] | None = None
    timeout: int = 10

    def __init__(
        self,
        url: str,
        job_status: Literal['finished', 'failed'],
        *,
        method: Literal['GET', 'POST'] = 'GET',
        headers: dict[str, str] | None = None,
        timeout: int = 10,
    ) -> None:
        if not isinstance(url, str) or urlsplit(url).scheme not in ('http', 'https') or not urlsplit(url).netloc:
            raise ValueError(f'Webhook url {url!r} must begin with http:// or https:// and name a host')
        job_status = getattr(job_status, 'value', job_status)
        if job_status not in STATUSES:
            raise ValueError(f'Webhook job_status {job_status!r} must be one of {STATUSES}')
        if method not in METHODS:
            raise ValueError(f'Webhook method {method!r} must be one of {METHODS}')
        if headers is not None and not isinstance(headers, dict):
            raise TypeError(f'Webhook headers must be a dict, not {headers!r}')
        if isinstance(timeout, bool) or not isinstance(timeout, int) or timeout < 1:
            raise ValueError(f'Webhook timeout {timeout!r} must be a whole number of seconds, 1 or more')
        self.url, self.job_status, self.method, self.headers, self.timeout = url, job_status, method, headers, timeout

    def to_dict(self) -> dict[str, Any]:
        """The five fields, as they are stored with the job."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Webhook:
        """The webhook of stored fields; a timeout beyond an hour becomes an hour."""
        words = {word: data[word] for word in ('method', 'headers', 'timeout') if word in data}
        if isinstance(words.get('timeout'), int):
            words['timeout'] = min(words['timeout'], MAX_WEBHOOK_TIMEOUT)
        return cls(data['url'], data['job_status'], **words)

    def get_payload(self, job: Any, *, exc_string: str | None = None) -> dict[str, Any]:
        """What a POST tells of the job."""
        return self._payload(job, exc_string)

    def _payload(self, job: Any, exc_string: str | None, loads: bool = True) -> dict[str, Any]:
        payload = {
            'job_id': job.id,
            'func_name': _func_name(job, loads),
            'status': self.job_status,
            'enqueued_at': job.enqueued_at.isoformat() if job.enqueued_at else None,
            'ended_at': job.ended_at.isoformat() if job.ended_at else None,
        }
        if self.job_status == 'failed':
            payload['exc_info'] = exc_string
        return payload

    def send(self, job: Any, *, exc_string: str | None = None) -> None:
        """Make the call, now and once; what goes wrong is logged, never raised."""
        stairs.posting().make(self._call(job, exc_string), job.id)

    def _call(self, job: Any, exc_string: str | None, loads: bool = True) -> dict[str, Any]:
        headers = dict(self.headers or {})
        body = None
        if self.method == 'POST':
            body = json.dumps(self._payload(job, exc_string, loads))
            if 'content-type' not in {name.lower() for name in headers}:
                headers['Content-Type'] = 'application/json'
        words = {'url': self.url, 'method': self.method, 'headers': headers, 'timeout': self.timeout, 'body': body}
        return {**words, 'status': self.job_status}


def _func_name(job: Any, loads: bool) -> str | None:
    if not loads and job._func_name is UNEVALUATED:
        return None
    try:
        name: str = job.func_name
    except Exception:
        return None  # the payload cannot be loaded: that may be the very failure to be told
    return name


def checked_webhooks(webhooks: Any) -> list[Webhook]:
    """What was given as `webhooks`; `TypeError` unless it is a sequence of Webhook."""
    if webhooks is None:
        return []
    if isinstance(webhooks, str) or not isinstance(webhooks, Sequence):
        raise TypeError(f'webhooks must be a list of Webhook, not {webhooks!r}')
    for one in webhooks:
        if not isinstance(one, Webhook):
            raise TypeError(f'webhooks must be a list of Webhook; {one!r} is none')
    return list(webhooks)


def send_all(job: Any, status: str, exc_string: str | None = None) -> None:
    """Make the calls of a job for a status, one after the other."""
    for one in job.webhooks:
        if one.job_status == status:
            one.send(job, exc_string=exc_string)


def news_of(job: Any, status: str, exc_string: str | None = None, loads: bool = True) -> str:
    """The calls of a job for a status, as the outbox keeps them; empty when there is none.

    Not `loads`: a payload that was not loaded here may be what killed its horse, and stays so.
    """
    calls = [one._call(job, exc_string, loads) for one in job.webhooks if one.job_status == status]
    return json.dumps({'id': uuid4().hex, 'job': job.id, 'calls': calls}) if calls else ''


@dataclass(frozen=True)
class Delivery:
    """One try of a webhook's call: `code` of the answer or `error`, and what it led to.

    `outcome` is told, again, given up, or dropped (too many waited); `url` has no credentials and no query.
    """

    at: datetime
    job_id: str
    url: str
    method: str
    job_status: str
    number: int
    code: int | None
    error: str
    outcome: str


def deliveries(connection: Any, limit: int = 100) -> list[Delivery]:
    """The latest tries of workers to make the calls of webhooks, newest first; a thousand are kept, for a week."""
    return [_delivery(moment, record) for moment, record in stairs.deliveries(connection, limit)]


def _delivery(moment: float, record: dict[str, Any]) -> Delivery:
    texts = {word: str(record.get(word) or '') for word in ('job', 'url', 'method', 'status', 'error', 'outcome')}
    number, code = record.get('try'), record.get('code')
    return Delivery(
        from_epoch(moment), texts['job'], texts['url'], texts['method'], texts['status'],
        number if isinstance(number, int) else 0, code if isinstance(code, int) else None,
        texts['error'], texts['outcome'],
    )  # fmt: skip
