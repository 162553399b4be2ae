"""`rq failures` and `rq job`, with jobs that have really failed."""

from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from redis import Redis

from rq import Queue, Retry
from rq.job import Job
from rq.utils import utcparse
from tests.cli.conftest import Ask, Run, Shell, failed, group_of, refused

# --- the list -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures('shop')
class TestList:
    """What failed, grouped."""

    def test_lines(self, told) -> None:
        lines = told('failures')
        assert [line[10:] for line in lines[:4:2]] == [
            'KeyError in shop:receipt  (mail)',
            'ConnectionError in shop:charge  (payments)',
        ]
        assert '3 failures, 3 now' in lines[3]
        assert lines[3].count('█') == 1

    @pytest.mark.parametrize(
        'words, titles',
        [
            (['--queue', 'mail'], ['KeyError in shop:receipt']),
            (['--function', 'charge'], ['ConnectionError in shop:charge']),
            (['--type', 'ConnectionError'], ['ConnectionError in shop:charge']),
            (['--kind', 'raised', '--text', 'receipt'], ['KeyError in shop:receipt']),
            (['--kind', 'killed'], []),
            (['--since', '1h', '--limit', '1'], ['KeyError in shop:receipt']),
            (['--until', '2001-01-01'], []),
            (['--state', 'regressed'], []),
        ],
    )
    def test_filters(self, ask: Ask, words: list[str], titles: list[str]) -> None:
        assert [group['title'] for group in ask('failures', *words)['groups']] == titles

    def test_json(self, ask: Ask) -> None:
        document = ask('failures', '--limit', '1')
        assert set(document) == {'groups', 'is_complete', 'updated'}
        assert document['is_complete'] is False
        (group,) = document['groups']
        assert list(group) == [
            *('id', 'title', 'state', 'kind', 'type', 'message', 'frames', 'count', 'failed_now', 'first_seen'),
            *('last_seen', 'muted_until', 'resolved_at', 'regressed_at', 'trend', 'queues', 'functions', 'sample_ids'),
        ]
        assert (group['state'], group['count'], group['failed_now']) == ('open', 1, 1)
        assert (group['queues'], group['sample_ids'], len(group['trend'])) == ({'mail': 1}, ['mail-1'], 168)
        assert utcparse(group['last_seen']) <= utcparse(document['updated'])

    def test_more_than_are_shown(self, told) -> None:
        assert told('failures', '--limit', '1')[-2] == 'There are more than these 1: --limit shows more'

    def test_without_bars_in_the_encoding(self, shell: Shell, redis_url: str, monkeypatch) -> None:
        monkeypatch.setenv('PYTHONIOENCODING', 'ascii')
        done = shell('failures', '-u', redis_url)
        assert (done.returncode, done.stdout.isascii()) == (0, True)
        assert done.stdout.startswith('* ')

    def test_wrong_words(self, run: Run, redis_url: str) -> None:
        refused(run('failures', '-u', redis_url, '--since', 'tomorrow'), '--since', "'2h'")
        refused(run('failures', '-u', redis_url, '--since', '1h', '--until', '2h'), '--since', '--until')
        refused(run('failures', '-u', redis_url, '--all', '--state', 'open'), '--all')
        refused(run('failures', '-u', redis_url, 'nosuch'), 'nosuch')
        refused(run('failures', '-u', redis_url, '--kind', 'odd'), '--kind')


def test_nothing_failed(told, run: Run, redis_url: str) -> None:
    assert told('failures') == ['No failures']
    assert told('failures', '--queue', 'x') == ['No failures match; --all shows muted and resolved ones as well']
    for words in (['retry', '--all'], ['delete', '--queue', 'x'], ['mute', '--all'], ['retry', '--all', '--dry-run']):
        assert told('failures', *words) == ['Nothing to do']


def test_what_workers_of_rq_3_recorded(told, redis: Redis) -> None:
    queue = Queue('payments', connection=redis)
    job = queue.enqueue('shop.pack', 1)
    queue.remove(job)
    redis.hset(job.key, mapping={'status': 'failed', 'ended_at': '2021-01-01T00:00:00.000000Z'})
    redis.zadd('rq:failed:payments', {job.id: 9e12})
    assert told('failures')[1].startswith('1 failed job is in none of the groups shown')
    assert told('failures', 'retry', '--all') == ['1 job queued again']
    assert queue.job_ids == [job.id]


