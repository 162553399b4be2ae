"""Exceptions and attempts as lines."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rq.attempts import Attempt
from rq.cli.attempt_words import attempt_lines, attempts_table, difference_lines, differences
from rq.cli.columns import cells
from rq.cli.trace_words import chain_lines, exception_name, folded
from rq.rules.anatomy import ExceptionRecord, Frame

NOW = datetime(2031, 5, 27, 21, 45, tzinfo=UTC)
OWN = Frame('/srv/shop/tasks.py', 12, 'charge', 'shop.tasks', "raise ConnectionError('no carrier')", True)
LIBRARY = Frame('/lib/requests/api.py', 5, 'get', 'requests.api', 'return request()', False)
DEEPER = Frame('/lib/urllib3/pool.py', 7, 'urlopen', 'urllib3.pool', 'raise', False)
NASTY = st.text('ab \x1b[31m\n\r\u202e漢é', max_size=60) | st.just('x' * 5000)
FRAMES = st.builds(
    Frame, NASTY, st.integers(0, 9999), NASTY, NASTY, NASTY, st.booleans(),
    st.none() | st.dictionaries(NASTY, NASTY, max_size=3),
)  # fmt: skip
PLAIN_RECORDS = st.builds(
    ExceptionRecord, NASTY, NASTY, NASTY, st.lists(FRAMES, max_size=4).map(tuple), st.sampled_from(['', 'cause', 'x']),
    st.lists(NASTY, max_size=2).map(tuple),
)  # fmt: skip
RECORDS = st.builds(
    ExceptionRecord, NASTY, NASTY, NASTY, st.lists(FRAMES, max_size=4).map(tuple),
    st.sampled_from(['', 'cause', 'context']), st.lists(NASTY, max_size=2).map(tuple),
    st.lists(PLAIN_RECORDS, max_size=2).map(tuple), st.integers(0, 9),
)  # fmt: skip
NUMBERS = st.none() | st.integers(-5, 300)
MOMENTS = st.none() | st.integers(0, 10**6).map(lambda seconds: NOW - timedelta(seconds=seconds))
ATTEMPTS = st.builds(
    Attempt, number=st.integers(1, 99), kind=NASTY, type_name=NASTY, message=NASTY, exc_string=NASTY, worker_name=NASTY,
    execution_id=NASTY, is_final=st.booleans(), signal=NUMBERS, exit_code=NUMBERS, started_at=MOMENTS,
    ended_at=MOMENTS, peak_memory=NUMBERS, host=NASTY, pid=NUMBERS, chain=st.lists(RECORDS, max_size=2).map(tuple),
    group=NASTY, output=NASTY,
)  # fmt: skip


def attempt(number: int = 1, **words: Any) -> Attempt:
    """A failed attempt, as a shop has them."""
    record = ExceptionRecord('ConnectionError', 'builtins', 'no carrier', (OWN, LIBRARY, DEEPER))
    known: dict[str, Any] = {
        'kind': 'raised', 'type_name': 'ConnectionError', 'message': 'no carrier', 'exc_string': 'Traceback ...',
        'worker_name': 'w1', 'execution_id': f'e{number}', 'is_final': False, 'chain': (record,), 'host': 'h', 'pid': 7,
        'started_at': NOW - timedelta(seconds=60 - number), 'ended_at': NOW - timedelta(seconds=59 - number),
    }  # fmt: skip
    return Attempt(number, **{**known, **words})


def texts(lines: Any) -> list[str]:
    return [line.text for line in lines]


def test_own_frames_are_open_and_library_frames_folded() -> None:
    cause = ExceptionRecord('TimeoutError', 'builtins', 'timed out', (DEEPER,), 'cause', ('tried twice',))
    chain = [ExceptionRecord('ApiError', 'shop.api', 'no carrier\nat all', (LIBRARY, OWN, LIBRARY, DEEPER)), cause]
    assert texts(chain_lines(chain, 80)) == [
        'shop.api.ApiError: no carrier',
        '  at all',
        '  ... 1 frame in requests',
        '  /srv/shop/tasks.py:12 in charge',
        "      raise ConnectionError('no carrier')",
        '  ... 2 frames in requests, urllib3',
        'caused by',
        'TimeoutError: timed out',
        '  | tried twice',
        '  /lib/urllib3/pool.py:7 in urlopen',  # where no frame is one's own, the last one is open
        '      raise',
    ]
    assert '  /lib/requests/api.py:5 in get' in texts(chain_lines(chain, 80, whole=True))


def test_members_locals_and_what_was_left_out() -> None:
    frame = Frame('a.py', 1, 'f', 'a', 'x()', True, {'order': '1001'})
    member = ExceptionRecord('ValueError', 'builtins', 'one', (frame,))
    group = ExceptionRecord('ExceptionGroup', 'builtins', 'all (1 sub-exception)', (), '', (), (member,), 3)
    assert texts(chain_lines([group], 80)) == [
        'ExceptionGroup: all (1 sub-exception)',
        '  1 of 1 in the group',
        '    ValueError: one',
        '      a.py:1 in f',
        '          x()',
        '            order = 1001',
        '  ... 3 more were not kept',
    ]


def test_names() -> None:
    assert exception_name('ValueError', 'builtins') == 'ValueError'
    assert exception_name('Declined', 'shop.api') == 'shop.api.Declined'
    assert exception_name('shop.api.Declined', 'shop.api') == 'shop.api.Declined'
    assert folded([LIBRARY] * 3) == '... 3 frames in requests'


def test_the_table_marks_what_is_the_same() -> None:
    killed = attempt(3, kind='killed', type_name='HorseKilledError', chain=(), signal=9, peak_memory=2**29)
    assert texts(attempts_table([attempt(1), attempt(2), killed], NOW, 110)) == [
        '#  when      took   kind    exception         where                             worker',
        '1  58 s ago  1.0 s  raised  ConnectionError   tasks.py:12 charge                w1',
        '2  57 s ago  1.0 s  "       "                 "                                 "',
        '3  56 s ago  1.0 s  killed  HorseKilledError  signal 9 (SIGKILL), peak 512 MiB  "',
    ]


def test_differences() -> None:
    other = ExceptionRecord('ValueError', 'builtins', 'no', (Frame('b.py', 3, 'g', 'b', '', True), DEEPER))
    earlier = attempt(1, message='no', type_name='ValueError', chain=(other,))
    assert differences(earlier, attempt(2)) == [
        ('type', 'ValueError'),
        ('message', 'no'),
        ('frames', 'b.py:3 in g'),
    ]
    assert texts(difference_lines(attempt(1), attempt(2), 80)) == ['Attempt 1: the same as attempt 2']
    lines = texts(difference_lines(earlier, attempt(2), 80))
    assert lines[:2] == ['Attempt 1, unlike attempt 2:', '  type     ValueError']


def test_an_attempt_without_frames_shows_its_text() -> None:
    lines = texts(attempt_lines(attempt(chain=(), exc_string='one\ntwo\x1b', output='printed'), NOW, 80))
    assert lines[0] == 'Attempt 1: raised 58 s ago after 1.0 s, worker w1 on h, pid 7'
    assert lines[-4:] == ['    one', '    two\\x1b', '  what it printed and logged', '    printed']


@given(st.lists(ATTEMPTS, min_size=1, max_size=4), st.integers(40, 130), st.booleans())
def test_whatever_was_stored_lines_fit_and_can_be_printed(attempts: list[Attempt], width: int, whole: bool) -> None:
    fitting = [*attempts_table(attempts, NOW, width), *difference_lines(attempts[0], attempts[-1], width)]
    for one in attempts:
        fitting += chain_lines(one.chain, width, whole)
    every = [*fitting, *attempt_lines(attempts[-1], NOW, width, whole)]
    assert all(line.text.isprintable() for line in every)
    assert [line.text for line in fitting if cells(line.text) > width] == []


def test_frames_of_a_recursion_are_told_once() -> None:
    record = ExceptionRecord('RecursionError', 'builtins', 'too deep', (OWN, DEEPER, OWN, OWN, OWN))
    lines = [line.text for line in chain_lines([record], 80)]
    assert [line for line in lines if 'more time' in line] == ['  ... the same 2 more times']
    assert sum('tasks.py:12' in line for line in lines) == 2
