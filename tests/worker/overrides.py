"""Workers and queues of programs around RQ that have a part of running a job their own way."""

import os
from typing import Any

from rq import Queue, SimpleWorker, Worker
from rq.executions import Execution
from rq.job import Job


def tell(worker: Any, word: str) -> None:
    """Leave a word for the test, from whatever process."""
    worker.connection.rpush('test:told', word)


class Forks(Worker):
    """Like flask-rq: a process of its own kind, whose worker is told what it is."""

    def fork_work_horse(self, job: Any, queue: Any) -> None:
        execution = self.execution
        pid = os.fork()
        if pid == 0:
            os.setpgrp()
            try:
                child = type(self)([queue], name=self.name, connection=self.connection, prepare_for_work=False)
                child.execution = Execution.fetch(execution.id, job.id, self.connection)
                child._is_horse, child._horse_pid = True, os.getpid()
                child.main_work_horse(Job.fetch(job.id, self.connection), queue)
            finally:
                os._exit(7)
        self._horse_pid = pid

    def wait_for_horse(self) -> Any:
        try:
            found = os.wait4(self._horse_pid, 0)
        except ChildProcessError:
            return None, None, None
        tell(self, 'waited')
        return found

    def kill_horse(self, sig: Any = 9) -> None:
        if self._horse_pid:
            tell(self, 'killing')
            os.killpg(self._horse_pid, sig)


class Mains(Worker):
    """One part, that runs in the horse."""

    def main_work_horse(self, job: Any, queue: Any) -> None:
        tell(self, f'main {self.is_horse}')
        super().main_work_horse(job, queue)


class Monitors(Worker):
    """Spelled as in RQ 2: without an execution."""

    def monitor_work_horse(self, job: Any, queue: Any) -> None:  # type: ignore[override]
        tell(self, 'monitor')
        super().monitor_work_horse(job, queue)


class Scopes(Worker):
    """Like dishka-rq: `perform_job` without an execution, and `teardown`."""

    def perform_job(self, job: Any, queue: Any) -> bool:  # type: ignore[override]
        tell(self, f'scope {os.getpid() != os.getppid()}')
        return super().perform_job(job, queue)

    def teardown(self) -> None:
        tell(self, 'teardown')
        super().teardown()


class Executes(Worker):
    """`execute_job` made of the parts, without super()."""

    def execute_job(self, job: Any, queue: Any) -> None:
        execution = self.prepare_execution(job)
        self.fork_work_horse(job, queue)
        self.monitor_work_horse(job, queue, execution)
        tell(self, f'executed {job.get_status().value}')
        self.set_state('idle')


class Here(Worker):
    """`execute_job` that runs the job in the worker's own process."""

    def execute_job(self, job: Any, queue: Any) -> None:
        self.perform_job(job, queue, self.prepare_execution(job))


class Idles(SimpleWorker):
    """`execute_job` that runs nothing."""

    def execute_job(self, job: Any, queue: Any) -> None:
        tell(self, 'looked at it')


class Looks(Worker):
    """`execute_job` that does what ours does."""

    def execute_job(self, job: Any, queue: Any) -> None:
        super().execute_job(job, queue)


class Raises(Worker):
    """`fork_work_horse` that cannot."""

    def fork_work_horse(self, job: Any, queue: Any) -> None:
        raise RuntimeError('no fork today')


class Beats(Worker):
    """A heartbeat that a health check looks at."""

    def heartbeat(self, timeout: Any = None, pipeline: Any = None) -> None:
        tell(self, 'beat')
        super().heartbeat(timeout, pipeline)


class Silent(Worker):
    """A horse that leaves without a word, and with success."""

    def main_work_horse(self, job: Any, queue: Any) -> None:
        os._exit(0)


class Picky(Queue):
    """Takes jobs a way of its own."""

    @classmethod
    def dequeue_any(cls, queues: Any, timeout: Any, connection: Any = None, **words: Any) -> Any:
        connection.rpush('test:told', f'{sorted(words)}')
        return super().dequeue_any(queues, timeout, connection=connection, **words)


class Picks(Worker):
    """A worker with such queues."""

    queue_class = Picky
