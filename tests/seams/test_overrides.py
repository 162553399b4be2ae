"""Subclasses that override constructors and methods with the very words of RQ 3.0 know nothing of newer ones."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Retry, SimpleWorker
from rq.decorators import job as decorator
from rq.job import Job
from tests import jobs
from tests.launch import burst

CREATE = (
    *('func', 'args', 'kwargs', 'connection', 'result_ttl', 'ttl', 'status', 'description', 'depends_on', 'timeout'),
    *('retry', 'id', 'origin', 'meta', 'failure_ttl', 'serializer', 'group_id', 'on_success', 'on_failure'),
    *('on_stopped', 'webhooks'),
)
CREATE_JOB = (
    *('func', 'args', 'kwargs', 'timeout', 'result_ttl', 'ttl', 'failure_ttl', 'description', 'depends_on', 'job_id'),
    *('meta', 'status', 'retry', 'repeat', 'on_success', 'on_failure', 'on_stopped', 'webhooks', 'group_id'),
    'rate_limit',
)
ENQUEUE_CALL = (
    *('func', 'args', 'kwargs', 'timeout', 'result_ttl', 'ttl', 'failure_ttl', 'description', 'depends_on', 'job_id'),
    *('at_front', 'meta', 'retry', 'repeat', 'on_success', 'on_failure', 'on_stopped', 'rate_limit', 'pipeline'),
    *('unique', 'webhooks'),
)


def checked(allowed: tuple[str, ...], words: dict[str, Any]) -> dict[str, Any]:
    """The words, if all of them are allowed, as a signature that has only these would have it."""
    unknown = set(words) - set(allowed)
    if unknown:
        raise TypeError(f'unexpected keyword arguments {unknown}')
    return words


class OldJob(Job):
    @classmethod
    def create(cls, *args: Any, **words: Any) -> Job:
        return super().create(*args, **checked(CREATE, words))


class OldQueue(Queue):
    job_class = OldJob

    def create_job(self, *args: Any, **words: Any) -> Job:
        return super().create_job(*args, **checked(CREATE_JOB, words))

    def enqueue_call(self, *args: Any, **words: Any) -> Job:
        return super().enqueue_call(*args, **checked(ENQUEUE_CALL, words))


class OldWorker(SimpleWorker):
    def __init__(self, queues: Any, name: Any = None, default_result_ttl: int = 500, connection: Any = None) -> None:
        super().__init__(queues, name, default_result_ttl, connection)


def test_every_way_in_passes_only_the_words_that_are_given(redis: Redis) -> None:
    queue = OldQueue('old', connection=redis)
    made = [queue.enqueue(jobs.add, 1, 2), queue.enqueue_call(jobs.add, (1, 2)), decorator(queue)(jobs.add).delay(1, 2)]
    made += queue.enqueue_many([queue.prepare_data(jobs.add, (1, 2)), Queue.prepare_data(jobs.add, (3, 4))])
    made.append(queue.enqueue_copy(made[0], [5, 6]))
    made.append(queue.enqueue(jobs.add, 7, 8, retry=Retry(max=2, on=ValueError)))
    burst(redis, queue, cls=OldWorker)
    assert [job.return_value() for job in made] == [3, 3, 3, 3, 7, 11, 15]
    assert {type(job) for job in made} == {OldJob}
    assert queue.enqueue_in(timedelta(hours=1), jobs.add, 1, 2).get_status() == 'scheduled'
    assert queue.enqueue_at(datetime.now(UTC) + timedelta(hours=1), jobs.add, 1, 2).get_status() == 'scheduled'
    assert OldQueue('old', connection=redis, is_async=False).enqueue(jobs.add, 1, 2).return_value() == 3
    assert asyncio.run(queue.enqueue_async(jobs.add, 1, 2)).id in queue.get_job_ids()


def test_a_new_word_reaches_who_knows_it(redis: Redis) -> None:
    queue = Queue(connection=redis)
    words: Any = {'on_final_failure': Callback(jobs.div), 'keep_on_failure': 'locals'}
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    made = [queue.enqueue(jobs.add, **words), queue.enqueue_at(tomorrow, jobs.add, **words)]
    made += [queue.enqueue_call(jobs.add, **words), decorator(queue, **words)(jobs.add).delay()]
    made += queue.enqueue_many([queue.prepare_data(jobs.add, **words)])
    for job in made:
        stored = Job.fetch(job.id, connection=redis)
        assert (stored._final_callback_name, stored.keep_on_failure) == ('tests.jobs.div', 'locals')
    with pytest.raises(TypeError, match='on_final_failure'):
        OldQueue(connection=redis).enqueue(jobs.add, **words)


def test_what_parse_args_finds_unpacks_as_ever() -> None:
    found = Queue.parse_args(jobs.add, 1, keep_on_failure='output', job_id='one', word=2)
    assert len(found) == 21
    changed = found._replace(job_id='two')
    assert changed.args == (1,)
    assert changed.kwargs == {'word': 2}
    assert (changed._asdict()['job_id'], changed._asdict()['keep_on_failure']) == ('two', 'output')
    assert 'keep_on_failure' not in Queue.parse_args(jobs.add)._asdict()
