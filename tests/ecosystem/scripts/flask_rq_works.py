"""flask-rq: its worker of subprocesses, from its command and from code, and its cron."""

import os

import jobs
from flask_app import app, inside, rq, waited
from play import at_work, command, redis, status, tell, ticking, until

from rq import Callback, Worker
from rq.command import send_stop_job_command

os.environ['FLASK_APP'] = 'flask_app'
with app.app_context():
    one, two = inside.enqueue(5), waited.enqueue(6)
    three = rq.queue.enqueue('flask_app.broken', on_failure=Callback(jobs.told))
    command('flask', 'rq', 'worker', '--burst', '--name', 'subprocesses')
    first = [status(job) for job in (one, two, three)]
    values = [one.return_value(), two.return_value()]

    five = inside.enqueue(7)
    rq.make_worker().work(burst=True)
    second = [status(five), five.return_value()]

    six, seven = rq.queue.enqueue(jobs.gate), inside.enqueue(8)
    with at_work('flask', 'rq', 'worker', '--burst', '--name', 'busy'):
        (worker,) = Worker.all(connection=redis)
        running = [worker.state, worker.get_current_job_id(), six.get_status(), len(six.get_executions())]
        send_stop_job_command(redis, six.id)
        until(lambda: status(six) == 'stopped', 'the job is stopped')
    third = [status(six), status(seven)]

    with ticking('flask', 'rq', 'cron'):
        fired = rq.queues['clock'].jobs[0]
        fired = [fired.func_name, list(fired.args)]
tell(
    ids=[job.id for job in (one, two, three, five, six)], first=first, values=values, second=second,
    running=running, third=third, fired=fired, error=three.latest_result().exc_string,
    executions=[len(job.get_executions()) for job in (one, three, five, six)],
    told=[line.decode() for line in redis.lrange('test:told', 0, -1)],
)  # fmt: skip
