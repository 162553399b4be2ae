"""When a worker or a pool may call itself healthy."""

import math

import pytest

from rq.rules.health import NEVER, Crew, Member, Vitals, is_whole, judge, judge_crew, renew_limit

WELL = Vitals(renewed_at=100.0, turned_at=110.0, renew_limit=15.0, turn_limit=90.0)


def test_limit_of_a_renewal() -> None:
    assert renew_limit(5, 30) == 15
    assert renew_limit(20, 30) == 30  # never older than the lease


@pytest.mark.parametrize('now, healthy', [(100, True), (114.9, True), (115, False), (1e9, False)])
def test_renewals(now: float, healthy: bool) -> None:
    verdict = judge(WELL, now)
    assert (verdict.healthy, verdict.ready, verdict.until) == (healthy, healthy, 115)
    assert ('accepted the last renewal' in verdict.why) is not healthy


def test_never_before_the_first_renewal() -> None:
    verdict = judge(WELL._replace(renewed_at=None), 0)
    assert (verdict.healthy, verdict.until) == (False, NEVER) and 'yet' in verdict.why


@pytest.mark.parametrize('turned_at, limit, healthy', [(21.1, 90, True), (21, 90, False), (-1e9, math.inf, True)])
def test_turns_of_the_loop(turned_at: float, limit: float, healthy: bool) -> None:
    verdict = judge(WELL._replace(turned_at=turned_at, turn_limit=limit), 111)
    assert verdict.healthy is healthy and verdict.until == min(115, turned_at + limit)


def test_leaving_is_not_ready() -> None:
    verdict = judge(WELL._replace(leaving=True), 111)
    assert (verdict.healthy, verdict.ready) == (True, False)


CREW = Crew(wanted=2, members=(Member(0, 115, 100), Member(0, 113, 98)), turned_at=110, whole_at=110)
NEW = Member(105, NEVER, NEVER)


def test_whole_crew() -> None:
    assert is_whole(CREW, 111)
    assert judge_crew(CREW, 111)[:3] == ('', 113, 98)
    assert not judge_crew(CREW._replace(whole_at=None), 111).healthy
    assert judge_crew(CREW._replace(leaving=True), 111).ready is False
    assert judge_crew(Crew(0, (), 110, 110), 111).healthy


@pytest.mark.parametrize(
    'members, whole_at, healthy',
    [
        ((Member(0, 115, 100), NEW), 105, True),  # one is on its way up
        ((Member(0, 115, 100),), 105, True),  # its place is empty for a moment
        ((Member(0, 115, 100), Member(0, 109, 94)), 109, False),  # one is frozen, or stuck
        ((Member(0, 115, 100), NEW), 81, False),  # they die as soon as they start
        ((), 105, True),
        ((), 81, False),
    ],
)
def test_crew_with_gaps(members: tuple[Member, ...], whole_at: float, healthy: bool) -> None:
    crew = CREW._replace(members=members, whole_at=whole_at)
    assert not is_whole(crew, 111)
    assert judge_crew(crew, 111).healthy is healthy


def test_loop_of_a_pool_that_is_stuck() -> None:
    assert 'loop of the pool' in judge_crew(CREW._replace(turned_at=101), 111).why
