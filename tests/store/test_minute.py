"""The minute that goes along with a script is a help for timestamps, and never their source."""

import pytest
from redis import Redis

from rq.store import claim, minute, settle
from rq.store.call import run
from rq.store.settle import Success
from tests.store.world import enqueue, job, take, text_of


def server_time(redis: Redis) -> float:
    seconds, micros = redis.time()
    return float(seconds) + float(micros) / 1e6


@pytest.mark.parametrize('shift', [0, 60, -60, 86_400, -(10**9)])
def test_a_worker_whose_clock_is_wrong(redis: Redis, shift: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minute.time, 'time', lambda: server_time(redis) + shift)
    enqueue(redis)
    before = text_of(server_time(redis))
    (taken,) = run(redis, claim.claim('w', ['q'], ['e'])).taken
    after = text_of(server_time(redis))
    assert before <= job(redis)['started_at'] <= after and before <= text_of(taken.at) <= after
    lease = take(redis) if taken.job_id != 'j' else None
    assert lease is None


@pytest.mark.parametrize(
    'sent', ['', '2026-11-22T13:45:1795355100', '2026-11-22T13:45:rubbish...', '2026-11-22T13:45:9999999999']
)
def test_what_is_sent_is_not_believed(redis: Redis, sent: str) -> None:
    enqueue(redis)
    lease = take(redis)
    before = text_of(server_time(redis))
    run(redis, settle.finish(*Success(lease, 500, None, (), {}), now=sent))
    assert before <= job(redis)['last_heartbeat'] <= text_of(server_time(redis))


def test_it_is_the_minute_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for seconds in (1795355100.0, 1795355159.9, 1795355160.0, 1795355099.0):
        monkeypatch.setattr(minute.time, 'time', lambda seconds=seconds: seconds)
        seen.append(minute.minute())
    assert seen == [
        '2026-11-22T13:45:1795355100', '2026-11-22T13:45:1795355100', '2026-11-22T13:46:1795355160',
        '2026-11-22T13:44:1795355040',
    ]  # fmt: skip
