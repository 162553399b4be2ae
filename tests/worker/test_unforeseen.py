"""What nobody foresaw: an error of the loop itself, a server without the CLIENT commands."""

from typing import Any
from unittest.mock import patch

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from rq import Queue, SimpleWorker, Worker
from rq.exceptions import StopRequested
from tests import jobs


@pytest.mark.parametrize('error', [KeyError('odd'), StopRequested()])
def test_an_error_of_the_loop_ends_it(redis: Redis, queue: Queue, error: Exception) -> None:
    class Odd(SimpleWorker):
        def reorder_queues(self, reference_queue: Any) -> None:
            raise error

    queue.enqueue(jobs.add)
    worker = Odd([queue], connection=redis)
    assert worker.work(burst=True) is False
    assert Worker.count(redis) == 0 and redis.hexists(worker.key, 'death')


def test_a_refusal_while_its_record_is_written_again(redis: Redis, queue: Queue) -> None:
    worker = SimpleWorker([queue], connection=redis)
    worker.register_birth()
    redis.delete(worker.key)
    redis.config_set('min-replicas-to-write', 1)
    try:
        worker.register_again()
    finally:
        redis.config_set('min-replicas-to-write', 0)
    assert worker.beat() == 'gone', 'so the next beat asks for it again'
    worker.register_again()
    assert worker.beat() == 'ok'


def test_clients_without_a_name(redis: Redis, queue: Queue) -> None:
    refusal = ResponseError('unknown command')
    with patch.object(Redis, 'client_setname', side_effect=refusal), pytest.warns(Warning, match='CLIENT SETNAME'):
        assert Worker([queue], connection=redis).ip_address == 'unknown'
    with patch.object(Redis, 'client_info', side_effect=refusal):
        assert Worker([queue], connection=redis).ip_address != 'unknown'
        with patch.object(Redis, 'client_list', side_effect=refusal), pytest.warns(Warning, match='CLIENT LIST'):
            assert Worker([queue], connection=redis).ip_address == 'unknown'


def test_a_class_with_key_prefixes_of_its_own(redis: Redis, queue: Queue) -> None:
    class Apart(SimpleWorker):
        redis_worker_namespace_prefix = 'apart:worker:'
        redis_workers_keys = 'apart:workers'

    queue.enqueue(jobs.add)
    worker = Apart([queue], name='w')
    worker.work(burst=True)
    assert redis.hget('apart:worker:w', 'successful_job_count') == b'1' and not redis.exists('rq:worker:w')
    worker.register_birth()
    assert redis.smembers('apart:workers') == {b'apart:worker:w'} and Worker.count(redis) == 0
    worker.register_death()
    assert SimpleWorker([queue], name='w').key == 'rq:worker:w'
