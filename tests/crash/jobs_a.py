"""Jobs that end their own process, or its surroundings, in every way; and handlers that look at what they are told."""

import ctypes
import logging
import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

from rq.rules.wording import name_of
from rq.store import keys
from tests import hard
from tests.crash.jobs import say

MIB = 1 << 20
_kept: list[Any] = []  # what is to stay in memory


# --- handlers -------------------------------------------------------------------------------------------------------


def measures(job: Any, *exc_info: Any) -> bool:
    """An exception handler: what it was told, and how large the note is by then."""
    [execution] = job.get_executions()
    note = job.connection.hget(keys.execution(job.id, execution.id), 'failure')
    say(f'told {name_of(exc_info[0]).rpartition(".")[2]}', job.id)
    say(f'note of {len(note)}', job.id)
    logging.getLogger('rq.worker').info('12:00:00 said by a handler')
    assert job.connection.hget(job.key, 'status') == b'started'
    return True


def examines(job: Any, kind: Any, error: Any, trace: Any) -> bool:
    """An exception handler: what the exception of a dead process knows."""
    peak = 'with' if error.peak_memory and error.peak_memory > MIB else 'without'
    say(f'told {kind.__name__}', job.id)
    say(f'signal {error.signal} code {error.exit_code} {peak} peak', job.id)
    return True


def on_success(job: Any, connection: Any, value: Any) -> None:
    """A callback."""
    say('on success', job.id)


def on_failure(job: Any, connection: Any, *exc_info: Any) -> None:
    """A callback."""
    say(f'on failure {exc_info[0].__name__}', job.id)


def long_winded(job: Any, connection: Any, *exc_info: Any) -> None:
    """A callback that fails, and says much."""
    raise LookupError('y' * (10 * MIB))


def empty_handed(job: Any, *exc_info: Any) -> bool:
    """An exception handler that needs much memory."""
    say(f'told {name_of(exc_info[0]).rpartition(".")[2]}', job.id)
    _kept.append(bytearray(256 * MIB))
    return True


# --- A1 to A3: it ends ----------------------------------------------------------------------------------------------


def dies(how: str) -> None:
    """Of a signal, by itself or by the machine."""
    say('begin')
    if how == 'null':
        ctypes.string_at(0)
    elif how == 'abort':
        os.abort()
    elif how == 'group':
        os.killpg(0, signal.SIGKILL)
    else:
        os.kill(os.getpid(), getattr(signal, how))
    time.sleep(60)


def dies_in_a_thread() -> None:
    """Its thread ends the process while the function waits."""
    say('begin')
    threading.Thread(target=os._exit, args=(5,)).start()
    time.sleep(60)


# --- A5: it raises what is no Exception -----------------------------------------------------------------------------


class Own(BaseException):
    """Neither an Exception nor one of Python's."""


def leaves(what: str) -> None:
    """Raise it."""
    say('begin')
    errors: dict[str, BaseException] = {
        'SystemExit': SystemExit('by the door'), 'zero': SystemExit(0), 'none': SystemExit(None),
        'KeyboardInterrupt': KeyboardInterrupt('as if'), 'GeneratorExit': GeneratorExit('left'), 'Own': Own('mine'),
    }  # fmt: skip
    raise errors[what]


def exits_in_a_thread() -> str:
    """`sys.exit` ends the thread, and no more."""
    say('begin')
    thread = threading.Thread(target=sys.exit, args=(3,))
    thread.start()
    thread.join()
    return 'done'


class _Raising:
    def __del__(self) -> None:
        raise RuntimeError('in __del__')


def raises_in_del() -> str:
    """Python ignores it, and so do we."""
    say('begin')
    _kept.append(_Raising())
    del _kept[:]
    return 'done'


# --- A6: no memory --------------------------------------------------------------------------------------------------


def _limit(more: int) -> None:
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    hard_limit = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard_limit))


def starves() -> None:
    """Asks for more than it may have."""
    say('begin')
    before = resource.getrlimit(resource.RLIMIT_AS)
    _limit(64 * MIB)
    try:
        bytearray(1024 * MIB)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def starves_for_good() -> None:
    """Asks for more than it may have, and the limit stays."""
    say('begin')
    _limit(64 * MIB)
    bytearray(1024 * MIB)


def takes_all() -> None:
    """Takes what there is, to the last byte, and holds it: nothing is left for whoever handles that."""
    say('begin')
    _limit(16 * MIB)
    size = MIB
    try:
        while True:
            _kept.append(bytearray(size))
    except MemoryError:
        pass
    while size > 16:
        try:
            _kept.append(bytearray(size))
        except MemoryError:
            size //= 2
    raise MemoryError


# --- A7, A8, A11: errors that are hard to write down ----------------------------------------------------------------


def raises(what: str) -> None:
    """One of `tests.hard`."""
    say('begin')
    if what in hard.HARD:
        hard.raises(what)
    hard.throw(getattr(hard, what))


