"""Schedulers: what is due reaches our workers, once."""

import pytest

from tests.ecosystem.conftest import Play


@pytest.mark.parametrize('worker', ['Worker', 'SimpleWorker'])
def test_rq_scheduler(play: Play, worker: str) -> None:
    seen = play('web', 'scheduler', worker=worker)
    ids = seen['ids']
    assert seen['listed'] == sorted(ids.values())
    assert seen['queued'] == sorted([ids['due'], ids['again'], ids['called']])
    assert seen['first'] == {'due': 'finished', 'again': 'finished', 'later': 'scheduled', 'called': 'failed'}
    assert seen['second'] == [ids['again']]
    assert (seen['value'], seen['repeats'], seen['results'], seen['kept']) == (3, 1, 2, -1)
    assert seen['still'] == sorted([ids['later'], ids['again'], ids['crontab']])


@pytest.mark.parametrize('worker', ['Worker', 'SimpleWorker'])
def test_rediscron(play: Play, worker: str) -> None:
    seen = play('others', 'rediscron_works', worker=worker)
    assert (seen['fired'], seen['again'], seen['jobs']) == (['each'], [], ['each', 'nightly'])
    assert (seen['value'], seen['meta']) == (3, {'by': 'cron'})
    assert 0 < seen['ttl'] <= 50
    assert (seen['alive'], seen['left']) == (['red'], [])
    assert '2 scheduled jobs total' in seen['listed']
