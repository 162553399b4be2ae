"""Web frameworks: their commands, their workers and their admin pages."""

import pytest

from tests.ecosystem.conftest import Play

WORKERS = pytest.mark.parametrize('worker', ['Worker', 'SimpleWorker'])


@WORKERS
def test_django_rq(play: Play, worker: str) -> None:
    seen = play('web', 'django_rq_works', worker=worker)
    ids = seen['ids']
    assert (seen['suspended'], seen['said']) == (3, 'hello')
    assert {view: code for view, code in seen['pages'].items() if code != 200} == {}
    assert seen['missing'] == []
    assert (seen['crons'], len(seen['fired']), seen['fired']) == ([200, 200], 1, seen['queued'])
    statistics = seen['statistics']['default']
    shown = {name: statistics[name] for name in statistics if name.endswith('jobs') or name == 'workers'}
    assert shown == {
        'jobs': 1, 'workers': 1, 'finished_jobs': 2, 'started_jobs': 1, 'deferred_jobs': 1, 'failed_jobs': 1,
        'scheduled_jobs': 1,
    }  # fmt: skip
    can_stop = worker == 'Worker'  # a job in the worker's own process cannot be stopped
    assert seen['stopped'][0] == f'You have successfully stopped {ids["running"]}'
    assert seen['stopped'][1] in (['stopped'] if can_stop else ['started', 'finished'])
    requeue, requeues, requeue_all, empty, delete, clear = (words for (words,) in seen['presses'])
    assert requeue == f'You have successfully requeued {ids["broken"]}'
    assert requeues == 'You have successfully requeued 3 jobs!'
    assert requeue_all == f'You have successfully requeued {2 if can_stop else 1} jobs!'
    assert (empty, delete) == (
        'You have successfully cleared the queue default',
        'You have successfully deleted waiting',
    )
    assert clear == 'You have successfully deleted 1 jobs!'
    assert (seen['requeued'], seen['scheduled']) == (['queued'] * 4, [])
    assert seen['waiting'] == sorted([ids['broken'], ids['done'], 'later', 'tomorrow'])
    assert seen['after'] == ['failed', 'finished', 'finished', 'finished']
    assert set(seen['left']) & {'waiting', ids['broken']} == set()
    assert 0 < seen['ttl'] <= 77


@WORKERS
def test_django_tasks_rq(play: Play, worker: str) -> None:
    seen = play('web', 'django_tasks_rq_works', worker=worker)
    assert seen['statuses'] == ['SUCCESSFUL', 'SUCCESSFUL', 'FAILED', 'READY']
    assert (seen['values'], seen['workers']) == ([8, [1, 'RUNNING']], ['tasks'])
    ((kind, trace),) = seen['errors']
    assert kind == 'builtins.KeyError' and trace.endswith("KeyError: 'no such thing'\n")
    assert seen['later'] is not None


def test_flask_rq(play: Play) -> None:
    seen = play('web', 'flask_rq_works')
    ids = seen['ids']
    assert seen['first'] == ['finished', 'finished', 'failed']
    assert seen['values'] == [['shop', 5], 12]
    assert seen['second'] == ['finished', ['shop', 7]]
    assert seen['running'] == ['busy', ids[4], 'started', 1]
    assert seen['third'] == ['stopped', 'finished']
    assert seen['fired'] == ['jobs.add', [2, 3]]
    assert seen['error'].endswith('ValueError: shop\n')
    assert seen['executions'] == [0, 0, 0, 0]
    assert seen['told'] == [f'{ids[2]} type']