# --- one of them --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures('shop')
class TestShow:
    """A group or a job in full."""

    def test_a_group(self, told, ask: Ask) -> None:
        gid = group_of(ask)
        lines = told('failures', 'show', gid[:6])
        assert lines[0] == f'● {gid}  ConnectionError in shop:charge'
        text = '\n'.join(lines)
        for word in ('3; 3 jobs are failed now', 'in gateway', 'caused by', '| the gateway is down', 'payments (3)'):
            assert word in text
        assert f'  rq failures retry {gid[:6]} --first 1  try one, and wait for what becomes of it' in lines

    def test_a_group_for_programs(self, ask: Ask) -> None:
        gid = group_of(ask)
        document = ask('failures', 'show', gid)
        assert list(document) == ['group', 'example', 'what_to_do']
        assert document['group']['id'] == document['example']['group'] == gid
        assert f'rq failures resolve {gid}' in [each['command'] for each in document['what_to_do']]

    def test_a_job(self, told) -> None:
        lines = told('failures', 'show', 'pay-2')
        assert lines[:3] == ['Job pay-2  failed', '  shop.charge(2)', 'Queue          payments']
        assert any(line.startswith('  ConnectionError: order 2 is not paid') for line in lines)
        assert '  rq failures retry pay-2' in '\n'.join(lines)
        assert any('Traceback' in line for line in told('failures', 'show', 'pay-2', '--full', columns=200))

    def test_a_job_for_programs(self, ask: Ask) -> None:
        document = ask('failures', 'show', 'pay-1')
        assert list(document) == ['job', 'attempts']
        (attempt,) = document['attempts']
        assert list(attempt) == [
            *('number', 'kind', 'type', 'module', 'message', 'is_final', 'worker', 'host', 'pid', 'execution_id'),
            *('started_at', 'ended_at', 'signal', 'exit_code', 'peak_memory', 'group', 'chain', 'output', 'traceback'),
        ]
        first, cause = attempt['chain']
        assert list(first) == ['type', 'module', 'message', 'link', 'notes', 'frames', 'members', 'omitted']
        assert (first['link'], cause['link'], cause['notes']) == (None, 'cause', ['the gateway is down'])
        frame = cause['frames'][-1]
        assert list(frame) == ['file', 'line', 'function', 'module', 'source', 'own', 'locals']
        assert (frame['function'], frame['own']) == ('gateway', True)

    def test_an_id_that_is_both(self, told, run: Run, ask: Ask, redis: Redis, redis_url: str) -> None:
        gid = group_of(ask)
        Queue('mail', connection=redis).enqueue('shop.pack', 1, job_id=gid[:6])
        failed(run('failures', 'show', '-u', redis_url, gid[:6]), f'group:{gid[:6]}', f'job:{gid[:6]}')
        assert told('failures', 'show', f'group:{gid[:6]}')[0].startswith('● ')
        assert told('failures', 'show', f'job:{gid[:6]}')[0] == f'Job {gid[:6]}  queued'

    def test_an_id_that_is_neither(self, run: Run, redis_url: str) -> None:
        failed(run('failures', 'show', '-u', redis_url, 'pay-11'), "'pay-11'", 'did you mean pay-1, pay-')
        failed(run('failures', 'show', '-u', redis_url, '\x1b[2J'), '\\x1b', '`rq failures` lists the groups')
        failed(run('failures', 'show', '-u', redis_url, ''), "''")
        failed(run('job', '-u', redis_url, 'nobody'), "no job is called 'nobody'", 'expired')

    def test_a_job_that_was_deleted(self, run: Run, redis: Redis, redis_url: str) -> None:
        Job.fetch('pay-1', redis).delete()
        failed(run('failures', 'show', '-u', redis_url, 'pay-1'), "'pay-1': the job was deleted, or has expired")
        result = run('failures', 'show', '-u', redis_url, 'pay-11')
        assert 'did you mean pay-' in result.stderr and 'pay-1,' not in result.stderr

    def test_a_group_where_a_job_is_wanted(self, run: Run, ask: Ask, redis_url: str) -> None:
        gid = group_of(ask)
        for command in ('job', 'debug', 'retry-plan'):
            failed(run(command, '-u', redis_url, gid[:6]), f"no job is called '{gid[:6]}'", f'rq failures show {gid}')


def test_the_beginning_of_several_groups(run: Run, redis: Redis, work, redis_url: str, ask: Ask) -> None:
    for order in range(17):  # of seventeen ids two begin with the same digit
        Queue('mail', connection=redis).enqueue(f'shop.no_such_{order}')
    work()
    ids = [group['id'] for group in ask('failures')['groups']]
    first = next(one[0] for one in ids if sum(other[0] == one[0] for other in ids) > 1)
    failed(run('failures', 'show', '-u', redis_url, first), 'failure groups begin with', 'say more of it')


