"""Webhook: an HTTP call that tells somebody how a job ended."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Webhook
from rq.failure.delivery import tell_here
from rq.job import Job, JobStatus
from rq.store.call import run
from rq.webhook import Delivery, deliveries, news_of
from tests import jobs
from tests.launch import Launch, burst
from tests.listener import Listener, listening
from tests.waiting import wait_until


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as made:
        yield made


@pytest.mark.parametrize(
    'args, words, error',
    [
        (('ftp://x/', 'finished'), {}, ValueError),
        (('http://', 'finished'), {}, ValueError),
        ((5, 'finished'), {}, ValueError),
        (('http://x/', 'queued'), {}, ValueError),
        (('http://x/', 'finished'), {'method': 'PUT'}, ValueError),
        (('http://x/', 'finished'), {'timeout': 0}, ValueError),
        (('http://x/', 'finished'), {'timeout': 1.5}, ValueError),
        (('http://x/', 'finished'), {'timeout': True}, ValueError),
        (('http://x/', 'finished'), {'headers': [('a', 'b')]}, TypeError),
        (('http://x/', 'finished', 'POST'), {}, TypeError),
    ],
)
def test_refused(args: Any, words: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Webhook(*args, **words)


def test_there_and_back() -> None:
    one = Webhook('https://x/', 'failed', method='POST', headers={'A': 'b'}, timeout=3)
    fields = {'url': 'https://x/', 'job_status': 'failed', 'method': 'POST', 'headers': {'A': 'b'}, 'timeout': 3}
    assert one.to_dict() == fields and Webhook.from_dict(fields) == one
    assert Webhook.from_dict({'url': 'http://x/', 'job_status': 'finished'}) == Webhook('http://x/', 'finished')
    assert Webhook.from_dict({**fields, 'timeout': 10**30}).timeout == 3600


def test_stored(redis: Redis, queue: Queue, caplog: Any) -> None:
    hooks = [Webhook('http://x/', 'finished'), Webhook('http://y/', 'failed', method='POST')]
    job = queue.enqueue(jobs.add, webhooks=hooks)
    assert json.loads(redis.hget(job.key, 'webhooks')) == [hook.to_dict() for hook in hooks]  # type: ignore[arg-type]
    assert Job.fetch(job.id, redis).webhooks == hooks
    assert queue.enqueue_many([Queue.prepare_data(jobs.add, webhooks=tuple(hooks))])[0].webhooks == hooks
    assert redis.hget(queue.enqueue(jobs.add).key, 'webhooks') is None
    redis.hset(job.key, 'webhooks', '{')
    assert Job.fetch(job.id, redis).webhooks == [] and 'webhooks' in caplog.text
    with pytest.raises(TypeError):
        queue.enqueue(jobs.add, webhooks=[5])


def test_get(queue: Queue, listener: Listener) -> None:
    Webhook(f'{listener.url}/a?b=c', 'finished', headers={'X-Key': 'k'}).send(queue.enqueue(jobs.add))
    ((method, path, headers, body, _),) = listener.calls
    assert (method, path, headers['X-Key'], body) == ('GET', '/a?b=c', 'k', b'')
    assert 'Content-Type' not in headers


@pytest.mark.parametrize('own', [None, {'content-type': 'text/x'}])
def test_post(redis: Redis, queue: Queue, listener: Listener, own: Any) -> None:
    job = queue.enqueue(jobs.div, 1, job_id='mine')
    Webhook(listener.url, 'failed', method='POST', headers=own).send(job, exc_string='it broke')
    ((method, _, headers, body, _),) = listener.calls
    assert method == 'POST' and job.enqueued_at
    assert {name.lower(): value for name, value in headers.items()}['content-type'] == (
        'text/x' if own else 'application/json'
    )
    assert json.loads(body) == {
        'job_id': 'mine',
        'func_name': 'tests.jobs.div',
        'status': 'failed',
        'enqueued_at': job.enqueued_at.isoformat(),
        'ended_at': None,
        'exc_info': 'it broke',
    }
    assert 'exc_info' not in Webhook(listener.url, 'finished').get_payload(job)


def test_an_unreadable_call_is_told_too(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    redis.hset(job.key, 'data', b'junk')
    assert Webhook('http://x/', 'failed').get_payload(Job.fetch(job.id, redis))['func_name'] is None


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize('wrong', ['404', '500', 'refused', 'no http', 'host', 'port', 'header'])
def test_errors_are_logged(queue: Queue, listener: Listener, caplog: Any, wrong: str) -> None:
    urls = {'refused': f'http://127.0.0.1:{closed_port()}/', 'host': 'http://[::zz]/'}
    if wrong == 'no http':
        with socket.create_server(('127.0.0.1', 0)) as rude:
            thread = threading.Thread(target=lambda: rude.accept()[0].sendall(b'hello\r\n\r\n'), daemon=True)
            thread.start()
            Webhook(f'http://127.0.0.1:{rude.getsockname()[1]}/', 'finished', timeout=2).send(queue.enqueue(jobs.add))
    elif wrong == 'header':
        Webhook(listener.url, 'finished', headers={'X': 'secret\r\nY: z'}).send(queue.enqueue(jobs.add))
    elif wrong in ('host', 'port'):
        hook = Webhook('http://x/', 'finished')
        hook.url = urls.get(wrong, 'http://me:secret@x/')
        hook.send(queue.enqueue(jobs.add))
    else:
        Webhook(urls.get(wrong, f'{listener.url}/{wrong}'), 'finished').send(queue.enqueue(jobs.add))
    (record,) = [one for one in caplog.records if one.name == 'rq.webhook']
    assert record.levelname == 'WARNING' and 'secret' not in record.getMessage()


def test_passwords_stay_out_of_the_log(queue: Queue, caplog: Any) -> None:
    Webhook(f'http://me:secret@127.0.0.1:{closed_port()}/', 'finished').send(queue.enqueue(jobs.add))
    assert '127.0.0.1' in caplog.text and 'secret' not in caplog.text


def test_send_webhooks(queue: Queue, listener: Listener) -> None:
    hooks = [Webhook(f'{listener.url}/{n}x', status) for n, status in enumerate(['finished', 'failed', 'finished'])]
    job = queue.enqueue(jobs.add, webhooks=hooks)
    job.send_webhooks(JobStatus.FINISHED)
    job.send_webhooks('failed', exc_string='x')
    job.send_webhooks('stopped')
    assert [call.path for call in listener.calls] == ['/0x', '/2x', '/1x']


def post(redis: Redis, news: str) -> None:
    """Put news into the outbox, due at once."""
    redis.zadd('rq:outbox', {news: 1})


def test_news(redis: Redis, queue: Queue, listener: Listener) -> None:
    """What is kept in the outbox needs no job to be told."""
    hooks = [
        Webhook(f'{listener.url}/a', 'failed', method='POST', headers={'X': 'y'}),
        Webhook('http://z/', 'finished'),
        Webhook(f'{listener.url}/b', 'failed'),
    ]
    job = queue.enqueue(jobs.add, webhooks=hooks)
    news = news_of(job, 'failed', 'it broke')
    assert news != news_of(job, 'failed', 'it broke')  # two attempts are two members
    assert news_of(queue.enqueue(jobs.add), 'failed') == '' == news_of(job, 'stopped')
    job.delete()
    post(redis, news)
    tell_here(lambda call: run(redis, call), news)
    first, second = listener.calls
    assert (first.method, first.path, first.headers['X'], json.loads(first.body)['exc_info']) == (
        *('POST', '/a', 'y'),
        'it broke',
    )
    assert (second.method, second.path) == ('GET', '/b')
    assert not redis.exists('rq:outbox')
    tell_here(lambda call: run(redis, call), news)  # a courier was quicker
    assert len(listener.calls) == 2


@pytest.mark.parametrize(
    'junk', ['', '{', '[]', '5', '{"calls": 5, "job": ""}', '{"calls": [5], "job": "j"}', b'\xff\xfe']
)
def test_junk_in_the_outbox_is_dropped(redis: Redis, queue: Queue, junk: Any, caplog: Any) -> None:
    post(redis, junk)
    burst(redis, queue)
    assert not redis.exists('rq:outbox') and 'WARNING' in caplog.text
    assert [each.outcome for each in deliveries(redis)] == ['dropped']


@pytest.mark.parametrize(
    'call', [{}, {'url': 'file:///etc/passwd', 'method': 'GET', 'headers': {}, 'timeout': 5, 'body': None}]
)
def test_what_is_no_call_is_given_up(redis: Redis, queue: Queue, call: Any, caplog: Any) -> None:
    post(redis, json.dumps({'job': 'j', 'calls': [call]}))
    burst(redis, queue)
    assert not redis.exists('rq:outbox') and 'WARNING' in caplog.text
    ((outcome, job_id),) = [(each.outcome, each.job_id) for each in deliveries(redis)]
    assert (outcome, job_id) == ('given up', 'j')


def test_news_of_an_earlier_version(redis: Redis, queue: Queue, listener: Listener) -> None:
    """They know nothing of tries, nor of the status they are told of."""
    call = {'url': f'{listener.url}/old', 'method': 'GET', 'headers': {}, 'timeout': 5, 'body': None}
    post(redis, json.dumps({'id': '1', 'job': 'j', 'calls': [call, call]}))
    burst(redis, queue)
    assert len(listener.told('/old')) == 2
    assert [(each.number, each.code, each.outcome, each.job_status) for each in deliveries(redis)] == (
        [(1, 200, 'told', '')] * 2
    )


def test_a_failed_try_is_told_again_later(redis: Redis, queue: Queue, listener: Listener) -> None:
    listener.answers['/a'] = [503]
    job = queue.enqueue(jobs.add, webhooks=[Webhook(f'{listener.url}/a?token=secret', 'finished')])
    burst(redis, queue)
    ((news, due),) = redis.zrange('rq:outbox', 0, -1, withscores=True)
    left = json.loads(news)
    assert left['tries'] == 1 and len(left['calls']) == 1
    seconds, micros = redis.time()
    assert 0 < due / 1000 - (seconds + micros / 1e6) <= 2.5
    post(redis, news.decode())
    burst(redis, queue)
    assert len(listener.calls) == 2 and not redis.exists('rq:outbox')
    last, first = deliveries(redis)
    assert (first.number, first.code, first.outcome) == (1, 503, 'again')
    at = last.at
    assert last == Delivery(at, job.id, f'{listener.url}/a?***', 'GET', 'finished', 2, 200, '', 'told')
    assert deliveries(redis, 1) == [last] and deliveries(redis, 0) == []
    assert 0 < redis.ttl('rq:deliveries') <= 604800


@pytest.mark.parametrize('path', ['/drip', '/hang'])
def test_a_try_is_over_in_its_time(queue: Queue, listener: Listener, path: str, caplog: Any) -> None:
    began = time.monotonic()
    Webhook(f'{listener.url}{path}', 'finished', timeout=1).send(queue.enqueue(jobs.add))
    assert time.monotonic() - began < 2
    assert 'no answer within 1 s' in caplog.text or 'timed out' in caplog.text  # who was faster


def test_a_body_is_not_read(queue: Queue, listener: Listener, caplog: Any) -> None:
    caplog.set_level('DEBUG', 'rq.webhook')
    Webhook(f'{listener.url}/body', 'finished').send(queue.enqueue(jobs.add))
    assert 'answered 200' in caplog.text


@pytest.mark.parametrize('status', [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(queue: Queue, listener: Listener, status: int, caplog: Any) -> None:
    Webhook(f'{listener.url}/to/{status}', 'finished', method='POST').send(queue.enqueue(jobs.add))
    assert [call.path for call in listener.calls] == [f'/to/{status}']
    assert f'answered {status}: redirects are not followed' in caplog.text


def test_deliveries_that_somebody_else_wrote(redis: Redis) -> None:
    redis.rpush('rq:deliveries', 'x', b'\xff', '5 {}', '6 5', '7 {"try": "x", "code": "y", "url": 5}')
    assert [(each.number, each.code, each.url) for each in deliveries(redis)] == [(0, None, ''), (0, None, '5')]


def test_a_synchronous_queue(redis: Redis, listener: Listener) -> None:
    here = Queue('here', connection=redis, is_async=False)
    hooks = [Webhook(f'{listener.url}/{status}', status, method='POST') for status in ('finished', 'failed')]  # type: ignore[arg-type]
    here.enqueue(jobs.add, webhooks=hooks)
    here.enqueue(jobs.div, webhooks=hooks)
    assert [call.path for call in listener.calls] == ['/finished', '/failed']
    first, second = (json.loads(call.body) for call in listener.calls)
    assert first['ended_at'] and 'ZeroDivisionError' in second['exc_info']
    with pytest.raises(KeyError):
        here.enqueue(jobs.add, webhooks=hooks, on_success=Callback(jobs.raising_callback))
    assert len(listener.calls) == 2


def test_a_worker(redis: Redis, queue: Queue, listener: Listener) -> None:
    hooks = [Webhook(f'{listener.url}/{status}', status, method='POST') for status in ('finished', 'failed')]  # type: ignore[arg-type]
    made = [queue.enqueue(function, webhooks=hooks) for function in (jobs.add, jobs.div, jobs.kills_itself)]
    burst(redis, queue)
    wait_until(lambda: len(listener.calls) == 3, 10, 'three calls')
    told = {json.loads(call.body)['job_id']: (call.path, json.loads(call.body)) for call in listener.calls}
    assert [told[job.id][0] for job in made] == ['/finished', '/failed', '/failed']
    assert 'ZeroDivisionError' in told[made[1].id][1]['exc_info'] and told[made[0].id][1]['ended_at']
    assert not redis.exists('rq:outbox')


def test_a_payload_that_kills_is_not_loaded_by_the_worker(queue: Queue, listener: Listener, launch: Launch) -> None:
    job = queue.enqueue(jobs.words, jobs.Trap('die'), webhooks=[Webhook(listener.url, 'failed', method='POST')])
    assert launch('default', work={'burst': True}).wait() == 0
    told = json.loads(listener.calls[0].body)
    assert job.is_failed and (told['job_id'], told['func_name']) == (job.id, None)


def test_news_are_taken_one_by_one(redis: Redis, launch: Launch) -> None:
    """Behind a slow listener the others are nobody's, so that none of them is told twice."""
    with socket.create_server(('127.0.0.1', 0)) as deaf:
        call = {'url': f'http://127.0.0.1:{deaf.getsockname()[1]}/', 'method': 'GET', 'headers': {}, 'timeout': 30}
        for number in range(3):
            news = json.dumps({'id': str(number), 'job': 'j', 'calls': [{**call, 'body': None}]})
            redis.zadd('rq:outbox', {news: 1})
        launch('default').ready()
        deaf.settimeout(15)
        with deaf.accept()[0]:
            taken = [score for _, score in redis.zrange('rq:outbox', 0, -1, withscores=True) if score > 1]
    assert len(taken) == 1
