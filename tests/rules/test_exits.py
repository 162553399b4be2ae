"""Reading exit statuses."""

import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.rules.exits import describe, read_status, signal_name


@given(st.integers(0, 255))
def test_exit_codes_agree_with_the_system(code):
    assert read_status(code << 8) == (None, code)
    assert os.WEXITSTATUS(code << 8) == code


@given(st.integers(1, 126), st.booleans())
def test_signals_agree_with_the_system(signum, core):
    raw = signum | (0x80 if core else 0)
    assert read_status(raw) == (signum, None)
    assert os.WTERMSIG(raw) == signum


@pytest.mark.parametrize(
    ('raw', 'words'),
    [
        (9, 'killed by SIGKILL (signal 9)'),
        (0x80 | 11, 'killed by SIGSEGV (signal 11)'),
        (0x0300, 'exited with code 3'),
        (0, 'exited with code 0'),
        (None, 'ended without a known status'),
        (0x137F, 'ended without a known status'),  # stopped by a signal: not an end
    ],
)
def test_words(raw, words):
    assert describe(raw) == words


def test_signal_names():
    assert signal_name(signal.SIGTERM) == 'SIGTERM'
    assert signal_name(2) == 'SIGINT'
    assert signal_name(0) == signal_name(4000) == signal_name(None) == 'SIG_UNKNOWN'
