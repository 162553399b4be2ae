"""One side of a comparison, run inside its own environment: enqueue, or work off, and say what it took as JSON.

Uses only what RQ 3.0 and we have in common.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

import jobs
from redis import Redis

from rq import Queue, SimpleWorker, Worker
from rq.version import VERSION

WORKERS = {'fork': Worker, 'simple': SimpleWorker, 'failing': SimpleWorker}


def cpu() -> float:
    """User and system seconds of this process and its ended children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def work(suite: str, queue: Queue, number: int) -> None:
    """Work off a filled queue, with the log that a worker has by default."""
    worker = WORKERS[suite]([queue], connection=queue.connection)
    worker.work(burst=True)
    function = queue.failed_job_registry if suite == 'failing' else queue.finished_job_registry
    assert function.get_job_count() == number, f'{function.get_job_count()} of {number} outcomes recorded'


def fill(queue: Queue, number: int, suite: str) -> None:
    """Put the jobs in, in bulk."""
    function = jobs.broken if suite == 'failing' else jobs.nothing
    queue.enqueue_many([Queue.prepare_data(function, (one,)) for one in range(number)])


def main() -> None:
    """`side.py SUITE NUMBER`, with the server in BENCH_SOCKET."""
    suite, number = sys.argv[1], int(sys.argv[2])
    redis = Redis(unix_socket_path=os.environ['BENCH_SOCKET'])
    redis.flushall()
    queue = Queue(connection=redis)
    if suite not in ('enqueue', 'bulk'):
        fill(queue, number, suite)
    server_before = redis.info('cpu')
    began, used = time.perf_counter(), cpu()
    if suite == 'enqueue':
        for one in range(number):
            queue.enqueue(jobs.nothing, one)
    elif suite == 'bulk':
        fill(queue, number, suite)
    else:
        work(suite, queue, number)
    seconds, used = time.perf_counter() - began, cpu() - used
    server = redis.info('cpu')
    names = ('used_cpu_user', 'used_cpu_sys')
    server_used = sum(server[name] - server_before[name] for name in names)
    per_thousand = 1000 / number
    found = {
        'version': VERSION,
        'rate': number / seconds,
        'cpu': used * per_thousand,
        'server_cpu': server_used * per_thousand,
    }
    Path(os.environ['BENCH_OUT']).write_text(json.dumps(found))


if __name__ == '__main__':
    main()
