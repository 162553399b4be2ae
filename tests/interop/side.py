"""One side of the conversation: a process with its own interpreter and its own `rq`, driven by lines of JSON.

It runs under RQ 3.0 and under ours, so it uses only names that both have. A line asks for one of these:

- `run`: a piece of program text, with the names of `rq` at hand; the answer is the value of its last expression
- `start`: a worker as a process of its own, a fork of this one (an interpreter need not start, but all else is real)
- `cli`: the command line with some arguments, as a process of its own
- `poll`: the exit code of such a process, or null
"""

import ast
import datetime
import enum
import importlib
import json
import os
import sys
import traceback
import warnings

import redis as redis_py

NAMES = {
    'rq': ['Queue', 'Callback', 'Retry', 'Worker', 'SimpleWorker', 'SpawnWorker', 'Repeat', 'RateLimit', 'Webhook'],
    'rq.job': ['Job', 'Dependency', 'JobStatus', 'cancel_job', 'requeue_job'],
    'rq.group': ['Group'],
    'rq.results': ['Result'],
    'rq.executions': ['Execution', 'ExecutionRegistry'],
    'rq.registry': ['StartedJobRegistry', 'FailedJobRegistry', 'ScheduledJobRegistry', 'clean_registries'],
    'rq.command': ['send_shutdown_command', 'send_kill_horse_command', 'send_stop_job_command']
    + ['send_stop_execution_command'],
    'rq.suspension': ['suspend', 'resume', 'is_suspended'],
    'rq.scheduler': ['RQScheduler'],
    'rq.cron': ['CronScheduler', 'get_cron_job_ids'],
    'rq.rate_limit': ['RateLimitRegistry'],
    'rq.cli': [],  # so that a command finds it loaded
    'datetime': ['datetime', 'timedelta', 'timezone'],
}


class Become(BaseException):
    """In a new process: leave the loop and become this."""


def names():
    """The names that program text may use."""
    found = {'jobs': importlib.import_module('jobs'), 'rq': importlib.import_module('rq')}
    for module, wanted in NAMES.items():
        try:
            loaded = importlib.import_module(module)
        except ImportError:
            continue  # not there: whoever uses its names is told
        found.update((name, getattr(loaded, name)) for name in wanted if hasattr(loaded, name))
    return found


def plain(value):
    """What JSON does not know."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (bytes, bytearray)):
        return value.decode('utf-8', 'backslashreplace')
    if isinstance(value, (set, frozenset)):
        return sorted(one if isinstance(one, str) else plain(one) for one in value)
    if isinstance(value, (datetime.datetime, datetime.timedelta)):
        return str(value)
    for attribute in ('id', 'name'):
        if isinstance(getattr(value, attribute, None), str):
            return getattr(value, attribute)
    return repr(value)


class Side:
    """The process."""

    def __init__(self):
        self.names = names()
        self.clients = {}

    def run(self, url, text, given):
        """Run program text; its last expression is the answer."""
        client = self.clients.get(url)
        if client is None:
            client = self.clients[url] = redis_py.Redis.from_url(url)
        scope = {**self.names, 'redis': client, 'url': url, **given}
        scope['q'] = scope['Queue']('q', connection=client)
        scope['picture'] = lambda job_id: picture(scope, job_id)
        tree = ast.parse(text)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, '<program>', 'exec'), scope)
        if last is None:
            return None
        return eval(compile(ast.Expression(last.value), '<program>', 'eval'), scope)

    def start(self, url, words, work):
        """Work, as a process of its own."""
        words = dict(words)
        cls = self.names[words.pop('cls', 'Worker')]
        for attribute, value in words.pop('attributes', {}).items():
            if hasattr(cls, attribute):
                cls = type(cls.__name__, (cls,), {attribute: value})
        for word in ('exception_handlers', 'work_horse_killed_handler'):
            if word in words:
                words[word] = getattr(self.names['jobs'], words[word])
        worker = cls(words.pop('queues'), connection=redis_py.Redis.from_url(url), **words)
        worker.work(logging_level='DEBUG', **work)

    def cli(self, url, arguments):
        """The command line."""
        sys.argv = ['rq', *arguments[:1], '--url', url, *arguments[1:]]
        importlib.import_module('rq.cli').main(prog_name='rq')


def picture(scope, job_id):
    """What this side sees of a job, as far as both sides should see the same."""
    job = scope['Job'].fetch(job_id, connection=scope['redis'])
    registries = ('started', 'finished', 'failed', 'deferred', 'scheduled', 'canceled')
    queue = scope['Queue'](job.origin, connection=scope['redis'])
    seen = {name: getattr(queue, f'{name}_job_registry').get_job_ids(cleanup=False) for name in registries}
    return {
        'id': job.id,
        'status': job.get_status(),
        'origin': job.origin,
        'func': job.func_name,
        'args': repr((job.args, job.kwargs)),
        'description': job.description,
        'times': [str(t) for t in (job.created_at, job.enqueued_at, job.started_at, job.ended_at)],
        'limits': [job.timeout, job.result_ttl, job.failure_ttl, job.ttl],
        'retry': [job.retries_left, job.retry_intervals, job.number_of_retries, job.enqueue_at_front_on_retry],
        'repeat': [getattr(job, name, None) for name in ('repeats_left', 'repeat_intervals')],
        'front': job.enqueue_at_front,
        'meta': job.meta,
        'worker': job.worker_name,
        'position': job.get_position(),
        'registries': [name for name, ids in seen.items() if job_id in ids],
        'value': repr(job.return_value()),
        'results': [
            [r.type.name, r.worker_name, repr(r.return_value) if r.type.value == 1 else '', r.exc_string]
            for r in job.results()
        ],
        'callbacks': [
            getattr(getattr(job, f'{n}_callback'), '__name__', None) for n in ('success', 'failure', 'stopped')
        ],
    }


def born(log, become):
    """Become a process of its own, in a session of its own, with this log."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number in (1, 2):
        os.dup2(descriptor, number)
    raise Become(become)


def answer(side, order):
    """Do what a line asks for."""
    what = order.pop('do')
    if what == 'run':
        return side.run(**order)
    if what == 'poll':
        pid, status = os.waitpid(order['pid'], os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None
    return born(order.pop('log'), lambda: getattr(side, what)(**order))


def main():
    """Read lines, answer lines."""
    warnings.simplefilter('ignore')
    replies = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    side = Side()
    try:
        for line in iter(sys.stdin.readline, ''):
            try:
                reply = {'value': answer(side, json.loads(line))}
                text = json.dumps(reply, default=plain)
            except Exception as error:
                way = [f'{f.filename}:{f.lineno} {f.name}' for f in traceback.extract_tb(error.__traceback__)]
                text = json.dumps({'error': type(error).__name__, 'text': '\n  '.join([str(error), *way[2:]])})
            replies.write(text + '\n')
            replies.flush()
        return
    except Become as become:
        (become_this,) = become.args
    replies.close()
    become_this()  # outside of the handler, so that tracebacks of its jobs do not begin with us


if __name__ == '__main__':
    main()
