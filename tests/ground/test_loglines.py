"""The short way of log lines: the same text, and only where nobody else would have seen a record."""

import io
import logging
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rq import loglines, outlet
from rq.logutils import LineFormatter, setup_loghandlers
from tests.pipes import fill, read_now


class Log:
    """A logger with our handlers, into a file or a pipe."""

    def __init__(self, name: str, out: int, err: int, log_format: str = '%(asctime)s %(message)s') -> None:
        self.logger = logging.getLogger(name)
        self.logger.parent = None
        self.out, self.err = (io.TextIOWrapper(io.FileIO(one, 'wb'), encoding='utf-8') for one in (out, err))
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = self.out, self.err
        try:
            setup_loghandlers('INFO', log_format=log_format, name=name)
        finally:
            sys.stdout, sys.stderr = before
        self.logger.manager.loggerDict.pop(name)  # where pytest would find it, and add its own handlers

    def write(self, *messages: str, level: int = logging.INFO) -> bool:
        """By the short way."""
        return loglines.write(self.logger, level, messages)

    def close(self) -> None:
        """Take it down."""
        self.out.close()
        self.err.close()


@pytest.fixture
def log(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Log]:
    """A log in the files `out` and `err`."""
    words = getattr(request, 'param', '%(asctime)s %(message)s')
    files = [os.open(tmp_path / name, os.O_CREAT | os.O_WRONLY | os.O_APPEND) for name in ('out', 'err')]
    made = Log('rq_test_loglines', *files, words)
    yield made
    made.close()


def _same_second() -> None:
    """Wait for the beginning of one."""
    while time.time() % 1 > 0.5:
        pass


@pytest.mark.parametrize(
    'log', ['%(asctime)s %(message)s', '%(name)s 100%% [%(levelname)s] %(message)s', '%(message)s'], indirect=True
)
def test_it_writes_what_logging_would(log: Log, tmp_path: Path) -> None:
    _same_second()
    assert log.write('one', 'zwei ü')
    assert log.write('three\nfour', level=logging.ERROR)
    short = [(tmp_path / name).read_text() for name in ('out', 'err')]
    for message in ('one', 'zwei ü'):
        log.logger.info('%s', message)
    log.logger.error('three\nfour')
    assert [(tmp_path / name).read_text() for name in ('out', 'err')] == [text * 2 for text in short]
    assert 'zwei ü\n' in short[0] and 'three\nfour\n' in short[1]


@pytest.mark.parametrize(
    'log', ['%(message)s (%(name)s)', '%(process)d %(message)s', '%(levelname)8s %(message)s', 'x%%(message)s'],
    indirect=True,
)  # fmt: skip
def test_other_formats_take_records(log: Log) -> None:
    assert not log.write('x')


@pytest.mark.parametrize('date_format', ['%H:%M:%S', '%d.%m.%y', '%a %H', None, ''])
def test_the_time_of_a_record(date_format: str | None) -> None:
    """As the formatter of `logging` shows it, and again with another zone."""
    record = logging.LogRecord('x', logging.INFO, '', 0, 'y', (), None)
    ours, theirs = (make('%(asctime)s %(message)s', date_format) for make in (LineFormatter, logging.Formatter))
    for moment in (0.0, 0.9, 86399.0, 1e9):
        record.created = moment
        assert ours.format(record) == theirs.format(record)
    ours.converter = theirs.converter = time.gmtime
    assert ours.format(record) == theirs.format(record)


def test_a_zone_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    formatter, record = LineFormatter('%(asctime)s', '%H:%M'), logging.LogRecord('x', 20, '', 0, 'y', (), None)
    record.created = 0.0
    found = []
    try:
        for zone in ('UTC', 'UTC-5', 'UTC'):
            monkeypatch.setenv('TZ', zone)
            time.tzset()
            found.append(formatter.format(record))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found == ['00:00', '05:00', '00:00']


class Handler(logging.Handler):
    """Sees records."""

    def emit(self, record: logging.LogRecord) -> None:
        """Nothing more."""


