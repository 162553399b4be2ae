"""The usual failure goes a short way through its script; what it leaves is what the whole script would have left."""

import hashlib
from dataclasses import replace

import pytest

from rq.store import failures, keys, settle
from rq.store.call import run
from tests.invariants import check
from tests.store.causes import GID, HOUR, TIMES, cause, settled
from tests.store.world import JOB, NOW, dump, started

ATTEMPT = {'kind': 'raised', 'type': 'ValueError', 'execution': 'e'}


def at_length(call):
    """The same call by a script that has no short way."""
    text = call.script.text
    for way in ('fail_plain', 'retry_plain'):
        text = text.replace(f'pcall({way})', 'pcall(error)')
    assert text != call.script.text
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return replace(call, script=replace(call.script, text=text, sha=sha))


def failing(lease, verb, **words):
    told = {'cause': cause(message='no 2'), 'attempt': ATTEMPT, 'now': NOW + 9, **words}
    fields = told.pop('fields', {'retries_left': 1})
    if verb == 'fail':
        return settle.fail(lease, told.pop('ttl', 600), 'text', told.pop('times', TIMES), fields, **told)
    return settle.retry(lease, told.pop('interval', 0), told.pop('front', False), TIMES, fields, **told)


def left(redis, way, verb, before=lambda redis: None, **words):
    """What a failure leaves of a group that is known."""
    redis.flushall()
    settled(redis, job_id='first', now=NOW)
    lease = started(redis)
    before(redis)
    assert run(redis, way(failing(lease, verb, **words))) == 'ok'
    assert run(redis, way(failing(lease, verb, **words))) in ('already', 'lost')
    if 'news' not in words and words.get('stored', True):  # these are no whole outcomes
        assert check(redis) == []
    found = dump(redis, tokens=True)
    worker = found[keys.worker('w')]
    worker['total_working_time'] = float(worker.get('total_working_time', 0))
    return found


def nothing(redis):
    pass


def muted(redis):
    run(redis, failures.mute(GID, 0, NOW))


def resolved(redis):
    run(redis, failures.resolve(GID, NOW))


def waited_for(redis):
    redis.sadd(f'{JOB}:dependents', 'nobody')


def has_results(redis):
    redis.xadd(keys.results('j'), {'type': 1})


def worker_is_gone(redis):
    redis.delete(keys.worker('w'))
    redis.hset(keys.worker('w'), 'failed_job_count', 2)
    redis.expire(keys.worker('w'), 60)


def attempts_are_none(redis):
    redis.hset(JOB, 'attempts', 'many')


def many_samples(redis):
    redis.hset(keys.failure(GID), 'jobs', '\n'.join(['k-1', 'j', *(f'k{number}' for number in range(8))]))


SETTINGS = [nothing, muted, resolved, waited_for, has_results, worker_is_gone, attempts_are_none, many_samples]


@pytest.mark.parametrize('before', SETTINGS)
@pytest.mark.parametrize('verb', ['fail', 'retry'])
def test_both_ways_lead_to_the_same(redis, verb, before):
    assert left(redis, lambda call: call, verb, before) == left(redis, at_length, verb, before)


@pytest.mark.parametrize(
    'verb, words',
    [
        ('fail', {'ttl': -1}),
        ('fail', {'ttl': 10**12}),
        ('fail', {'keep': 1}),
        ('fail', {'keep': 5}),
        ('fail', {'news': 'news'}),
        ('fail', {'times': ()}),
        ('fail', {'stored': False}),
        ('fail', {'returned': b'retry'}),
        ('fail', {'now': NOW + HOUR}),
        ('retry', {'front': True}),
        ('retry', {'interval': 5}),
        ('retry', {'attempt': None}),
    ],
)
def test_with_other_words_too(redis, verb, words):
    assert left(redis, lambda call: call, verb, **words) == left(redis, at_length, verb, **words)


@pytest.mark.parametrize('verb', ['fail', 'retry'])
@pytest.mark.parametrize('kind', ['leases', 'failed', 'results', 'queue', 'worker', 'failures', 'bucket', 'wake'])
def test_a_key_of_another_type_on_the_short_way(redis, verb, kind):
    """It goes on at length, and counts nothing twice."""
    names = {'results': keys.results('j'), 'queue': keys.queue('q'), 'worker': keys.worker('w'), 'wake': keys.wake('q')}
    names |= {'failures': keys.FAILURES, 'bucket': keys.failed_in(f'{GID}:1')}

    def broken(redis):
        name = names.get(kind) or keys.place(kind, 'q')
        redis.delete(name)
        redis.set(name, 'another')

    found = []
    for way in (lambda call: call, at_length):
        redis.flushall()
        settled(redis, job_id='first', now=NOW)
        lease = started(redis)
        broken(redis)
        assert run(redis, way(failing(lease, verb))) == 'ok'
        job = redis.hgetall(JOB)
        del job[b'nonce']
        found.append((job, redis.hgetall(keys.failure(GID)), [fields for _, fields in results_of(redis)]))
        assert job[b'attempts'] == b'1'
    assert found[0] == found[1]


def results_of(redis):
    return redis.xrange(keys.results('j')) if redis.type(keys.results('j')) == b'stream' else []


def test_an_hour_is_counted_without_writing_it_each_time(redis):
    for number, now in enumerate([NOW, NOW + 1, NOW + 2, NOW + HOUR, NOW + HOUR + 1]):
        settled(redis, job_id=f'j{number}', now=now, attempt=ATTEMPT)
    assert failures.group_of(redis, GID, NOW + HOUR + 1).trend[-2:] == (3, 2)
    assert failures.group_of(redis, GID, NOW + 2 * HOUR).trend[-3:] == (3, 2, 0)
