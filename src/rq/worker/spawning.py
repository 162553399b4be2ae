"""SpawnWorker's luggage: what a fresh interpreter must know to be this worker, packed here and unpacked there.

Its own module, because the new interpreter imports it by name: `main` is where it begins.
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import sys
from types import ModuleType
from typing import Any

from rq.connections import assemble, dismantle
from rq.executions import Execution
from rq.executors import spawn
from rq.executors.base import Running
from rq.executors.horse import Reporter
from rq.failure.capture import capture, from_dict
from rq.logutils import setup_loghandlers
from rq.rules.lease import Lease
from rq.worker import riding

ENTRY = __name__
LOGGERS = ('rq.worker', 'rq.job')
#: attributes that are plain values and matter where the job runs
SETTINGS = (
    *('default_result_ttl', 'worker_ttl', 'maintenance_interval', 'job_monitoring_interval', 'instance'),
    *('log_job_description', 'log_result_lifespan', 'disable_default_exception_handler'),
    *('keep_on_failure', 'default_retry'),
    *('hostname', 'pid', 'ip_address', 'era'),
)


class _Packer(pickle.Pickler):
    """Pickle, but what stands in `__main__` is refused: another interpreter has another `__main__`."""

    def reducer_override(self, obj: Any) -> Any:
        """Called for every function, class and object on the way."""
        _refuse_main(obj)
        return NotImplemented


def _refuse_main(obj: Any) -> None:
    if getattr(obj, '__module__', None) == '__main__':
        raise ValueError(
            f'SpawnWorker cannot use {obj!r}: it is defined in __main__, which the work horse, another interpreter, '
            'cannot import; move it into a module'
        )


def pack(worker: Any) -> bytes:
    """The worker's configuration; `ValueError` for objects of `__main__`, the pickling error for others that do not."""
    buffer = io.BytesIO()
    _Packer(buffer, protocol=5).dump(
        {
            'class': type(worker),
            'queues': worker.queue_names(),
            'name': worker.name,
            'connection': dismantle(worker.connection),
            'job_class': worker.job_class,
            'queue_class': worker.queue_class,
            'death_penalty_class': worker.death_penalty_class,
            'serializer': _serializer_name(worker._serializer_arg),
            'handlers': list(worker._exc_handlers),
            'final_handlers': list(worker.final_failure_handlers),
            'settings': {name: getattr(worker, name) for name in SETTINGS if hasattr(worker, name)},
        }
    )
    return buffer.getvalue()


def _serializer_name(serializer: Any) -> Any:
    """A class or a module goes by its dotted name; an object has none, and goes as it is."""
    if isinstance(serializer, type):
        _refuse_main(serializer)
        return f'{serializer.__module__}.{serializer.__qualname__}'
    return serializer.__name__ if isinstance(serializer, ModuleType) else serializer


def unpack(luggage: bytes) -> Any:
    """In the new interpreter: the worker."""
    parts = pickle.loads(luggage)
    worker = parts['class'](
        parts['queues'],
        parts['name'],
        connection=assemble(*parts['connection']),
        job_class=parts['job_class'],
        queue_class=parts['queue_class'],
        prepare_for_work=False,
        serializer=parts['serializer'],
    )
    vars(worker).update(parts['settings'])
    worker.death_penalty_class = parts['death_penalty_class']
    worker._exc_handlers, worker.final_failure_handlers = parts['handlers'], parts['final_handlers']
    return worker


def luggage_of(worker: Any, packed: bytes) -> dict[str, Any]:
    """What goes along to each new interpreter."""
    return {'worker': packed, 'logs': _logs(), 'lease_seconds': worker.lease_seconds}


def _logs() -> list[tuple[str, int, str | None, str | None]]:
    """How this process logs, so that the other one can do likewise."""
    found = []
    for name in LOGGERS:
        logger: logging.Logger | None = logging.getLogger(name)
        level, formatter = logging.getLogger(name).getEffectiveLevel(), None
        while logger is not None and formatter is None:
            formatter = next((one.formatter for one in logger.handlers if one.formatter), None)
            logger = logger.parent if logger.propagate else None
        found.append((name, level, getattr(formatter, '_fmt', None), getattr(formatter, 'datefmt', None)))
    return found


def _log_likewise(logs: list[tuple[str, int, str | None, str | None]]) -> None:
    for name, level, line, date in logs:
        words = {key: value for key, value in (('log_format', line), ('date_format', date)) if value}
        setup_loghandlers(level, name=name, **words)


def failure_brief_of(running: Running) -> dict[str, Any]:
    """What a horse must know of a failure that it is to go on with."""
    assert running.failure is not None
    return {**riding.brief_of(running), 'failure': running.failure.to_dict(), 'told': running.told}


def start_alone(worker: Any, job: Any, queue: Any) -> int:
    """Without a loop: an interpreter that runs the job and settles it over a connection of its own; its pid."""
    lease = Lease(job.id, worker.execution.id if worker.execution else '', queue.name, worker.name)
    horse = spawn.spawn(ENTRY, luggage_of(worker, pack(worker)))
    try:
        horse.send({'alone': True, 'lease': tuple(lease)})
    except OSError:
        pass  # it has died already: whoever waits for it will see how
    horse.close()
    return horse.pid


# --- in the new interpreter -----------------------------------------------------------------------------------------


def main(end: int, page: int, parent: int) -> None:
    """Where a spawned horse begins; never returns."""
    sys.argv = ['-c']
    spawn.hatch(end, page, parent, _ride)


def _ride(luggage: dict[str, Any], reporter: Reporter) -> None:
    try:
        _log_likewise(luggage['logs'])
        worker = unpack(luggage['worker'])
        brief = reporter.receive()
        lease = Lease(*brief['lease'])
        os.environ['RQ_WORKER_ID'], os.environ['RQ_JOB_ID'] = worker.name, lease.job_id
        os.environ['RQ_EXECUTION_ID'] = lease.execution
        if brief.get('alone'):
            _ride_alone(worker, lease)
        elif 'failure' in brief:
            riding.ride_failure(worker, _running_of(worker, brief, lease), reporter)
        else:
            riding.ride_job(worker, brief, reporter)
    except EOFError:
        raise  # sent home: there is no job
    except BaseException as error:
        print(capture(error).text, file=sys.stderr)  # the parent learns the exit code only
        raise


def _running_of(worker: Any, brief: dict[str, Any], lease: Lease) -> Running:
    execution = Execution(lease.execution, lease.job_id, worker.connection, worker.name)
    job = riding.job_of(worker, brief, lease)
    running = Running(job, worker.queue_named(brief['queue']), execution, lease, brief['raw'])
    running.failure, running.told = from_dict(brief['failure']), brief['told']
    return running


def _ride_alone(worker: Any, lease: Lease) -> None:
    if not worker.connection.exists(worker.key):
        raise LookupError(f'the worker {worker.name!r} is not registered any more')
    worker._is_horse, worker._horse_pid = True, os.getpid()
    job = worker.job_class.fetch(lease.job_id, connection=worker.connection, serializer=worker.serializer)
    if lease.execution:
        execution = Execution(lease.execution, lease.job_id, worker.connection, worker.name)
        worker.executions[lease.execution] = execution
    queues = {queue.name: queue for queue in worker.queues}
    worker.main_work_horse(job, queues.get(lease.queue) or worker.queue_class(lease.queue, worker.connection))
