"""Tell a worker: stop this job, kill the horse, shut down. And what a worker does when it is told."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

from rq.exceptions import InvalidJobOperation
from rq.executions import Execution
from rq.job import Job
from rq.store import channel, keys, read

if TYPE_CHECKING:
    from redis import Redis

PUBSUB_CHANNEL_TEMPLATE = keys.channel('%s')


def send_command(connection: Redis, worker_name: str, command: str, **kwargs: Any) -> None:
    """Publish a command on a worker's channel."""
    channel.publish(connection, worker_name, {'command': command, **kwargs})


def parse_payload(payload: dict[Any, Any]) -> dict[Any, Any]:
    """The command in a pubsub message."""
    found: dict[Any, Any] = json.loads(payload['data'])
    return found


def send_shutdown_command(connection: Redis, worker_name: str) -> None:
    """The worker leaves as if it had received SIGINT."""
    send_command(connection, worker_name, 'shutdown')


def send_kill_horse_command(connection: Redis, worker_name: str) -> None:
    """The worker kills its work horse, if it has one; the job counts as killed."""
    send_command(connection, worker_name, 'kill-horse')


def send_stop_job_command(connection: Redis, job_id: str, serializer: Any = None) -> None:
    """Stop a running job; `NoSuchJobError` for an unknown one, `InvalidJobOperation` when no worker has it."""
    job = Job.fetch(job_id, connection=connection, serializer=serializer)
    if not job.worker_name:
        raise InvalidJobOperation(f'Job {job_id} is not running, so it cannot be stopped')
    # Named is what runs now: a message that comes late may stop the next attempt, but not what was enqueued since.
    execution, nonce = (read.field(connection, job.id, name) for name in ('execution', 'nonce'))
    words = {'execution_id': read.shown(execution), 'nonce': read.shown(nonce or b'')} if execution else {}
    send_command(connection, job.worker_name, 'stop-job', job_id=job_id, **words)


def send_stop_execution_command(connection: Redis, job_id: str, execution_id: str) -> None:
    """Stop one execution of a job; `InvalidJobOperation` when it is not under way."""
    try:
        execution = Execution.fetch(execution_id, job_id, connection)
    except ValueError as error:
        raise InvalidJobOperation(f'Execution {execution_id} of job {job_id} is not running') from error
    words = {'job_id': job_id, 'execution_id': execution_id}
    send_command(connection, execution.worker_name, 'stop-execution', **words)


def handle_command(worker: Any, payload: dict[Any, Any]) -> None:
    """Carry out a command inside the worker; unknown ones are ignored."""
    command = payload.get('command')
    if command == 'stop-job':
        handle_stop_job_command(worker, payload)
    elif command == 'stop-execution':
        handle_stop_execution_command(worker, payload)
    elif command == 'shutdown':
        handle_shutdown_command(worker)
    elif command == 'kill-horse':
        handle_kill_worker_command(worker, payload)


def handle_shutdown_command(worker: Any) -> None:
    """SIGINT to the own process; a worker that signals do not reach, in a thread of a program, is asked itself."""
    if worker._loop is not None and not worker._loop.hears_signals:
        worker.log.info('Worker %s: received shutdown command', worker.name)
        worker.request_stop(signal.SIGINT, None)
        return
    worker.log.info('Worker %s: received shutdown command, sending SIGINT', worker.name)
    os.kill(os.getpid(), signal.SIGINT)


def handle_kill_worker_command(worker: Any, payload: dict[Any, Any]) -> None:
    """Kill the horse when there is one."""
    worker.log.info('Worker %s: received kill-horse command', worker.name)
    if worker.horse_pid:
        worker.kill_horse()
    else:
        worker.log.info('Worker %s: there is no work horse to kill', worker.name)


def handle_stop_job_command(worker: Any, payload: dict[Any, Any]) -> None:
    """Stop the job if this worker runs it."""
    job_id = payload.get('job_id')
    worker.log.debug('Worker %s: received command to stop job %s', worker.name, job_id)
    if _is_of_an_earlier_run(worker, payload):
        worker.log.warning('Worker %s: the command was to stop an earlier run of job %s, ignored', worker.name, job_id)
    elif not worker.request_stop_job(job_id):
        worker.log.warning('Worker %s: job %s is not running here, nothing is stopped', worker.name, job_id)


def _is_of_an_earlier_run(worker: Any, payload: dict[Any, Any]) -> bool:
    running = worker._loop.claimed(payload.get('job_id')) if getattr(worker, '_loop', None) is not None else None
    if running is None or not payload.get('execution_id'):
        return False
    nonce = running.raw.get(b'nonce', b'').decode()
    return bool(running.execution.id != payload['execution_id'] and nonce != payload.get('nonce', ''))


def handle_stop_execution_command(worker: Any, payload: dict[Any, Any]) -> None:
    """Stop the execution if this worker has it under way."""
    execution_id, job_id = payload.get('execution_id'), payload.get('job_id')
    worker.log.debug('Worker %s: received command to stop execution %s of job %s', worker.name, execution_id, job_id)
    worker.request_stop_execution(execution_id)
