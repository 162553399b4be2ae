"""Dashboards and exporters: what they show is what is there, and their buttons work."""

import pytest

from tests.ecosystem.conftest import Play

WORKERS = pytest.mark.parametrize('worker', ['Worker', 'SimpleWorker'])


@WORKERS
def test_rq_dashboard(play: Play, worker: str) -> None:
    seen = play('web', 'dashboard', worker=worker)
    ids = seen['ids']
    assert set(seen['pages'].values()) == {200}
    lists = seen['lists']
    assert set(lists['failed']) == {ids['broken'], ids['again']}
    assert 'ValueError: it broke here' in lists['failed'][ids['broken']]
    assert list(lists['finished']) == [ids['done']]
    assert list(lists['started']) == [ids['running']]
    assert list(lists['deferred']) == ['later']
    assert list(lists['queued']) == ['waiting']
    details = seen['details']
    assert (details[ids['done']]['status'], details[ids['done']]['result']) == ('finished', 3)
    assert 'in fail' in details[ids['broken']]['exc_info']
    (busy,) = [worker for worker in seen['workers'] if worker['name'] == 'busy']
    assert (busy['state'], busy['current_job']['job_id'], busy['version']) == ('busy', ids['running'], '3.1.0')
    (queue,) = seen['queues']
    assert [queue[f'{name}_job_registry_count'] for name in ('failed', 'started', 'finished')] == [2, 1, 1]
    assert [answer['status'] for answer in seen['answers']] == ['OK'] * 6
    assert seen['requeued'] == ['queued', [ids['broken']], 'queued']
    assert seen['size'] == 0
    assert seen['left'] == sorted(['later', 'waiting', ids['running']])


@WORKERS
def test_rq_dashboard_fast(play: Play, worker: str) -> None:
    seen = play('web', 'dashboard_fast', worker=worker)
    ids = seen['ids']
    assert set(seen['pages'].values()) == {200}
    assert seen['queues']['default'] == {
        'queue_name': 'default', 'queued': 1, 'started': 1, 'failed': 1, 'deferred': 1, 'finished': 1, 'canceled': 0
    }  # fmt: skip
    assert seen['lists'] == {
        'queued': ['waiting'], 'started': [ids['running']], 'failed': [ids['broken']], 'deferred': ['later'],
        'finished': [ids['done']], 'scheduled': ['tomorrow'],
    }  # fmt: skip
    assert 'ValueError' in seen['shown']
    (busy,) = [worker for worker in seen['workers'] if worker['name'] == 'busy']
    assert (busy['current_job_id'], busy['queues']) == (ids['running'], ['default'])
    (scheduler,) = seen['schedulers']
    (job,) = scheduler['jobs']
    assert (scheduler['is_stale'], job['func_name'], job['interval']) == (False, 'jobs.add', 600)
    assert seen['answers'] == [200, 200, 200, 200, 200]
    assert seen['requeued'] == 'queued'
    assert (seen['stale'], seen['left'], seen['after']) == ({'removed': 1}, [], 'finished')


@WORKERS
def test_rq_exporter(play: Play, worker: str) -> None:
    seen = play('web', 'exporter', worker=worker)['lines']
    assert seen['rq_workers{name="busy",queues="default",state="busy"}'] == '1.0'
    assert seen['rq_workers_success_total{name="busy",queues="default"}'] == '0.0'
    for status, count in {'queued': 1, 'started': 1, 'finished': 1, 'failed': 1, 'deferred': 0, 'scheduled': 1}.items():
        assert seen[f'rq_jobs{{queue="default",status="{status}"}}'] == f'{count}.0'
