"""Death penalties: who is interrupted, when, and what is left behind."""

import pickle
import signal
import sys
import threading
import time

import pytest

from rq.timeouts import (
    BaseDeathPenalty,
    BaseTimeoutException,
    JobTimeoutException,
    TimerDeathPenalty,
    UnixSignalDeathPenalty,
    get_default_death_penalty_class,
)
from rq.timers import SharedTimerDeathPenalty

PENALTIES = [UnixSignalDeathPenalty, TimerDeathPenalty, SharedTimerDeathPenalty]
both = pytest.mark.parametrize('penalty', PENALTIES)


def spin(seconds):
    """Keep the interpreter busy for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@both
def test_a_body_that_takes_too_long_is_interrupted(penalty):
    with (
        pytest.raises(JobTimeoutException, match=r'exceeded maximum timeout value \(0.01 seconds\)'),
        penalty(0.01, JobTimeoutException, job_id='x'),
    ):
        spin(10)


@both
@pytest.mark.parametrize('timeout', [None, 0, -1])
def test_no_limit(penalty, timeout):
    threads = threading.active_count()
    with penalty(timeout, JobTimeoutException):
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
        assert threading.active_count() == threads


@both
def test_errors_of_the_body_pass_and_the_clock_is_stopped(penalty):
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyError), penalty(100, JobTimeoutException):
        raise KeyError
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@both
def test_a_huge_timeout_is_accepted(penalty):
    with penalty(10**30, JobTimeoutException):
        pass


@pytest.fixture
def nervous_interpreter():
    """Threads take turns so often that a timer hits every possible place."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@both
def test_a_timeout_never_arrives_after_its_block(penalty, nervous_interpreter):
    late = 0
    for attempt in range(300):
        try:
            with penalty(0.0003, JobTimeoutException):
                spin(0.00003 * (attempt % 16))
        except JobTimeoutException:
            late += 1
        # What is still on its way would hit here, outside of the `try`, and fail the test.
        spin(0.0001)
    assert late > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@both
def test_a_penalty_can_be_used_again(penalty):
    again = penalty(0.01, JobTimeoutException)
    for _ in range(2):
        with pytest.raises(JobTimeoutException), again:
            spin(10)


def test_the_previous_signal_handler_is_put_back():
    def mine(signum, frame):
        raise AssertionError('not reached')

    before = signal.signal(signal.SIGALRM, mine)
    try:
        with UnixSignalDeathPenalty(100):
            assert signal.getsignal(signal.SIGALRM) is not mine
        assert signal.getsignal(signal.SIGALRM) is mine
    finally:
        signal.signal(signal.SIGALRM, before)


def test_what_fires_while_cancelling_is_swallowed_and_the_cancelling_finished():
    class Slow(BaseDeathPenalty):
        cancelled = 0

        def setup_death_penalty(self):
            pass

        def cancel_death_penalty(self):
            self.cancelled += 1
            if self.cancelled == 1:
                raise self._exception('too late')

    penalty = Slow(1)
    with penalty:
        pass
    assert penalty.cancelled == 2


def test_an_alarm_that_fires_while_cancelling_leaves_nothing_behind():
    class Late(UnixSignalDeathPenalty):
        def cancel_death_penalty(self):
            if self._armed and not getattr(self, 'hit', False):
                self.hit = True
                signal.raise_signal(signal.SIGALRM)
            super().cancel_death_penalty()

    before = signal.getsignal(signal.SIGALRM)
    with Late(100, JobTimeoutException) as penalty:
        pass
    assert penalty.hit
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@both
def test_a_time_that_is_over_at_once(penalty, nervous_interpreter):
    before = signal.getsignal(signal.SIGALRM)
    for _ in range(100):
        with pytest.raises(JobTimeoutException), penalty(1e-6, JobTimeoutException):
            spin(10)
    assert signal.getsignal(signal.SIGALRM) is before


def in_thread(target):
    """Run `target` in a thread; what it raised, or None."""
    raised = []

    def body():
        try:
            target()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return raised[0] if raised else None


def test_the_timer_interrupts_the_thread_that_entered_it():
    penalty = TimerDeathPenalty(0.01, JobTimeoutException)  # built here, entered there

    def body():
        with penalty:
            spin(10)

    error = in_thread(body)
    assert isinstance(error, JobTimeoutException)
    assert '0.01 seconds' in str(error)


def test_the_signal_penalty_says_where_it_works():
    def body():
        with UnixSignalDeathPenalty(1):
            pass

    error = in_thread(body)
    assert isinstance(error, ValueError)
    assert 'main thread only' in str(error)
    assert 'TimerDeathPenalty' in str(error)


def test_a_timer_whose_thread_is_gone():
    made = []
    in_thread(lambda: made.append(TimerDeathPenalty(1)))
    with pytest.raises(ValueError, match='no thread has the id'):
        made[0].handle_death_penalty()


def test_what_the_timer_raises_looks_like_the_exception_asked_for():
    with pytest.raises(JobTimeoutException) as caught, TimerDeathPenalty(0.01):
        spin(10)
    assert (type(caught.value).__module__, type(caught.value).__qualname__) == (
        'rq.timeouts',
        'JobTimeoutException',
    )
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is JobTimeoutException
    assert str(copy) == str(caught.value)


def test_defaults():
    assert get_default_death_penalty_class() is UnixSignalDeathPenalty
    assert issubclass(JobTimeoutException, BaseTimeoutException)
    with pytest.raises(NotImplementedError, match='setup_death_penalty'), BaseDeathPenalty(1):
        pass