def test_whoever_would_see_a_record_sees_it(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    logger, (calm, loud) = log.logger, log.logger.handlers
    formatter = calm.formatter
    assert log.write('x')
    changes = [
        (lambda: logger.addHandler(Handler()), lambda: logger.removeHandler(logger.handlers[-1])),
        (lambda: logger.addFilter(bool), lambda: logger.removeFilter(bool)),
        (lambda: setattr(logger, 'propagate', True), lambda: setattr(logger, 'propagate', False)),
        (lambda: setattr(logger, '_log', print), lambda: delattr(logger, '_log')),
        (lambda: calm.addFilter(bool), lambda: calm.removeFilter(bool)),
        (lambda: loud.addFilter(bool), lambda: loud.removeFilter(bool)),
        (lambda: loud.setLevel('INFO'), lambda: loud.setLevel('ERROR')),
        (lambda: calm.setLevel('WARNING'), lambda: calm.setLevel(0)),
        (lambda: setattr(calm, 'emit', print), lambda: delattr(calm, 'emit')),
        (lambda: calm.setFormatter(logging.Formatter()), lambda: calm.setFormatter(formatter)),
        (lambda: calm.setFormatter(None), lambda: calm.setFormatter(formatter)),
        (lambda: setattr(formatter, 'converter', time.gmtime), lambda: delattr(formatter, 'converter')),
        (lambda: logger.removeHandler(loud), lambda: logger.addHandler(loud)),
    ]
    for change, back in changes:
        change()
        assert not log.write('x')
        back()
        assert log.write('x')
    assert not loglines.write(logging.LoggerAdapter(logger, {}), logging.INFO, ['x'])


class Proxy:
    """Says that it is what it wraps."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    def __get__(self, one: Any, owner: Any = None) -> Any:
        return Proxy(self._wrapped.__get__(one, owner))

    def __eq__(self, other: object) -> bool:
        return bool(self._wrapped == other)

    def __hash__(self) -> int:
        return hash(self._wrapped)

    def __call__(self, *args: Any, **words: Any) -> Any:
        return self._wrapped(*args, **words)


@pytest.mark.parametrize(
    ('holder', 'name'),
    [
        (logging.Logger, 'callHandlers'), (logging.Logger, 'makeRecord'), (logging.Logger, '_log'),
        (logging.Logger, 'info'), (logging.Filterer, 'filter'), (logging.Handler, 'handle'),
        (logging.Formatter, 'format'), (logging.LogRecord, 'getMessage'), (logging.PercentStyle, '_format'),
    ],
)  # fmt: skip
def test_parts_of_logging_that_are_replaced_are_used(
    log: Log, monkeypatch: pytest.MonkeyPatch, holder: type, name: str
) -> None:
    """As by those who report errors elsewhere."""
    before = getattr(holder, name)
    for other in (lambda *args, **words: before(*args, **words), Proxy(before)):
        monkeypatch.setattr(holder, name, other)
        assert not log.write('x')
        monkeypatch.undo()
        assert log.write('x')
    monkeypatch.setattr(before, '__code__', before.__code__.replace(co_name='traced'))
    assert not log.write('x')
    monkeypatch.undo()
    assert log.write('x')


def test_a_factory_of_records(log: Log) -> None:
    logging.setLogRecordFactory(lambda *args, **words: logging.LogRecord(*args, **words))
    try:
        assert not log.write('x')
    finally:
        logging.setLogRecordFactory(logging.LogRecord)
    assert log.write('x')


@pytest.fixture
def piped() -> Iterator[tuple[Log, int]]:
    """A log into a pipe that nobody reads by himself, and where it can be read."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    log = Log('rq_test_loglines', writer, os.open(os.devnull, os.O_WRONLY), '%(message)s')
    yield log, reader
    log.close()
    os.close(reader)


def test_a_pipe_without_room(piped: tuple[Log, int]) -> None:
    """Then a record takes the way that can wait, and count."""
    log, reader = piped
    assert log.write('one', 'two')
    assert read_now(reader) == b'one\ntwo\n'
    assert not log.write('x' * 5000), 'longer than what is taken whole'
    fill(log.out.fileno())
    assert not log.write('one')
    log.logger.info('lost')
    read_now(reader)
    assert not log.write('two'), 'the loss is to be told first'
    log.logger.info('three')
    assert re.fullmatch(r'1 log lines .*\nthree\n', read_now(reader).decode())
    assert log.write('four')


def test_what_was_printed_comes_first(piped: tuple[Log, int]) -> None:
    log, reader = piped
    log.out.write('printed\n')
    assert log.write('logged')
    assert read_now(reader) == b'printed\nlogged\n'


def test_nowhere_and_closed(piped: tuple[Log, int]) -> None:
    log, _ = piped
    assert log.write('to /dev/null', level=logging.ERROR)
    log.err.close()
    assert not log.write('x', level=logging.ERROR)
    log.logger.handlers[0].stream = None
    assert not log.write('x')
    log.logger.handlers[0].stream = io.StringIO()
    assert not log.write('x')


def test_a_disk_that_gets_full(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not taken is counted, and a line that was cut is ended before the next."""
    monkeypatch.setattr(outlet, 'write_at_once', lambda descriptor, data, _: os.write(descriptor, data[:-8]))

    def refuse(*_: object) -> int:
        raise OSError('full')

    with monkeypatch.context() as full:
        full.setattr(outlet, 'write', refuse)
        assert log.write('one', 'two', 'three')
    assert log.logger.handlers[0].lost == 1
    log.logger.info('again')
    lines = (tmp_path / 'out').read_text().splitlines()
    assert [line.partition(' ')[2] for line in lines] == [
        'one', 'two', '', '1 log lines before this one are lost: they could not be written', 'again'
    ]  # fmt: skip
