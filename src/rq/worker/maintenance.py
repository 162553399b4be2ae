"""What a worker does beside jobs: registries, groups, intermediate lists and worker sets are put in order."""

from __future__ import annotations

from copy import copy
from datetime import timedelta
from typing import Any

from rq.group import Group
from rq.intermediate_queue import IntermediateQueue
from rq.registry import clean_beside_started, clean_registries
from rq.rules.names import shown
from rq.store import keys
from rq.store.call import is_weather
from rq.utils import now
from rq.worker import life


class Maintenance:
    """Mixin of BaseWorker."""

    name: str
    connection: Any
    own: Any
    queues: list[Any]
    scheduler: Any
    maintenance_interval: int
    last_cleaned_at: Any
    log: Any
    _exc_handlers: list[Any]
    _loop: Any

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """Whether it was never done, or longer ago than the interval."""
        if self.last_cleaned_at is None:
            return True
        return bool(now() - self.last_cleaned_at > timedelta(seconds=self.maintenance_interval))

    def maintain(self) -> None:
        """Do the maintenance when it is due; its failing must not stop the work."""
        if self.should_run_maintenance_tasks:
            try:
                self.run_maintenance_tasks()
            except Exception as error:
                self.log.error('Worker %s: maintenance failed: %s', self.name, error)
            self.last_cleaned_at = now()

    def run_maintenance_tasks(self) -> None:
        """Revive the scheduler if there is one, then clean registries and groups."""
        if self.last_cleaned_at is not None:
            self._revive_scheduler()
        self.clean_registries()
        self.clean_group_registries()

    def _revive_scheduler(self) -> None:
        scheduler = self.scheduler
        process = getattr(scheduler, '_process', None)
        if scheduler is not None and not (process is not None and process.is_alive()):
            scheduler.acquire_locks(auto_start=True)

    def clean_registries(self) -> None:
        """Per queue, if nobody else does: expired entries, abandoned jobs, workers without a record, parked ids.

        In the loop abandoned jobs are left to the clock, which looks all the time and lets no handler run in here.
        """
        for queue in map(self._in_haste, self.queues):
            lock = keys.clean_registries(queue.name)
            if not self.own.set(lock, 1, nx=True, ex=899):
                continue
            self.log.info('Worker %s: cleaning registries for queue: %s', self.name, shown(queue.name))
            try:
                if self._loop is None:
                    clean_registries(queue, self._exc_handlers)
                else:
                    clean_beside_started(queue)
                life.clean_worker_registry(queue)
                IntermediateQueue(queue.key, queue.connection).cleanup(self, queue)
            except Exception as error:
                if not is_weather(error):  # a server that is silent would only be waited for once more
                    self.own.delete(lock)
                raise
            self.own.delete(lock)
        self.last_cleaned_at = now()

    def _in_haste(self, queue: Any) -> Any:
        """The queue, over the client that waits for no silent server while others want to be seen to."""
        if self._loop is None:
            return queue
        queue = copy(queue)
        queue.connection = self.own
        return queue

    def clean_group_registries(self) -> None:
        """Ids of groups whose jobs are gone, names of groups without any; if nobody else does."""
        pause = max(int(self.maintenance_interval) - 1, 1)
        if self.own.set(keys.CLEAN_GROUPS, 1, nx=True, ex=pause):
            Group.clean_registries(connection=self.own)
