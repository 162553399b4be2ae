"""Secrets in texts: what is hidden, what stays, and that hostile texts cost no more than long ones."""

import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.rules.scrub import HIDDEN, is_secret_name, scrub, scrub_source, secret_values

PLANTED = 'hunter2-planted'


@pytest.mark.parametrize(
    'text',
    [
        'password={}',
        'password: {}',
        "'password' => '{}'",
        'DB_PASSWORD={}',
        'userPassword = {} ',
        'PGPASSWORD={}',
        "{{'password': '{}', 'user': 'bob'}}",
        '{{"api_key": "{}", "n": 1}}',
        '"{{\\"client_secret\\": \\"{}\\"}}"',
        "login('bob', password='{}', n=3)",
        "token=b'{}'",
        'Authorization: Basic {}',
        'authorization: {}\nHost: shop',
        'X-Api-Key: {}',
        'Set-Cookie: theme=dark; session={}; Path=/',
        'https://shop.example/?token={}&page=2',
        'https://shop.example/?page=2&sig={}',
        'redis://:{}@localhost:6379/0',
        'postgresql://bob:{}@db/shop',
        'http://bob:{}@shop.example/orders',
        'mysqldump --password {} shop',
        "['mysqldump', '--password', '{}', 'shop']",
        "os.environ['SECRET_KEY'] = '{}'",
        'the password {} is wrong',
        'cookies=[("a", "{}")]',
        'access_token={}, next',
        'secret={}; next',
        '-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----',
    ],
)
def test_hidden(text: str) -> None:
    found = scrub(text.format(PLANTED))
    assert PLANTED not in found and 'hunter2' not in found and HIDDEN in found
    assert scrub(found) == found


@pytest.mark.parametrize(
    'secret',
    [
        '4111111111111111',
        '4111 1111 1111 1111',
        '4111-1111-1111-1111',
        '3782 822463 10005',
        '5555555555554444',
        'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N',
        'AKIA' + 'IOSFODNN7EXAMPLE',
        'ghp_' + '0123456789abcdefghijABCDEFGHIJ456789',
        'xoxb-' + '123456789012-abcdefghijkl',
        'sk_live_' + '4eC39HqLyjWDarjtT1zdp7dc',
        'Bearer 0123456789abcdef0123',
    ],
)
def test_credentials_by_their_looks(secret: str) -> None:
    for text in (secret, f'it was {secret}, and failed', f'[{secret!r}]', f'a\n{secret}\nb'):
        found = scrub(text)
        assert secret not in found and HIDDEN in found
        assert scrub(found) == found


def test_urls_keep_scheme_user_and_host() -> None:
    assert scrub('at amqps://bob:a/b@c:5671/shop now') == 'at amqps://bob:a/b@c:5671/shop now'.replace('a/b', HIDDEN)
    assert scrub('http://shop:80/at/@bob') == 'http://shop:80/at/@bob'


@pytest.mark.parametrize(
    'text',
    [
        'password_field=abc',
        'token_count=3',
        'max_tokens=4096',
        'tokens: 128',
        'auth=True, password=None, token=',
        'unexpected token: EOF',
        "invalid token '}' at 3",
        'wrong password for bob',
        "KeyError: 'password'",
        "TypeError: login() missing 1 required positional argument: 'password'",
        "AttributeError: 'NoneType' object has no attribute 'token'",
        'def login(password: str, token: Optional[str]):',
        'the author passed the compass',
        'sorted(orders, key=len)',
        'order 1700000000000 of 2026-11-22 07:20:05',
        '0.4111111111111111',
        'commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904',
        '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
        'bearer of good news',
    ],
)
def test_left_alone(text: str) -> None:
    assert scrub(text) == text


def test_a_traceback_stays_one() -> None:
    def login(user: str, password: str, token: Any) -> None:
        session_id, api_key = token.get('session'), password
        raise ValueError(f'{user} has no session', session_id, api_key)

    try:
        login(password='x', user='bob', token={})
    except ValueError as error:
        text = ''.join(traceback.format_exception(error))
    assert "login(password='x'" in text
    assert scrub(text) == text.replace("password='x'", f"password='{HIDDEN}'")


def test_source_lines() -> None:
    assert scrub_source('token = self.get_token(password=password)') == 'token = self.get_token(password=password)'
    assert scrub_source("login(password='hunter2', pin=1234)") == f"login(password='{HIDDEN}', pin={HIDDEN})"
    assert scrub_source("tokens = [one for one in text.split(',')]") == "tokens = [one for one in text.split(',')]"


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        *[
            (name, True)
            for name in ('password', 'Password2', 'new_password', 'userPassword', 'pwd', 'api_key', 'apiKey')
        ],
        *[(name, True) for name in ('APIKEY', 'AWS_SECRET_ACCESS_KEY', 'X-Api-Key', 'Authorization', 'session_id')],
        *[(name, True) for name in ('cvv', 'pin', 'cookie', 'token', 'refreshToken', 'client_secret', 'card_number')],
        *[
            (name, False)
            for name in ('password_field', 'token_count', 'key', 'author', 'session', 'pinned', 'tokenizer')
        ],
        *[(name, False) for name in ('', 'keyboard', 'passed', 'compass', 'secretary', 'auth_enabled')],
        (None, False),
        (3, False),
    ],
)
def test_names(name: Any, expected: bool) -> None:
    assert is_secret_name(name) is expected


