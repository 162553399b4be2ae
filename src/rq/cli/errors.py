"""How the command line says no: one sentence on stderr and no traceback.

The exit code is 2 for a wrong word, 1 for bad luck and where RQ 3.0 has it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from rq.connections import describe, redact
from rq.store.call import RedisError, ResponseError

__all__ = ['ELSEWHERE', 'Command', 'Group', 'talking_to', 'wrong_option']

#: Here RQ 3.0 ends in a traceback, with 1; scripts may know it.
ENDS_WITH_1 = (
    *('--exception-handler', '--serializer', '--config', '--pid', '--schedule-in', '--schedule-at', '--timeout'),
    *('--result-ttl', '--ttl', '--failure-ttl', '--job-id'),
)
OURS_ALONE = (('debug', '--timeout'),)  # RQ 3.0 has no such command
ELSEWHERE = (
    'start a server there, name another with --url, or say --url embedded:// for a private one in this directory'
)


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Take the context from usage errors: with it, click prints two lines of usage and hint before them."""
    try:
        yield
    except click.UsageError as error:
        # Its text is the help of the group, for which it needs the context.
        command = error.ctx.command.name if error.ctx is not None else ''
        if type(error).__name__ != 'NoArgsIsHelpError':
            error.ctx = None
        if isinstance(error, click.BadParameter):
            option = _option_of(error)
            if option in ENDS_WITH_1 and (command, option) not in OURS_ALONE:
                error.__dict__['exit_code'] = 1
        raise


def _option_of(error: click.BadParameter) -> str:
    """The long spelling of the option whose value is wrong."""
    if error.param is not None:
        return max(error.param.opts, key=len)
    return str(error.param_hint or '').strip("'")


class Command(click.Command):
    """A command whose usage errors are one sentence."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the words of the command."""
        with _one_sentence():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        # A name that the terminal's encoding lacks is no reason to break off.
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, 'reconfigure'):
                stream.reconfigure(errors='replace')
        with _one_sentence():
            return super().invoke(ctx)


class Group(click.Group):
    """A group of commands whose usage errors are one sentence."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the words before the command."""
        with _one_sentence():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Find and run the command."""
        with _one_sentence():
            return super().invoke(ctx)


def wrong_option(option: str, why: object) -> click.BadParameter:
    """The usage error that names an option and says what is wrong with its value."""
    return click.BadParameter(str(why), param_hint=f"'{option}'")


def _address(connection: Any) -> str:
    """The address of a client, or a URL, without any secret."""
    if isinstance(connection, str):
        return redact(connection)
    # Client classes of others, those of clusters for example, may have no pool.
    return describe(connection) if hasattr(connection, 'connection_pool') else type(connection).__name__


@contextmanager
def talking_to(connection: Any) -> Iterator[None]:
    """Turn what the server of a client (or URL), or its absence, does to us into one sentence and exit code 1."""
    try:
        yield
    except RedisError as error:
        address = _address(connection)
        if isinstance(error, ResponseError):
            raise click.ClickException(f'the server at {address} refused: {error}') from error
        raise click.ClickException(
            f'no server to work with at {address} ({str(error).rstrip(".")}); {ELSEWHERE}'
        ) from error
