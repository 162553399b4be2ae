"""The runners: now, in a pipeline, several in one write; unknown scripts, errors, connections that break."""

import select

import pytest
from redis.exceptions import ConnectionError, OutOfMemoryError, ResponseError, TimeoutError

from rq.store import aside, claim, enter, keys, read, settle
from rq.store.call import Answer, Call, Line, borrow, enqueue_on, is_full, is_weather, run, run_many
from rq.store.scripts import load
from tests.invariants import check
from tests.store.world import JOB, NOW, QUEUE, enqueue, job, listed, of_one_node, record, started, take


def entering(job_id, queue='q'):
    return enter.enqueue(record(job_id, queue), now=NOW)


def refused():
    """A call that the server refuses, with a type error of its own."""
    return claim.begin(claim.Lease('j', 'e', 'broken', 'w'))


@pytest.fixture
def redis(redis):
    return of_one_node(redis)


@pytest.fixture
def broken(redis):
    redis.set(keys.wip('broken'), 'x')
    return redis


@pytest.fixture
def line(redis):
    line = Line(redis)
    yield line
    line.drop()


def cut(redis, line):
    """Close the line's connection from the server's side."""
    peer = line._connection
    redis.execute_command('CLIENT', 'KILL', 'ID', identity(peer))
    assert select.select([peer._sock], [], [], 5)[0]  # its end has arrived


def identity(connection):
    connection.send_command('CLIENT', 'ID')
    return connection.read_response()


class TestRun:
    def test_by_hash_and_by_text(self, redis):
        redis.script_flush()
        assert run(redis, entering('a')).answer == 'ok'
        assert redis.script_exists(load('enqueue').sha) == [True]
        assert run(redis, entering('b')).answer == 'ok'
        assert listed(redis) == ['a', 'b']

    def test_words(self):
        call = Call(load('begin'), ['k1', 'k2'], ['a', 1], str)
        assert call.words() == ('EVALSHA', load('begin').sha, 2, 'k1', 'k2', 'a', 1)
        assert call.words(sha=False)[:3] == ('EVAL', load('begin').text, 2)

    def test_errors_are_raised(self, broken):
        with pytest.raises(ResponseError, match='WRONGTYPE'):
            run(broken, refused())

    def test_every_call_names_a_key(self):
        lease = claim.Lease('j', 'e', 'q', 'w')
        calls = [entering('j'), claim.renew('w', []), settle.release(lease), claim.claim('w', [], [])]
        assert all(len(call.keys) > 0 for call in calls)


class TestPipeline:
    def test_in_a_transaction(self, redis):
        redis.script_flush()
        with redis.pipeline() as pipeline:
            pipeline.set(f'{keys.PREFIX}:mine', 1)
            enqueue_on(pipeline, entering('a'))
            enqueue_on(pipeline, entering('b'))
            assert not redis.exists(QUEUE)
            replies = pipeline.execute()
        assert [reply[0] for reply in replies[1:]] == [b'ok', b'ok']
        assert listed(redis) == ['a', 'b']

    def test_discarded(self, redis):
        with redis.pipeline() as pipeline:
            enqueue_on(pipeline, entering('a'))
            pipeline.reset()
        assert list(redis.scan_iter('*')) == []


class TestRunMany:
    @pytest.mark.parametrize('count', [0, 1, 2, 500])
    def test_in_order(self, redis, count):
        answers = run_many(redis, [entering(f'j{n}') for n in range(count)])
        assert [entered.answer for entered in answers] == ['ok'] * count
        assert listed(redis) == [f'j{n}' for n in range(count)]

    def test_unknown_scripts(self, redis):
        redis.script_flush()
        assert len(run_many(redis, [entering(f'j{n}') for n in range(5)])) == 5
        assert listed(redis) == [f'j{n}' for n in range(5)]

    def test_an_error_keeps_the_effects_of_the_others(self, broken):
        with pytest.raises(ResponseError, match='WRONGTYPE'):
            run_many(broken, [entering('a'), refused(), entering('b')])
        assert listed(broken) == ['a', 'b']
        assert run(broken, entering('c')).answer == 'ok'

    def test_the_connection_goes_back(self, redis):
        for _ in range(3):
            run_many(redis, [entering('a'), entering('b')])
        assert len(redis.connection_pool._available_connections) == 1


