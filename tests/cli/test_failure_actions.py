"""`rq failures retry|delete|cancel|resolve|reopen|mute`, with jobs that have really failed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from rq import Queue
from rq.cli.progress import Progress
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.utils import utcparse
from tests.cli.conftest import Ask, Run, failed, group_of, refused


def statuses(redis: Redis, *ids: str) -> list[str]:
    return [Job.fetch(job_id, redis).get_status().value for job_id in ids]


PAYMENTS = ('pay-1', 'pay-2', 'pay-3')


# --- actions ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures('shop')
class TestActions:
    """What is done to failed jobs."""

    def test_retry_a_group(self, told, ask: Ask, redis: Redis) -> None:
        assert told('failures', 'retry', group_of(ask)[:8]) == ['3 jobs queued again']
        assert statuses(redis, *PAYMENTS, 'mail-1') == ['queued'] * 3 + ['failed']

    def test_retry_what_matches(self, ask: Ask, redis: Redis) -> None:
        assert ask('failures', 'retry', '--queue', 'mail', '--yes') == {
            'action': 'retry', 'dry_run': False, 'matched': 1, 'changed': 1, 'passed_over': 0, 'samples': [],
            'refused': [],
        }  # fmt: skip
        assert ask('failures', 'retry', '--queue', 'mail')['matched'] == 0
        assert statuses(redis, 'mail-1') == ['queued']

    def test_options_before_the_command(self, run: Run, redis: Redis, redis_url: str) -> None:
        result = run('failures', '-u', redis_url, '--queue', 'mail', 'retry', env={'RQ_REDIS_URL': 'unix:///nowhere'})
        assert (result.exit_code, result.stdout) == (0, '1 job queued again\n')
        assert statuses(redis, 'mail-1', *PAYMENTS) == ['queued'] + ['failed'] * 3

    def test_retry_jobs(self, told, redis: Redis) -> None:
        assert told('failures', 'retry', 'pay-1', 'pay-3', '--at-front') == ['2 jobs queued again']
        assert Queue('payments', connection=redis).job_ids == ['pay-3', 'pay-1']

    def test_jobs_that_are_not_failed(self, run: Run, redis: Redis, redis_url: str) -> None:
        Queue('mail', connection=redis).enqueue('shop.pack', 1, job_id='waits')
        result = run('failures', 'delete', '-u', redis_url, 'waits', 'pay-1')
        assert (result.exit_code, result.stdout) == (1, '1 job deleted\n')
        assert result.stderr == 'waits: it is queued, not failed\n'
        assert statuses(redis, 'waits') == ['queued']

    def test_delete_and_cancel(self, told, ask: Ask, redis: Redis) -> None:
        assert told('failures', 'delete', '--text', 'order 2') == ['1 job deleted']
        assert not Job.exists('pay-2', redis)
        assert told('failures', 'cancel', group_of(ask), '--first', '1', '--rate', '100') == ['1 job canceled']
        assert statuses(redis, 'pay-1', 'pay-3') == ['failed', 'canceled']
        assert told('failures', 'cancel', 'pay-1') == ['1 job canceled']

    def test_dry_run(self, told, ask: Ask, redis: Redis) -> None:
        for verb, words in (('retry', 'queued again'), ('delete', 'deleted'), ('cancel', 'canceled')):
            lines = told('failures', verb, '--all', '--dry-run')
            assert lines[0] == f'4 jobs would be {words}, such as'
            assert sum('ConnectionError: order' in line for line in lines) == 2
        document = ask('failures', 'delete', '--queue', 'payments', '--dry-run')
        assert (document['matched'], document['changed'], document['dry_run']) == (3, 0, True)
        assert list(document['samples'][0]) == [
            *('id', 'queue', 'function', 'description', 'failed_at', 'group', 'kind', 'type', 'message', 'attempts'),
        ]
        assert FailedJobRegistry('payments', connection=redis).count == 3

    def test_nothing_is_not_everything(self, run: Run, redis: Redis, redis_url: str, ask: Ask) -> None:
        for verb in ('retry', 'delete', 'cancel', 'resolve', 'reopen', 'mute'):
            refused(run('failures', verb, '-u', redis_url), '--all')
            refused(run('failures', verb, '-u', redis_url, '--all', 'pay-1'), '--all')
        refused(run('failures', 'retry', '-u', redis_url, 'pay-1', '--queue', 'mail'), 'named')
        refused(run('failures', 'retry', '-u', redis_url, 'pay-1', '--first', '1'), 'named')
        both = group_of(ask), group_of(ask, 'receipt')
        refused(run('failures', 'retry', '-u', redis_url, *both, '--first', '1'), '--first')
        for option, word in (('--rate', 'nan'), ('--rate', 'inf'), ('--wait', 'nan'), ('--wait', 'inf')):
            refused(run('failures', 'retry', '-u', redis_url, both[0], '--first', '1', option, word), option, 'finite')
        assert statuses(redis, *PAYMENTS, 'mail-1') == ['failed'] * 4

    def test_a_canary_that_nobody_takes(self, told, ask: Ask) -> None:
        lines = told('failures', 'retry', group_of(ask), '--first', '1', '--wait', '0', code=1)
        assert lines[0] == '  pay-3  queued'
        assert lines[1].startswith('No outcome within 0 s')

    @pytest.mark.parametrize('is_mended', [False, True])
    def test_a_canary(
        self, run: Run, start, ask: Ask, redis: Redis, redis_url: str, workplace: Path, is_mended: bool
    ) -> None:
        gid = group_of(ask)
        if is_mended:
            (workplace / 'mended').touch()
        start('worker', '-u', redis_url, '--quiet', 'payments')
        result = run('failures', 'retry', '-u', redis_url, gid, '--first', '1', '--wait', '30')
        assert result.exit_code == (0 if is_mended else 1)
        lines = result.stdout.splitlines()
        if is_mended:
            assert lines == [
                '  pay-3  finished',
                'It went well',
                f'Go on with the other 2: rq failures retry {gid}',
            ]
        else:
            assert lines == [
                '  pay-3  failed: ConnectionError: order 3 is not paid',
                '1 of 1 failed again, so the cause is not mended; no other job was touched',
                'rq failures show pay-3 tells more',
            ]
        assert statuses(redis, 'pay-1', 'pay-2') == ['failed'] * 2

    def test_a_canary_for_programs(self, ask: Ask, start, redis_url: str, workplace: Path) -> None:
        (workplace / 'mended').touch()
        start('worker', '-u', redis_url, '--quiet', 'payments')
        document = ask('failures', 'retry', '--queue', 'payments', '--text', 'order 2', '--first', '5')
        assert document == {
            'action': 'retry', 'first': 5, 'outcomes': {'pay-2': 'finished'}, 'is_good': True, 'left': None,
            'go_on': "rq failures retry --queue payments --text 'order 2'",
        }  # fmt: skip


# --- groups -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures('shop')
class TestMarks:
    """What is said of groups."""

    def test_resolved_and_back_again(self, told, ask: Ask, redis: Redis, work) -> None:
        gid = group_of(ask)
        assert told('failures', 'resolve', gid)[-1] == '1 group is resolved'
        assert [group['title'] for group in ask('failures')['groups']] == ['KeyError in shop:receipt']
        assert [group['id'] for group in ask('failures', '--state', 'resolved')['groups']] == [gid]
        told('failures', 'retry', gid, '--yes')
        work()
        (group,) = ask('failures', '--state', 'regressed')['groups']
        assert (group['id'], group['count']) == (gid, 6)
        assert any('came back' in line for line in told('failures'))
        assert told('failures', 'reopen', gid)[-1] == '1 group is open'
        assert ask('failures', '--state', 'regressed')['groups'] == []

    def test_mute(self, told, ask: Ask, run: Run, redis_url: str) -> None:
        gid = group_of(ask)
        document = ask('failures', 'mute', 'pay-1', '--for', '2d')  # the group of a job
        assert (document['action'], document['matched'], document['groups']) == ('mute', 1, [gid])
        until = utcparse(document['until'])
        assert timedelta(days=1) < until - datetime.now(UTC) <= timedelta(days=2)
        (group,) = ask('failures', '--state', 'muted')['groups']
        assert abs(utcparse(group['muted_until']) - until) < timedelta(seconds=1)
        assert told('failures', 'mute', gid, '--until', '2200-01-01')[-1].startswith(
            '1 group is muted until 2200-01-01'
        )
        assert told('failures', 'mute', gid)[-1] == '1 group is muted'
        (group,) = ask('failures', '--state', 'muted')['groups']
        assert group['muted_until'] is None
        refused(run('failures', 'mute', gid, '-u', redis_url, '--for', '1h', '--until', '2200-01-01'), '--for')
        refused(run('failures', 'mute', gid, '-u', redis_url, '--until', '2001-01-01'), '--until', 'over')
        refused(run('failures', 'mute', gid, '-u', redis_url, '--for', 'soon'), '--for')

    def test_by_what_matches(self, told, ask: Ask) -> None:
        lines = told('failures', 'resolve', '--all', '--dry-run')
        assert lines[-1] == '2 groups would be resolved'
        assert len(ask('failures')['groups']) == 2
        assert ask('failures', 'resolve', '--queue', 'mail')['groups'] == [group_of(ask, 'receipt')]
        assert len(ask('failures')['groups']) == 1

    def test_a_job_without_a_group(self, run: Run, redis: Redis, redis_url: str) -> None:
        Queue('mail', connection=redis).enqueue('shop.pack', 1, job_id='waits')
        failed(run('failures', 'resolve', '-u', redis_url, 'waits'), 'waits', 'no failure group')


def test_progress_without_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with Progress('retry') as progress:
        progress(500, 2000)  # not so soon
        monkeypatch.setattr('rq.cli.progress.EVERY_SECONDS', 0)
        progress(1000, 2000)
        progress(1500, None)
    with Progress('retry', silent=True) as progress:
        progress(500, 2000)
    assert (capsys.readouterr().err, progress.done) == ('retry: 1,000 of 2,000\nretry: 1,500\n', 500)
