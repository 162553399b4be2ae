"""Log lines that nobody takes: lost and counted, never waited for."""

import io
import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rq import outlet
from rq.logutils import ColorizingStreamHandler
from rq.timeouts import JobTimeoutException
from tests.pipes import fill, read_now


class Pipe:
    """A pipe, and a handler that writes into it."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.stream = io.TextIOWrapper(io.FileIO(self.writer, 'wb'), encoding='utf-8')
        self.handler = ColorizingStreamHandler(stream=self.stream)
        self.handler.setFormatter(logging.Formatter('%(levelname)s %(message)s'))

    def say(self, message: str, level: int = logging.INFO) -> None:
        """Log it."""
        self.handler.handle(logging.LogRecord('rq.worker', level, '', 0, message, (), None))

    def fill(self) -> None:
        """Leave no room."""
        fill(self.writer)

    def read(self) -> str:
        """What is in it."""
        return read_now(self.reader).decode()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe that nobody reads by himself."""
    pipe = Pipe()
    yield pipe
    os.close(pipe.reader)
    pipe.handler.setStream(io.StringIO())
    try:
        pipe.stream.close()
    except OSError:
        return  # it still held something


def test_a_reader_who_reads(pipe: Pipe) -> None:
    pipe.say('one')
    pipe.say('two', logging.ERROR)
    assert pipe.read() == 'INFO one\nERROR two\n'
    assert pipe.handler.lost == 0


def test_lost_lines_are_counted_and_told(pipe: Pipe) -> None:
    pipe.fill()
    for number in range(3):
        pipe.say(f'lost {number}')
    assert pipe.handler.lost == 3
    pipe.read()
    pipe.say('there again')
    assert pipe.read() == (
        'WARNING 3 log lines before this one are lost: they could not be written\nINFO there again\n'
    )
    pipe.say('as ever')
    assert pipe.read() == 'INFO as ever\n'


def test_the_descriptor_keeps_its_flags(pipe: Pipe) -> None:
    """It is shared with other processes, which would meet EAGAIN."""
    pipe.fill()
    pipe.say('lost')
    assert os.get_blocking(pipe.writer)


def test_a_long_line_with_a_reader(pipe: Pipe) -> None:
    """Longer than the pipe: it goes in pieces, as fast as somebody reads."""
    found: list[str] = []
    done = threading.Event()

    def reads() -> None:
        os.set_blocking(pipe.reader, True)
        while sum(map(len, found)) < 300_006:
            found.append(os.read(pipe.reader, 1 << 16).decode())
        done.set()

    threading.Thread(target=reads, daemon=True).start()
    pipe.say('x' * 300_000)
    assert done.wait(5)
    assert ''.join(found) == 'INFO ' + 'x' * 300_000 + '\n'


def test_a_long_line_without_a_reader(pipe: Pipe) -> None:
    """What went in stays, the next line does not hang on it."""
    pipe.say('x' * 300_000)
    assert pipe.handler.lost == 1
    assert set(pipe.read().removeprefix('INFO ')) == {'x'}
    pipe.say('next')
    assert pipe.read().splitlines() == [
        '', 'WARNING 1 log lines before this one are lost: they could not be written', 'INFO next',
    ]  # fmt: skip