class TestLine:
    def test_settle_and_claim_in_one_write(self, redis, line):
        lease = started(redis)
        enqueue(redis, 'k')
        settled, claims = line.run(
            settle.finish(lease, 500, None, (), {}, NOW), claim.claim('w', ['q'], ['f'], now=NOW)
        )
        assert settled is Answer.OK
        assert claims.taken[0].job_id == 'k'
        assert check(redis) == []

    def test_nothing(self, line):
        assert line.run() == []

    def test_an_owed_reply_is_read_with_the_next(self, redis, line):
        lease = started(redis)
        line.post(claim.begin(lease))
        line.post(claim.begin(lease))
        assert line.run(claim.renew('w', [lease], NOW)) == [[True]]
        assert redis.hget(keys.execution('j', 'e'), 'begun') == b'1'
        assert line.run(claim.renew('w', [lease], NOW)) == [[True]]

    def test_an_owed_reply_is_read_at_release(self, redis, line):
        line.post(claim.begin(started(redis)))
        line.release()
        assert redis.ping()
        assert redis.hget(keys.execution('j', 'e'), 'begun') == b'1'

    def test_an_owed_error_hides_nothing(self, broken, line):
        enqueue(broken)
        line.post(refused())
        (claims,) = line.run(claim.claim('w', ['q'], ['e'], now=NOW))
        assert claims.taken[0].job_id == 'j'
        line.post(refused())
        line.release()
        assert line.run(claim.renew('w', [], NOW)) == [[]]

    def test_an_error_keeps_the_others_and_the_connection(self, broken, line):
        line.run()
        before = line._connection
        with pytest.raises(ResponseError, match='WRONGTYPE'):
            line.run(entering('a'), refused(), entering('b'), refused())
        assert line._connection is before
        assert line.run(entering('c'))[0].answer == 'ok'
        assert listed(broken) == ['a', 'b', 'c']

    def test_unknown_scripts_owed_and_awaited(self, redis, line):
        lease = started(redis)
        redis.script_flush()
        line.post(claim.begin(lease))
        answers = line.run(claim.renew('w', [lease], NOW), entering('k'), claim.renew('w', [lease], NOW))
        assert [answers[0], answers[1].answer, answers[2]] == [[True], 'ok', [True]]
        assert redis.hget(keys.execution('j', 'e'), 'begun') == b'1'

    def test_load_scripts(self, redis, line):
        redis.script_flush()
        line.load_scripts()
        assert all(redis.script_exists(load('claim').sha, load('finish').sha))

    def test_a_dropped_connection(self, redis, line):
        line.run()
        cut(redis, line)
        with pytest.raises(ConnectionError) as caught:
            line.run(entering('a'), entering('b'))
        assert is_weather(caught.value)
        assert line._connection is None
        run_many(redis, [entering('a')])
        assert line.run(entering('b'))[0].answer == 'ok'

    def test_an_owed_reply_of_a_dropped_connection_is_forgotten(self, redis, line):
        lease = started(redis)
        line.post(claim.begin(lease))
        line.drop()
        assert line.run(claim.renew('w', [lease], NOW)) == [[True]]

    def test_posting_on_a_dropped_connection(self, redis, line):
        lease = started(redis)
        line.run()
        cut(redis, line)
        with pytest.raises(ConnectionError):
            for _ in range(3):  # the first write to a closed socket may still be taken by the kernel
                line.post(claim.begin(lease))
            line.run()
        assert line.run(claim.renew('w', [lease], NOW)) == [[True]]

    def test_a_reply_that_comes_too_late_answers_no_other_question(self, redis, line):
        line.run(entering('a'))
        line._connection._sock.settimeout(0.05)
        redis.execute_command('CLIENT', 'PAUSE', 60_000, 'WRITE')
        with pytest.raises(TimeoutError):
            line.run(entering('b'))
        redis.execute_command('CLIENT', 'UNPAUSE')
        assert line.run(claim.renew('w', [], NOW)) == [[]]

    def test_a_failing_decoder(self, redis, line):
        with pytest.raises(ZeroDivisionError):
            line.run(Call(load('empty'), [QUEUE], ['', 1], lambda reply: 1 / reply))
        assert line.run(entering('a'))[0].answer == 'ok'

    def test_an_older_pool_wants_to_know_what_for(self):
        class Pool:
            def get_connection(self, command_name):
                return command_name

        assert borrow(Pool()) == 'EVALSHA'


