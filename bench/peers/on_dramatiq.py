"""Dramatiq on Redis; with its results middleware when BENCH_RESULTS is set."""

from __future__ import annotations

import os
from collections.abc import Iterable

import body
import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

broker = RedisBroker(url=os.environ['BENCH_URL'])
stores = bool(os.environ.get('BENCH_RESULTS'))
if stores:
    broker.add_middleware(Results(backend=RedisBackend(url=os.environ['BENCH_URL'])))
dramatiq.set_broker(broker)


def actor(kind: str) -> dramatiq.Actor:
    """One actor; the shortest delay between tries that its options allow."""
    options = {'max_retries': 3, 'min_backoff': 1, 'max_backoff': 1} if kind == 'retry' else {'max_retries': 0}
    function = body.PLAIN[kind]
    if stores:
        return dramatiq.actor(function, actor_name=kind, store_results=True, **options)

    def run(number: int) -> None:
        function(number)  # a value that nobody stores would be worth a warning to it, for each job

    return dramatiq.actor(run, actor_name=kind, **options)


actors = {kind: actor(kind) for kind in body.PLAIN}


def each(kind: str, numbers: Iterable[int]) -> None:
    """One call a job."""
    one = actors[kind]
    for number in numbers:
        one.send(number)
