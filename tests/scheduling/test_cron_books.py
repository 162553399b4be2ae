"""The books of cron schedulers and their jobs, and the config that declares them."""

import logging
import sys

import pytest

from rq import cron, cron_job_registry, cron_scheduler_registry
from rq.cron import CronScheduler
from rq.exceptions import DuplicateSchedulerError, SchedulerNotFound
from rq.utils import now
from tests.jobs import add
from tests.scheduling.test_cron_scheduler import scheduler

# --- the books --------------------------------------------------------------------------------------------------


def test_birth_heartbeat_death(redis):
    one = scheduler(redis, interval=60)
    assert one.last_heartbeat is None
    one.register_birth()
    assert redis.hgetall(one.key) == {name.encode(): value.encode() for name, value in one.to_dict().items()}
    assert redis.ttl(one.key) == 120
    redis.zadd('rq:cron_schedulers', {one.name: 5})
    redis.expire(one.key, 50)
    one.heartbeat()
    assert abs((now() - one.last_heartbeat).total_seconds()) < 5
    assert redis.ttl(one.key) == 120
    redis.delete(one.key, 'rq:cron_schedulers')
    one.heartbeat()
    assert (CronScheduler.all(redis), redis.ttl(one.key)) == ([one], 120)
    one.register_death()
    assert (CronScheduler.all(redis), redis.exists(one.key)) == ([], 1)
    with pytest.raises(SchedulerNotFound):
        one.register_death()


def test_fetch(redis):
    one = scheduler(redis, interval=60)
    one.config_file = 'here.py'
    one.enqueue_jobs()
    one.register_birth()
    read = CronScheduler.fetch(one.name, redis)
    assert (read, hash(read), read.to_dict()) == (one, hash(one), one.to_dict())
    assert read.last_heartbeat == one.last_heartbeat
    assert read != scheduler(redis)
    assert read != 1
    with pytest.raises(SchedulerNotFound):
        CronScheduler.fetch('nobody', redis)


@pytest.mark.parametrize('stored', ['{bad', '[{"func_name": "f"}]', '[1]', '5'])
def test_unreadable_jobs(redis, caplog, monkeypatch, stored):
    monkeypatch.setattr(logging.getLogger('rq.cron'), 'propagate', True)
    redis.hset('rq:cron_scheduler:x', mapping={'cron_jobs': stored, 'pid': ''})
    read = CronScheduler.fetch('x', redis)
    assert (read.get_jobs(), read.name, read.pid, read.hostname) == ([], 'x', 0, '')
    assert [record.levelname for record in caplog.records] == ['WARNING']


def test_stale_schedulers(redis):
    one = scheduler(redis)
    one.register_birth()
    redis.zadd('rq:cron_schedulers', {'dead': now().timestamp() - 121, 'hashless': now().timestamp()})
    assert cron_scheduler_registry.get_keys(redis)[0] == 'dead'
    assert CronScheduler.all(redis, cleanup=False) == [one]
    assert redis.zcard('rq:cron_schedulers') == 3
    assert cron_scheduler_registry.cleanup(redis) == 1
    assert cron_scheduler_registry.get_registry_key() == 'rq:cron_schedulers'
    with pytest.raises(DuplicateSchedulerError):
        cron_scheduler_registry.register(one)
    with pytest.raises(SchedulerNotFound):
        cron_scheduler_registry.unregister(scheduler(redis))


def test_names_of_jobs(redis):
    assert cron_job_registry.get_registry_key() == 'rq:cron_jobs'
    cron_job_registry.add('b', redis)
    cron_job_registry.add('a', redis, now().timestamp() - 100)
    cron_job_registry.add('old', redis, 5)
    assert cron_job_registry.get_names(redis, cleanup=False) == ['old', 'a', 'b']
    assert cron_job_registry.get_names(redis) == ['a', 'b']
    assert (cron_job_registry.remove_stale_entries(redis), cron_job_registry.remove_stale_entries(redis, 50)) == (0, 1)


# --- config -----------------------------------------------------------------------------------------------------

CONFIG = """
from rq import cron
from tests.jobs import add
cron.register(add, 'q', interval=5, name='first')
cron.register(add, 'q')
cron.register(add, 'r', cron='0 9 * * *', args=(1,))
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(cron, '_job_data_registry', [{'func': add, 'queue_name': 'of somebody else'}])
    loaded = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - loaded:
        del sys.modules[name]


@pytest.mark.parametrize('form', ['{place}/my_cron.py', 'my_cron.py', './my_cron.py', 'my_cron'])
def test_config(redis, place, form):
    (place / 'my_cron.py').write_text(CONFIG)
    path = form.format(place=place)
    for _ in range(2):  # a module that was imported before is run again
        one = scheduler(redis)
        one.load_config_from_file(path)
        assert [(job.name, job.queue_name) for job in one.get_jobs()] == [('first', 'q'), ('tests.jobs.add', 'r')]
        assert (one.config_file, cron._job_data_registry) == (path, [])


@pytest.mark.parametrize(
    'text, form, error',
    [
        (None, '/nowhere/at/all.py', FileNotFoundError),
        (None, '/', IsADirectoryError),
        (None, 'no_such_config', ImportError),
        ('1 / 0', '{place}/bad_cron.py', ImportError),
        ('1 / 0', 'bad_cron.py', Exception),
        ('import no_such_module', 'bad_cron', ImportError),
    ],
)
def test_bad_config(redis, place, text, form, error):
    if text:
        (place / 'bad_cron.py').write_text(text)
    with pytest.raises(error) as raised:
        scheduler(redis).load_config_from_file(form.format(place=place))
    assert raised.type is error or raised.type is ModuleNotFoundError


def test_create_cron(redis, monkeypatch):
    monkeypatch.setattr(cron, '_job_data_registry', [])
    data = cron.register(add, 'q', interval=5)
    assert (data['func'], data['interval'], data['result_ttl'], data['name']) == (add, 5, 500, '')
    assert [job.interval for job in cron.create_cron(redis).get_jobs()] == [5]
    assert cron._job_data_registry == []
