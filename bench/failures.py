"""What grouping failures costs: `python bench/failures.py [--jobs 100000] [--causes 50] [--forking]`.

Jobs fail of so many causes, worded differently each time; with groups and without, in turn, chunk by chunk, each
side in a database of its own. Printed: how many groups there are, their memory, and the rates of both sides.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from redis import Redis
from run import Server

from rq import Queue, SimpleWorker, Worker
from rq.failure import outcome
from rq.store import failures, keys

GROUPED = outcome.grouped
#: how the causes fail, in turn: each way in functions of its own
WAYS = """
def fail_{n}(words, depth):
    raise {error}(f'order {{words[0]}} of "{{words[1]}}" is not in {{words[2]}}')

def recur_{n}(words, depth):
    if depth:
        return recur_{n}(words, depth - 1)
    raise {error}(f'{{words[1]}} at depth {{words[0]}} of {{words[2]}}')

def chained_{n}(words, depth):
    try:
        {{}}[words[1]]
    except KeyError as error:
        raise {error}(f'no {{words[0]}} for {{error}}') from error

def library_{n}(words, depth):
    json.loads(f'{{{{"{{words[1]}}": {{words[0]}} {{words[2]}}')

def grouped_{n}(words, depth):
    raise ExceptionGroup(f'{{words[0]}} of {{words[2]}}', [KeyError(words[1]), {error}(words[0])])
"""
NAMES = ('fail', 'recur', 'chained', 'library', 'grouped')
ERRORS = ('ValueError', 'LookupError', 'RuntimeError', 'OSError', 'ArithmeticError')


def make_jobs(folder: str, causes: int) -> list[str]:
    """A module with as many ways to fail, and the names of its functions."""
    numbers = range((causes + len(NAMES) - 1) // len(NAMES))
    text = 'import json\n' + ''.join(WAYS.format(n=number, error=ERRORS[number % len(ERRORS)]) for number in numbers)
    Path(folder, 'failing.py').write_text(text)
    sys.path.insert(0, folder)
    return [f'failing.{name}_{number}' for number in numbers for name in NAMES][:causes]


def fill(queue: Any, functions: list[str], start: int, number: int) -> None:
    """Enqueue jobs of all causes in turn, each with words of its own."""
    made = [
        Queue.prepare_data(
            functions[at % len(functions)], args=((at, str(uuid4()), f'/srv/{uuid4().hex}/{at}'), at % 9)
        )
        for at in range(start, start + number)
    ]
    queue.enqueue_many(made)


def rate(worker_class: Any, connection: Any, functions: list[str], start: int, number: int) -> float:
    """Failed jobs per second."""
    queue = Queue(connection=connection)
    fill(queue, functions, start, number)
    began = time.perf_counter()
    worker_class([queue], connection=connection).work(burst=True, logging_level='INFO')
    return number / (time.perf_counter() - began)


def chunks(jobs: int, size: int) -> Iterator[tuple[int, int]]:
    """Where each chunk begins, and how many jobs it has."""
    return ((start, min(size, jobs - start)) for start in range(0, jobs, size))


def memory(connection: Any) -> tuple[int, int]:
    """Bytes of the groups, and of the index of failed jobs by group."""
    groups = index = 0
    for name in connection.scan_iter(f'{keys.PREFIX}:fail*', count=1000):
        size = connection.memory_usage(name, samples=0)
        if name.startswith(keys.failed_in('').encode()):
            index += size
        elif name == keys.FAILURES.encode() or name.startswith(keys.failure('').encode()):
            groups += size
    return groups, index


def main() -> None:
    """Both sides in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--jobs', type=int, default=100_000)
    parser.add_argument('--causes', type=int, default=50)
    parser.add_argument('--chunk', type=int, default=1000)
    parser.add_argument('--forking', action='store_true', help='in work horses instead of the process of the worker')
    asked = parser.parse_args()
    worker_class = Worker if asked.forking else SimpleWorker
    rates: dict[bool, list[float]] = {True: [], False: []}
    with Server() as socket, tempfile.TemporaryDirectory() as folder, Path(folder, 'log').open('w') as log:
        functions = make_jobs(folder, asked.causes)
        logging.basicConfig(stream=log)
        for name in ('rq.worker', 'rq.job'):
            logging.getLogger(name).addHandler(logging.StreamHandler(log))
        clients = {side: Redis(unix_socket_path=socket, db=0 if side else 1) for side in rates}
        for number, (start, size) in enumerate(chunks(asked.jobs, asked.chunk)):
            for side in (True, False) if number % 2 else (False, True):
                outcome.grouped = GROUPED if side else lambda *words: {}  # type: ignore[assignment]  # for comparison
                rates[side].append(rate(worker_class, clients[side], functions, start, size))
            clients[False].flushdb()
        groups, index = memory(clients[True])
        found = failures.groups_page(clients[True], limit=1000)
        medians = {side: statistics.median(each) for side, each in rates.items()}
        report = {
            'jobs': asked.jobs, 'causes': asked.causes, 'groups': len(found),
            'counted': sum(one.count for one in found), 'failed now': sum(one.failed_count for one in found),
            'memory of groups': groups, 'memory of index': index,
            'jobs/s with groups': round(medians[True]), 'jobs/s without': round(medians[False]),
            'share': round(medians[True] / medians[False], 3), 'in': worker_class.__name__,
        }  # fmt: skip
    print(json.dumps(report, indent=1))


if __name__ == '__main__':
    main()
