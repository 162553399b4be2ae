"""failed_page and failed_records: many sorted sets as one, from any place on; and what records say."""

import random

import pytest

from rq.store import keys, search
from rq.store.call import run
from rq.store.search import Candidate
from tests.store.world import NOW, rest, text_of, unchanged

YEAR = 31536000


def fill(redis, sets, number, moments, seed):
    """Entries in sets, by chance; all of them in order."""
    chance, made = random.Random(seed), []
    for place, (key, kept) in enumerate(sets):
        for each in range(number):
            moment = chance.randrange(moments) * 1000
            job_id = f'{chance.randrange(10**6):06}-{place}-{each}'.encode()
            redis.zadd(key, {job_id: moment / 1000 + int(kept) if kept else moment})
            made.append(Candidate(moment, job_id, place))
    return sorted(made, key=lambda one: (one.moment, one.job_id))


def walk(redis, sets, limit, newest, **words):
    """All pages."""
    after, found = None, []
    while True:
        page = run(redis, search.candidates(sets, limit, newest, after=after, **words))
        assert len(page) <= limit
        found += page
        if len(page) < limit:
            return found
        after = page[-1]


SETS = [search.bucket_set('g:1'), search.bucket_set('g:2'), search.registry_set('q'), search.registry_set('p')]


@pytest.mark.parametrize('newest', [False, True])
@pytest.mark.parametrize('limit', [1, 7, 100, 1000])
@pytest.mark.parametrize('moments', [1, 5, 10_000])
def test_pages(redis, newest, limit, moments):
    made = fill(redis, SETS, 40, moments, seed=limit)
    expected = made[::-1] if newest else made
    with unchanged(redis):
        assert walk(redis, SETS, limit, newest) == expected
    low, high = moments * 300, moments * 700
    within = [one for one in expected if low <= one.moment < high]
    assert walk(redis, SETS, limit, newest, low=low, high=high) == within
    assert walk(redis, SETS, limit, newest, low=low) == [one for one in expected if low <= one.moment]
    assert walk(redis, SETS, limit, newest, high=high) == [one for one in expected if one.moment < high]


@pytest.mark.parametrize('newest', [False, True])
def test_a_place_that_is_gone(redis, newest):
    made = fill(redis, SETS, 30, 3, seed=1)
    expected = made[::-1] if newest else made
    for number in (0, 17, 60, 118):
        one = expected[number]
        redis.zrem(SETS[one.place][0], one.job_id)
        page = run(redis, search.candidates(SETS, 500, newest, after=one))
        assert page == expected[number + 1 :]


def test_uneven_sets(redis):
    redis.zadd(SETS[0][0], {f'{number:05}': number for number in range(3000)})
    redis.zadd(SETS[1][0], {'last': 5_000})
    page = run(redis, search.candidates(SETS, 2000))
    assert [one.job_id for one in page] == [b'last', *(f'{number:05}'.encode() for number in range(2999, 1000, -1))]


def test_nothing_and_other_types(redis):
    assert run(redis, search.candidates(SETS, 10)) == []
    redis.set(SETS[0][0], 'x')
    redis.zadd(SETS[1][0], {'j': 5})
    for after in (None, Candidate(9.0, b'j', 0)):
        assert [one.job_id for one in run(redis, search.candidates(SETS, 10, after=after))] == [b'j']


def test_kept_for_ever(redis):
    redis.zadd(SETS[2][0], {'j': -1, 'k': YEAR + 5, 'l': 'inf'})
    page = run(redis, search.candidates(SETS, 10))
    assert [(one.moment, one.job_id) for one in page] == [(float('inf'), b'l'), (5000, b'k'), (-1, b'j')]
    assert run(redis, search.candidates(SETS, 10, after=page[0])) == page[1:]
    assert run(redis, search.candidates(SETS, 10, after=page[1])) == page[2:]


@pytest.mark.parametrize('newest', [False, True])
def test_kept_until_long_ago(redis, newest):
    redis.zadd(SETS[2][0], {'j': -1, 'k': 0, 'l': 5, 'm': YEAR - 1, 'n': YEAR, 'o': YEAR + 1})
    page = run(redis, search.candidates(SETS, 10, newest))
    assert len(page) == 6 and walk(redis, SETS, 1, newest) == page


def test_ids_are_in_the_order_of_their_bytes(redis):
    made = ['a', 'B', '_', '-', 'a-b', 'ab', 'a_b', 'Ab', '0', '-0', '\xff']
    redis.zadd(SETS[0][0], dict.fromkeys(made, 7))
    expected = sorted(one.encode() for one in made)
    assert [one.job_id for one in walk(redis, SETS, 1, False)] == expected
    assert [one.job_id for one in walk(redis, SETS, 1, True)] == expected[::-1]


def test_records(redis):
    fields = {'failed_in': 'g:1', 'started_at': text_of(NOW), 'ended_at': text_of(NOW), 'failure_ttl': 60}
    rest(redis, 'failed', description='d' * 5000, attempts=12, **{'attempt:2': b'12 x', 'attempt:1': b'11 y'}, **fields)
    redis.zadd(keys.failed_in('g:1'), {'j': 77})
    redis.set(keys.job('text'), 'x')
    with unchanged(redis):
        seen, none, text = run(redis, search.records([b'j', b'none', b'text'], search.ATTEMPT))
    assert (seen.status, seen.queue, seen.bucket, seen.moment) == (b'failed', b'q', b'g:1', b'77')
    assert (seen.started_at, seen.ended_at, seen.failure_ttl) == (text_of(NOW).encode(), text_of(NOW).encode(), b'60')
    assert (seen.description, seen.attempts, seen.attempt, seen.text) == (b'd' * 2000, b'12', b'12 x', b'')
    assert text == search.Seen() and none == search.Seen()
    (proof,) = run(redis, search.records([b'j']))
    assert proof == seen._replace(description=b'', attempts=b'', attempt=b'')


def test_the_text_of_jobs_without_attempts(redis):
    rest(redis, 'failed', exc_info='old')
    assert run(redis, search.records([b'j'], search.ATTEMPT))[0].text == b'old'
    redis.xadd(keys.results('j'), {'type': 2, 'exc_string': 'first'})
    redis.xadd(keys.results('j'), {'type': 2, 'exc_string': 'second'})
    assert run(redis, search.records([b'j'], search.ATTEMPT))[0].text == b'second'
    redis.delete(keys.results('j'))
    redis.set(keys.results('j'), 'no stream')
    assert run(redis, search.records([b'j'], search.ATTEMPT))[0].text == b'old'


def test_values_of_no_sane_length_are_none(redis):
    rest(redis, 'failed', attempts='1' * 600, description='x' * 300_000, exc_info='y' * 300_000, failed_in='z' * 9000)
    (seen,) = run(redis, search.records([b'j'], search.ATTEMPT))
    assert seen == search.Seen(b'failed', b'q')


def test_of_jobs_that_are_not_failed_only_the_proof(redis):
    rest(redis, 'finished', description='x')
    assert run(redis, search.records([b'j'], search.ATTEMPT))[0] == search.Seen(b'finished', b'q')
