"""The courier of a worker: several tellers, of which a listener that hangs may hold up one."""

import json
import time
from collections.abc import Iterator

import pytest
from redis import Redis

from rq.store import outbox
from rq.store.call import run
from rq.supervision import courier as couriers
from rq.supervision.courier import Courier
from rq.webhook import deliveries
from tests.listener import Listener, listening
from tests.waiting import wait_until


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as made:
        yield made


@pytest.fixture
def courier(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Courier]:
    monkeypatch.setattr(couriers, 'SLOW_SECONDS', 0.5)
    made = Courier(redis)
    yield made
    made.finish()


def post(redis: Redis, *urls: str, timeout: float = 1) -> None:
    """News that are due now, each of one call."""
    for number, url in enumerate(urls):
        call = {'url': url, 'method': 'GET', 'headers': {}, 'timeout': timeout, 'body': None}
        redis.zadd('rq:outbox', {json.dumps({'id': str(number), 'job': 'j', 'calls': [call]}): number + 1})


def go(redis: Redis, courier: Courier) -> None:
    """What the clock does, once."""
    for news in run(redis, outbox.take(1)) if courier.is_free else []:
        courier.take_along(news)


def test_one_after_the_other(redis: Redis, courier: Courier, listener: Listener) -> None:
    post(redis, *(f'{listener.url}/{number}x' for number in range(10)))
    go(redis, courier)
    wait_until(lambda: not redis.exists('rq:outbox'), 10, 'all are told')
    assert [call.path for call in listener.calls] == [f'/{number}x' for number in range(10)]


def test_who_hangs_holds_up_one_teller(redis: Redis, courier: Courier, listener: Listener) -> None:
    with listening() as other:
        post(redis, *[f'{listener.url}/hang'] * 1)
        go(redis, courier)
        wait_until(lambda: len(deliveries(redis)) == 1, 10, 'the first try is over')
        redis.delete('rq:outbox')
        post(redis, *[f'{listener.url}/hang'] * 20, *(f'{other.url}/{number}x' for number in range(10)), timeout=30)
        for _ in range(courier.tellers):
            go(redis, courier)
        wait_until(lambda: len(other.calls) == 10, 10, 'the others are told')
        assert len(listener.calls) == 2  # the one before, and one of the twenty


def test_only_so_many_at_a_time(redis: Redis, courier: Courier) -> None:
    with listening() as first:
        assert courier.is_free
        post(redis, *[f'{first.url}/hang'] * 20, timeout=30)
        for _ in range(courier.tellers + 1):
            go(redis, courier)
        wait_until(lambda: len(first.calls) == courier.tellers, 10, 'so many are told')
        assert not courier.is_free


def test_who_leaves_waits_for_nobody_twice(redis: Redis, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(couriers, 'SLOW_SECONDS', 0.5)
    with listening() as other:
        post(redis, *[f'{listener.url}/hang'] * 5, f'{other.url}/a')
        began = time.monotonic()
        Courier(redis).finish()
        assert time.monotonic() - began < 3
        assert len(listener.calls) == 1 and len(other.calls) == 1
    assert redis.zcard('rq:outbox') == 5


def test_news_of_a_patient_call_are_ours_for_longer(redis: Redis, courier: Courier, listener: Listener) -> None:
    post(redis, f'{listener.url}/hang', timeout=600)
    go(redis, courier)
    wait_until(lambda: len(listener.calls) == 1, 10, 'it is told')
    ((_, due),) = redis.zrange('rq:outbox', 0, -1, withscores=True)
    assert due / 1000 - redis.time()[0] > 600


@pytest.mark.parametrize('timeout', [1e300, float('inf'), float('nan')])
def test_absurd_timeouts(redis: Redis, courier: Courier, listener: Listener, timeout: float) -> None:
    post(redis, f'{listener.url}/hang', timeout=timeout)
    go(redis, courier)
    wait_until(lambda: len(listener.calls) == 1, 10, 'it is told')
    ((_, due),) = redis.zrange('rq:outbox', 0, -1, withscores=True)
    assert 3600 < due / 1000 - redis.time()[0] < 3700


def test_what_nobody_thought_of_is_said(redis: Redis, listener: Listener) -> None:
    """And the next news are told all the same."""
    said: list[tuple[int, str]] = []
    redis.set('rq:deliveries', 'no list')
    post(redis, f'{listener.url}/a', f'{listener.url}/b')
    (first,) = run(redis, outbox.take(1))
    courier = Courier(redis, lambda *words: said.append(words))
    courier.take_along(first)
    wait_until(lambda: len(said) == 2, 10, 'both are told, and neither on record')
    assert [call.path for call in listener.calls] == ['/a', '/b']
    assert all(level == 40 and 'WRONGTYPE' in words for level, words in said)
    redis.set('rq:outbox', 'no sorted set')
    courier.finish()
    assert 'out of the outbox' in said[-1][1]


def test_pauses(redis: Redis, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Courier, 'pauses', (0.0, 0.0))
    post(redis, f'{listener.url}/500')
    Courier(redis).finish()
    assert len(listener.calls) == 3 and not redis.exists('rq:outbox')
    assert [each.outcome for each in deliveries(redis)] == ['given up', 'again', 'again']
