"""What probes are told of a worker: its clock renews, its loop turns. The clock is started here, too."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rq.connections import rebuild
from rq.defaults import CALLBACK_TIMEOUT, HANDLER_TIMEOUT, SOCKET_TIMEOUT
from rq.executors.base import Running
from rq.rules.health import Vitals, judge, renew_limit
from rq.supervision.clock import Clock
from rq.supervision.health import Health
from rq.supervision.signs import Notifier, Page
from rq.worker.short import Brief

if TYPE_CHECKING:
    from rq.worker.loop import Loop

TURN_SECONDS = HANDLER_TIMEOUT + 30.0


class Probed:
    """Mixin of BaseWorker."""

    health_port: int | None = None  # where to answer probes; 0: on a free port, which is logged; None: nowhere
    health_host: str = '127.0.0.1'
    health_file: str | None = None  # what to keep fresh while all is well
    notifies_systemd = False  # as `rq worker` does: the program that is a service should, not one that has a worker
    health_page: Page | None = None  # the pool's
    turn_seconds: float = TURN_SECONDS  # for how long the main thread may be away from its loop

    name: str
    connection: Any
    instance: str
    worker_ttl: int
    lease_seconds: int
    renew_interval: float
    rescue_interval: float
    log: Any
    handler_timeout: float
    queue_names: Callable[[], list[str]]
    get_state: Callable[[], str]
    _exc_handlers: list[Any]
    final_failure_handlers: Any
    _loop: Any
    _is_leaving: bool
    _health: Health | None = None

    @contextmanager
    def _answering(self, loop: Loop) -> Iterator[None]:
        """Take port and file, before there is any other process; give them back in the end."""
        try:
            self._health = self._make_health(loop)
        except ValueError:
            loop.close()
            self._loop = None
            raise
        try:
            yield
        finally:
            health, self._health = self._health, None
            if health is not None:
                health.stop()

    def _make_health(self, loop: Loop) -> Health | None:
        notifier = Notifier.asked_for() if self.notifies_systemd else None
        if self.health_port is None and self.health_file is None and notifier is None and self.health_page is None:
            return None

        def say(level: int, words: str) -> None:
            loop.inbox.words.append((level, words))
            loop.inbox.wake()

        return Health(self.name, say, self.health_port, self.health_host, self.health_file, notifier, self.health_page)

    def _start_clock(self, loop: Loop) -> Clock:
        patience = min(SOCKET_TIMEOUT, self.lease_seconds / 3)  # a lease must outlive a connection that died
        clock = Clock(
            rebuild(self.connection, socket_timeout=patience), self.name, self.instance, self.queue_names(),
            loop.inbox, loop.leases, loop.may_rescue, self.worker_ttl + 60,
            loop.executor.lease_seconds or self.lease_seconds, self.renew_interval, self.rescue_interval,
            loop.talk.doubt,
        )  # fmt: skip
        loop.talk.lost_touch = lambda: clock.lost_touch
        clock.start()
        if self._health is not None:
            if self._health.url:
                self.log.info('Worker %s: answering probes at %s/livez and /readyz', self.name, self._health.url)
            self._health.start(
                lambda now: judge(self._vitals(loop, clock), now), lambda: {'state': self.get_state()},
                self.renew_interval / 2,
            )  # fmt: skip
        return clock

    def _vitals(self, loop: Loop, clock: Clock) -> Vitals:
        lease = loop.executor.lease_seconds or self.lease_seconds
        return Vitals(
            clock.renewed_at, loop.turned_at, renew_limit(self.renew_interval, lease),
            self.turn_seconds + self._away_seconds(loop), self._is_leaving or loop.is_leaving(),
        )  # fmt: skip

    def _away_seconds(self, loop: Loop) -> float:
        """For how much longer the main thread may be away, because it is busy with user code that has its own limit."""
        handlers = max(self.handler_timeout - HANDLER_TIMEOUT, 0)
        running = loop._main
        if running is None:
            return handlers
        callbacks, timeout = _limits_of(running)
        if not (loop._is_loose or loop.executor.is_inline):  # its horse has those limits, but for on_stopped
            return handlers + max(callbacks - CALLBACK_TIMEOUT, 0)
        if timeout < 0:
            return math.inf
        listeners = 1 + len(self._exc_handlers) + len(self.final_failure_handlers)
        return float(timeout + 2 * callbacks + CALLBACK_TIMEOUT + self.handler_timeout * listeners)


def _limits_of(running: Running) -> tuple[float, float]:
    """Seconds of a job's longest callback, and of the job."""
    if isinstance(running, Brief):  # it has no callback
        return CALLBACK_TIMEOUT, running.timeout
    job = running.job
    told = (job.stopped_callback_timeout, job.success_callback_timeout, job.failure_callback_timeout)
    callbacks = max([CALLBACK_TIMEOUT, *told, job.final_failure_callback_timeout])
    return callbacks, 180 if job.timeout is None else job.timeout
