"""Log output of the command line: colours by level on a terminal, handlers for stdout and stderr.

Which events are logged, and in which words, stands where they happen. A line that nobody takes holds up nobody.
"""

from __future__ import annotations

import io
import logging
import re
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, ClassVar

from rq import outlet
from rq.defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT
from rq.timeouts import BaseTimeoutException

# Seconds that a line waits for a slow reader; after one that did not come in time, the next ones do not wait at all.
_PATIENCE = 0.1

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


#: formats of times, of which one text serves for a whole second; names of months are a matter of the locale
_OF_A_SECOND = re.compile(r'(?:[^%]|%[YmdHMSyjFTDR%])*')
#: what stands before the message, when all of it is known without a record
_PREFIX = re.compile(r'(?:[^%]|%%|%\((?:asctime|name|levelname)\)s)*')
_LOCAL_TIME = time.localtime


class LineFormatter(logging.Formatter):
    """The formatter of our own handlers: writes what the one of `logging` does, and the time once in a second."""

    def __init__(self, fmt: str | None = None, datefmt: str | None = None) -> None:
        super().__init__(fmt, datefmt)
        prefix, message, rest = (fmt or '').rpartition('%(message)s')
        self._prefix = prefix if message and not rest and _PREFIX.fullmatch(prefix) else None
        self._is_of_a_second = bool(datefmt) and _OF_A_SECOND.fullmatch(datefmt or '') is not None
        self._latest: tuple[int, Any, str] = -1, None, ''  # one tuple, as threads share it

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """The time of a record."""
        if datefmt == self.datefmt and self._is_of_a_second and self.converter is _LOCAL_TIME:
            return self._text_of(record.created)
        return super().formatTime(record, datefmt)

    def prefix_of(self, name: str, level: int) -> str | None:
        """What stands before a message that is logged now; None when that takes a record."""
        if self._prefix is None or not self._is_of_a_second or self.converter is not _LOCAL_TIME:
            return None
        words = {'asctime': self._text_of(time.time()), 'name': name, 'levelname': logging.getLevelName(level)}
        return self._prefix % words

    def _text_of(self, moment: float) -> str:
        second, zone, text = self._latest
        # By identity: `time.tzset` makes new names.
        if second != int(moment) or zone is not time.tzname:
            text = time.strftime(self.datefmt or '', _LOCAL_TIME(moment))
            self._latest = int(moment), time.tzname, text
        return text


