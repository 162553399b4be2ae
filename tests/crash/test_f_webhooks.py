"""F9: webhooks whose listener hangs, drips, fails or redirects; couriers that die. No job waits for any of it."""

import signal
import statistics
from collections.abc import Iterator

import pytest
from redis import Redis

from rq import Queue, Webhook
from rq.webhook import Delivery, deliveries
from tests.crash import jobs
from tests.crash.driver import Fleet, Witness
from tests.crash.sizes import FULL, PAUSES, sized
from tests.listener import Listener, listening
from tests.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures('beside')]

TELLING = ('--worker-class', 'tests.crash.workers_f.Handling')
TICK = 2.0  # seconds until a worker looks for what is due, at most, and until it is told
WHOLE = sum(PAUSES) * 1.25 + TICK * len(PAUSES) + 5


@pytest.fixture
def listener() -> Iterator[Listener]:
    """The one who is told."""
    with listening() as made:
        yield made


def tries(redis: Redis, job_id: str) -> list[Delivery]:
    """What is on record of a job's webhooks, the first try first."""
    return [each for each in reversed(deliveries(redis, 1000)) if each.job_id == job_id]


def test_f9_listeners_that_hang_delay_no_job(
    fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, listener: Listener
) -> None:
    """The job ends, and the next one begins, as if nobody had to be told; the try ends in its time."""
    fleet.start(*TELLING)
    hooks = [Webhook(f'{listener.url}{path}', 'finished', timeout=2) for path in ('/hang', '/drip')]
    first = queue.enqueue(jobs.work, 0, webhooks=hooks)
    wait_until(lambda: len(listener.calls) == 2, 10, 'both are being told')
    made = [queue.enqueue(jobs.work, 0, webhooks=hooks) for _ in range(10)]
    wait_until(lambda: all(job.get_status() == 'finished' for job in made), 5, 'all are finished')
    ends = {line.who: line.at for line in witness.lines('end')}
    begins = {line.who: line.at for line in witness.lines('begin')}
    gaps = [begins[after.id] - ends[before.id] for before, after in zip(made, made[1:], strict=False)]
    assert statistics.median(gaps) <= 0.1
    assert witness.count('end') == 11
    wait_until(lambda: len(tries(redis, first.id)) >= 2, 10, 'the first tries are over')
    for tried in tries(redis, first.id)[:2]:
        assert (tried.number, tried.code, tried.outcome) == (1, None, 'again') and 'no answer within 2 s' in tried.error
        assert tried.at.timestamp() - ends[first.id] < 2 + 2 * TICK


def test_f9_five_tries_with_pauses(fleet: Fleet, queue: Queue, redis: Redis, listener: Listener) -> None:
    """Then it is given up: visible on record and in the log, and gone from the outbox."""
    fleet.start(*TELLING)
    job = queue.enqueue(jobs.raises, webhooks=[Webhook(f'{listener.url}/500?key=secret', 'failed', method='POST')])
    wait_until(lambda: len(listener.calls) == 5, WHOLE, 'five tries')
    wait_until(lambda: not redis.exists('rq:outbox'), 5, 'it is given up')
    gaps = [after.at - before.at for before, after in zip(listener.calls, listener.calls[1:], strict=False)]
    for gap, pause in zip(gaps, PAUSES, strict=True):
        assert 0.74 * pause <= gap <= 1.26 * pause + TICK
    assert len({call.body for call in listener.calls}) == 1 and b'on purpose' in listener.calls[0].body
    found = tries(redis, job.id)
    assert [(each.number, each.code) for each in found] == [(number, 500) for number in range(1, 6)]
    assert [each.outcome for each in found] == ['again'] * 4 + ['given up']
    assert {each.url for each in found} == {f'{listener.url}/500?***'}
    wait_until(lambda: 'try 5 of 5: answered 500; given up' in fleet.logs(), 5, 'it is in the log of one of them')
    assert 'secret' not in fleet.logs()


def test_f9_a_listener_that_recovers(fleet: Fleet, queue: Queue, redis: Redis, listener: Listener) -> None:
    fleet.start(*TELLING)
    listener.answers['/a'] = [503, 429]
    job = queue.enqueue(jobs.work, 1, webhooks=[Webhook(f'{listener.url}/a', 'finished')])
    wait_until(lambda: tries(redis, job.id)[-1:] and tries(redis, job.id)[-1].outcome == 'told', WHOLE, 'it is told')
    assert [(each.code, each.outcome) for each in tries(redis, job.id)] == [
        *((503, 'again'), (429, 'again')),
        (200, 'told'),
    ]
    assert len(listener.calls) == 3 and not redis.exists('rq:outbox')


