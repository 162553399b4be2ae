"""Cron: jobs enqueued again and again, by interval or cron string. When stands in `rules/cron`, how in `scheduling`."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rq.defaults import (
    DEFAULT_LOGGING_DATE_FORMAT,
    DEFAULT_LOGGING_FORMAT,
    DEFAULT_RESULT_TTL,
)
from rq.exceptions import StopRequested
from rq.job import Job
from rq.logutils import setup_loghandlers
from rq.queue import Queue
from rq.rules import cron as rules
from rq.rules.names import shown
from rq.rules.timing import from_epoch, str_to_date, to_epoch, utcformat
from rq.scheduling import cron_file, cron_run
from rq.scheduling.cron_record import CronSchedulerRecord
from rq.scheduling.cron_run import FiredElsewhere, Firing
from rq.scheduling.patience import STOPPING, Sleeper
from rq.scheduling.server_clock import ServerClock
from rq.serializers import DefaultSerializer
from rq.store import cron, keys, read
from rq.store.call import is_weather
from rq.utils import NOT_JSON_SERIALIZABLE, now, safe_json_dumps
from rq.webhook import Webhook, checked_webhooks

if TYPE_CHECKING:
    from redis import Redis

__all__ = [
    'NOT_JSON_SERIALIZABLE', 'CronJob', 'CronScheduler', 'create_cron', 'get_cron_job_history_key', 'get_cron_job_ids',
    'register',
]  # fmt: skip

logger = logging.getLogger('rq.cron')

LONGEST_SLEEP = 60.0

#: what `register` of config files has recorded and `create_cron` or a scheduler has not taken yet
_job_data_registry: list[dict[str, Any]] = []


class CronJob:
    """One periodic function: queue, arguments, interval or cron string, options of its jobs."""

    _firing: Firing | None = None  # set by a scheduler while it fires this job; else `enqueue` asks nobody
    _clock: ServerClock | None = None  # of a scheduler at work

    def __init__(
        self,
        queue_name: str,
        func: Callable[..., Any] | None = None,
        func_name: str | None = None,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        interval: int | None = None,
        cron: str | None = None,
        job_timeout: int | None = None,
        result_ttl: int = DEFAULT_RESULT_TTL,
        ttl: int | None = None,
        failure_ttl: int | None = None,
        meta: dict[str, Any] | None = None,
        webhooks: Sequence[Webhook] | None = None,
        name: str = '',
    ) -> None:
        if interval and cron:
            raise ValueError('interval and cron exclude each other: give one of them')
        if not interval and not cron:
            raise ValueError('a cron job needs an interval in seconds or a cron string')
        if not func and not func_name:
            raise ValueError('a cron job needs a func, or for monitoring a func_name')
        self.func = func
        self.func_name = _name_of(func) if func else str(func_name)
        self.name = name or self.func_name
        self.args: Any = args or ()
        self.kwargs: Any = kwargs or {}
        self.interval, self.cron, self.queue_name = interval, cron, queue_name
        self.next_enqueue_time: datetime | None = None
        self.latest_enqueue_time: datetime | None = None
        options: dict[str, Any] = {
            'job_timeout': job_timeout, 'result_ttl': result_ttl, 'ttl': ttl, 'failure_ttl': failure_ttl,
            'meta': meta, 'webhooks': checked_webhooks(webhooks) or None,
        }  # fmt: skip
        self.job_options = {word: value for word, value in options.items() if value is not None}
        if self.cron:
            self.next_enqueue_time = self.get_next_enqueue_time()

    def enqueue(self, connection: Redis) -> Job:
        """Enqueue one job, with an entry in the history and in the books, in one transaction."""
        if not self.func:
            raise ValueError(f'cron job {self.name!r} has no function: it was read for monitoring only')
        options = dict(self.job_options)
        if 'meta' in options:
            options['meta'] = dict(options['meta'])  # tracers write into the meta of each job
        if self._firing is not None:
            options['job_id'] = self._firing.token
        queue = Queue(self.queue_name, connection=connection)
        with connection.pipeline() as pipeline:
            job = queue.enqueue(self.func, args=self.args, kwargs=self.kwargs, pipeline=pipeline, **options)
            cron.remember(pipeline, self.name, job.id, now().timestamp())
            if self._firing is None:
                pipeline.execute()
            else:
                cron_run.fire(self, connection, pipeline)
        logger.info('Enqueued job %s to queue %s', shown(self.func_name), shown(self.queue_name))
        return job

    def get_next_enqueue_time(self) -> datetime:
        """When the next job is due, UTC; `datetime.max` when nothing is known."""
        if self.cron:
            return rules.next_of_line(self.cron, self.latest_enqueue_time or _moment(self._clock))
        if self.interval and self.latest_enqueue_time:
            return rules.next_of_interval(self.latest_enqueue_time, self.interval)
        return datetime.max

    def should_run(self) -> bool:
        """Whether its time has come; an interval job that never ran is due at once."""
        if self.interval and not self.latest_enqueue_time and not self.next_enqueue_time:
            return True
        return self.next_enqueue_time is not None and _moment(self._clock) >= self.next_enqueue_time

    def set_enqueue_time(self, time: datetime) -> None:
        """Record a run and compute the next one."""
        self.latest_enqueue_time = time
        self.next_enqueue_time = self.get_next_enqueue_time()

    def put_off(self, time: datetime) -> None:
        """No job came of this time: the next one is due as if it had."""
        if self.interval:
            self.next_enqueue_time = rules.next_of_interval(time, self.interval)
        else:
            self.next_enqueue_time = rules.next_of_line(str(self.cron), time)

    @property
    def job_history_key(self) -> str:
        """The key of the ids of its jobs."""
        return get_cron_job_history_key(self.name)

    def get_job_ids(self, connection: Redis, start: int = 0, end: int = -1) -> list[str]:
        """Ids of its jobs, newest first."""
        return get_cron_job_ids(self.name, connection, start, end)

    def to_dict(self) -> dict[str, Any]:
        """What is stored in the hash of its scheduler."""
        stored: dict[str, Any] = {
            'func_name': self.func_name,
            'name': self.name,
            'queue_name': self.queue_name,
            'args': safe_json_dumps(self.args) if self.args else None,
            'kwargs': safe_json_dumps(self.kwargs) if self.kwargs else None,
            'interval': self.interval,
            'cron': self.cron,
            'latest_enqueue_time': utcformat(self.latest_enqueue_time) if self.latest_enqueue_time else None,
            'next_enqueue_time': utcformat(self.next_enqueue_time) if self.next_enqueue_time else None,
        }
        stored |= self.job_options
        if stored.get('meta') is not None:
            stored['meta'] = safe_json_dumps(stored['meta'])
        if stored.get('webhooks'):
            stored['webhooks'] = json.dumps([each.to_dict() for each in stored['webhooks']])
        return stored

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CronJob:
        """A job of stored fields, for monitoring: it has no callable."""
        words = {word: data[word] for word in ('job_timeout', 'result_ttl', 'ttl', 'failure_ttl') if word in data}
        job = cls(
            queue_name=data.get('queue_name', ''), func_name=data['func_name'], args=_read_json(data.get('args')),
            kwargs=_read_json(data.get('kwargs')), interval=data.get('interval'), cron=data.get('cron'),
            meta=_read_json(data.get('meta')), webhooks=_read_webhooks(data.get('webhooks')),
            name=data.get('name') or '', **words,
        )  # fmt: skip
        job.args = tuple(job.args) if isinstance(job.args, list) else job.args
        for attribute in ('latest_enqueue_time', 'next_enqueue_time'):
            if data.get(attribute):
                setattr(job, attribute, str_to_date(data[attribute]))
        return job


def _moment(clock: ServerClock | None) -> datetime:
    """By the server's clock, where a scheduler at work has asked for it; else by this machine's."""
    return clock.now() if clock is not None and clock.is_known else now()


def _name_of(func: Any) -> str:
    """`module.function`; a dotted name as it is."""
    if isinstance(func, str):
        return func
    named = func if hasattr(func, '__name__') else type(func)
    return f'{named.__module__}.{named.__name__}'


def _read_json(value: Any) -> Any:
    """What a stored text holds; the placeholder and other unreadable texts stay as they are."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _read_webhooks(value: Any) -> list[Webhook] | None:
    stored = _read_json(value)
    try:
        return [Webhook.from_dict(each) for each in stored] if stored else None
    except (TypeError, ValueError, KeyError):
        logger.warning('the webhooks of a cron job cannot be read and are left out')  # they may hold secrets
        return None


