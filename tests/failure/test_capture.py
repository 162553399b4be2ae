"""Whatever is raised: captured in bounded size and time, in words, and never raising itself."""

import json
import marshal
import random
import time
from typing import Any

import pytest

from rq.defaults import MAX_TRACEBACK_BYTES
from rq.exceptions import AbandonedJobError, HorseKilledError, JobFailedError, PoisonJobError, StoppedJobError
from rq.failure import capture
from rq.failure.capture import Failure, Kind
from rq.rules import wording
from rq.store import settle
from rq.timeouts import JobTimeoutException
from tests import hard, jobs


def caught(what: str) -> BaseException:
    try:
        jobs.raises(what)
    except BaseException as error:
        return error
    raise AssertionError('nothing was raised')


@pytest.mark.parametrize('what', jobs.HARD)
def test_hard_ones(what: str) -> None:
    error = caught(what)
    began = time.perf_counter()
    failure = capture.capture(error)
    assert time.perf_counter() - began < 2
    assert len(failure.text.encode()) <= MAX_TRACEBACK_BYTES
    assert len(failure.message.encode()) <= 4096
    assert failure.type_name and failure.text
    assert failure.exc_info == (type(error), error, error.__traceback__)
    assert capture.from_dict(marshal.loads(marshal.dumps(failure.to_dict()))).text == failure.text


@pytest.mark.parametrize('what', ['mute', 'exiting', 'odd'])
def test_error_without_text_keeps_name_and_place(what: str) -> None:
    failure = capture.capture(caught(what))
    assert failure.type_name == f'tests.hard.{what.capitalize()}'
    assert 'unavailable' in failure.message
    assert 'in raises' in failure.text and f'tests.hard.{what.capitalize()}' in failure.text


def test_head_and_tail_are_kept() -> None:
    failure = capture.capture(caught('long'))
    assert failure.text.startswith('Traceback') and 'bytes cut' in failure.text and failure.text.endswith('xxx\n')
    chain = capture.capture(caught('chain')).text
    assert chain.startswith('ValueError: root') and chain.rstrip().endswith('RuntimeError: level 499')
    assert 'maximum recursion depth' in capture.capture(caught('recursion')).text


def test_long_chain_of_long_texts_is_quick() -> None:
    error = jobs.bury_one(ValueError('y' * 1_000_000), 300)
    for one in (error, error.__cause__):
        assert one is not None
        one.args = ('z' * 5_000_000,)
    began = time.perf_counter()
    assert len(capture.capture(error).text.encode()) <= MAX_TRACEBACK_BYTES
    assert time.perf_counter() - began < 2


def test_wide_and_deep_groups() -> None:
    group: BaseException = ValueError('leaf')
    for _ in range(200):
        group = ExceptionGroup('g' * 1000, [group, ValueError('x' * 10_000)])  # type: ignore[list-item]
    began = time.perf_counter()
    assert len(capture.capture(group).text.encode()) <= MAX_TRACEBACK_BYTES
    assert time.perf_counter() - began < 2


def test_classes_that_lie_about_themselves() -> None:
    class Lost(Exception):
        __module__ = None  # type: ignore[assignment]

    assert capture.capture(Lost('x')).type_name.endswith('Lost')
    assert capture.capture(ValueError('x')).type_name == 'ValueError'


@pytest.mark.parametrize('alphabet', ['\0', 'ü', '😀', '\udcff', 'noise', '"'])
def test_bounded_in_every_form(alphabet: str) -> None:
    """As text, as stored in the result stream, and as noted on the execution."""
    noise = ''.join(map(chr, random.Random(4).choices(range(1, 0x250), k=400_000)))
    failure = capture.capture(ValueError(noise if alphabet == 'noise' else alphabet * 300_000))
    failure.attached += [failure.text] * 3
    for text in (failure.text, failure.full_text):
        assert len(text.encode()) <= MAX_TRACEBACK_BYTES and len(settle.encode_text(text)) <= MAX_TRACEBACK_BYTES
        assert text.startswith(('ValueError', 'Traceback'))
    assert len(json.dumps(failure.to_dict())) <= MAX_TRACEBACK_BYTES + 8192


