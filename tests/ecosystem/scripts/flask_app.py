"""A Flask application with flask-rq, found by its command line as FLASK_APP."""

import os

import jobs
from flask import Flask, current_app
from flask_rq import RQ

app = Flask('shop')
app.config |= {'RQ_CONNECTION': os.environ['ECOSYSTEM_URL'], 'RQ_QUEUES': ['default', 'clock']}
rq = RQ(app)


@rq.job
def inside(value):
    return [current_app.name, value]


@rq.job
async def waited(value):
    return value * 2


@rq.job
def broken():
    raise ValueError(current_app.name)


rq.cron_register(jobs.add, 600, queue='clock', args=(2, 3))
