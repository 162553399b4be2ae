"""The producer, run inside the environment of one queue: `produce.py ADAPTER MODE KIND NUMBER`, figures to BENCH_OUT.

Modes: `each` (one call a job), `bulk` (calls of 1,000 jobs) and `spaced` (one job at a time to an idle worker).
An adapter offers `each(kind, numbers)`, and `bulk(kind, numbers)` where its queue can; either may be a coroutine.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import body

CHUNK = 1000
PATIENCE = 5.0  # seconds until a job that did not start is given up
WARM_UP = 20


def cpu() -> float:
    """User and system seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def call(function: Callable[..., Any], *args: Any) -> None:
    """Call a plain function or a coroutine function."""
    found = function(*args)
    if inspect.isawaitable(found):
        await found


async def fill(adapter: Any, mode: str, kind: str, number: int) -> dict[str, Any]:
    """Enqueue the jobs; connections and imports are paid before the clock starts, by jobs numbered from `number` on."""
    warm_up = range(number, number + int(os.environ.get('BENCH_WARM_UP', '0')))
    if warm_up:
        await call(getattr(adapter, mode), kind, warm_up)
    began, used = time.perf_counter(), cpu()
    if mode == 'bulk':
        for first in range(0, number, CHUNK):
            await call(adapter.bulk, kind, range(first, min(first + CHUNK, number)))
    else:
        await call(adapter.each, kind, range(number))
    return {'seconds': time.perf_counter() - began, 'cpu': cpu() - used}


async def spaced(adapter: Any, kind: str, number: int) -> dict[str, Any]:
    """Milliseconds from the call to the start of the job; the worker is idle, the pauses are random."""
    records = Path(os.environ['BENCH_RECORDS'])
    found: list[float] = []
    late = 0
    for one in range(number + WARM_UP):
        size = records.stat().st_size
        called = time.time_ns()
        await call(adapter.each, kind, range(one, one + 1))
        until = time.monotonic() + PATIENCE
        while records.stat().st_size == size and time.monotonic() < until:
            await asyncio.sleep(0.001)
        if records.stat().st_size == size:
            late += 1
            if late > 2:
                break
            continue
        with records.open('rb') as file:
            file.seek(size)
            began, _, _ = body.RECORD.unpack(file.read(body.RECORD.size))
        if one >= WARM_UP:
            found.append((began - called) / 1e6)
        await asyncio.sleep(random.uniform(0.007, 0.022))
    return {'milliseconds': found, 'late': late}


async def main() -> None:
    """Parse the words, enqueue, leave the figures."""
    name, mode, kind, number = sys.argv[1:5]
    adapter = importlib.import_module(name)
    if hasattr(adapter, 'opened'):
        await call(adapter.opened)
    if mode == 'spaced':
        found = await spaced(adapter, kind, int(number))
    else:
        found = await fill(adapter, mode, kind, int(number))
    Path(os.environ['BENCH_OUT']).write_text(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)  # the figures are there: whatever a client library does at its end is not measured


if __name__ == '__main__':
    asyncio.run(main())