class Unpicklable(Exception):
    """Cannot be dumped."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()

    def __reduce__(self) -> NoReturn:
        raise TypeError('not to be dumped')


class Silent(Exception):
    """Has neither text nor repr."""

    def __str__(self) -> str:
        raise RuntimeError('no text')

    __repr__ = __str__


def raises_unpicklable() -> None:
    """Raise what cannot be dumped."""
    say('begin')
    raise Unpicklable('kept to myself')


def raises_silent() -> None:
    """Raise what has no text."""
    say('begin')
    raise Silent


def raises_noise(seed: int, size: int) -> None:
    """Raise an error with a long text that cannot be packed well."""
    say('begin')
    rest = noise(seed, size)
    raise ValueError(f'HEAD {rest} TAIL')


def noise(seed: int, size: int) -> str:
    """Random text of about so many bytes."""
    from random import Random  # noqa: PLC0415

    return Random(seed).randbytes(size * 2 // 3).decode('latin-1')


# --- A9: arguments --------------------------------------------------------------------------------------------------


class Shy:
    """An argument without a repr."""

    def __init__(self, how: str = 'raises') -> None:
        self.how = how

    def __repr__(self) -> Any:
        if self.how == 'raises':
            raise RuntimeError('no repr')
        if self.how == 'exits':
            sys.exit(3)
        if self.how == 'endless':
            return repr(self)
        if self.how == 'forges':
            return "'\n12:00:00 Worker w1: forged\n\x1b[31m\udcff\0"
        return 5 if self.how == 'odd' else 'x' * (4 * MIB)


def takes(*args: Any, **kwargs: Any) -> str:
    """Does not care what it gets."""
    say('begin')
    return 'done'


def takes_and_raises(*args: Any, **kwargs: Any) -> None:
    """Does not like what it gets."""
    say('begin')
    raise ValueError('not that')


# --- A12: it breaks its surroundings --------------------------------------------------------------------------------


class _Broken:
    """A stream that cannot be used, nor asked."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError('no stream')


def vandal(how: str, then: str = 'returns') -> str:
    """Break something of this process, then return or raise."""
    say('begin')
    if how.startswith('closes'):
        sys.stdout = open(1, 'w', closefd=False)  # noqa: SIM115 - one that keeps what it is given until the end
        sys.stdout.write('NONSENSE 1\r\n')  # wherever that will go
    _WAYS[how]()
    if then == 'raises':
        raise ValueError(f'after {how}')
    return how


def _write_much() -> None:
    line = 'x' * 99 + '\n'
    for _ in range(int(os.environ.get('RQ_CRASH_MIB', '100'))):
        sys.stdout.write(line * (MIB // 100))


def _replace_streams() -> None:
    sys.stdout = sys.stderr = _Broken()  # type: ignore[assignment]


def _deleted_directory() -> None:
    place = tempfile.mkdtemp()
    os.chdir(place)
    shutil.rmtree(place)


def _no_temporary_directory() -> None:
    place = tempfile.mkdtemp()
    os.environ['TMPDIR'] = tempfile.tempdir = place
    shutil.rmtree(place)


def no_descriptors() -> None:
    """From here on nothing can be opened."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def _fork() -> None:
    """Both return from here."""
    if os.fork() == 0:
        time.sleep(0.2)


def _fork_and_raise() -> None:
    if os.fork() == 0:
        raise LookupError('of a descendant')


def _daemonize() -> None:
    """As recipes do it: the child goes on, and its parent leaves; but here the parent is the horse, and stays."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        os.closerange(0, 3)
        time.sleep(0.2)


def _own_signals() -> None:
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGPIPE):
        signal.signal(signum, signal.SIG_IGN)


_WAYS = {
    'writes': _write_much,
    'closes 256': lambda: os.closerange(0, 256),
    'closes 1024': lambda: os.closerange(0, 1024),
    'closes from 1 to 255': lambda: os.closerange(1, 256),
    'closes above 0': lambda: os.closerange(1, 1024),
    'streams': _replace_streams,
    'closed streams': lambda: (sys.stdout.close(), sys.stderr.close()),
    'no streams': lambda: sys.__dict__.update(stdout=None, stderr=None),
    'directory': _deleted_directory,
    'temporary directory': _no_temporary_directory,
    'no descriptors': no_descriptors,
    'forks': _fork,
    'forks and raises': _fork_and_raise,
    'session': lambda: os.setpgid(0, 0) if os.getpgrp() != os.getpid() else None,
    'daemonizes': _daemonize,
    'signals': _own_signals,
    'environment': os.environ.clear,
    'modules': lambda: [sys.modules.pop(name) for name in list(sys.modules) if name.split('.')[0] in ('json', 'redis')],
}
WAYS = tuple(_WAYS)


# --- A13, A14: results ----------------------------------------------------------------------------------------------


def returns(what: str) -> Any:
    """What cannot be stored."""
    say('begin')
    if what == 'lambda':
        return lambda: 5
    if what == 'lock':
        return threading.Lock()
    if what == 'unpicklable':
        return Unpicklable('mine')
    if what == 'endless':
        nest: list[Any] = []
        for _ in range(100_000):
            nest = [nest]
        return nest
    return 'x' * int(what)


def fills_meta(size: int) -> str:
    """Puts much into the meta of its job."""
    from rq import get_current_job  # noqa: PLC0415

    say('begin')
    job = get_current_job()
    assert job is not None
    job.meta['much'] = 'x' * size
    return 'done'