class TestWeather:
    def refusal(self, redis, call):
        with pytest.raises(ResponseError) as caught:
            run(redis, call)
        return caught.value

    def test_full_memory(self, redis):
        redis.config_set('maxmemory', 1)
        try:
            error = self.refusal(redis, entering('a'))
        finally:
            redis.config_set('maxmemory', 0)
        assert isinstance(error, OutOfMemoryError)
        assert is_weather(error)
        assert is_full(error)

    def test_missing_replicas(self, redis):
        redis.config_set('min-replicas-to-write', 1)
        try:
            error = self.refusal(redis, entering('a'))
        finally:
            redis.config_set('min-replicas-to-write', 0)
        assert is_weather(error)
        assert not is_full(error)

    def test_missing_replicas_in_a_pipeline(self, redis):
        redis.config_set('min-replicas-to-write', 1)
        try:
            with pytest.raises(ResponseError) as caught:
                redis.pipeline().hset('NOREPLICAS', 'x', 'y').execute()
        finally:
            redis.config_set('min-replicas-to-write', 0)
        assert is_weather(caught.value)

    def test_read_only(self, redis):
        redis.replicaof('127.0.0.1', 1)
        try:
            error = self.refusal(redis, entering('a'))
        finally:
            redis.replicaof('NO', 'ONE')
        assert is_weather(error)

    @pytest.mark.parametrize(
        'error', [ConnectionError(), TimeoutError(), ConnectionResetError(), ResponseError('MISCONF x')]
    )
    def test_others(self, error):
        assert is_weather(error)

    @pytest.mark.parametrize('error', [ResponseError('WRONGTYPE x'), ValueError('OOM'), KeyboardInterrupt()])
    def test_faults_of_ours(self, error):
        assert not is_weather(error)


class TestRead:
    def test_jobs(self, redis):
        enqueue(redis, 'a')
        redis.set(keys.job('b'), 'x')
        found = read.jobs(redis, ['a', 'b', 'c'])
        assert [each.get(b'status') for each in found] == [b'queued', None, None]
        assert found[1:] == [{}, {}]
        assert read.jobs(redis, []) == []
        assert read.job(redis, 'c') == {}
        assert read.field(redis, 'a', 'status') == b'queued'

    def test_aside(self, redis):
        redis.hset(keys.aside('q'), mapping={b'\xff': 'why', 'b': b'\xfe'})
        assert aside.of_queue(redis, 'q') == {'\\xff': 'why', 'b': '\\xfe'}
        assert len(aside.of_queue(redis, 'q', limit=1)) == 1
        assert aside.of_queue(redis, 'r') == {}


def test_a_job_of_each_kind_survives_a_flushed_script_cache(redis):
    enqueue(redis)
    redis.script_flush()
    lease = take(redis)
    redis.script_flush()
    assert run(redis, settle.finish(lease, 500, None, (), {}, NOW)) is Answer.OK
    assert job(redis)['status'] == 'finished'
    assert redis.exists(JOB)