class CronScheduler(CronSchedulerRecord):
    """A process that enqueues cron jobs when they are due; it runs none of them itself."""

    _stop_requested = False
    _sleeper: Sleeper | None = None
    _clock: ServerClock | None = None
    _owner = ''  # of its firings; made when it first fires

    def __init__(self, connection: Redis, logging_level: str | int = logging.INFO, name: str = '') -> None:
        super().__init__(connection, name)
        self._cron_jobs: list[CronJob] = []
        self.serializer: Any = DefaultSerializer
        self.log = logger
        setup_loghandlers(
            level=logging_level, date_format=DEFAULT_LOGGING_DATE_FORMAT, log_format=DEFAULT_LOGGING_FORMAT,
            name='rq.cron',
        )  # fmt: skip

    # --- jobs ---------------------------------------------------------------------------------------------------

    def register(
        self,
        func: Callable[..., Any],
        queue_name: str,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        interval: int | None = None,
        cron: str | None = None,
        job_timeout: int | None = None,
        result_ttl: int = DEFAULT_RESULT_TTL,
        ttl: int | None = None,
        failure_ttl: int | None = None,
        meta: dict[str, Any] | None = None,
        webhooks: Sequence[Webhook] | None = None,
        name: str = '',
    ) -> CronJob:
        """Add a cron job."""
        job = CronJob(
            queue_name, func, None, args, kwargs, interval, cron, job_timeout, result_ttl, ttl, failure_ttl, meta,
            webhooks, name,
        )  # fmt: skip
        self._cron_jobs.append(job)
        when = f'every {job.interval} seconds' if job.interval else f'with cron schedule {job.cron!r}'
        self.log.info('Registered %r to run on %s %s', shown(job.name), shown(queue_name), when)
        return job

    def get_jobs(self) -> list[CronJob]:
        """The cron jobs registered here."""
        return self._cron_jobs

    def load_config_from_file(self, config_path: str) -> None:
        """Run a config file or module and register what it declares."""
        self.config_file = config_path
        self.log.info('Loading cron configuration from %s', config_path)
        cron_file.pending(_job_data_registry)  # what somebody else declared before is not of this config
        cron_file.run(config_path)
        registered = 0
        for data in cron_file.pending(_job_data_registry):
            try:
                self.register(**data)
                registered += 1
            except Exception as error:  # one wrong job keeps out no other
                self.log.error('Failed to register job %s from config: %s', _name_of(data['func']), error)
        self.log.info('Successfully registered %s cron jobs from %r', registered, config_path)

    def enqueue_jobs(self) -> list[CronJob]:
        """Enqueue every job that is due, but for those that another scheduler has enqueued; returns the enqueued.

        One that cannot be enqueued is logged, and comes in its turn again; the others go on.
        """
        moment = _moment(self._clock)
        return [job for job in self.get_jobs() if job.should_run() and self._fired(job, moment)]

    def _fired(self, job: CronJob, moment: datetime) -> bool:
        try:
            return self._fire(job, moment)
        except Exception as error:
            if is_weather(error) or isinstance(error, StopRequested):
                raise
            job._firing = None
            job.put_off(moment)
            self.log.error('Failed to enqueue cron job %s', shown(job.name), exc_info=True)
            return False

    def _fire(self, job: CronJob, moment: datetime) -> bool:
        """Whether this firing is ours. After an error it is kept: the next try must be known as the same."""
        self._owner = self._owner or uuid4().hex
        job._firing = cron_run.firing_of(job, self._owner, moment)
        try:
            job.enqueue(self.connection)
        except FiredElsewhere as error:
            job.set_enqueue_time(from_epoch(self._fired_at(job, moment, error.age)))
            job._firing = None
            return False
        job.set_enqueue_time(moment)
        job._firing = None
        return True

    @staticmethod
    def _fired_at(job: CronJob, moment: datetime, age: float) -> float:
        """When the other scheduler fired, by our clock; for a cron string not before the time it was due."""
        at = to_epoch(moment) - age
        return at if job.interval or job._firing is None else max(at, job._firing.due)

    def calculate_sleep_interval(self) -> float:
        """Seconds to the next due job: at most 60, 0 when one is overdue."""
        times = [job.next_enqueue_time for job in self.get_jobs() if job.next_enqueue_time]
        if not times:
            return LONGEST_SLEEP
        return max(0, min((min(times) - _moment(self._clock)).total_seconds(), LONGEST_SLEEP))

    # --- life ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Enqueue jobs as they become due, until SIGINT or SIGTERM; a server that is away is waited for."""
        self.log.info('CronScheduler %s: starting...', shown(self.name))
        self._stop_requested = False
        cron_run.serve(self)
        self.log.info('CronScheduler %s: shutdown complete', shown(self.name))

    def request_stop(self, signum: Any = None, frame: Any = None) -> None:
        """Stop after the round that runs, as SIGINT and SIGTERM do."""
        self._stop_requested = True
        if self._sleeper is not None:
            self._sleeper.wake()

    def _install_signal_handlers(self) -> None:
        """For subclasses with a loop of their own: stop signals raise `StopRequested` in it."""
        for signum in STOPPING:
            signal.signal(signum, self._request_stop)

    def _request_stop(self, signum: Any, frame: Any) -> None:
        self.request_stop(signum, frame)
        raise StopRequested

    def _restore_jobs(self, stored: list[dict[str, Any]]) -> None:
        self._cron_jobs = [CronJob.from_dict(each) for each in stored]


