"""Jobs that have secrets, say them and fail."""

import logging
import os
import subprocess
import sys
from typing import Any

from rq import get_current_job

log = logging.getLogger('shop')

PASSWORD = 'hunter2-planted'
TOKEN = 'tok-81f2c9-planted'
CARD = '4111 1111 1111 1111'
URL = 'postgresql://bob:s3cret-planted@db.example/shop'
LOCAL = 'local-9981-planted'
SECRETS = (PASSWORD, TOKEN, CARD, CARD.replace(' ', ''), 's3cret-planted', LOCAL)


def pay(password: str, card: str, url: str, token: str = '', config: Any = None, then: str = 'raises') -> None:
    """Charge a card, in vain."""
    api_key = LOCAL
    print('paying with', password, token, card, url, api_key)
    print(f'password={password} token={token}', file=sys.stderr, flush=True)
    log.warning('cannot pay: %s %s %s %s %s %r', password, token, card, url, api_key, config)
    if then == 'dies':
        os.kill(os.getpid(), 9)
    if then == 'hangs':
        _deaf()
    _charge(card, password, {'Authorization': f'Bearer {token}', 'url': url})


def _deaf() -> None:
    while True:
        try:
            get_current_job().connection.blpop('test:never', timeout=20)  # type: ignore[union-attr]
        except Exception:
            continue


def _charge(card: str, secret: str, headers: dict[str, str]) -> None:
    key = card.replace(' ', '')
    try:
        raise LookupError(f'no account of {secret} at {headers}, {key}')
    except LookupError as error:
        wrong = ValueError(f'card {card} of {headers["url"]} refused: {secret} {LOCAL}')
        wrong.add_note(f'asked with {headers}')
        raise wrong from error


def told(job: Any, *exc_info: Any) -> bool:
    """A handler that fails, and says what it knows."""
    raise RuntimeError(f'cannot tell of {job.kwargs}, {job.args}: {exc_info[1]}')


def callback(job: Any, connection: Any, *exc_info: Any) -> None:
    """A callback that does."""
    password = job.args[0]
    raise RuntimeError(f'cannot tell of {password}')


def talks(size: int, then: str = 'raises') -> None:
    """Say numbered lines, so many bytes of them, then fail."""
    for number in range(size // 20):
        print(f'line {number:014d}')
    subprocess.run(['true'], check=True)
    if then == 'dies':
        os.kill(os.getpid(), 9)
    if then == 'raises':
        raise ValueError('done talking')


def holds(order: int) -> None:
    """Fail with locals of all kinds."""
    long, many, nothing = 'x' * 5000, list(range(5000)), None
    hostile, lies = Hostile(), type('Lies', (), {'__repr__': lambda self: 5})()
    password = 'never-shown'
    inner(order, {'long': long, 'many': many, 'of': [hostile, lies, nothing, password[:0]]})


def inner(order: int, words: dict[str, Any]) -> None:
    """One call deeper."""
    exec(''.join(f'v{number} = {number}\n' for number in range(100)))
    raise ValueError(f'order {order}')


class Hostile:
    """Raises when it is asked for anything."""

    def __repr__(self) -> str:
        raise RuntimeError('no')

    __str__ = __repr__


class Uncaused(Exception):
    """Wants to leave when it is asked for its cause."""

    @property
    def __cause__(self) -> Any:  # type: ignore[override]
        raise SystemExit


class _Unnamed(type):
    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError('no')


class Nameless(metaclass=_Unnamed):
    """Neither it nor its class says anything."""

    __repr__ = Hostile.__repr__


def lies(password: str) -> None:
    """Fail with something that is hard to write down."""
    nameless = Nameless()
    raise Uncaused(f'refused: {password}') if nameless is not None else AssertionError


def succeeds() -> str:
    """Say something, and succeed."""
    print('said')
    log.warning('logged')
    return f'{sys.stdout.write.__name__} {logging.Logger.callHandlers.__name__}'