class ColorizingStreamHandler(logging.StreamHandler[Any]):
    """A stream handler that colours warnings and errors on a terminal, and never waits for who should read.

    A line that a full pipe, a stopped terminal or a full disk does not take is lost and counted; the first one that is
    taken again comes with the number of those that were not.
    """

    levels: ClassVar[dict[int, Callable[[Any], str]]] = {
        logging.WARNING: _yellow,
        logging.ERROR: _red,
        logging.CRITICAL: _red,
    }

    def __init__(self, exclude: Any = None, *args: Any, **kwargs: Any) -> None:
        # Logging configurations in the field pass `exclude`; it is kept for them and changes nothing.
        self.exclude = exclude
        super().__init__(*args, **kwargs)
        self.lost = 0  # lines since the last one that was taken
        self._is_cut = False  # the last one was taken in part, so that its end of line is missing

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or count it as lost."""
        try:
            text = self.format(record)
            if self.lost:
                text = self._of_loss(record) + self.terminator + text
        except (RecursionError, BaseTimeoutException):
            raise  # a job's time may be over while it logs
        except Exception:
            self.handleError(record)
            return
        if self._say(text + self.terminator):
            self.lost = 0
        else:
            self.lost += 1

    def write_lines(self, level: int, lines: list[str]) -> bool:
        """Write formatted lines at once, when that waits for nobody; False: nothing was written, emit them."""
        self.acquire()
        try:
            descriptor = None if self.lost or self._is_cut or self.stream is None else self._descriptor()
            if descriptor is None or (level in self.levels and self.is_tty):
                return False
            lines.append('')
            data = _encoded(self.terminator.join(lines), self.stream.encoding, self.stream.errors)
            written = outlet.write_at_once(descriptor, data, self._flush_stream)
            if 0 < written < len(data):
                self._write_rest(descriptor, data, written)
        except (OSError, ValueError):
            return False
        else:
            return written > 0
        finally:
            self.release()

    def _write_rest(self, descriptor: int, data: bytes, written: int) -> None:
        """After a part of them."""
        try:
            written += outlet.write(descriptor, data[written:], _PATIENCE)
        except OSError:
            pass  # the disk is full
        end = self.terminator.encode(self.stream.encoding)
        self._is_cut = not data[:written].endswith(end)
        self.lost += data.count(end, written)

    def _of_loss(self, record: logging.LogRecord) -> str:
        words, level = '%d log lines before this one are lost: they could not be written', logging.WARNING
        return self.format(logging.LogRecord(record.name, level, record.pathname, 0, words, (self.lost,), None))

    def _say(self, text: str) -> bool:
        """Write it; False when it was not taken, or not all of it."""
        if self.stream is None:
            return True  # the process was started without one
        try:
            descriptor = self._descriptor()
            if descriptor is not None:
                return self._say_to(descriptor, text)
            self._say_to_stream(text)
        except (OSError, ValueError):
            return False  # its reader has gone, the disk is full, or a job closed it
        return True

    def _descriptor(self) -> int | None:
        """Where a text file writes to; None for streams that are more, or less, than that."""
        if not isinstance(self.stream, io.TextIOWrapper) or type(self.stream).write is not io.TextIOWrapper.write:
            return None
        try:
            return self.stream.fileno()
        except OSError:
            return None  # it writes to memory

    def _say_to(self, descriptor: int, text: str) -> bool:
        # Past the buffers of the stream: what it could not write it would keep, and block on at its end.
        data = _encoded('\n' + text if self._is_cut else text, self.stream.encoding, self.stream.errors)
        patience = 0.0 if self.lost else _PATIENCE
        written = outlet.write(descriptor, data, patience, self._flush_stream)
        if written:
            self._is_cut = written < len(data)
        return written == len(data)

    def _say_to_stream(self, text: str) -> None:
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            self.stream.write(text.encode('ascii', 'backslashreplace').decode())
        super().flush()

    def _flush_stream(self) -> None:
        try:
            self.stream.flush()
        except (OSError, ValueError):
            return  # what others printed there is theirs to lose

    def flush(self) -> None:
        """Write what others left in the stream's buffers, if that cannot block."""
        try:
            descriptor = None if self.stream is None else self._descriptor()
            if descriptor is None:
                super().flush()
            elif outlet.has_room(descriptor):
                self._flush_stream()
        except (OSError, ValueError):
            return  # closed

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say that a record could not be formatted, with the traceback, where its line would have been."""
        if not logging.raiseExceptions:
            return
        try:
            said = self._say(f'--- Logging error --- {record.msg!r}\n{traceback.format_exc()}')
        except Exception:
            said = False  # not even its message can be shown
        self.lost += not said

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


def _encoded(text: str, encoding: str, errors: str | None) -> bytes:
    """As the stream would write it, but no character is refused: a line must not be lost to a narrow locale."""
    try:
        return text.encode(encoding, errors or 'strict')
    except UnicodeEncodeError:
        return text.encode(encoding, 'backslashreplace')


def below_error(record: logging.LogRecord) -> bool:
    """The filter of the handler for stdout."""
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
        formatter = LineFormatter(log_format, date_format)
        calm = ColorizingStreamHandler(stream=sys.stdout)
        calm.addFilter(below_error)
        loud = ColorizingStreamHandler(stream=sys.stderr)
        loud.setLevel(logging.ERROR)
        for handler in (calm, loud):
            handler.setFormatter(formatter)
            logger.addHandler(handler)
        logger.propagate = False
    if level is not None:
        logger.setLevel(level)
