"""The decorator `@job`: gives a function a `.delay(...)` that enqueues it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rq.queue import Queue
from rq.rules.arguments import given
from rq.rules.keeping import keep_words
from rq.utils import backend_class

if TYPE_CHECKING:
    from redis import Redis

    from rq.callbacks import Callback
    from rq.job import Job, Retry
    from rq.webhook import Webhook


class job:
    """Gives a function `.delay(...)`, also called `.enqueue(...)`, which puts a call of it on the queue."""

    queue_class = Queue

    def __init__(
        self,
        queue: Queue | str,
        connection: Redis | None = None,
        timeout: int | None = None,
        result_ttl: int | None = None,
        ttl: int | None = None,
        queue_class: type[Queue] | None = None,
        depends_on: list[Any] | None = None,
        at_front: bool = False,
        meta: dict[Any, Any] | None = None,
        description: str | None = None,
        failure_ttl: int | None = None,
        retry: Retry | None = None,
        on_failure: Callback | Callable[..., Any] | None = None,
        on_success: Callback | Callable[..., Any] | None = None,
        on_stopped: Callback | Callable[..., Any] | None = None,
        webhooks: Sequence[Webhook] | None = None,
        on_final_failure: Callback | Callable[..., Any] | None = None,
        keep_on_failure: str | Sequence[str] | None = None,
    ) -> None:
        self.queue = queue
        self.queue_class = backend_class(self, 'queue_class', override=queue_class)
        self.connection = connection
        self.timeout = timeout
        self.result_ttl = result_ttl
        self.ttl = ttl
        self.meta = meta
        self.depends_on = depends_on
        self.at_front = at_front
        self.description = description
        self.failure_ttl = failure_ttl
        self.retry = retry
        self.on_success = on_success
        self.on_failure = on_failure
        self.on_stopped = on_stopped
        self.webhooks = webhooks
        self.on_final_failure = on_final_failure
        self.keep_on_failure = keep_words(keep_on_failure) or None

    def __call__(self, f: Any) -> Any:
        """The function itself, now with `delay` and `enqueue`."""

        @functools.wraps(f)
        def delay(*args: Any, **kwargs: Any) -> Job:
            # Three words are ours and never reach the function; what the call says beats the decorator.
            depends_on = kwargs.pop('depends_on', None) or self.depends_on
            job_id = kwargs.pop('job_id', None)
            at_front = kwargs.pop('at_front', None)
            return self._where().enqueue_call(
                f,
                args=args,
                kwargs=kwargs,
                timeout=self.timeout,
                result_ttl=self.result_ttl,
                ttl=self.ttl,
                failure_ttl=self.failure_ttl,
                description=self.description,
                depends_on=depends_on,
                job_id=job_id,
                at_front=self.at_front if at_front is None else at_front,
                meta=self.meta,
                retry=self.retry,
                on_success=self.on_success,
                on_failure=self.on_failure,
                on_stopped=self.on_stopped,
                webhooks=self.webhooks,
                **given(on_final_failure=self.on_final_failure, keep_on_failure=self.keep_on_failure),
            )

        f.delay = f.enqueue = delay
        return f

    def _where(self) -> Queue:
        """The queue; one given by name is made at each call, because its connection may be known only then."""
        if isinstance(self.queue, str):
            return self.queue_class(name=self.queue, connection=self.connection)
        return self.queue