def test_f9_what_answers_mean(fleet: Fleet, queue: Queue, redis: Redis, listener: Listener) -> None:
    """Redirects are refused, and nobody is led to the loopback; who says that he wants no more is not asked again."""
    fleet.start(*TELLING)
    with listening() as gone:
        nobody = gone.url
    meant = {'/to/301': 'given up', '/to/302': 'again', '/to/307': 'again', '/410': 'given up', '/429': 'again'}
    hooks = [Webhook(f'{listener.url}{path}', 'finished', method='POST') for path in meant]
    job = queue.enqueue(jobs.work, 1, webhooks=[*hooks, Webhook(nobody, 'finished')])
    wait_until(lambda: {each.outcome for each in tries(redis, job.id)} >= {'again', 'given up'}, 10)
    wait_until(lambda: len([each for each in tries(redis, job.id) if each.number == 1]) == 6, 10, 'all were tried')
    first = {each.url.removeprefix(listener.url): each for each in tries(redis, job.id) if each.number == 1}
    assert {path: first[path].outcome for path in meant} == meant
    assert (first[nobody].code, first[nobody].outcome) == (None, 'again') and 'refused' in first[nobody].error
    wait_until(lambda: len(listener.told('/to/302')) > 1, WHOLE, 'it is asked again')
    assert len(listener.told('/410')) == len(listener.told('/to/301')) == 1
    assert listener.told('/landed') == []


def test_f9_the_others_are_told(fleet: Fleet, queue: Queue, redis: Redis, listener: Listener) -> None:
    """One listener hangs, and has much to hear: the others do not wait for it."""
    fleet.start(*TELLING)
    for _ in range(30):
        queue.enqueue(jobs.work, 0, webhooks=[Webhook(f'{listener.url}/hang', 'finished', timeout=2)])
    wait_until(lambda: len(tries_at(redis, '/hang')) >= 1, 15, 'its first try is over')
    with listening() as other:
        hooks = [Webhook(f'{listener.url}/hang', 'finished', timeout=2), Webhook(f'{other.url}/ok', 'finished')]
        made = [queue.enqueue(jobs.work, 0, webhooks=hooks) for _ in range(10)]
        wait_until(lambda: len(other.calls) == 10, 15, 'the others are told')
        assert all(job.get_status() == 'finished' for job in made)
        wait_until(lambda: len([each for each in deliveries(redis, 1000) if each.outcome == 'told']) == 10, 5)
    listener.ended.set()  # from here on it closes at once, which is no answer either; workers are killed in the end


def tries_at(redis: Redis, path: str) -> list[Delivery]:
    """What is on record of a path."""
    return [each for each in deliveries(redis, 1000) if each.url.endswith(path)]


def test_f9_the_courier_dies(fleet: Fleet, queue: Queue, redis: Redis, listener: Listener) -> None:
    """Killed in the midst of a try: another worker tells it, and counts it as that try."""
    lost, other = fleet.start(*TELLING), fleet.crews[0]
    other.signal(signal.SIGSTOP)  # a moment: its courier is to leave this to the one that we kill
    try:
        job = queue.enqueue(jobs.work, 1, webhooks=[Webhook(f'{listener.url}/hang', 'finished')])
        wait_until(lambda: listener.calls, 10, 'it is being told')
        lost.kill()
    finally:
        other.signal(signal.SIGCONT)
    ((news, due),) = redis.zrange('rq:outbox', 0, -1, withscores=True)
    seconds, micros = redis.time()
    assert 0 < due / 1000 - (seconds + micros / 1e6) <= 45
    if not FULL:
        redis.zadd('rq:outbox', {news: 1})  # as if its time were over
    listener.ended.set()  # from here on it hangs up at once
    fleet.start(*TELLING)
    wait_until(lambda: tries(redis, job.id), sized(10, 60), 'somebody else tells it')
    assert tries(redis, job.id)[0].number == 1 and len(listener.calls) >= 2


def test_f9_news_of_an_earlier_version(fleet: Fleet, redis: Redis, listener: Listener) -> None:
    """Written without tries, before an upgrade: told as ever, and again when that fails."""
    listener.answers['/old'] = [500]
    call = f'{{"url": "{listener.url}/old", "method": "GET", "headers": {{}}, "timeout": 5, "body": null}}'
    redis.zadd('rq:outbox', {f'{{"id": "1", "job": "j", "calls": [{call}]}}': 1, b'\xff': 1})
    fleet.start(*TELLING)
    wait_until(lambda: len(tries(redis, 'j')) == 2, 20, 'it is told')
    assert [each.outcome for each in tries(redis, 'j')] == ['again', 'told']
    assert not redis.exists('rq:outbox')
