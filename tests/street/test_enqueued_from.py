"""From where a job was enqueued: the nearest line of the program, kept with the job, once."""

import asyncio
import inspect
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from redis import asyncio as aioredis

from rq import Queue, provenance
from rq.aio import AsyncQueue
from rq.decorators import job as decorated
from rq.job import Job
from tests import jobs
from tests.launch import burst


def line() -> int:
    """The line of who calls."""
    return sys._getframe(1).f_lineno


def stored(redis: Redis, job: Any) -> str:
    """What the hash has."""
    value = redis.hget(f'rq:job:{job.id}', 'by')
    assert value is not None and len(value) <= 64
    return value.decode()


def here(number: int, function: str) -> str:
    return f'street/test_enqueued_from.py:{number} {function}'


def test_every_way_in(redis: Redis, queue: Queue) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    made: list[Any] = []
    number = line()
    made.append(queue.enqueue(jobs.add))
    made.append(queue.enqueue_call(jobs.add))
    made.append(queue.enqueue_at(later, jobs.add))
    made.append(queue.enqueue_in(timedelta(hours=1), jobs.add))
    made.append(queue.enqueue_job(Job.create(jobs.add, connection=redis)))
    made.append(queue.schedule_job(queue.create_job(jobs.add), later))
    made.append(decorated(queue)(jobs.add).delay())  # type: ignore[attr-defined]
    made.append(queue.enqueue(jobs.add, depends_on=made[0]))
    made.append(Queue(is_async=False, connection=redis).enqueue(jobs.add))
    for at, job in enumerate(made, 1):
        assert stored(redis, job) == here(number + at, 'test_every_way_in') == job.enqueued_from
        assert Job.fetch(job.id, redis).enqueued_from == job.enqueued_from
    both = queue.enqueue_many([Queue.prepare_data(jobs.add), Queue.prepare_data(jobs.add, depends_on=made[0])])
    assert {stored(redis, job) for job in both} == {here(number + len(made) + 4, 'test_every_way_in')}


def test_in_a_pipeline(redis: Redis, queue: Queue) -> None:
    with redis.pipeline() as pipeline:
        job, number = queue.enqueue(jobs.add, pipeline=pipeline), line()
        pipeline.execute()
    assert stored(redis, job) == here(number, 'test_in_a_pipeline')


def test_it_stays(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div)
    first = stored(redis, job)
    burst(redis, queue)
    job.requeue()
    assert stored(redis, job) == first
    burst(redis, queue)
    found = Job.fetch(job.id, redis)
    found.save()
    assert stored(redis, job) == first
    queue.enqueue_job(found)
    assert stored(redis, job) == first
    again = queue.enqueue(jobs.add, job_id=job.id)  # another one under its id
    assert stored(redis, again) != first


def test_coroutines(redis_url: str, redis: Redis) -> None:
    async def gathers(queue: AsyncQueue) -> list[Any]:
        one = await queue.enqueue(jobs.add)
        both = await asyncio.gather(queue.enqueue(jobs.add), queue.enqueue_many([Queue.prepare_data(jobs.add)]))
        task = asyncio.create_task(queue.enqueue_in(timedelta(hours=1), jobs.add))
        return [one, both[0], both[1][0], await task]

    async def main() -> list[Any]:
        client = aioredis.Redis.from_url(redis_url)
        try:
            return await gathers(AsyncQueue(connection=client))
        finally:
            await client.aclose()

    first = inspect.getsourcelines(gathers)[1]
    for job, offset in zip(asyncio.run(main()), (1, 2, 2, 3), strict=True):
        assert stored(redis, job) == here(first + offset, 'gathers')


def library(tmp_path: Path, text: str) -> Any:
    """A module of an installed package."""
    path = Path(sys.modules['redis'].__file__ or '').parent.parent / 'some_integration' / 'queues.py'
    names: dict[str, Any] = {}
    exec(compile(text, str(path), 'exec'), names)
    return names


def test_behind_a_library(redis: Redis, queue: Queue, tmp_path: Path) -> None:
    text = 'def put(queue, f, depth):\n  return put(queue, f, depth - 1) if depth else queue.enqueue(f)'
    names = library(tmp_path, text)
    job, number = names['put'](queue, jobs.add, 5), line()
    assert stored(redis, job) == here(number, 'test_behind_a_library')
    far = names['put'](queue, jobs.add, 25)
    assert stored(redis, far) == 'some_integration/queues.py:2 put'


def test_a_job_enqueues_another_one(redis: Redis, queue: Queue, tmp_path: Path) -> None:
    queue.enqueue(jobs.enqueues_another)
    burst(redis, queue)
    (found,) = redis.lrange('test:marks', 0, -1)
    assert re.fullmatch(r'tests/jobs\.py:\d+ enqueues_another', found.decode())


def test_the_command_says_its_name(redis_url: str, redis: Redis) -> None:
    from click.testing import CliRunner

    from rq.cli import main

    result = CliRunner().invoke(main, ['enqueue', '-u', redis_url, 'tests.jobs.add'], catch_exceptions=False)
    assert result.exit_code == 0
    (found,) = redis.lrange('rq:queue:default', 0, -1)
    assert redis.hget(f'rq:job:{found.decode()}', 'by') == b'rq enqueue'


@given(path=st.text(max_size=200), name=st.from_regex(r'[^\W\d]\w{0,80}', fullmatch=True))
def test_any_names_fit(path: str, name: str) -> None:
    code = compile('1', 'file', 'exec').replace(
        co_filename=path.replace('\0', ''), co_qualname=f'{name}.<locals>.{name}', co_name=name
    )
    words = provenance._fitted(code, 4711)
    assert 0 < len(words.encode()) <= provenance.MOST
    short = provenance._short(code.co_filename)
    assert short.count('/') <= 1
    if len(f'{short}:4711'.encode('utf-8', 'backslashreplace')) <= 24 and len(name.encode()) <= 32:
        assert words.endswith(name) and ':4711 ' in words


def test_long_names_keep_line_and_function() -> None:
    code = compile('1', '/srv/' + 'p' * 50 + '/' + 'm' * 50 + '.py', 'exec').replace(
        co_name='submit_the_order', co_qualname='OrderView.submit_the_order'
    )
    words = provenance._fitted(code, 812)
    assert words.endswith(('m.py:812 submit_the_order', 'm.py:812 OrderView.submit_the_order'))
    assert len(words.encode()) == 64