def test_attempts_side_by_side(told, ask: Ask, redis: Redis, work) -> None:
    Queue('mail', connection=redis).enqueue('shop.differently', job_id='odd', retry=Retry(max=2))
    work()
    lines = told('failures', 'show', 'odd')
    table = [line for line in lines if line.startswith(('1  ', '2  ', '3  '))]
    assert [line.split('raised')[-1].split()[0] for line in table[:1]] == ['ValueError']
    assert ('KeyError' in table[1], 'OSError' in table[2], len(table)) == (True, True, 3)
    assert 'Attempt 1, unlike attempt 3:' in lines
    assert '  message  attempt 0' in lines
    assert [one['type'] for one in ask('failures', 'show', 'odd')['attempts']][-1] == 'OSError'


def test_a_killed_job(told, ask: Ask, redis: Redis, work) -> None:
    Queue('mail', connection=redis).enqueue('shop.crash', job_id='crash')
    work()
    text = '\n'.join(told('failures', 'show', 'crash'))
    assert 'signal 9 (SIGKILL)' in text
    text = '\n'.join(told('failures', 'show', group_of(ask, 'crash')))
    assert 'out-of-memory killer' in text
    assert 'rq debug' not in text


# --- one job ------------------------------------------------------------------------------------------------------


def test_jobs_that_are_well(told, ask: Ask, redis: Redis, work) -> None:
    queue = Queue('mail', connection=redis)
    queue.enqueue('shop.pack', 1, job_id='done')
    work()
    queue.enqueue('shop.pack', 2, job_id='waits', ttl=600, retry=Retry(max=2, interval=[5, 10]))
    queue.enqueue('shop.pack', 3, job_id='later', depends_on=['waits'])
    queue.enqueue_in(timedelta(hours=1), 'shop.pack', 4, job_id='due')
    for job_id, status in (('done', 'finished'), ('waits', 'queued'), ('later', 'deferred'), ('due', 'scheduled')):
        assert told('job', job_id)[0] == f'Job {job_id}  {status}'
        document = ask('job', job_id)
        assert list(document) == ['job', 'attempts']
        assert (document['job']['id'], document['job']['status'], document['attempts']) == (job_id, status, [])
        assert utcparse(document['job']['created_at'])
    assert 'Retries        2 left, after 5, 10 s' in told('job', 'waits')
    assert 'Waits for      waits' in told('job', 'later')
    assert told('failures', 'show', 'waits')[-1] == 'No failed attempt of it is remembered'


@pytest.mark.usefixtures('shop')
def test_a_failed_job(told) -> None:
    lines = told('job', 'pay-1')
    assert lines[0] == 'Job pay-1  failed'
    assert 'ConnectionError: order 1 is not paid' in lines
    assert any('raise TimeoutError' in line for line in lines)


def test_the_payload_is_not_decoded(told, redis: Redis) -> None:
    queue = Queue('mail', connection=redis)
    job = queue.enqueue('shop.pack', 1, job_id='trap')
    redis.hset(job.key, 'data', b"cos\nmkdir\n(S'sprung'\ntR.")
    assert told('job', 'trap')[0] == 'Job trap  queued'
    assert not Path('sprung').exists()


# --- hostile content ----------------------------------------------------------------------------------------------


def test_nothing_raw_reaches_the_terminal(run: Run, redis: Redis, work, redis_url: str, ask: Ask) -> None:
    queue = Queue('mail', connection=redis)
    queue.enqueue('shop.hostile', job_id='hostile', description='\x1b[31mred\r\n\u202e' * 9)
    job = queue.enqueue('shop.pack', 1, job_id='odd')
    work()
    gid = group_of(ask, 'hostile')
    redis.hset(f'rq:failure:{gid}', mapping={'title': '\x1b[2J', 'message': '\r\x1b]0;x\x07', 'state': 'open'})
    redis.hset(job.key, mapping={'description': '\x1b[2J', 'worker_name': '\x9b31m', 'by': '\x07', 'origin': 'a\nb'})
    for words in (
        *(['failures'], ['failures', 'show', gid], ['failures', 'show', 'hostile'], ['job', 'hostile']),
        *(['failures', 'show', 'hostile', '--full'], ['job', 'odd'], ['failures', 'retry', '--all', '--dry-run']),
        *(['failures', 'resolve', gid], ['failures', 'retry', gid, '--first', '1', '--wait', '0']),
    ):
        for more in ([], ['--json']):
            result: Result = run(*words, *more, '-u', redis_url)
            assert all(line.isprintable() for line in result.output.split('\n')), (words, result.output)
            assert len(result.output) < 200_000
