"""Rollbar and Elastic APM: both are told by `push_exc_handler`; what they would send is kept."""

import elasticapm
import jobs
import rollbar
from elasticapm.contrib.rq import register_elasticapm
from play import GIVEN, redis, tell
from rollbar.contrib.rq import exception_handler
from spans import keep, kept

import rq
from rq import Queue, Retry


class Kept(elasticapm.Client):
    def queue(self, event_type, data, flush=False):
        if event_type == 'error':
            keep('elastic', type=data['exception']['type'], message=data['exception']['message'])


def send_payload(payload, access_token):
    data = payload['data']
    error, job = data['body']['trace']['exception'], data['custom']['job']
    keep('rollbar', type=error['class'], framework=data['framework'], data=job['data'], description=job['description'])


rollbar.init('token', 'test', handler='blocking')
rollbar.send_payload = send_payload
client = Kept({'SERVICE_NAME': 'test', 'TRANSPORT_CLASS': 'elasticapm.transport.base.Transport', 'DISABLE_SEND': True})

queue = Queue(connection=redis)
job = queue.enqueue(jobs.fail, 'tell them', retry=Retry(max=1))

worker = getattr(rq, GIVEN['worker'])([queue], connection=redis)
worker.push_exc_handler(exception_handler)
register_elasticapm(client, worker)
worker.work(burst=True)
tell(id=job.id, rollbar=kept('rollbar'), elastic=kept('elastic'))
