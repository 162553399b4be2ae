"""Jobs that ask for what dishka provides."""

from collections.abc import Iterator

from dishka_rq import FromDishka, inject

__all__ = ['Iterator', 'Session', 'fail', 'greet', 'greet_injected']


class Session:
    def __init__(self, word):
        self.word = word


def greet(name: str, session: FromDishka[Session]) -> str:
    return f'{session.word} {name}'


@inject
def greet_injected(name: str, session: FromDishka[Session]) -> str:
    return f'{session.word} {name}'


def fail(session: FromDishka[Session]) -> None:
    raise ValueError(session.word)
