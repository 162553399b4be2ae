"""What a stop signal means."""

import pytest

from rq.rules.shutdown import decide


@pytest.mark.parametrize(
    ('now', 'first', 'busy', 'decision'),
    [
        (100.0, None, False, 'leave'),
        (100.0, None, True, 'warm'),
        (100.0, 100.0, True, 'ignore'),
        (101.0, 100.0, True, 'ignore'),
        (101.01, 100.0, True, 'cold'),
        (101.01, 100.0, False, 'cold'),
        (100.0, 0.0, True, 'cold'),
    ],
)
def test_the_ladder(now, first, busy, decision):
    assert decide(now, first, busy) == decision
