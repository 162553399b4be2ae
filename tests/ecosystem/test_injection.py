"""Dependency injection: jobs get what they ask for."""

import pytest

from tests.ecosystem.conftest import Play


@pytest.mark.parametrize('worker', ['Worker', 'SimpleWorker'])
def test_dishka_rq(play: Play, worker: str) -> None:
    seen = play('others', 'injection', worker=worker)
    assert seen['by_class'] == ['hello Ann', 'failed', 'opened', 'closed', 'opened', 'closed']
    assert seen['by_patch'] == ['hello Bob', 'opened', 'closed']
