"""Settlement: an outcome ready to be written, with what is told after the write. Nothing here changes a job's fate."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rq import loglines
from rq.failure.delivery import tell_here
from rq.rules.lease import Lease
from rq.rules.names import shown
from rq.rules.scrub import scrub
from rq.store import settle
from rq.store.call import Answer, Call, run

_VERBS: dict[str, Callable[..., Call[Answer]]] = {
    'finish': settle.finish,
    'fail': settle.fail,
    'stop': settle.stop,
    'retry': settle.retry,
    'retry_returned': settle.retry_returned,
    'release': settle.release,
}


_AT_ONCE = 3  # lines that are written together, however long
_MOST_AT_ONCE, _BEFORE_LINE = 3500, 60  # characters of more than that, and those of the worker's name and the time


@dataclass
class Settlement:
    """A verb of the store with its words, and what is said once it was written.

    The call is built where it is sent: in a horse every line of code costs page faults, in its parent it does not.
    """

    verb: str
    lease: Lease
    words: dict[str, Any] = field(default_factory=dict)
    about: str = ''
    takes_along: bool = False  # the job timed out: the processes it has started end with it

    @property
    def call(self) -> Call[Answer]:
        """The call that settles."""
        return _VERBS[self.verb](self.lease, **self.words)

    def pack(self) -> dict[str, Any]:
        """As a horse sends it to its parent."""
        packed = {'verb': self.verb, 'lease': tuple(self.lease), 'words': self.words, 'about': self.about}
        return {**packed, 'takes_along': True} if self.takes_along else packed

    @property
    def lines(self) -> list[str]:
        """What the log says of it."""
        return _LINES[self.verb](self, self.lease.job_id)

    @property
    def level(self) -> int:
        """How loud."""
        return logging.WARNING if self.verb == 'fail' else logging.INFO


def unpack(packed: dict[str, Any]) -> Settlement:
    """The settlement a horse sent."""
    return Settlement(packed['verb'], Lease(*packed['lease']), packed['words'], packed['about'])


def _finished(one: Settlement, job_id: str) -> list[str]:
    seconds, ttl = (one.words['times'] or (0, 0, 0))[2], one.words['result_ttl']
    if ttl == 0:
        kept = 'result discarded immediately'
    elif ttl > 0:
        kept = f'result is kept for {ttl} seconds'
    else:
        kept = 'result will never expire, clean up result key manually'
    return [
        f'Successfully completed {scrub(one.about)[:200]} job in {seconds}s on worker {one.lease.worker}',
        f'{one.lease.queue}: Job OK ({job_id})',
        f'job {job_id} {kept}',
    ]


def _when(interval: float) -> str:
    return f'in {interval} s' if interval else 'now'


_LINES: dict[str, Callable[[Settlement, str], list[str]]] = {
    'finish': _finished,
    'fail': lambda one, job_id: [f'{one.lease.queue}: Job failed ({job_id}): {one.about}'],
    'stop': lambda one, job_id: [f'job {job_id} was stopped'],
    'retry': lambda one, job_id: [f'job {job_id} is tried again {_when(one.words["interval"])}, {one.about}'],
    'retry_returned': lambda one, job_id: [f'job {job_id} asked to be tried again {_when(one.words["interval"])}'],
    'release': lambda one, job_id: [f'job {job_id} went back to the front of {one.lease.queue}'],
}


def deliver(connection: Any, settlement: Settlement, given: Answer) -> None:
    """Make the webhooks' calls of an outcome that was written, here and now; workers have a courier for that."""
    news = settlement.words.get('news')
    if news and given in (Answer.OK, Answer.ALREADY):
        tell_here(lambda call: run(connection, call), news)


def tell(log: Any, worker_name: str, settlement: Settlement, given: Answer, log_lifespan: bool = True) -> None:
    """Say what was written; what was not ours to write is said once and told to nobody else."""
    job_id = settlement.lease.job_id
    if given in (Answer.OK, Answer.ALREADY):
        level = settlement.level
        if log.isEnabledFor(level):
            _say(log, worker_name, level, _lines_of(settlement, log_lifespan))
    elif given is Answer.LOST:
        log.warning(
            'Worker %s: job %s is no longer ours (canceled, taken over or settled elsewhere); its %s was not written',
            worker_name, job_id, settlement.verb,
        )  # fmt: skip
    else:
        log.warning('Worker %s: job %s was deleted while it ran; its outcome is dropped', worker_name, job_id)


def tell_all(log: Any, worker_name: str, told: list[tuple[Settlement, Answer]], log_lifespan: bool = True) -> None:
    """The same of several, in their order; what successes have to say is written together."""
    if len(told) > 1 and log.isEnabledFor(logging.INFO):
        lines: list[str] = []
        for settlement, given in told:
            if settlement.verb != 'finish' or given not in (Answer.OK, Answer.ALREADY):
                break
            lines += _lines_of(settlement, log_lifespan)
        else:
            _say(log, worker_name, logging.INFO, lines)
            return
    for settlement, given in told:
        tell(log, worker_name, settlement, given, log_lifespan)


def _lines_of(settlement: Settlement, log_lifespan: bool) -> list[str]:
    lines = settlement.lines
    if settlement.verb == 'finish' and not log_lifespan:
        lines.pop()
    return [shown(line) for line in lines]


def _say(log: Any, worker_name: str, level: int, lines: list[str]) -> None:
    for some in _portions(lines):
        if not loglines.write(log, level, [f'Worker {worker_name}: {line}' for line in some]):
            for line in some:
                log.log(level, 'Worker %s: %s', worker_name, line)


def _portions(lines: list[str]) -> Iterator[list[str]]:
    """So much of them as fits, as a rule, into what a pipe takes whole."""
    if len(lines) <= _AT_ONCE:
        yield lines
        return
    some: list[str] = []
    size = 0
    for line in lines:
        if some and size + len(line) > _MOST_AT_ONCE:
            yield some
            some, size = [], 0
        some.append(line)
        size += len(line) + _BEFORE_LINE
    yield some
