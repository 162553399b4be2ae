"""Every name is rendered alike by keys.py and by lua/lib/keys.lua, whatever the prefix."""

import inspect
import json
import os
import subprocess
import sys

import pytest

from rq.defaults import RQ_KEY_PREFIX
from rq.store import keys, scripts

#: Lua function -> the arguments of the name, and the Python function
IN_LUA = {
    'job_key': ('job', 'j'),
    'dependents_key': ('dependents', 'j'),
    'dependencies_key': ('dependencies', 'j'),
    'results_key': ('results', 'j'),
    'executions_key': ('executions', 'j'),
    'execution_key': ('execution', 'j', 'e'),
    'queue_key': ('queue', 'a queue'),
    'place_key': ('place', 'wip', 'a:queue'),
    'worker_executions_key': ('worker_executions', 'w'),
    'limit_key': ('limit', 'a:limit'),
    'slots_key': ('slots', 'a:limit'),
    'waiting_key': ('waiting', 'a:limit'),
    'group_key': ('group', 'a group'),
    'failure_key': ('failure', '0123456789abcdef'),
    'failed_in_key': ('failed_in', '0123456789abcdef:1'),
}
#: Python function -> arguments, and the name it renders, without the prefix
NAMES = {
    'job': ('j', 'job:j'),
    'dependents': ('j', 'job:j:dependents'),
    'dependencies': ('j', 'job::j:dependencies'),
    'results': ('j', 'results:j'),
    'executions': ('j', 'executions:j'),
    'execution': ('j', 'e', 'execution:j:e'),
    'queue': ('q', 'queue:q'),
    'place': ('failed', 'q', 'failed:q'),
    'wip': ('q', 'wip:q'),
    'leases': ('q', 'leases:q'),
    'wake': ('q', 'wake:q'),
    'aside': ('q', 'aside:q'),
    'aside_rest': ('q', 'aside-rest:q'),
    'missing': ('q', 'missing:q'),
    'sweep': ('q', 'sweep:q'),
    'suspects': ('q', 'suspects:q'),
    'turns': ('q', 'turns:q'),
    'worker': ('w', 'worker:w'),
    'worker_executions': ('w', 'worker:w:executions'),
    'workers': ('q', 'workers:q'),
    'group': ('g', 'group:g'),
    'bulk': ('a', 'bulk:a'),
    'failure': ('f', 'failure:f'),
    'failed_in': ('f:1', 'failed-in:f:1'),
    'limit': ('l', 'rl:l'),
    'slots': ('l', 'rl:l:allowed'),
    'waiting': ('l', 'rl:l:rate_limited'),
    'scheduler_lock': ('q', 'scheduler-lock:q'),
    'scheduler': ('s', 'scheduler:s'),
    'cron_scheduler': ('s', 'cron_scheduler:s'),
    'scheduler_mark': ('s', 'scheduler-mark:s'),
    'cron_history': ('c', 'cron_job:c:jobs'),
    'cron_fired': ('c:1', 'cron-fired:c:1'),
    'clean_registries': ('q', 'clean_registries:q'),
    'channel': ('w', 'pubsub:w'),
    'all_workers': ('w', 'workers'),
}


def lua_functions():
    text = scripts._read('lib/keys.lua')
    return {line.split('(')[0].removeprefix('local function ') for line in text.splitlines() if 'function' in line}


def rendered_by_lua(redis, prefix=RQ_KEY_PREFIX):
    quoted = [f'{name}({", ".join(repr(a) for a in call[1:])})' for name, call in IN_LUA.items()]
    text = scripts._read('lib/keys.lua').replace('@prefix@', prefix) + f'\nreturn {{{", ".join(quoted)}}}'
    return [each.decode() for each in redis.eval(text, 0)]


def test_every_lua_name_is_tested():
    assert lua_functions() == set(IN_LUA)


def test_every_python_name_is_tested():
    found = {name for name, function in vars(keys).items() if inspect.isfunction(function)}
    assert found == {*NAMES, 'intermediate', 'template'}


@pytest.mark.parametrize('name', NAMES)
def test_layout(name):
    *arguments, wanted = NAMES[name]
    assert getattr(keys, name)(*arguments) == f'{RQ_KEY_PREFIX}:{wanted}'


def test_template():
    template = keys.template(keys.place('failed', '{0}'))
    assert template.format('{q}') == keys.place('failed', '{q}')


def test_intermediate():
    assert keys.intermediate(keys.queue('q')) == f'{RQ_KEY_PREFIX}:queue:q:intermediate'


def test_lua_and_python_agree(redis):
    assert rendered_by_lua(redis) == [getattr(keys, call[0])(*call[1:]) for call in IN_LUA.values()]


PROGRAM = """
import json, sys
from redis import Redis
from rq.rules.record import JobRecord
from rq.rules.lease import Lease
from rq.serializers import JSONSerializer
from rq.store import claim, enter, keys, promote, settle, scripts
from rq.store.call import run
redis = Redis(unix_socket_path=sys.argv[1])
for number, queue in enumerate(('q', 'q', 'r')):
    record = JobRecord(f'j{number}', JSONSerializer)
    record.func_name, record.origin = 'm.f', queue
    run(redis, enter.enqueue(record))
taken = run(redis, claim.claim('w', ['q', 'r'], ['e0', 'e1', 'e2'])).taken
run(redis, settle.finish(Lease('j0', 'e0', 'q', 'w'), 500, b'1', (), {}))
run(redis, settle.retry(Lease('j1', 'e1', 'q', 'w'), 0.01, False, (), {}))
run(redis, promote.promote_due('q', now=5e9))
calls = json.loads(sys.argv[2])
prefix = [text for text in (scripts.load(name).text for name in scripts.names()) if '@prefix@' in text]
print(json.dumps([[getattr(keys, call[0])(*call[1:]) for call in calls], len(taken), len(prefix)]))
"""


@pytest.mark.parametrize('prefix', ['{rq}', 'my-app.1', 'a:b'])
def test_another_prefix(redis, server, prefix):
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM, str(server.socket), json.dumps(list(IN_LUA.values()))],
        env={**os.environ, 'RQ_KEY_PREFIX': prefix},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    by_python, taken, forgotten = json.loads(done.stdout)
    assert by_python == rendered_by_lua(redis, prefix)
    assert (taken, forgotten) == (3, 0)
    names = [key.decode() for key in redis.scan_iter('*')]
    assert len(names) > 8
    assert [name for name in names if not name.startswith(f'{prefix}:')] == []
    assert redis.lrange(f'{prefix}:queue:q', 0, -1) == [b'j1']