def test_known_values_in_any_form() -> None:
    secret = 'geheim "ß" \\ x/y'
    forms = [secret, repr(secret), ascii(secret), 'geheim%20%22%C3%9F%22%20%5C%20x%2Fy']
    for form in forms:
        assert 'geheim' not in scrub(f'it was {form}!', [secret])
    assert scrub('abcdefgh abcdefxy', ['abcdef', 'abcdefgh']) == f'{HIDDEN} {HIDDEN}xy'
    assert scrub('tests of test', ['test']) == f'tests of {HIDDEN}'
    assert scrub('abc', ['abc']) == 'abc', 'too short to be told from a word'
    assert scrub(HIDDEN, ['hidden', 'dden']) == HIDDEN


def test_values_under_secret_names() -> None:
    class Evil:
        def __repr__(self) -> str:
            raise AssertionError('asked')

        __str__ = __bool__ = __len__ = __iter__ = __hash__ = __eq__ = __repr__  # type: ignore[assignment]

    class MyDict(dict[str, Any]):
        def items(self) -> Any:
            raise AssertionError('asked')

    found = secret_values(
        {
            'password': 'first-one',
            'user': 'bob-the-user',
            'config': {'api_key': b'second-one', 'deep': {'token': 'too-deep'}},
            'tokens': ['third-one', ('fourth-one',)],
            'pin': 471100,
            'secret': Evil(),
            'auth': MyDict(a='not-looked-at'),
            'cookie': 'abc',
            3: 'x',
        }
    )
    assert found == {'first-one', 'second-one', 'third-one', '471100'}
    assert secret_values({'password': [str(number) * 5 for number in range(5000)]}).__len__() <= 100
    cycle: dict[str, Any] = {}
    cycle['password'] = cycle
    assert secret_values(cycle, depth=50) == set()


WORDS = [
    *(
        'password',
        'token',
        'api_key',
        '=',
        ': ',
        "'",
        '"',
        '\\',
        '[',
        ']',
        '(',
        ')',
        '{',
        ',',
        ' ',
        '\n',
        HIDDEN,
        '--pin ',
    ),
    *(
        'hunter2',
        '4111 1111 1111 1111',
        '://',
        'bob:x@h',
        '@',
        'Bearer ',
        'eyJabcdef.abcdef',
        'Cookie:',
        '  File "x", line 1\n    ',
    ),
    *('-----BEGIN PRIVATE KEY-----', '-----END PRIVATE KEY-----', "'''", 'hidden', '1', 'é', '\ud800', 'İ', 'a'),
]


@given(st.lists(st.sampled_from(WORDS), max_size=25).map(''.join), st.sets(st.text(max_size=8), max_size=3))
def test_twice_is_once(text: str, secrets: set[str]) -> None:
    once = scrub(text, secrets)
    assert scrub(once, secrets) == once


@given(st.text())
def test_any_text(text: str) -> None:
    assert isinstance(scrub(text), str) and isinstance(scrub_source(text), str)


@given(st.text(min_size=6, max_size=40), st.text(), st.text())
def test_a_known_value_is_gone(secret: str, before: str, after: str) -> None:
    text = scrub(before + secret + after, [secret])
    assert all(secret not in part for part in text.split(HIDDEN))


HOSTILE = [
    *(
        'password=',
        'password="',
        '"',
        '(',
        'password=(',
        "auth=('",
        'a',
        'a-',
        '://',
        '://a:b@',
        'eyJ',
        'eyJ-',
        '1 ',
        '1',
    ),
    *('4111 1111 ', 'token: ', '--p ', '-----BEGIN RSA PRIVATE KEY-----', 'File "x", line 1\n    ', "password='''\n"),
    *('bearer ', 'password ', '\\', 'pass', 'password,a=', 'password=[hidden]', '\n', 'pin=1 Password2=', 'İpassword '),
]


@pytest.mark.parametrize('piece', HOSTILE)
def test_a_mebibyte_of_anything(piece: str) -> None:
    """A step that is not linear would take hours here."""
    text = (piece * (2**20 // len(piece) + 1))[: 2**20]
    found = scrub(text, ['hunter2', 'aaaa', '4111'])
    assert scrub(found) == found
