"""When a pool replaces the dead."""

from rq.rules.respawn import FIRST_PAUSE, LONGEST_PAUSE, QUICK_SECONDS, Respawn


def test_the_first_ones_are_replaced_at_once() -> None:
    respawn = Respawn(free=2)
    assert respawn.may(0) and [respawn.died(now, now) for now in (1.0, 2.0)] == [0, 0] and respawn.may(2.0)


def test_the_pause_doubles_up_to_a_limit() -> None:
    respawn = Respawn(free=0)
    pauses = [respawn.died(float(now), float(now)) for now in range(1000)]
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE] and pauses[-1] == LONGEST_PAUSE
    assert not respawn.may(999 + LONGEST_PAUSE - 1) and respawn.may(999 + LONGEST_PAUSE)


def test_one_that_cannot_be_started_costs_a_pause_at_once() -> None:
    respawn = Respawn(free=2)
    assert [respawn.failed(1.0), respawn.failed(2.0)] == [FIRST_PAUSE, 2 * FIRST_PAUSE] and not respawn.may(2.5)


def test_a_worker_that_lived_ends_the_streak() -> None:
    respawn = Respawn(free=0)
    assert respawn.died(0, 1) > 0 and respawn.died(1, 1 + QUICK_SECONDS) == 0 and respawn.may(1 + QUICK_SECONDS)
    assert respawn.died(20, 21) == FIRST_PAUSE