def test_hostile_ones() -> None:
    """Whatever the class does when it is asked, there is a name, a message and a place."""
    for cls in (hard.Masked, hard.Nameless, hard.Uncaused, hard.Untraced, hard.Endless):
        try:
            hard.throw(cls)
        except BaseException as error:
            failure = capture.capture(error)
        assert failure.type_name and failure.message, cls
        assert 'in throw' in failure.text, cls


@pytest.mark.parametrize('limit', [100, 101, 1000])
def test_cut(limit: int) -> None:
    for text in ('x' * 5000, 'ü' * 5000, '😀' * 3000, '\udcff' * 4000):
        assert len(wording.cut(text, limit).encode()) <= limit
    assert wording.cut('short', limit) == 'short'


def test_time_out_is_a_kind_of_its_own() -> None:
    assert capture.capture(JobTimeoutException('x')).kind is Kind.TIMED_OUT
    assert capture.capture(ValueError()).kind is Kind.RAISED


@pytest.mark.parametrize(
    'failure, cls, words',
    [
        (capture.killed(9, 20480), HorseKilledError, ['(signal 9)', 'SIGKILL', '20.0 MiB']),
        (capture.killed(139, None), HorseKilledError, ['SIGSEGV (signal 11)']),
        (capture.killed(0, 1), HorseKilledError, ['exited with code 0']),
        (capture.killed(768, 1), HorseKilledError, ['exited with code 3']),
        (capture.killed(None, None), HorseKilledError, ['waitpid returned None']),
        (capture.killed(35, None), HorseKilledError, ['(signal 35)']),
        (capture.overdue(5), JobTimeoutException, ['(5 seconds)', 'killed']),
        (capture.overdue(5, 'on_success callback'), JobTimeoutException, ['on_success callback']),
        (capture.abandoned('w', 'noon'), AbandonedJobError, ['AbandonedJobError, at noon', 'worker w']),
        (capture.abandoned(''), AbandonedJobError, ['its worker']),
        (capture.poison(3, 'w'), PoisonJobError, ['3 workers']),
        (capture.stopped(), StoppedJobError, ['Job stopped by user, work-horse terminated.']),
    ],
)
def test_without_a_live_exception(failure: Failure, cls: Any, words: list[str]) -> None:
    kind, error, trace = failure.exc_info
    assert kind is cls and isinstance(error, cls) and trace is None
    assert [word for word in words if word not in failure.full_text] == []
    assert failure.type_name == cls.__name__


def test_killed_knows_its_numbers() -> None:
    error: Any = capture.killed(9, None).exc_info[1]
    assert (error.signal, error.exit_code, error.peak_memory) == (9, None, None)
    noted = capture.from_dict(capture.killed(768, 20).to_dict())
    error = noted.exc_info[1]
    assert (error.signal, error.exit_code, error.peak_memory) == (None, 3, 20480)


def test_not_retried() -> None:
    assert [one.retryable for one in (capture.poison(3, 'w'), capture.stopped(), capture.overdue(1))] == [
        False,
        False,
        True,
    ]
    assert not capture.overdue(1, 'on_success callback').retryable


def test_a_noted_failure_comes_back_as_words() -> None:
    error = caught('surrogate')
    noted = capture.from_dict(capture.capture(error).to_dict())
    kind, revived, trace = noted.exc_info
    assert kind is JobFailedError and 'OSError: no such file' in str(revived) and trace is None
    assert capture.from_dict({'kind': 'nonsense'}).kind is Kind.ABANDONED
    assert capture.from_dict({}).kind is Kind.ABANDONED


def test_attached_errors_follow_and_are_bounded() -> None:
    failure = capture.capture(ValueError('own'))
    failure.attached += ['x' * 200_000, 'last words']
    assert failure.full_text.startswith('ValueError: own') and failure.full_text.endswith('last words')
    assert len(failure.full_text.encode()) <= MAX_TRACEBACK_BYTES
