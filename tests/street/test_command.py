"""Telling workers: what is sent, and what is refused. What they do then: tests/worker/test_commands.py."""

import inspect
import json
from typing import Any

import pytest
from redis import Redis

from rq import Queue, command
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.executions import Execution
from tests import jobs
from tests.waiting import wait_until

SIGNATURES = {
    'handle_command': 'worker payload',
    'handle_kill_worker_command': 'worker payload',
    'handle_shutdown_command': 'worker',
    'handle_stop_job_command': 'worker payload',
    'handle_stop_execution_command': 'worker payload',
    'parse_payload': 'payload',
    'send_command': 'connection worker_name command kwargs',
    'send_kill_horse_command': 'connection worker_name',
    'send_shutdown_command': 'connection worker_name',
    'send_stop_job_command': 'connection job_id serializer',
    'send_stop_execution_command': 'connection job_id execution_id',
}


@pytest.mark.parametrize('name', SIGNATURES)
def test_signature(name: str) -> None:
    assert list(inspect.signature(getattr(command, name)).parameters) == SIGNATURES[name].split()
    assert command.PUBSUB_CHANNEL_TEMPLATE == 'rq:pubsub:%s'


def test_what_is_sent(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    redis.hset(job.key, 'worker_name', 'w')
    client: Any = redis
    with client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe('rq:pubsub:w')
        wait_until(lambda: redis.pubsub_numsub('rq:pubsub:w')[0][1], what='the subscription')
        command.send_shutdown_command(redis, 'w')
        command.send_kill_horse_command(redis, 'w')
        command.send_stop_job_command(redis, job.id)
        command.send_command(redis, 'w', 'other', x=1)
        with redis.pipeline() as pipeline:
            execution = Execution.create(job, 60, pipeline, worker_name='w')
            pipeline.execute()
        command.send_stop_execution_command(redis, job.id, execution.id)
        got = [json.loads(wait_until(lambda: pubsub.get_message(timeout=1))['data']) for _ in range(5)]
    assert got == [
        {'command': 'shutdown'},
        {'command': 'kill-horse'},
        {'command': 'stop-job', 'job_id': job.id},
        {'command': 'other', 'x': 1},
        {'command': 'stop-execution', 'job_id': job.id, 'execution_id': execution.id},
    ]


def test_refused(redis: Redis, queue: Queue) -> None:
    with pytest.raises(NoSuchJobError):
        command.send_stop_job_command(redis, 'gone')
    with pytest.raises(InvalidJobOperation):
        command.send_stop_job_command(redis, queue.enqueue(jobs.add).id)
    with pytest.raises(InvalidJobOperation):
        command.send_stop_execution_command(redis, 'job', 'execution')


def test_parse() -> None:
    assert command.parse_payload({'data': b'{"command": "x"}'}) == {'command': 'x'}
