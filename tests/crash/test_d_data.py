"""Group D of the faults, bad data of one job: it costs that one job, and is shown."""

import os
import time
from pathlib import Path

import pytest
from redis import Redis

from rq import Queue, Worker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.store import keys
from tests.crash import jobs_d
from tests.crash.driver import Fleet, Witness
from tests.crash.spoilt import (
    another_type,
    cli,
    document,
    dump,
    fails,
    finish,
    in_an_hour,
    in_time,
    info,
    is_finished,
    text_of,
)
from tests.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures('beside')]

TOLD = ('--exception-handler', 'tests.crash.jobs_d.told')


# --- D2 -----------------------------------------------------------------------------------------------------------


def test_d2_key_of_another_type(fleet: Fleet, queue: Queue, redis: Redis) -> None:
    """It goes aside with a reason, the raw record stays, and who comes behind it is served."""
    crew = fleet.start()
    places = ('queue', 'scheduled', 'deferred', 'failed')
    raw = {place: another_type(redis, keys.job(place)) for place in places}
    for place in places[1:]:
        redis.zadd(keys.place(place, 'q'), {place: time.time() + 1000})
    redis.rpush(queue.key, 'queue')
    good = queue.enqueue(jobs_d.ok)
    in_time(lambda: set(queue.aside) == set(places), 5, 'they are set aside')
    wait_until(lambda: is_finished(good))
    for place in places:
        assert 'another type' in queue.aside[place] and dump(redis, keys.job(place)) == raw[place]
    wait_until(lambda: crew.text().count('is set aside: its key holds another type') == 4, 5, 'the log says so')
    assert '4 set aside, such as ' in info(fleet) and set(document(fleet)['aside']) == set(places)
    assert fleet.innocent_deaths() == []


def test_d2_while_it_runs(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, tmp_path: Path) -> None:
    """The outcome cannot be written: the id goes aside, the worker works on."""
    fleet.start()
    gate = tmp_path / 'gate'
    bad = queue.enqueue(jobs_d.wait_for, str(gate))
    witness.wait('begin', bad.id)
    raw = another_type(redis, bad.key)
    gate.touch()
    in_time(lambda: bad.id in queue.aside, 5, 'it is set aside')
    good = queue.enqueue(jobs_d.ok)
    wait_until(lambda: is_finished(good))
    assert dump(redis, bad.key) == raw and witness.count('end', bad.id) == 1


