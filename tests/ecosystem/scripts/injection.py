"""dishka-rq: its worker class and its patch of a worker inject what jobs ask for, and close what they opened."""

import jobs_of_dishka
from dishka import Provider, Scope, make_container
from dishka_rq import DishkaWorker, setup_dishka
from play import GIVEN, redis, status, tell

from rq import Queue, SimpleWorker, Worker


def session():
    redis.rpush('test:told', 'opened')
    yield jobs_of_dishka.Session('hello')
    redis.rpush('test:told', 'closed')


def container():
    provider = Provider()
    provider.provide(session, scope=Scope.REQUEST, provides=jobs_of_dishka.Session)
    return make_container(provider)


def told():
    lines = [line.decode() for line in redis.lrange('test:told', 0, -1)]
    redis.delete('test:told')
    return lines


session.__annotations__['return'] = jobs_of_dishka.Iterator[jobs_of_dishka.Session]
queue = Queue(connection=redis)
job, broken = queue.enqueue(jobs_of_dishka.greet, 'Ann'), queue.enqueue(jobs_of_dishka.fail)
DishkaWorker([queue], connection=redis, container=container()).work(burst=True)
by_class = [job.return_value(), status(broken), *told()]

job = queue.enqueue(jobs_of_dishka.greet_injected, 'Bob')
worker = {'Worker': Worker, 'SimpleWorker': SimpleWorker}[GIVEN['worker']]([queue], connection=redis)
setup_dishka(worker, container())
worker.work(burst=True)
tell(by_class=by_class, by_patch=[job.return_value(), *told()])
