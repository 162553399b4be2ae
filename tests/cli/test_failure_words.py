"""Failure groups and jobs as lines."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.cli.columns import cells
from rq.cli.failure_words import advice, group_lines, group_screen, short_ids
from rq.cli.job_words import job_screen
from rq.cli.sparkline import PLAIN_BARS
from rq.inspector import FailureGroup, JobView
from tests.cli.test_trace_words import ATTEMPTS, MOMENTS, NASTY, NOW, attempt, texts

COUNTS = st.dictionaries(NASTY, st.integers(0, 10**9), max_size=5)
SURE_MOMENTS = st.integers(0, 10**6).map(lambda seconds: NOW - timedelta(seconds=seconds))
IDS = st.text('0123456789abcdef', min_size=16, max_size=16)
GROUPS = st.builds(
    FailureGroup, id=IDS, title=NASTY, kind=st.sampled_from(['raised', 'killed', 'odd\x1b']), type_name=NASTY,
    message=NASTY, frames=st.lists(NASTY, max_size=3), muted_until=MOMENTS, resolved_at=MOMENTS,
    state=st.sampled_from(['open', 'muted', 'resolved', 'regressed', 'odd']), regressed_at=MOMENTS,
    count=st.integers(0, 10**9), first_seen=SURE_MOMENTS, last_seen=SURE_MOMENTS,
    trend=st.lists(st.integers(0, 10**6), min_size=168, max_size=168) | st.just([]), queues=COUNTS, functions=COUNTS,
    sample_ids=st.lists(NASTY, max_size=10), failed_count=st.integers(0, 10**6),
)  # fmt: skip
JOBS = st.builds(
    JobView, id=NASTY, status=st.sampled_from(['queued', 'failed', 'odd\x1b']), queue=NASTY, description=NASTY,
    function=NASTY, created_at=MOMENTS, started_at=MOMENTS, ended_at=MOMENTS, enqueued_from=NASTY, worker_name=NASTY,
    timeout=st.none() | st.integers(-1, 10**6), ttl=st.none() | st.integers(-1, 10**6), expires_at=MOMENTS,
    retries_left=st.none() | st.integers(0, 9), retry_intervals=st.lists(st.integers(0, 99), max_size=3),
    dependency_ids=st.lists(NASTY, max_size=30), callbacks=st.dictionaries(NASTY, NASTY, max_size=2), warning=NASTY,
    exc_string=NASTY, broken=st.dictionaries(NASTY, NASTY, max_size=2), attempt_count=st.integers(0, 9),
)  # fmt: skip


def group(**words: Any) -> FailureGroup:
    """A group, as a shop has them."""
    known: dict[str, Any] = {
        'id': '3fa2c41d9b7e0a55', 'title': 'ConnectionError in shop:charge', 'kind': 'raised',
        'type_name': 'ConnectionError', 'message': 'no carrier', 'frames': ['shop:charge'], 'state': 'open',
        'muted_until': None, 'resolved_at': None, 'regressed_at': None, 'count': 1204, 'failed_count': 12,
        'first_seen': NOW - timedelta(days=3), 'last_seen': NOW - timedelta(minutes=2), 'trend': [0] * 167 + [5],
        'queues': {'payments': 1200, 'default': 4}, 'functions': {'shop.charge': 1204},
        'sample_ids': ['pay-1', 'pay-2'],
    }  # fmt: skip
    return FailureGroup(**{**known, **words})


def test_the_list() -> None:
    other = group(
        id='3fa2c400000000ff', title='Killed by signal 9 in shop.report', state='muted', count=1, failed_count=0,
        queues={'reports': 1}, muted_until=NOW + timedelta(days=2),
    )  # fmt: skip
    assert texts(group_lines([group(), other], NOW, 80)) == [
        '● 3fa2c41  ConnectionError in shop:charge  (payments, default)',
        '           1,204 failures, 12 now  ·············█  last 2 min ago  since 3 d',
        '- 3fa2c40  Killed by signal 9 in shop.report  (reports)',
        '           1 failure, 0 now        ·············█  last 2 min ago  since 3 d',
        '           muted until 2031-05-29 21:45:00 UTC (in 2 d)',
    ]
    assert texts(group_lines([group(state='regressed', regressed_at=NOW)], NOW, 80, PLAIN_BARS)) == [
        '! 3fa2c4  ConnectionError in shop:charge  (payments, default)',
        '          1,204 failures, 12 now  .............#  last 2 min ago  since 3 d',
        '          came back just now, after it was resolved',
    ]


def test_short_ids() -> None:
    ids = ['aaaaaaaaaaaaaaaa', 'aaaaaaaabbbbbbbb', 'bbbbbbbbbbbbbbbb']
    assert list(short_ids([group(id=one) for one in ids]).values()) == ['aaaaaaaaa', 'aaaaaaaab', 'bbbbbb']


def test_one_group() -> None:
    lines = texts(group_screen(group(), attempt(), NOW, 80))
    assert lines[:2] == ['● 3fa2c41d9b7e0a55  ConnectionError in shop:charge', '  raised, open']
    assert 'Failures   1,204; 12 jobs are failed now' in lines
    assert '    /srv/shop/tasks.py:12 in charge' in lines
    assert '    ... 2 frames in requests, urllib3' in lines
    assert 'Queues     payments (1,200), default (4)' in lines
    assert '  rq failures retry 3fa2c4 --first 1  try one, and wait for what becomes of it' in lines


def test_a_group_without_its_jobs() -> None:
    lines = texts(group_screen(group(sample_ids=[], failed_count=0), None, NOW, 80))
    assert '    in shop:charge' in lines
    assert [command for command, _ in advice(group(sample_ids=[], failed_count=0))] == [
        'rq failures resolve 3fa2c4',
        'rq failures mute 3fa2c4 --for 2d',
    ]


def test_advice_can_be_copied_into_a_shell() -> None:
    commands = [command for command, _ in advice(group(sample_ids=['x; rm -rf ~']))]
    assert commands[0] == "rq failures show 'x; rm -rf ~'"


@pytest.mark.parametrize('state', ['resolved', 'muted'])
def test_what_was_said_can_be_taken_back(state: str) -> None:
    assert 'rq failures reopen 3fa2c4' in [command for command, _ in advice(group(state=state))]


def test_one_job() -> None:
    job = JobView(
        'pay-1', 'failed', 'payments', 'shop.charge(1001)', 'shop.charge', enqueued_from='views.py:8 in pay',
        started_at=NOW - timedelta(seconds=5), ended_at=NOW, retries_left=0, attempt_count=2, timeout=180,
    )  # fmt: skip
    lines = texts(job_screen(job, [attempt(1), attempt(2)], NOW, 80))
    assert lines[:4] == [
        'Job pay-1  failed',
        '  shop.charge(1001)',
        'Queue          payments',
        'Enqueued from  views.py:8 in pay',
    ]
    assert 'Ran for        5.0 s' in lines
    assert 'Retries        2 failed attempts, 0 left' in lines
    assert lines[-3:] == [
        '  /srv/shop/tasks.py:12 in charge',
        "      raise ConnectionError('no carrier')",
        '  ... 2 frames in requests, urllib3',
    ]


@given(st.lists(GROUPS, max_size=3), st.integers(40, 130))
def test_whatever_groups_say_lines_fit_and_can_be_printed(groups: list[FailureGroup], width: int) -> None:
    lines = texts(group_lines(groups, NOW, width))
    for one in groups[:1]:
        lines += texts(group_screen(replace(one, sample_ids=['a']), None, NOW, width))
        assert all(line.isprintable() for line in texts(group_screen(one, None, NOW, width)))
    assert all(line.isprintable() for line in lines)
    assert [line for line in lines if cells(line) > width] == []


@given(JOBS, st.lists(ATTEMPTS, max_size=2), st.integers(40, 130))
def test_whatever_a_job_says_it_can_be_printed(job: JobView, attempts: list[Any], width: int) -> None:
    assert all(line.isprintable() for line in texts(job_screen(job, attempts, NOW, width)))