def test_d2_put_right_and_returned(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """By the API and by `rq requeue --aside`: what was put right runs once, the rest stays and says why."""
    fleet.start()
    records = {}
    for job_id in ('a', 'b', 'c'):
        job = queue.enqueue_at(in_an_hour(), jobs_d.ok, job_id=job_id)
        records[job_id] = dump(redis, job.key)
        another_type(redis, job.key)
    in_time(lambda: set(queue.aside) == {'a', 'b', 'c'}, 5, 'they are set aside')
    assert queue.return_aside('a') is False and queue.return_aside('nobody') is False
    for job_id in ('a', 'b'):
        redis.restore(keys.job(job_id), 0, records[job_id], replace=True)
    assert queue.return_aside('a') is True
    wait_until(lambda: is_finished(Job.fetch('a', redis)))
    done = cli(fleet, 'requeue', '--aside', '--queue', 'q')
    assert done.returncode == 1 and 'c: its key holds another type' in done.stderr
    wait_until(lambda: is_finished(Job.fetch('b', redis)))
    assert witness.counts('ran') == {'a': 1, 'b': 1} and list(queue.aside) == ['c']
    redis.restore(keys.job('c'), 0, records['c'], replace=True)
    done = cli(fleet, 'requeue', '--aside')
    assert (done.returncode, done.stdout) == (0, '1 jobs that were set aside are queued\n')
    wait_until(lambda: is_finished(Job.fetch('c', redis)))


# --- D3 -----------------------------------------------------------------------------------------------------------


def test_d3_junk_as_job_id(fleet: Fleet, queue: Queue, redis: Redis) -> None:
    crew = fleet.start()
    redis.lpush(queue.key, b'\xff\xfe\x00', b'', 'a b', '\x1b[2J', 'x' * 100_000 + '\n')
    good = queue.enqueue(jobs_d.ok)
    in_time(lambda: len(queue.aside) == 5, 5, 'all of it is set aside')
    wait_until(lambda: is_finished(good))
    assert all('not a job id' in why for why in queue.aside.values())
    assert '5 set aside' in info(fleet) and '\\xff\\xfe\x00' in document(fleet)['aside']
    wait_until(lambda: crew.text().count('not a job id') == 5, 5)
    assert '\x1b' not in crew.text() and 'Traceback' not in crew.text()
    assert fleet.innocent_deaths() == []


# --- D4 -----------------------------------------------------------------------------------------------------------


def test_d4_text_that_is_none(fleet: Fleet, queue: Queue, redis: Redis) -> None:
    """Non-UTF-8 in whatever is text: the job runs, and it is shown escaped."""
    job = Job.create(jobs_d.ok, connection=redis, origin='q', meta={'a': 1})
    queue.enqueue_job(job)
    redis.hset(job.key, mapping={'description': b'd\xff\n\x1b[2J', 'worker_name': b'\xfe', 'group_id': b'g\xff'})
    other = queue.enqueue(jobs_d.ok)
    redis.hset(other.key, 'meta', b'\xff\xfe')
    redis.sadd(keys.group('g'), b'\xff')
    redis.hset(keys.worker('\\xff'), mapping={b'hostname': b'\xff', b'birth': b'\xff', b'queues': b'q'})
    redis.expire(keys.worker('\\xff'), 60)
    redis.sadd(keys.WORKERS, keys.WORKER_PREFIX.encode() + b'\xff')
    redis.sadd(keys.workers('q'), keys.WORKER_PREFIX.encode() + b'\xff')
    crew = fleet.start()
    wait_until(lambda: is_finished(other) and redis.hget(job.key, 'status') == b'finished', 10, 'both ran')
    fetched = Job.fetch(job.id, redis)
    assert fetched.description == 'd\\xff\n\x1b[2J' and fetched.meta == {'a': 1}
    assert Job.fetch(other.id, redis).meta == {'unserialized': b'\xff\xfe'}
    assert set(queue.finished_job_registry.get_job_ids()) == {job.id, other.id}
    assert '\\xff\\n\\x1b[2J' in crew.text() and '\x1b' not in crew.text()
    assert '2 finished' in info(fleet) and document(fleet)['finished'] == 2
    assert [worker.name for worker in Worker.all(redis) if worker.name == crew.name] == [crew.name]
    assert fleet.innocent_deaths() == []


# --- D5, D6 -------------------------------------------------------------------------------------------------------


BROKEN: dict[str, bytes | None] = {
    'junk': b'junk',
    'pickle': b'\x80\x05K\x01.',
    'zlib': b'x\x9cjunk',
    'empty': b'',
    'other-serializer': b'["m.f", null, [], {}]',
    'deep': b'\x80\x05(' * 5000,
    'half': None,
}


def test_d5_payload_that_cannot_be_decoded(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    fleet.start(*TOLD)
    for name, data in BROKEN.items():
        bad = Job.create(jobs_d.ok, (os.urandom(300),), id=name, connection=redis, origin='q')
        bad.save()
        redis.hset(bad.key, 'data', (redis.hget(bad.key, 'data') or b'')[:90] if data is None else data)
        redis.sadd(keys.QUEUES, queue.key)
        queue.push_job_id(name)
        good = queue.enqueue(jobs_d.ok)
        fails(redis, name, 2)
        finish(good)
        assert 'cannot be loaded' in text_of(bad)
    assert witness.counts('told DeserializationError') == dict.fromkeys(BROKEN, 1)
    assert fleet.innocent_deaths() == []


def test_d5_json_that_is_pickle(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """The worker reads JSON, the producer wrote a pickle."""
    bad = queue.enqueue(jobs_d.ok)
    good = Queue('q', connection=queue.connection, serializer=JSONSerializer).enqueue(jobs_d.ok)
    fleet.start(*TOLD, '--serializer', 'json')
    in_time(lambda: bad.get_status() == 'failed', 2, 'it is failed')
    wait_until(lambda: is_finished(good))
    assert witness.count('told DeserializationError', bad.id) == 1


def test_d6_payload_missing(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    bad = queue.enqueue(jobs_d.ok, job_id='bad')
    redis.hdel(bad.key, 'data')
    fleet.start(*TOLD)
    in_time(lambda: bad.get_status() == 'failed', 2, 'it is failed')
    good = queue.enqueue(jobs_d.ok)
    wait_until(lambda: is_finished(good))
    assert 'no payload' in text_of(bad)
    assert witness.count('told DeserializationError', 'bad') == 1
    assert queue.failed_job_registry.get_job_ids() == ['bad']
    bad.delete()  # a record without payload is a ghost to those who look over all keys


# --- D7 -----------------------------------------------------------------------------------------------------------


IMPORTS = {
    'no.such.module': 'no module',
    'tests.crash.jobs_d.missing': 'has no attribute',
    'raising_d7.run': 'ZeroDivisionError',
    'leaving_d7.run': 'SystemExit',
    'base_d7.run': 'KeyboardInterrupt',
}


def test_d7_import_fails(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, tmp_path: Path) -> None:
    """No module, no such name in it, a module that raises or leaves: that job fails, the worker lives."""
    (tmp_path / 'raising_d7.py').write_text('1 / 0')
    (tmp_path / 'leaving_d7.py').write_text('import sys\nsys.exit(0)')
    (tmp_path / 'base_d7.py').write_text('raise KeyboardInterrupt')
    fleet.start(*TOLD, '--path', str(tmp_path))
    for name, text in IMPORTS.items():
        bad, good = queue.enqueue(name), queue.enqueue(jobs_d.ok)
        fails(redis, bad.id, 2)
        finish(good)
        assert text in text_of(bad)
        assert len([line for line in witness.lines(who=bad.id) if line.event.startswith('told')]) == 1
    assert fleet.innocent_deaths() == []


def test_d7_import_counts_in_the_timeout(fleet: Fleet, queue: Queue, witness: Witness, tmp_path: Path) -> None:
    (tmp_path / 'slow_d7.py').write_text('import time\ntime.sleep(120)\ndef run(): pass\n')
    fleet.start(*TOLD, '--path', str(tmp_path))
    bad, good = queue.enqueue('slow_d7.run', job_timeout=1), queue.enqueue(jobs_d.ok)
    in_time(lambda: bad.get_status() == 'failed', 1 + 5, 'its time is over')
    wait_until(lambda: is_finished(good))
    assert witness.count('told JobTimeoutException', bad.id) == 1
    assert 'slow_d7' in text_of(bad)


# --- D8 -----------------------------------------------------------------------------------------------------------


def test_d8_status_of_a_newer_version(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """A rolling deploy: an old worker leaves such a job alone, says so, and once it is understood it comes back."""
    new = queue.enqueue(jobs_d.ok, job_id='new')
    redis.hset(new.key, mapping={'status': 'new_state', 'field_of_tomorrow': 'x'})
    resting = queue.enqueue_at(in_an_hour(), jobs_d.ok, job_id='resting')
    redis.hset(resting.key, 'status', 'new_state')
    before = dump(redis, new.key)
    crew = fleet.start()
    good = queue.enqueue(jobs_d.ok)
    redis.hset(good.key, 'field_of_tomorrow', 'x')
    wait_until(lambda: is_finished(good))
    in_time(lambda: 'new' in queue.aside, 5, 'it is set aside')
    wait_until(lambda: 'unknown status "new_state"' in crew.text(), 5, 'the log warns')
    assert dump(redis, new.key) == before and witness.count('ran', 'new') == 0
    assert 'unknown status' in info(fleet)
    assert redis.hget(good.key, 'field_of_tomorrow') == b'x'
    time.sleep(2.5)  # a sweep
    assert redis.zscore(keys.place('scheduled', 'q'), 'resting'), 'what stands where the newer version wants it'
    redis.hset(new.key, 'status', 'queued')
    assert queue.return_aside('new') is True
    wait_until(lambda: is_finished(new))
    assert witness.count('ran', 'new') == 1 and queue.aside == {}
    redis.hset(resting.key, 'status', 'scheduled')
