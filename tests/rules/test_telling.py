"""What an answer to a webhook's call means, and when the next try comes."""

import json

import pytest

from rq.rules import telling
from rq.rules.telling import Reply

PAUSES = (2.0, 8.0, 32.0, 128.0)
CALL = {'url': 'https://me:secret@host:8/path?token=secret#secret', 'method': 'POST', 'status': 'failed'}
NEWS = {'id': 'n', 'job': 'j', 'calls': [CALL], 'tries': 0, 'more': 'kept'}


def judged(reply: Reply, tries: int = 0, spread: float = 1.0) -> telling.Told:
    """What follows from a try after so many others."""
    return telling.judge({**NEWS, 'tries': tries}, reply, PAUSES, spread)


@pytest.mark.parametrize('code', [200, 201, 204, 299])
def test_good_answers(code: int) -> None:
    told = judged(Reply(code))
    assert (told.rest, told.pause, told.is_lost) == ('', 0, False)
    assert json.loads(told.record) == {
        'job': 'j', 'url': 'https://host:8/path?***', 'method': 'POST', 'status': 'failed', 'try': 1, 'code': code,
        'error': '', 'outcome': 'told',
    }  # fmt: skip


@pytest.mark.parametrize('reply', [Reply(code) for code in (302, 307, 401, 403, 404, 408, 409, 425, 429, 500, 503)])
def test_tried_again(reply: Reply) -> None:
    for tries, pause in enumerate(PAUSES):
        told = judged(reply, tries, spread=0.5)
        assert told.pause == pause / 2 and not told.is_lost
        assert json.loads(told.rest) == {**NEWS, 'tries': tries + 1}
        assert f'try {tries + 1} of 5: answered {reply.code}' in told.words
    told = judged(reply, 4)
    assert (told.rest, told.is_lost) == ('', True) and told.words.endswith('given up')


def test_no_answer_is_tried_again() -> None:
    told = judged(Reply(error='x' * 1000))
    assert told.rest and told.pause == 2 and len(json.loads(told.record)['error']) == telling.MOST_TEXT


@pytest.mark.parametrize('code', [301, 308, 400, 405, 410, 413, 414, 415, 422])
def test_refused_for_what_it_is(code: int) -> None:
    told = judged(Reply(code))
    assert told.rest == '' and told.is_lost and 'would change nothing' in told.words
    assert judged(Reply(error='no call', is_hopeless=True)).is_lost


@pytest.mark.parametrize('wish, pause', [(0, 2), (1, 2), (60, 60), (10**8, telling.LONGEST_WISH)])
def test_a_wish_is_heeded(wish: float, pause: float) -> None:
    assert judged(Reply(429, wish=wish)).pause == pause


def test_read() -> None:
    assert telling.read(json.dumps(NEWS)) == NEWS
    assert telling.read('{"job": 5, "calls": [{}]}') == {'job': '5', 'calls': [{}], 'tries': 0}
    assert telling.read('{"job": 5, "calls": [{}], "tries": -9}') == {'job': '5', 'calls': [{}], 'tries': 0}
    for junk in ('', '5', '[]', '{}', '{"job": "j", "calls": [5]}', '{"job": "j", "calls": [], "tries": "x"}', b'\xff'):
        assert telling.read(junk) is None
    assert telling.read('{"job": "j", "calls": [], "tries": Infinity}') is None
    assert telling.read('[' * 100_000) is None


@pytest.mark.parametrize(
    'stored, read', [('600', 600), ('3601', 3600), ('1e300', 3600), ('Infinity', 3600), ('NaN', 3600), ('"x"', 'x')]
)
def test_no_try_takes_more_than_an_hour(stored: str, read: object) -> None:
    news = telling.read(f'{{"job": "j", "calls": [{{"timeout": {stored}}}]}}')
    assert news is not None and news['calls'] == [{'timeout': read}]


def test_apart() -> None:
    news = {**NEWS, 'calls': [{'url': 'a'}, {'url': 'b'}]}
    first, second = map(json.loads, telling.apart(news))
    assert first == {**news, 'id': 'n.0', 'calls': [{'url': 'a'}]} and second['calls'] == [{'url': 'b'}]
    assert first['id'] != second['id']
    assert telling.apart({**NEWS, 'calls': []}) == []


@pytest.mark.parametrize(
    'url, host, address',
    [
        ('http://x/', 'x', 'http://x/'),
        ('http://me:secret@x:80/a', 'x:80', 'http://x:80/a'),
        ('http://[::1]:80/', '[::1]:80', 'http://[::1]:80/'),
        ('http://[::zz/', '', '(an address that cannot be read)'),
        (None, '', '://None'),
        ('http://x/\x1b[31m', 'x', 'http://x/\\x1b[31m'),
    ],
)
def test_addresses(url: object, host: str, address: str) -> None:
    assert (telling.host_of({'url': url}), telling.address_of({'url': url})) == (host, address)
    assert len(telling.address_of({'url': f'http://{"x" * 1000}/'})) == telling.MOST_TEXT
