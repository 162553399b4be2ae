"""Run by test_servers.py in a process of its own: a worker over a client of a cluster."""

import sys

from redis.cluster import RedisCluster

from rq import Queue, SimpleWorker, Worker
from tests import jobs
from tests.invariants import check


def main(port: int) -> None:
    """Enqueue, work, and say what became of it."""
    connection = RedisCluster(host='127.0.0.1', port=port)
    queue = Queue('q', connection=connection)
    first = queue.enqueue(jobs.add, 1, 2)
    made = [first, queue.enqueue(jobs.div), queue.enqueue(jobs.add, 1, 2, depends_on=first)]
    made += queue.enqueue_many([Queue.prepare_data(jobs.add, (1, 2))])
    Worker(['q'], connection=connection).work(burst=True)
    assert first.return_value() == 3
    made[1].requeue()
    SimpleWorker(['q'], connection=connection).work(burst=True)
    violations = check(connection) or 'no violation'
    workers = len(Worker.all(connection=connection))
    statuses = ' '.join(job.get_status().value for job in made)
    print(f'{statuses}, {queue.failed_job_registry.count} failed, {violations}, {workers} workers')


if __name__ == '__main__':
    main(int(sys.argv[1]))
