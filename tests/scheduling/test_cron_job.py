"""CronJob: what it is made of, its times, and the one enqueue it makes."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from rq import Queue, Webhook, cron_job_registry
from rq.cron import NOT_JSON_SERIALIZABLE, CronJob, get_cron_job_history_key, get_cron_job_ids
from rq.job import Job
from rq.utils import now
from tests.jobs import add

NINE = datetime(2030, 1, 1, 9, tzinfo=UTC)


def made(**words):
    return CronJob(words.pop('queue_name', 'q'), words.pop('func', add), **words)


@pytest.mark.parametrize(
    'words', [{}, {'interval': 0}, {'cron': ''}, {'interval': 5, 'cron': '* * * * *'}, {'cron': 'bad'}]
)
def test_one_schedule(words):
    with pytest.raises(ValueError):
        made(**words)


def test_something_to_call(redis):
    with pytest.raises(ValueError):
        CronJob('q', interval=5)
    read = CronJob('q', func_name='a.b', interval=5)
    assert (read.func, read.func_name, read.name, read.args, read.kwargs) == (None, 'a.b', 'a.b', (), {})
    with pytest.raises(ValueError):
        read.enqueue(redis)


@pytest.mark.parametrize('webhooks', ['x', [1], {'a': 1}])
def test_webhooks_are_webhooks(webhooks):
    with pytest.raises(TypeError):
        made(interval=5, webhooks=webhooks)


def test_names():
    assert (made(interval=5).name, made(interval=5, name='mine').name) == ('tests.jobs.add', 'mine')
    assert made(interval=5, func='tests.jobs.add').func_name == 'tests.jobs.add'
    assert made(interval=5, name='mine').job_history_key == 'rq:cron_job:mine:jobs' == get_cron_job_history_key('mine')
    assert made(interval=5, ttl=7).job_options == {'result_ttl': 500, 'ttl': 7}


def test_times_of_an_interval():
    job = made(interval=60)
    assert (job.next_enqueue_time, job.should_run(), job.get_next_enqueue_time()) == (None, True, datetime.max)
    job.set_enqueue_time(NINE)
    assert (job.latest_enqueue_time, job.next_enqueue_time) == (NINE, NINE + timedelta(minutes=1))
    assert not job.should_run()
    job.next_enqueue_time = now() - timedelta(seconds=1)
    assert job.should_run()
    job.next_enqueue_time = None
    assert not job.should_run()


def test_times_of_a_cron_string():
    job = made(cron='CRON_TZ=UTC 0 9 * * *')
    assert now() < job.next_enqueue_time <= now() + timedelta(days=1)
    assert (job.latest_enqueue_time, job.should_run()) == (None, False)
    job.set_enqueue_time(NINE)
    assert job.next_enqueue_time == NINE + timedelta(days=1)
    job.next_enqueue_time = now() - timedelta(seconds=1)
    assert job.should_run()


def test_enqueue(redis):
    cron = made(
        interval=60, args=(2,), kwargs={'y': 3}, job_timeout=9, result_ttl=8, ttl=7, failure_ttl=6, meta={'a': 1}
    )
    before = now().timestamp()
    job = cron.enqueue(redis)
    assert Queue('q', connection=redis).job_ids == [job.id]
    read = Job.fetch(job.id, connection=redis)
    assert (read.func_name, read.args, read.kwargs, read.origin) == ('tests.jobs.add', (2,), {'y': 3}, 'q')
    assert (read.timeout, read.result_ttl, read.ttl, read.failure_ttl, read.meta) == (9, 8, 7, 6, {'a': 1})
    assert (cron.get_job_ids(redis), cron_job_registry.get_names(redis)) == ([job.id], ['tests.jobs.add'])
    assert redis.ttl(cron.job_history_key) > 31_000_000
    score = redis.zscore('rq:cron_jobs', cron.name)
    assert before <= score <= now().timestamp()
    assert score == redis.zscore(cron.job_history_key, job.id)
    # called by name it asks nobody, and leaves the times alone
    cron.enqueue(redis)
    assert (len(cron.get_job_ids(redis)), cron.latest_enqueue_time) == (2, None)


def test_what_a_job_writes_into_its_meta_is_its_own(redis):
    cron = made(interval=60, meta={'a': 1})
    cron.enqueue(redis).meta['trace'] = 'x'
    assert cron.enqueue(redis).meta == {'a': 1}


def test_history_is_bounded_and_newest_first(redis):
    cron = made(interval=60)
    redis.zadd(cron.job_history_key, {f'old{number}': number for number in range(1000)})
    job = cron.enqueue(redis)
    assert redis.zcard(cron.job_history_key) == 1000
    assert cron.get_job_ids(redis, 0, 1) == [job.id, 'old999'] == get_cron_job_ids(cron.name, redis, 0, 1)
    assert redis.zscore(cron.job_history_key, 'old0') is None


def test_webhooks_go_with_the_job(redis):
    hook = Webhook('http://localhost/x', 'failed')
    assert Job.fetch(made(interval=5, webhooks=[hook]).enqueue(redis).id, connection=redis).webhooks == [hook]


def test_to_dict_and_back():
    hook = Webhook('http://localhost/x', 'failed')
    job = made(interval=60, args=(1, 'a'), kwargs={'k': None}, meta={'m': 1}, ttl=7, webhooks=[hook], name='mine')
    job.set_enqueue_time(NINE)
    stored = job.to_dict()
    assert stored == {
        'func_name': 'tests.jobs.add', 'name': 'mine', 'queue_name': 'q', 'args': '[1, "a"]', 'kwargs': '{"k": null}',
        'interval': 60, 'cron': None, 'latest_enqueue_time': '2030-01-01T09:00:00.000000Z',
        'next_enqueue_time': '2030-01-01T09:01:00.000000Z', 'result_ttl': 500, 'ttl': 7, 'meta': '{"m": 1}',
        'webhooks': json.dumps([hook.to_dict()]),
    }  # fmt: skip
    read = CronJob.from_dict(json.loads(json.dumps(stored)))
    assert (read.func, read.args, read.kwargs, read.job_options) == (None, (1, 'a'), {'k': None}, job.job_options)
    assert read.to_dict() == stored


def test_to_dict_of_what_json_cannot_say():
    stored = made(interval=60, args=(object(),)).to_dict()
    assert (stored['args'], stored['kwargs'], 'meta' in stored) == (NOT_JSON_SERIALIZABLE, None, False)
    assert CronJob.from_dict(stored).args == NOT_JSON_SERIALIZABLE


def test_from_dict_of_older_data():
    job = CronJob.from_dict({'func_name': 'a.b', 'queue_name': 'q', 'cron': '0 9 * * *'})
    assert (job.name, job.latest_enqueue_time, job.job_options) == ('a.b', None, {'result_ttl': 500})
