"""Classes, penalties, serializers, handlers and jobs that a spawned interpreter imports by name."""

import io
import json
import os
import signal
import stat
import sys
import threading
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from rq import Queue, SpawnWorker, get_current_job
from rq.job import Job
from rq.timeouts import UnixSignalDeathPenalty
from rq.worker import HerokuWorker


class OtherJob(Job):
    pass


class OtherQueue(Queue):
    pass


class Penalty(UnixSignalDeathPenalty):
    pass


class Packer:
    """JSON with a mark before it."""

    @staticmethod
    def dumps(value: Any) -> bytes:
        return b'!' + json.dumps(value).encode()

    @staticmethod
    def loads(data: bytes) -> Any:
        return json.loads(data[1:])


def dumps(value: Any) -> bytes:
    """This module is a serializer, too."""
    return Packer.dumps(value)


def loads(data: bytes) -> Any:
    return Packer.loads(data)


class Telling(SpawnWorker):
    """Says what it is in the process that runs the job."""

    death_penalty_class = Penalty

    def perform_job(self, job: Any, queue: Any, *rest: Any) -> bool:
        words = {
            'horse': self.is_horse,
            'pid': os.getpid(),
            'class': type(self).__name__,
            'job': type(job).__name__,
            'queue': type(queue).__name__,
            'penalty': self.death_penalty_class.__name__,
            'handlers': len(self._exc_handlers),
            'settings': [self.default_result_ttl, self.log_job_description, self.log_result_lifespan],
            'environment': [os.environ[name] for name in ('RQ_WORKER_ID', 'RQ_JOB_ID', 'RQ_EXECUTION_ID')],
            'execution': self.execution.id,
            'connection': type(self.connection.connection_pool).__name__,
        }
        self.connection.set('test:words', json.dumps(words))
        return super().perform_job(job, queue, *rest)


class Watching(SpawnWorker):
    """Overrides a part of the plain way."""

    def monitor_work_horse(self, job: Any, queue: Any, execution: Any = None) -> None:
        self.connection.rpush('test:marks', 'watched')
        super().monitor_work_horse(job, queue, execution)


class Hurried(HerokuWorker):
    """Overrides a part of the plain way, and is told of a shutdown at once."""

    imminent_shutdown_delay = 0

    def wait_for_horse(self) -> tuple[int | None, int | None, Any]:
        return super().wait_for_horse()


def noted_state(job: Any, *exc_info: Any) -> None:
    """Die while being told the first time; the second time say what is known."""
    job.connection.rpush('test:told', f'{exc_info[0].__name__} {exc_info[1]} {os.getpid()}')
    if job.connection.llen('test:told') == 1:
        os._exit(5)


def command_line() -> list[str]:
    return sys.orig_argv  # what /proc tells to everybody, before a title is set


def own_path() -> Any:
    from only_on_the_path import value  # type: ignore[import-not-found]

    return value


def fetch_itself() -> str:
    job = get_current_job()
    assert job is not None
    return type(job).fetch(job.id, connection=job.connection).id


def kind_of_job() -> str:
    return type(get_current_job()).__name__


def asks_itself_to_hurry(job: Any, connection: Any, result: Any) -> None:
    """A success callback: the request to stop comes when the job is done."""
    os.kill(os.getpid(), signal.SIGRTMIN)


def garbles() -> str:
    """Write over the report to the worker, until that hangs up."""
    for descriptor in range(400, 500):  # where a horse has it
        try:
            while stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, b'\0\0\0\4what')
        except OSError:
            continue
    return 'done'


# --- for horses that are used again ---------------------------------------------------------------------------------

_later: ContextVar[str] = ContextVar('later', default='unset')
_kept: list[Any] = []


def pid() -> int:
    return os.getpid()


def turns_everything_over() -> int:
    """Change what belongs to the whole process."""
    os.environ['LEFT_BEHIND'] = 'yes'
    os.environ.pop('HOME', None)
    os.chdir('/')
    os.umask(0o077)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    signal.setitimer(signal.ITIMER_REAL, 3600)
    sys.stdout = sys.stderr = io.StringIO()
    _later.set('set')
    return os.getpid()


def state() -> dict[str, Any]:
    """What is to be seen of that."""
    mask = os.umask(0o022)
    os.umask(mask)
    return {
        'environment': [os.environ.get('LEFT_BEHIND'), os.environ.get('HOME')],
        'cwd': str(Path.cwd()),
        'umask': mask,
        'handlers': [str(signal.getsignal(one)) for one in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)],
        'blocked': sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        'streams': [type(sys.stdout).__name__, type(sys.stderr).__name__],
        'context': _later.get(),
        'pid': os.getpid(),
    }


def leaves_a_thread(daemon: bool) -> int:
    threading.Thread(target=threading.Event().wait, daemon=daemon).start()
    return os.getpid()


def leaves_a_child() -> list[int]:
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    return [os.getpid(), child]


def leaves_a_daemon() -> list[int]:
    """As daemons do: forked twice, so that it is nobody's child, with a session of its own."""
    end, entry = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        daemon = os.fork()
        if daemon:
            os.write(entry, str(daemon).encode())
            os._exit(0)
        signal.pause()
        os._exit(0)
    os.waitpid(child, 0)
    return [os.getpid(), int(os.read(end, 20))]


def eats(size: int) -> int:
    _kept.append(b'x' * size)
    return os.getpid()


def fails() -> None:
    raise ValueError(os.getpid())


def meets(other: str, count: int) -> int:
    """Waits until so many are here."""
    job = get_current_job()
    assert job is not None
    job.connection.sadd(other, os.getpid())
    while job.connection.scard(other) < count:
        job.connection.brpop([f'{other}:never'], timeout=0.01)
    return os.getpid()