def register(
    func: Callable[..., Any],
    queue_name: str,
    args: tuple[Any, ...] | None = None,
    kwargs: dict[str, Any] | None = None,
    interval: int | None = None,
    cron: str | None = None,
    job_timeout: int | None = None,
    result_ttl: int = DEFAULT_RESULT_TTL,
    ttl: int | None = None,
    failure_ttl: int | None = None,
    meta: dict[str, Any] | None = None,
    webhooks: Sequence[Webhook] | None = None,
    name: str = '',
) -> dict[str, Any]:
    """Declare a cron job in a config file; the scheduler that loads the file registers it."""
    data = {
        'func': func, 'queue_name': queue_name, 'args': args, 'kwargs': kwargs, 'interval': interval, 'cron': cron,
        'job_timeout': job_timeout, 'result_ttl': result_ttl, 'ttl': ttl, 'failure_ttl': failure_ttl, 'meta': meta,
        'webhooks': webhooks, 'name': name,
    }  # fmt: skip
    _job_data_registry.append(data)
    return data


def create_cron(connection: Redis) -> CronScheduler:
    """A scheduler of everything declared so far; the list of declarations is empty afterwards."""
    scheduler = CronScheduler(connection)
    for data in cron_file.pending(_job_data_registry):
        scheduler.register(**data)
    return scheduler


def get_cron_job_history_key(name: str) -> str:
    """The key of the sorted set of ids of the jobs of a cron job."""
    return keys.cron_history(name)


def get_cron_job_ids(name: str, connection: Redis, start: int = 0, end: int = -1) -> list[str]:
    """Ids of the jobs of a cron job, newest first."""
    members: Any = connection.zrevrange(keys.cron_history(name), start, end)
    return read.texts(members)
