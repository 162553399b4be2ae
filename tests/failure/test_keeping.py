"""`keep_on_failure`: locals of the failing frames and the output of the job, for those who ask, and nobody else."""

import asyncio
import io
import logging
import sys
from typing import Any

import pytest
from click.testing import CliRunner
from redis import Redis
from redis import asyncio as aioredis

from rq import Queue, Retry, SimpleWorker, SpawnWorker, Worker
from rq.aio import AsyncQueue
from rq.cli import main
from rq.decorators import job as decorated
from rq.failure.keeping import ALL_BYTES, NAMES, VALUE_BYTES
from rq.job import Job
from rq.perform.output import SIZE, Ring
from tests.failure import jobs_with_secrets as jobs
from tests.launch import burst

ALL = [Worker, SimpleWorker, SpawnWorker]


class Plain(Worker):
    """Overrides a part of how horses are made: they are forked after the claim."""

    def fork_work_horse(self, job: Any, queue: Any) -> None:
        super().fork_work_horse(job, queue)


@pytest.mark.parametrize(
    ('given', 'stored'),
    [('locals', b'locals'), ('output, locals', b'locals,output'), (('output',), b'output'), ('', None), (None, None)],
)
def test_words(redis: Redis, queue: Queue, given: Any, stored: bytes | None) -> None:
    job = queue.enqueue(jobs.succeeds, keep_on_failure=given)
    assert redis.hget(job.key, 'keep_on_failure') == stored
    assert Job.fetch(job.id, redis).keep_on_failure == (stored.decode() if stored else None)


@pytest.mark.parametrize('given', ['everything', ('locals', 'x'), 5, 'locals;output', [5]])
def test_bad_words(redis: Redis, queue: Queue, given: Any) -> None:
    for attempt in (
        lambda: queue.enqueue(jobs.succeeds, keep_on_failure=given),
        lambda: Job.create(jobs.succeeds, connection=redis, keep_on_failure=given),
        lambda: Queue(connection=redis, keep_on_failure=given),
        lambda: decorated(queue, keep_on_failure=given),
        lambda: type('Mine', (Worker,), {'keep_on_failure': given})([queue], connection=redis),
    ):
        with pytest.raises(ValueError, match=r"give 'locals', 'output', or 'locals,output'"):
            attempt()


def test_everybody_who_asks_has_a_say(redis: Redis) -> None:
    queue = Queue(connection=redis, keep_on_failure='locals')
    job = queue.enqueue(jobs.talks, 100, keep_on_failure='output')
    made = queue.enqueue_job(Job.create(jobs.talks, (100,), connection=redis))
    [many] = queue.enqueue_many([Queue.prepare_data(jobs.talks, (100,), keep_on_failure='output')])
    later = decorated(Queue(connection=redis), keep_on_failure='output')(jobs.talks).delay(100)
    stored = [redis.hget(each.key, 'keep_on_failure') for each in (job, made, many, later)]
    assert stored == [b'locals,output', b'locals', b'locals,output', b'output']
    worker = type('Keeping', (SimpleWorker,), {'keep_on_failure': ('locals',)})
    burst(redis, queue, cls=worker)
    for each in (job, later):
        [attempt] = each.attempts
        assert attempt.output.startswith('line 00000000000000\n') and attempt.frames[0].locals
    assert made.attempts[0].output == '' and made.attempts[0].frames[0].locals


def test_async_queue(redis: Redis, server: Any) -> None:
    async def enqueue() -> str:
        async with aioredis.Redis(unix_socket_path=str(server.socket)) as client:
            queue = AsyncQueue(connection=client, keep_on_failure='locals')
            return (await queue.enqueue(jobs.talks, 100, keep_on_failure='output')).id

    assert redis.hget(f'rq:job:{asyncio.run(enqueue())}', 'keep_on_failure') == b'locals,output'


