"""What the books say of a cron scheduler: birth, heartbeat, death, its hash and reading it back. Not what it does."""

from __future__ import annotations

import json
import logging
import os
import socket
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from rq.defaults import DEFAULT_CRON_SCHEDULER_TTL
from rq.exceptions import SchedulerNotFound
from rq.rules.names import shown
from rq.rules.timing import from_epoch, str_to_date, utcformat
from rq.scheduling import scheduler_book
from rq.store import keys
from rq.utils import decode_redis_hash, now

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline


class CronSchedulerRecord:
    """The identity of a cron scheduler, and its hash."""

    log: logging.Logger
    _cron_jobs: list[Any]

    def __init__(self, connection: Redis, name: str = '') -> None:
        self.connection = connection
        self.hostname, self.pid = socket.gethostname(), os.getpid()
        self.name = name or f'{self.hostname}:{self.pid}:{uuid4().hex[:6]}'
        self.config_file = ''
        self.created_at = now()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def register_birth(self) -> None:
        """Enter the books and store the hash."""
        self.log.info('CronScheduler %s: registering birth...', shown(self.name))
        with self.connection.pipeline() as pipeline:
            scheduler_book.register(self, pipeline)
            self.save(pipeline)
            pipeline.execute()

    def register_death(self, pipeline: Pipeline | None = None) -> None:
        """Leave the books; the hash stays until it expires."""
        self.log.info('CronScheduler %s: registering death...', shown(self.name))
        scheduler_book.unregister(self, pipeline)

    def heartbeat(self) -> None:
        """Be alive for another while; a hash that vanished is stored again."""
        with self.connection.pipeline() as pipeline:
            pipeline.zadd(scheduler_book.get_registry_key(), {self.name: now().timestamp()})
            pipeline.expire(self.key, DEFAULT_CRON_SCHEDULER_TTL)
            replies = pipeline.execute()
        if not replies[1]:
            self.save()
        self.log.debug('CronScheduler %s: heartbeat sent', shown(self.name))

    @property
    def key(self) -> str:
        """The key of its hash."""
        return keys.cron_scheduler(self.name)

    @property
    def last_heartbeat(self) -> datetime | None:
        """When it was last heard of; None when it is not in the books."""
        score = self.connection.zscore(scheduler_book.get_registry_key(), self.name)
        return None if score is None else from_epoch(score)

    def to_dict(self) -> dict[str, Any]:
        """The fields of its hash."""
        return {
            'hostname': self.hostname,
            'pid': str(self.pid),
            'name': self.name,
            'created_at': utcformat(self.created_at),
            'config_file': self.config_file or '',
            'cron_jobs': json.dumps([job.to_dict() for job in self._cron_jobs]),
        }

    def save(self, pipeline: Pipeline | None = None) -> None:
        """Store its hash for two minutes."""
        target: Any = self.connection.pipeline() if pipeline is None else pipeline
        target.hset(self.key, mapping=self.to_dict())
        target.expire(self.key, DEFAULT_CRON_SCHEDULER_TTL)
        if pipeline is None:
            target.execute()

    def restore(self, raw_data: dict[Any, Any]) -> None:
        """Take the fields of a hash; what cannot be read is left out."""
        data = decode_redis_hash(raw_data, decode_values=True)
        self.hostname, self.config_file = data.get('hostname', ''), data.get('config_file', '')
        self.name = data.get('name') or self.name
        self.pid = int(data['pid']) if data.get('pid', '').isdigit() else 0
        if data.get('created_at'):
            self.created_at = str_to_date(data['created_at'])
        self._restore_jobs([])
        try:
            self._restore_jobs(json.loads(data.get('cron_jobs') or '[]'))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self.log.warning('the jobs of cron scheduler %s cannot be read: %s', shown(self.name), error)

    def _restore_jobs(self, stored: list[dict[str, Any]]) -> None:
        """Take the jobs of a hash."""

    @classmethod
    def fetch(cls, name: str, connection: Redis) -> Self:
        """The scheduler of a name; `SchedulerNotFound` when its hash is gone."""
        data = connection.hgetall(keys.cron_scheduler(name))
        if not data:
            raise SchedulerNotFound(f'there is no cron scheduler named {name!r}')
        scheduler = cls(connection, name=name)
        scheduler.restore(data)
        return scheduler

    @classmethod
    def all(cls, connection: Redis, cleanup: bool = True) -> list[Self]:
        """Every scheduler in the books whose hash lives; stale entries are removed before, unless told not to."""
        if cleanup:
            scheduler_book.cleanup(connection)
        found = []
        for name in scheduler_book.get_keys(connection):
            try:
                found.append(cls.fetch(name, connection))
            except SchedulerNotFound:
                continue
        return found
