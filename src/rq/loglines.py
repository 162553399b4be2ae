"""Lines about each job, without a record for each: the short way where nobody but our handlers would see one.

Everybody who could look counts: other handlers, filters, loggers above, factories of records, parts of `logging` that
somebody has replaced (as those do who report errors elsewhere). Then nothing is written here, and the caller logs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from operator import attrgetter, is_
from types import FunctionType
from typing import Any

from rq.logutils import ColorizingStreamHandler, LineFormatter, below_error


def write(log: Any, level: int, messages: Iterable[str]) -> bool:
    """Write finished messages in one go; False: nothing was written, log them."""
    handler = _only_handler(log, level)
    if handler is None:
        return False
    formatter: LineFormatter = handler.formatter
    prefix = formatter.prefix_of(log.name, level)
    return prefix is not None and handler.write_lines(level, [prefix + message for message in messages])


def _parts() -> tuple[Any, ...]:
    """Through whose hands a record goes from a logger to a stream, and whose words are asked on the way."""
    logger, handler, formatter, record = logging.Logger, ColorizingStreamHandler, LineFormatter, logging.LogRecord
    style: Any = logging.PercentStyle
    return (
        logger.info, logger.log, logger.error, logger._log, logger.findCaller, logger.makeRecord, logger.handle,
        logger.filter, logger.callHandlers, record.__init__, record.getMessage, handler.handle, handler.filter,
        handler.acquire, handler.release, handler.emit, handler.format, handler._say, formatter.format,
        formatter.formatMessage, formatter.formatTime, formatter.usesTime, style.format, style._format,
        style.usesTime, logging.getLogRecordFactory(),
    )  # fmt: skip


def _are_whole(parts: tuple[Any, ...]) -> bool:
    """Whether they are what Python and we have written."""
    files = logging.addLevelName.__code__.co_filename, ColorizingStreamHandler.emit.__code__.co_filename
    functions, factory = parts[:-1], parts[-1]
    return factory is logging.LogRecord and all(
        type(one) is FunctionType and one.__code__.co_filename in files for one in functions
    )


_WHOLE = _parts() if _are_whole(_parts()) else None
_code_of = attrgetter('__code__')
_CODE = tuple(map(_code_of, _WHOLE[:-1])) if _WHOLE is not None else ()


def _are_as_they_were() -> bool:
    """By identity, for a proxy says that it equals what it wraps; tracers also put code into the function itself."""
    parts = _parts()
    return _WHOLE is not None and all(map(is_, parts, _WHOLE)) and all(map(is_, _CODE, map(_code_of, parts)))


#: how many attributes they have: one more may stand in for a method
_LOGGER_SIZE = len({*vars(logging.Logger('one')), 'manager'})
_HANDLER_SIZE = len(vars(ColorizingStreamHandler()))


def _only_handler(log: Any, level: int) -> Any:
    """The handler that would write a record, when it is as `setup_loghandlers` made it and nobody else would see it."""
    if type(log) is not logging.Logger or log.propagate or log.filters or len(vars(log)) != _LOGGER_SIZE:
        return None
    if len(log.handlers) != 2 or not log.isEnabledFor(level) or not _are_as_they_were():
        return None
    calm, loud = log.handlers
    if type(calm) is not ColorizingStreamHandler or type(loud) is not ColorizingStreamHandler:
        return None
    if len(vars(calm)) != _HANDLER_SIZE or len(vars(loud)) != _HANDLER_SIZE:
        return None
    if type(calm.formatter) is not LineFormatter or loud.formatter is not calm.formatter:
        return None
    if calm.level or loud.level != logging.ERROR or calm.filters != [below_error] or loud.filters:
        return None
    return calm if level < logging.ERROR else loud