def test_it_waits_a_moment_for_a_slow_reader(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('rq.logutils._PATIENCE', 5.0)
    pipe.fill()
    threading.Timer(0.05, pipe.read).start()
    pipe.say('in time')
    assert pipe.handler.lost == 0


@pytest.mark.parametrize('has_proc', [True, False])
def test_with_and_without_proc(pipe: Pipe, monkeypatch: pytest.MonkeyPatch, has_proc: bool) -> None:
    """Where the pipe cannot be opened once more it is asked before each piece."""
    if not has_proc:
        monkeypatch.setattr(outlet, '_own_way', lambda *_: -1)
    assert outlet.write(pipe.writer, b'x' * 1_000_000) in range(60_000, 70_000)
    assert outlet.write(pipe.writer, b'more') == 0


def test_what_others_printed_comes_first(pipe: Pipe) -> None:
    pipe.stream.write('printed\n')
    pipe.say('logged')
    assert pipe.read() == 'printed\nINFO logged\n'


def test_what_others_printed_does_not_block_either(pipe: Pipe) -> None:
    stream = io.TextIOWrapper(io.BufferedWriter(io.FileIO(pipe.writer, 'wb', closefd=False)), encoding='utf-8')
    pipe.handler.setStream(stream)
    pipe.fill()
    stream.write('printed\n')
    pipe.say('lost')
    pipe.handler.flush()
    pipe.read()
    pipe.handler.flush()
    assert pipe.read() == 'printed\n'


def test_a_reader_that_has_gone(pipe: Pipe) -> None:
    os.close(pipe.reader)
    pipe.say('lost')
    assert pipe.handler.lost == 1
    pipe.reader = os.open(os.devnull, os.O_RDONLY)


def test_a_full_device() -> None:
    with Path('/dev/full').open('w') as full:
        handler = ColorizingStreamHandler(stream=full)
        handler.handle(logging.LogRecord('rq.worker', logging.INFO, '', 0, 'lost', (), None))
    assert handler.lost == 1


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    with (tmp_path / 'log').open('w') as file:
        handler = ColorizingStreamHandler(stream=file)
        file.write('printed\n')
        handler.handle(logging.LogRecord('rq.worker', logging.INFO, '', 0, 'x' * 1_000_000, (), None))
    assert (tmp_path / 'log').read_text() == 'printed\n' + 'x' * 1_000_000 + '\n'


@pytest.mark.parametrize('stream', [None, 'closed'])
def test_no_stream(stream: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = ColorizingStreamHandler(stream=io.StringIO())
    if stream is None:
        handler.stream = None
    else:
        handler.stream.close()
    handler.handle(logging.LogRecord('rq.worker', logging.INFO, '', 0, 'lost', (), None))
    handler.flush()
    assert handler.lost == (0 if stream is None else 1)


def test_a_narrow_encoding(pipe: Pipe) -> None:
    pipe.handler.setStream(io.TextIOWrapper(io.FileIO(pipe.writer, 'wb', closefd=False), encoding='ascii'))
    pipe.say('grün \udcff')
    assert pipe.read() == 'INFO gr\\xfcn \\udcff\n'


def test_a_stream_of_their_own_class(pipe: Pipe) -> None:
    """What its write does stays done."""

    class Tee(io.TextIOWrapper):
        def write(self, text: str) -> int:
            return super().write(text.upper())

    pipe.handler.setStream(Tee(io.FileIO(pipe.writer, 'wb', closefd=False), encoding='ascii', write_through=True))
    pipe.say('grün')
    assert pipe.read() == 'INFO GR\\XFCN\n'


def test_a_record_that_cannot_be_formatted(pipe: Pipe, capsys: pytest.CaptureFixture[str]) -> None:
    pipe.handler.handle(logging.LogRecord('rq.worker', logging.INFO, '', 0, 'two: %d', ('x',), None))
    text = pipe.read()
    assert "--- Logging error --- 'two: %d'" in text and 'TypeError' in text
    assert capsys.readouterr().err == '', 'stderr may be full, too'
    logging.raiseExceptions, before = False, logging.raiseExceptions
    try:
        pipe.handler.handle(logging.LogRecord('rq.worker', logging.INFO, '', 0, 'two: %d', ('x',), None))
    finally:
        logging.raiseExceptions = before
    assert pipe.read() == ''


def test_the_time_of_a_job_may_end_in_a_log_line(pipe: Pipe) -> None:
    class Late(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            raise JobTimeoutException('over')

    pipe.handler.setFormatter(Late())
    with pytest.raises(JobTimeoutException):
        pipe.say('x')


def test_a_socket_and_a_terminal() -> None:
    """journald gives workers a socket; people give them a terminal, and may stop it."""
    for make in (_socket, os.openpty):
        reader, writer = make()
        try:
            total = 0
            while (taken := outlet.write(writer, b'x' * 1000)) == 1000:
                total += taken
            assert 1000 < total < 10_000_000
            os.read(reader, 1 << 16)
            assert outlet.write(writer, b'y') in (0, 1)
        finally:
            os.close(reader)
            os.close(writer)


def _socket() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()
