"""Log output of the command line: colours by level on a terminal, handlers for stdout and stderr.

Which events are logged, and in which words, stands where they happen.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, ClassVar

from rq.defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT

# SGR codes of ECMA-48: 30-37 the dark half of the palette, 90-97 the bright one.
_DARK = {
    'black': 30,
    'darkred': 31,
    'darkgreen': 32,
    'darkyellow': 33,
    'brown': 33,
    'darkblue': 34,
    'purple': 35,
    'teal': 36,
    'lightgray': 37,
}
_BRIGHT = {
    'darkgray': 90,
    'red': 91,
    'green': 92,
    'yellow': 93,
    'blue': 94,
    'magenta': 95,
    'fuchsia': 95,
    'cyan': 96,
    'turquoise': 96,
    'white': 97,
}
_CODES = _DARK | _BRIGHT


def make_colorizer(color: str) -> Callable[[Any], str]:
    """A function that puts a text into `color` when stdout is a terminal; `ValueError` for an unknown one."""
    code = _CODES.get(color)
    if code is None:
        raise ValueError(f'{color!r} is no colour we know: choose one of {", ".join(sorted(_CODES))}')

    def always(text: Any) -> str:
        return f'\x1b[{code}m{text}\x1b[39m'

    def inner(text: Any) -> str:
        # Looked up at each call: tests and daemons exchange sys.stdout while we run.
        return always(text) if _is_tty(sys.stdout) else str(text)

    inner.always = always  # type: ignore[attr-defined]  # for a handler, whose stream is another one
    return inner


def _is_tty(stream: Any) -> bool:
    """Whether a stream is a terminal; closed and makeshift streams are not."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


_red, _green, _yellow, _blue = (make_colorizer(f'dark{name}') for name in ('red', 'green', 'yellow', 'blue'))


def red(text: Any) -> str:
    """The text in red when stdout is a terminal."""
    return _red(text)


def green(text: Any) -> str:
    """The text in green when stdout is a terminal."""
    return _green(text)


def yellow(text: Any) -> str:
    """The text in yellow when stdout is a terminal."""
    return _yellow(text)


def blue(text: Any) -> str:
    """The text in blue when stdout is a terminal."""
    return _blue(text)


class ColorizingStreamHandler(logging.StreamHandler[Any]):
    """A stream handler that colours warnings and errors on a terminal."""

    levels: ClassVar[dict[int, Callable[[Any], str]]] = {
        logging.WARNING: _yellow,
        logging.ERROR: _red,
        logging.CRITICAL: _red,
    }

    def __init__(self, exclude: Any = None, *args: Any, **kwargs: Any) -> None:
        # Logging configurations in the field pass `exclude`; it is kept for them and changes nothing.
        self.exclude = exclude
        super().__init__(*args, **kwargs)

    @property
    def is_tty(self) -> bool:
        """Whether the stream is a terminal."""
        return _is_tty(self.stream)

    def format(self, record: logging.LogRecord) -> str:
        """The record as text, its first line coloured by level on a terminal."""
        text = super().format(record)
        colorize = self.levels.get(record.levelno)
        if colorize is None or not self.is_tty:
            return text
        # Tracebacks stay as they are: they are copied into tickets.
        head, newline, rest = text.partition('\n')
        # Our colorizers look at stdout; here the stream of the handler decides.
        return getattr(colorize, 'always', colorize)(head) + newline + rest


def _below_error(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR


def setup_loghandlers(
    level: int | str | None = None,
    date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
    log_format: str = DEFAULT_LOGGING_FORMAT,
    name: str = 'rq.worker',
) -> None:
    """Send the logger `name` to stdout, errors to stderr, unless somebody configured handlers already."""
    logger = logging.getLogger(name)
    if not logger.hasHandlers():
        formatter = logging.Formatter(fmt=log_format, datefmt=date_format)
        calm = ColorizingStreamHandler(stream=sys.stdout)
        calm.addFilter(_below_error)
        loud = ColorizingStreamHandler(stream=sys.stderr)
        loud.setLevel(logging.ERROR)
        for handler in (calm, loud):
            handler.setFormatter(formatter)
            logger.addHandler(handler)
        logger.propagate = False
    if level is not None:
        logger.setLevel(level)
