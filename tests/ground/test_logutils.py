"""Colours and log handlers."""

import inspect
import io
import logging
import sys

import pytest

from rq.logutils import ColorizingStreamHandler, green, make_colorizer, setup_loghandlers


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def logger(monkeypatch):
    """A fresh logger without handlers above it; they come off again."""
    fresh = logging.getLogger('rq_test_logutils')
    monkeypatch.setattr(fresh, 'parent', None)
    yield fresh
    fresh.handlers.clear()
    fresh.propagate = True
    fresh.setLevel(logging.NOTSET)


def test_colours_only_on_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, 'stdout', io.StringIO())
    assert green('x') == 'x'
    monkeypatch.setattr(sys, 'stdout', Terminal())
    assert green('x') == make_colorizer('darkgreen')('x') != 'x'


def test_an_unknown_colour():
    with pytest.raises(ValueError, match="'mauve'.*darkred"):
        make_colorizer('mauve')


def test_the_handler_colours_the_first_line_by_level():
    record = logging.LogRecord('x', logging.ERROR, '', 0, 'head\nrest', None, None)
    plain = ColorizingStreamHandler(None, io.StringIO())
    coloured = ColorizingStreamHandler(stream=Terminal(), exclude=['%(asctime)s'])
    assert (plain.is_tty, coloured.is_tty) == (False, True)
    assert plain.format(record) == 'head\nrest'
    assert coloured.format(record) == '\x1b[31mhead\x1b[39m\nrest', 'the stream of the handler counts, not stdout'
    record.levelno = logging.INFO
    assert coloured.format(record) == 'head\nrest'


def test_errors_go_to_stderr_the_rest_to_stdout(logger, monkeypatch):
    monkeypatch.setattr(sys, 'stdout', io.StringIO())
    monkeypatch.setattr(sys, 'stderr', io.StringIO())
    setup_loghandlers('INFO', log_format='%(levelname)s %(message)s', name=logger.name)
    setup_loghandlers(name=logger.name)  # the second call finds handlers and adds none
    logger.debug('no')
    logger.warning('calm')
    logger.error('loud')
    assert (sys.stdout.getvalue(), sys.stderr.getvalue()) == ('WARNING calm\n', 'ERROR loud\n')
    assert not logger.propagate


def test_configured_handlers_are_left_alone_but_the_level_is_set(logger):
    own = logging.NullHandler()
    logger.addHandler(own)
    setup_loghandlers(logging.DEBUG, name=logger.name)
    assert logger.handlers == [own]
    assert logger.level == logging.DEBUG
    assert logger.propagate


def test_a_configured_parent_counts_as_configured() -> None:
    child = logging.getLogger('rq_test_parent.child')
    handler = logging.NullHandler()
    logging.getLogger('rq_test_parent').addHandler(handler)
    try:
        setup_loghandlers('WARNING', name=child.name)
        assert (child.handlers, child.level, child.propagate) == ([], logging.WARNING, True)
    finally:
        logging.getLogger('rq_test_parent').removeHandler(handler)


def test_the_logger_of_workers_is_meant_by_default() -> None:
    assert inspect.signature(setup_loghandlers).parameters['name'].default == 'rq.worker'
    assert set(ColorizingStreamHandler.levels) == {logging.WARNING, logging.ERROR, logging.CRITICAL}
