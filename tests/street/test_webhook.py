"""Webhook: an HTTP call that tells somebody how a job ended."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Webhook
from rq.job import Job, JobStatus
from rq.webhook import news_of, tell_news
from tests import jobs
from tests.launch import Launch, burst
from tests.waiting import wait_until


class Listener:
    """An HTTP server of this test; `calls` are (method, path, headers, body), the path may be the answer's status."""

    def __init__(self) -> None:
        calls: list[Any] = []
        self.calls = calls

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
                calls.append((self.command, self.path, dict(self.headers), body))
                status = int(self.path[1:]) if self.path[1:].isdigit() else 200
                self.send_response(status)
                self.send_header('Content-Length', '0')
                self.end_headers()

            do_GET = do_POST = answer

            def log_message(self, *words: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}'
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.server.shutdown()
    made.server.server_close()


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
    ((method, path, headers, body),) = listener.calls
    assert (method, path, headers['X-Key'], body) == ('GET', '/a?b=c', 'k', b'')
    assert 'Content-Type' not in headers


@pytest.mark.parametrize('own', [None, {'content-type': 'text/x'}])
def test_post(redis: Redis, queue: Queue, listener: Listener, own: Any) -> None:
    job = queue.enqueue(jobs.div, 1, job_id='mine')
    Webhook(listener.url, 'failed', method='POST', headers=own).send(job, exc_string='it broke')
    ((method, _, headers, body),) = listener.calls
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


@pytest.mark.parametrize('wrong', ['404', '500', 'refused', 'no http', 'host'])
def test_errors_are_logged(queue: Queue, listener: Listener, caplog: Any, wrong: str) -> None:
    urls = {'refused': f'http://127.0.0.1:{closed_port()}/', 'host': 'http://[::zz]/'}
    if wrong == 'no http':
        with socket.create_server(('127.0.0.1', 0)) as rude:
            thread = threading.Thread(target=lambda: rude.accept()[0].sendall(b'hello\r\n\r\n'), daemon=True)
            thread.start()
            Webhook(f'http://127.0.0.1:{rude.getsockname()[1]}/', 'finished', timeout=2).send(queue.enqueue(jobs.add))
    elif wrong == 'host':
        hook = Webhook('http://x/', 'finished')
        hook.url = urls['host']
        hook.send(queue.enqueue(jobs.add))
    else:
        Webhook(urls.get(wrong, f'{listener.url}/{wrong}'), 'finished').send(queue.enqueue(jobs.add))
    (record,) = [one for one in caplog.records if one.name == 'rq.webhook']
    assert record.levelname == 'WARNING'


def test_passwords_stay_out_of_the_log(queue: Queue, caplog: Any) -> None:
    Webhook(f'http://me:secret@127.0.0.1:{closed_port()}/', 'finished').send(queue.enqueue(jobs.add))
    assert '127.0.0.1' in caplog.text and 'secret' not in caplog.text


def test_send_webhooks(queue: Queue, listener: Listener) -> None:
    hooks = [Webhook(f'{listener.url}/{n}x', status) for n, status in enumerate(['finished', 'failed', 'finished'])]
    job = queue.enqueue(jobs.add, webhooks=hooks)
    job.send_webhooks(JobStatus.FINISHED)
    job.send_webhooks('failed', exc_string='x')
    job.send_webhooks('stopped')
    assert [path for _, path, _, _ in listener.calls] == ['/0x', '/2x', '/1x']


def test_news(queue: Queue, listener: Listener, caplog: Any) -> None:
    """What is kept in the outbox needs neither job nor server to be told."""
    hooks = [
        Webhook(f'{listener.url}/a', 'failed', method='POST', headers={'X': 'y'}),
        Webhook('http://z/', 'finished'),
    ]
    job = queue.enqueue(jobs.add, webhooks=hooks)
    news = news_of(job, 'failed', 'it broke')
    assert news != news_of(job, 'failed', 'it broke')  # two attempts are two members
    assert news_of(queue.enqueue(jobs.add), 'failed') == '' == news_of(job, 'stopped')
    job.delete()
    tell_news(news)
    ((method, path, headers, body),) = listener.calls
    assert (method, path, headers['X'], json.loads(body)['exc_info']) == ('POST', '/a', 'y', 'it broke')
    for junk in ('', '{', '[]', '5', '{"calls": 5, "job": ""}', '{"calls": [{}], "job": "j"}'):
        tell_news(junk)
    tell_news(json.dumps({'job': 'j', 'calls': [{'url': 'file:///etc/passwd', 'method': 'GET', 'headers': {}}]}))
    assert len(listener.calls) == 1 and 'WARNING' in caplog.text


def test_a_synchronous_queue(redis: Redis, listener: Listener) -> None:
    here = Queue('here', connection=redis, is_async=False)
    hooks = [Webhook(f'{listener.url}/{status}', status, method='POST') for status in ('finished', 'failed')]  # type: ignore[arg-type]
    here.enqueue(jobs.add, webhooks=hooks)
    here.enqueue(jobs.div, webhooks=hooks)
    assert [path for _, path, _, _ in listener.calls] == ['/finished', '/failed']
    first, second = (json.loads(body) for _, _, _, body in listener.calls)
    assert first['ended_at'] and 'ZeroDivisionError' in second['exc_info']
    with pytest.raises(KeyError):
        here.enqueue(jobs.add, webhooks=hooks, on_success=Callback(jobs.raising_callback))
    assert len(listener.calls) == 2


def test_a_worker(redis: Redis, queue: Queue, listener: Listener) -> None:
    hooks = [Webhook(f'{listener.url}/{status}', status, method='POST') for status in ('finished', 'failed')]  # type: ignore[arg-type]
    made = [queue.enqueue(function, webhooks=hooks) for function in (jobs.add, jobs.div, jobs.kills_itself)]
    burst(redis, queue)
    wait_until(lambda: len(listener.calls) == 3, 10, 'three calls')
    told = {json.loads(body)['job_id']: (path, json.loads(body)) for _, path, _, body in listener.calls}
    assert [told[job.id][0] for job in made] == ['/finished', '/failed', '/failed']
    assert 'ZeroDivisionError' in told[made[1].id][1]['exc_info'] and told[made[0].id][1]['ended_at']
    assert not redis.exists('rq:outbox')


def test_a_payload_that_kills_is_not_loaded_by_the_worker(queue: Queue, listener: Listener, launch: Launch) -> None:
    job = queue.enqueue(jobs.words, jobs.Trap('die'), webhooks=[Webhook(listener.url, 'failed', method='POST')])
    assert launch('default', work={'burst': True}).wait() == 0
    told = json.loads(listener.calls[0][3])
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
