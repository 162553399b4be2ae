"""What a Job says of its record, and writes of it."""

from redis import Redis

from rq import Queue
from rq.job import Job, JobStatus
from tests import jobs


def test_a_new_job_is_created(redis: Redis) -> None:
    assert Job(connection=redis).get_status(refresh=False) is JobStatus.CREATED


def test_to_dict_names_the_empty_fields_of_rq(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    empty = {'started_at', 'ended_at', 'last_heartbeat', 'worker_name', 'group_id', 'success_callback_name'}
    assert {name for name, value in job.to_dict().items() if value == ''} >= empty
    job.save()
    assert not redis.hexists(job.key, 'started_at')


def test_unreadable_notes_are_saved_as_they_are(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    redis.hset(job.key, 'meta', b'garbage')
    job.refresh()
    assert job.meta == {'unserialized': b'garbage'}
    job.save_meta()
    assert redis.hget(job.key, 'meta') == b'garbage'