@pytest.mark.parametrize('cls', ALL)
def test_nobody_asked(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(jobs.talks, 100)
    burst(redis, queue, cls=cls)
    [attempt] = job.attempts
    assert attempt.output == '' and [frame.locals for frame in attempt.frames] == [None]
    assert redis.hget(job.key, 'keep_on_failure') is None


@pytest.mark.parametrize('cls', ALL)
def test_locals(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(jobs.holds, 17, keep_on_failure='locals')
    burst(redis, queue, cls=cls)
    [attempt] = job.attempts
    outer, inner = attempt.frames
    assert (outer.function, inner.function) == ('holds', 'inner')
    assert outer.locals is not None and inner.locals is not None
    assert outer.locals['order'] == '17' and outer.locals['nothing'] == 'None'
    assert outer.locals['password'] == '[hidden]'
    assert outer.locals['hostile'] == '<Hostile whose __repr__ raised>'
    assert outer.locals['lies'] == '<Lies whose __repr__ raised>'
    assert outer.locals['long'].startswith("'xxx") and 'bytes cut' in outer.locals['long']
    assert outer.locals['many'].startswith('[0, 1, 2')
    everything = [text for frame in attempt.frames for text in (frame.locals or {}).values()]
    assert all(len(text.encode()) <= VALUE_BYTES for text in everything)
    assert sum(map(len, everything)) < ALL_BYTES and len(inner.locals) <= NAMES


@pytest.mark.parametrize('cls', ALL)
def test_of_an_exception_that_lies_about_its_causes(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(jobs.lies, 'fen-otter-73', keep_on_failure='locals')
    burst(redis, queue, cls=cls)
    [attempt] = job.attempts
    assert (attempt.kind, attempt.message) == ('raised', 'refused: [hidden]')
    assert attempt.frames[-1].locals == {'password': '[hidden]', 'nameless': '<Nameless whose __repr__ raised>'}


@pytest.mark.parametrize('cls', [*ALL, Plain])
@pytest.mark.parametrize('then', ['raises', 'dies'])
def test_the_end_of_the_output(redis: Redis, queue: Queue, cls: Any, then: str) -> None:
    if cls is SimpleWorker and then == 'dies':
        return  # it would end this process
    job = queue.enqueue(jobs.talks, 3 * SIZE, then, keep_on_failure='output')
    short = queue.enqueue(jobs.talks, 40, then, keep_on_failure='output')
    burst(redis, queue, cls=cls)
    [attempt] = job.attempts
    lines = attempt.output.splitlines()
    last = 3 * SIZE // 20 - 1
    assert lines[-1] == f'line {last:014d}' and 40_000 < len(attempt.output.encode()) <= SIZE
    assert lines[1:] == [f'line {number:014d}' for number in range(last - len(lines) + 2, last + 1)]
    assert short.attempts[0].output == 'line 00000000000000\nline 00000000000001\n', 'not that of the job before'


@pytest.mark.parametrize('cls', [Worker, SimpleWorker])
def test_each_attempt_has_its_own(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(jobs.talks, 20, retry=Retry(max=1), keep_on_failure='output')
    burst(redis, queue, cls=cls)
    assert [attempt.output for attempt in job.attempts] == ['line 00000000000000\n'] * 2


def test_nothing_stays_exchanged(redis: Redis, queue: Queue, capsys: Any) -> None:
    before = sys.stdout.write, logging.Logger.callHandlers
    told = queue.enqueue(jobs.succeeds, keep_on_failure='output')
    failed = queue.enqueue(jobs.talks, 20, keep_on_failure='output')
    burst(redis, queue, cls=SimpleWorker)
    assert told.return_value() == 'heard heard' and failed.is_failed
    assert (sys.stdout.write, logging.Logger.callHandlers) == before
    out = capsys.readouterr().out
    assert 'said\n' in out and 'line 00000000000000\n' in out, 'it is printed all the same'


def test_log_lines_are_heard_once(redis: Redis, queue: Queue) -> None:
    handler = logging.StreamHandler(io.StringIO())
    printing = logging.StreamHandler(sys.stderr)
    logger = logging.getLogger('shop')
    logger.addHandler(handler)
    logger.addHandler(printing)
    try:
        job = queue.enqueue(jobs.pay, 'abcdef', 'none', 'none', keep_on_failure='output')
        burst(redis, queue, cls=SimpleWorker)
    finally:
        logger.removeHandler(handler)
        logger.removeHandler(printing)
    assert job.attempts[0].output.count('cannot pay') == 1


def test_a_ring_keeps_the_end() -> None:
    ring = Ring.anonymous()
    assert ring.text() == ''
    written = ''
    for number in range(9000):
        written += (line := f'{number} é\n')
        ring.write(line.encode())
    text = ring.text()
    assert written.endswith(text) and SIZE - 20 < len(text.encode()) <= SIZE
    ring.write(b'x' * (3 * SIZE) + b'\nend\n')
    assert ring.text() == 'end\n'


def test_option_of_the_command_line(redis: Redis, redis_url: str, queue: Queue) -> None:
    job = queue.enqueue(jobs.talks, 20)
    words = ['worker', '--burst', '--url', redis_url, '--worker-class', 'rq.SimpleWorker', '--keep-on-failure']
    wrong = CliRunner().invoke(main, [*words, 'everything'])
    assert wrong.exit_code == 2 and "give 'locals', 'output', or 'locals,output'" in wrong.output
    assert CliRunner().invoke(main, [*words, 'output']).exit_code == 0
    assert job.attempts[0].output == 'line 00000000000000\n'
