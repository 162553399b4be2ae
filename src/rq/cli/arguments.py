"""The words of the shell that `rq enqueue` takes: arguments of the function, and when to run it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import click

from rq import entering
from rq.rules.timing import parse_timeout

MOMENT = '%Y-%m-%dT%H:%M:%S'


class ParsingMode(Enum):
    """How the value of a word is read."""

    PLAIN_TEXT = 0
    JSON = 1
    LITERAL_EVAL = 2


_MODES = {':': ParsingMode.JSON, '%': ParsingMode.LITERAL_EVAL}


def read_file(path: str) -> str:
    """The text of a file; a click error when it cannot be had."""
    try:
        return Path(path).expanduser().read_text(encoding='utf-8')
    except FileNotFoundError as error:
        raise click.FileError(path, 'Not found') from error
    except OSError as error:
        raise click.FileError(path, error.strerror or str(error)) from error
    except ValueError as error:  # bytes that are no text, or a name that is none
        raise click.FileError(path, str(error)) from error


def split_word(word: str) -> tuple[str | None, ParsingMode, str]:
    """The keyword (or None), the mode and the value of one word."""
    mode = _MODES.get(word[:1])
    if mode is not None:
        return None, mode, word[1:]
    equals = word.find('=')
    if equals <= 0:
        return None, ParsingMode.PLAIN_TEXT, word
    # Only the *first* : or % may mark the mode: `time:12:=5` is text for the keyword `time:12:`.
    for mark, marked in _MODES.items():
        if word.find(mark) == equals - 1:
            return word[: equals - 1], marked, word[equals + 1 :]
    return word[:equals], ParsingMode.PLAIN_TEXT, word[equals + 1 :]


def parse_value(text: str, mode: ParsingMode, where: str) -> Any:
    """The value that a text stands for; a usage error naming the place when it stands for none."""
    if mode is ParsingMode.JSON:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise click.BadParameter(f'Unable to parse {where} as JSON.') from error
    if mode is ParsingMode.LITERAL_EVAL:
        try:
            return ast.literal_eval(text)
        except Exception as error:  # of a dozen classes, MemoryError and RecursionError among them
            raise click.BadParameter(
                f'Unable to eval {where} as Python object. Numbers, quoted strings, bytes, tuples, lists, '
                'dicts, sets, True, False and None are understood'
            ) from error
    return text


def parse_function_arg(argument: str, arg_pos: int) -> tuple[str | None, Any]:
    """The keyword (or None) and the value of one argument; `@FILE` as value is the content of the file."""
    keyword, mode, value = split_word(argument)
    if value.startswith('@'):
        value = read_file(value[1:])
    return keyword, parse_value(value, mode, keyword or f'{arg_pos}. non keyword argument')


def parse_function_args(arguments: Iterable[str]) -> tuple[list[Any], dict[str, Any]]:
    """The positional and the keyword arguments that the words stand for."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for argument in arguments:
        keyword, value = parse_function_arg(argument, len(args) + 1)
        if keyword is None:
            args.append(value)
        elif keyword in kwargs:
            raise click.BadParameter("You can't specify multiple values for the same keyword.")
        else:
            kwargs[keyword] = value
    return args, kwargs


def parse_schedule(schedule_in: str | None, schedule_at: str | None) -> datetime | None:
    """When to enqueue: aware for a delay, naive local time for a moment, None for at once."""
    if schedule_in is None and schedule_at is None:
        return None
    if schedule_in is not None and schedule_at is not None:
        raise click.BadArgumentUsage("You can't specify both --schedule-in and --schedule-at")
    if schedule_at is not None:
        return datetime.strptime(schedule_at, MOMENT)
    return entering.from_now(timedelta(seconds=parse_timeout(schedule_in) or 0))
