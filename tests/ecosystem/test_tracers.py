"""Tracers and error trackers: what they would send of our jobs. Nothing is sent anywhere."""

from typing import Any

import pytest

from tests.ecosystem.conftest import Play

WORKERS = pytest.mark.parametrize('worker', ['Worker', 'SimpleWorker'])


@pytest.mark.parametrize('worker', ['Worker', 'SimpleWorker', 'command'])
def test_sentry(play: Play, worker: str) -> None:
    seen = play('tracing', 'sentry', worker=worker)
    ids = seen['ids']
    bad, again = seen['errors']  # the failure that is tried again is none yet
    assert [bad['extra']['job_id'], again['extra']['job_id']] == [ids['bad'], ids['again']]
    for error, words in ((bad, 'sentry sees it'), (again, 'twice')):
        assert (error['error'], error['value'], error['mechanism']) == ('ValueError', words, 'rq')
        assert (error['name'], error['extra']['func']) == ('jobs.fail', 'jobs.fail')
        assert error['extra']['enqueued_at'] <= error['extra']['started_at']
    transactions = seen['transactions']
    run = [transaction['extra']['job_id'] for transaction in transactions]
    assert run == [ids['good'], ids['bad'], ids['again'], ids['again']]
    for one in [*transactions, bad, again]:
        assert (one['trace']['trace_id'], one['trace']['parent_span_id']) == (seen['trace'], seen['parent'])
        assert one['trace']['op'] == 'queue.task.rq'
        assert one['trace']['data']['messaging.destination.name'] == 'default'


def spans_of(spans: list[dict[str, Any]], job_id: str) -> dict[str, dict[str, Any]]:
    """The spans of a job by name; each at most once."""
    found = [span for span in spans if span['attributes'].get('rq.job.id') == job_id]
    assert len({span['name'] for span in found}) == len(found)
    return {span['name'].removesuffix(' default'): span for span in found}


@WORKERS
def test_opentelemetry(play: Play, worker: str) -> None:
    seen = play('tracing', 'telemetry', worker=worker)
    good, bad, dependent, later = (spans_of(seen['spans'], job_id) for job_id in seen['ids'])
    assert seen['statuses'] == ['finished', 'failed', 'finished', 'scheduled']
    assert seen['told'] == [f'{seen["ids"][0]} int', f'{seen["ids"][1]} type']
    assert list(later) == ['schedule']
    assert dependent['setup dependencies']['links'] == 1
    assert {'perform', 'success_callback'} <= set(good) and {'perform', 'failure_callback'} <= set(bad)
    assert (bad['perform']['status'], bad['perform']['events']) == ('ERROR', ['exception'])
    for spans in (good, bad, dependent):
        assert len({span['trace'] for span in spans.values()}) == 1
    for spans, entered in ((good, 'publish'), (bad, 'publish'), (dependent, 'setup dependencies')):
        assert spans['consume']['parent'] == spans[entered]['id']
        assert spans['perform']['parent'] == spans['consume']['id']
    assert good['handle_job_success']['parent'] == good['consume']['id']
    assert bad['handle_job_failure']['parent'] == bad['consume']['id']
    assert (seen['after'], seen['plain']) == (0, 'finished')


@WORKERS
def test_ddtrace(play: Play, worker: str) -> None:
    settings = {
        'DD_RQ_DISTRIBUTED_TRACING_ENABLED': '1', 'DD_INSTRUMENTATION_TELEMETRY_ENABLED': '0',
        'DD_REMOTE_CONFIGURATION_ENABLED': '0', 'DD_TRACE_STARTUP_LOGS': '0',
    }  # fmt: skip
    seen = play('tracing', 'datadog', worker=worker, settings=settings)
    named = {(span['name'], span['tags'].get('job.id')): span for span in seen['spans']}
    assert len(named) == len(seen['spans'])
    assert named['producer', None]['trace'] == seen['trace']
    for job_id, status, function in (
        (seen['ids']['good'], 'finished', 'jobs.add'),
        (seen['ids']['bad'], 'failed', 'jobs.fail'),
    ):
        enqueued, run = named['rq.queue.enqueue_job', job_id], named['rq.worker.perform_job', job_id]
        performed = named['rq.job.perform', job_id]
        assert [span['trace'] for span in (enqueued, run, performed)] == [seen['trace']] * 3
        assert (enqueued['resource'], run['parent'], performed['parent']) == (function, enqueued['id'], run['id'])
        assert (run['tags']['job.status'], run['tags']['job.origin']) == (status, 'default')
        assert [span['error'] for span in (run, performed)] == [int(status == 'failed')] * 2
    assert ('rq.queue.fetch_job', seen['ids']['good']) in named


def test_ddtrace_run(play: Play) -> None:
    seen = play('tracing', 'datadog_agent')
    assert (seen['statuses'], seen['arrived']) == (['finished', 'failed'], [True] * 4)


@WORKERS
def test_rollbar_and_elastic(play: Play, worker: str) -> None:
    seen = play('others', 'trackers', worker=worker)
    assert [(one['type'], one['message']) for one in seen['elastic']] == [('ValueError', 'ValueError: tell them')] * 2
    assert [(one['type'], one['framework']) for one in seen['rollbar']] == [('ValueError', 'rq')] * 2
    for one in seen['rollbar']:
        assert 'jobs.fail' in one['description'] and one['data'].startswith("b'")


@WORKERS
def test_scout(play: Play, worker: str) -> None:
    seen = play('others', 'scout', worker=worker)
    good, bad = ([one for one in seen['seen'] if one['tags']['task_id'] == job_id] for job_id in seen['ids'])
    assert {one['operation'] for one in good} == {'Job/jobs.add'}
    assert {(one['operation'], one['tags']['error']) for one in bad} == {('Job/jobs.fail', 'true')}
    assert all(one['tags']['queue'] == 'default' and one['tags']['queue_time'] >= 0 for one in good)


@WORKERS
def test_z4j(play: Play, worker: str) -> None:
    seen = play('others', 'z4j', worker=worker)
    good, bad = seen['ids']
    assert seen['events'] == [
        ['task.started', good], ['task.succeeded', good], ['task.started', bad], ['task.failed', bad]
    ]  # fmt: skip
    assert (seen['dead'], seen['known']) == ([[bad, 'jobs.fail']], ['jobs.add', 'jobs.fail'])
    assert (seen['requeued'], seen['after']) == (['success', 'queued'], ['failed', 'finished'])
    assert seen['health'] == {'default': 0}
