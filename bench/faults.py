"""The same faults under ours and under RQ 3.0, each with its defaults: `python bench/faults.py [CASE ...]`.

Each side has its own server (append-only file, Valkey) and its own workers, started by its own command. What is
printed is what was seen from outside: the status in Redis, the witness that jobs and handlers write, processes.
docs/reliability.md shows the table.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from faults_side import ROOT, Side, seconds, took

from tests.crash.driver import alive, signal_all, tree_of
from tests.crash.proxy import Proxy
from tests.interop.environment import rq3_python

TOLD = ('--exception-handler', 'faults_jobs.told')


def a1_killed(side: Side) -> str:
    side.worker(*TOLD)
    side.up()
    job = side.enqueue('die', on_failure='faults_jobs.on_failure')
    return f'failed after {side.ended(job)}; {side.heard(job)}'


def a11_long_text(side: Side) -> str:
    side.worker()
    job = side.enqueue('raise_long')
    side.begun(job)
    after = side.until(job)
    return (
        f'failed after {took(after, 60)}; {(side.redis.memory_usage(f"rq:results:{job}") or 0) / 1024:,.0f} KiB stored'
    )


def a14_result_too_large(side: Side) -> str:
    side.redis.config_set('proto-max-bulk-len', 1024 * 1024)
    side.worker()
    job = side.enqueue('big')
    side.begun(job)
    after = side.until(job, limit=45)
    return f'{side.status(job)} after {took(after, 45)}'


def a15_child_of_a_timed_out_job(side: Side) -> str:
    side.worker()
    job = side.enqueue('leave_child', job_timeout=2)
    seconds(lambda: side.witness.count('child') > 0, 20)
    child = int(side.witness.lines('child')[0].who)
    side.until(job)
    gone = seconds(lambda: not alive(child), 5)
    if gone is None:
        os.kill(child, signal.SIGKILL)
    return 'gone' if gone is not None else 'lives on'


def b2_worker_killed_horse_lives(side: Side) -> str:
    first = side.worker()
    job = side.enqueue('work', 60, retry={'max': 1})
    side.begun(job)
    horse = side.witness.lines('begin', job)[0].pid
    first.kill()
    first.wait()
    gone = seconds(lambda: not alive(horse), 20)
    return f'its horse ends after {took(gone, 20)}'


def b1_tree_killed(side: Side) -> str:
    first = side.worker(*TOLD)
    job = side.enqueue('work', 600, on_failure='faults_jobs.on_failure')
    side.begun(job)
    signal_all([first.pid, *tree_of(first.pid)], signal.SIGKILL)
    first.wait()
    side.worker(*TOLD, name='other')
    return f'noticed after {took(side.until(job, limit=780), 780)}; {side.heard(job)}'


def b10_between_pop_and_start(side: Side) -> str:
    """Killed at random moments around the start, until one claim was lost: here by freezing the tree at once."""
    first = side.worker()
    side.up()
    job = side.enqueue('work')
    signal_all([*tree_of(first.pid), first.pid], signal.SIGKILL)
    first.wait()
    side.worker(name='other')
    return f'finished after {took(side.until(job, "finished", "failed", limit=60), 60)}: {side.status(job)}'


def b12_same_name(side: Side) -> str:
    first = side.worker(name='container')
    side.up()
    signal_all([first.pid, *tree_of(first.pid)], signal.SIGKILL)
    first.wait()
    second = side.worker(name='container')
    return side.next_job(20) if seconds(lambda: second.poll() is not None, 4) is None else 'refuses to start'


def b7_poison(side: Side) -> str:
    side.worker()
    job = side.enqueue('kill_worker', retry={'max': 10})
    lost = 0
    until = time.monotonic() + 150
    while time.monotonic() < until and side.status(job) != 'failed':
        if side.workers[-1].poll() is not None:
            signal_all(tree_of(side.workers[-1].pid), signal.SIGKILL)
            lost += 1
            side.worker(name=f'more{lost}')
        time.sleep(0.1)
    return f'{side.witness.count("begin", job)} executions in 150 s, then {side.status(job)}'


def c3_outage(side: Side) -> str:
    worker = side.worker()
    job = side.enqueue('work', 5)
    side.begun(job)
    side.server.kill()
    time.sleep(45)
    lives = worker.poll() is None
    side.server.start()
    after = side.until(job, limit=30)
    words = 'worker lives' if lives and worker.poll() is None else 'worker exits'
    return f'{words}; {side.status(job)} after {took(after, 30)}; {side.witness.count("begin", job)} execution'


def c6_down_at_start(side: Side) -> str:
    side.server.kill()
    worker = side.worker()
    left = seconds(lambda: worker.poll() is not None, 30)
    if left is not None:
        return f'exits after {left:.1f} s'
    side.server.start()
    return f'waits; {side.next_job()}'


def c8_full_memory(side: Side) -> str:
    worker = side.worker()
    job = side.enqueue('work', 3)
    side.begun(job)
    side.redis.config_set('maxmemory-policy', 'noeviction')
    side.redis.config_set('maxmemory', 1000)
    time.sleep(7)
    side.redis.config_set('maxmemory', 0)
    after = side.until(job, limit=30)
    words = 'worker lives' if worker.poll() is None else 'worker exits'
    return f'{words}; job {side.status(job)} after {took(after, 30)}'


def c9_no_replicas(side: Side) -> str:
    worker = side.worker()
    side.up()
    side.redis.config_set('min-replicas-to-write', 1)
    time.sleep(20)
    side.redis.config_set('min-replicas-to-write', 0)
    return f'worker lives; {side.next_job()}' if worker.poll() is None else 'worker exits'


def c12_half_open(side: Side) -> str:
    proxy = Proxy(side.server.upstream).start()
    try:
        side.worker(url=proxy.url)
        side.up()
        time.sleep(2)
        proxy.black_hole()
        proxy.heal()  # new connections work; the old ones stay as they are: silent
        return side.next_job(120)
    finally:
        proxy.close()


def d3_junk_id(side: Side) -> str:
    worker = side.worker()
    side.up()
    side.redis.lpush('rq:queue:q', b'\xff\xfe\x00')
    time.sleep(3)
    return side.next_job() if worker.poll() is None else 'worker exits'


def d6_payload_missing(side: Side) -> str:
    job = side.enqueue('work')
    side.redis.hdel(f'rq:job:{job}', 'data')
    side.worker()
    after = side.until(job, limit=20)
    return f'{side.status(job)} after {took(after, 20)}'


def e2_lock_held(side: Side) -> str:
    side.worker(*TOLD)
    job = side.enqueue('hold_lock', job_timeout=2)
    return f'ended after {side.ended(job, 120)} (timeout 2 s); {side.heard(job)}'


def e4_alarm_taken(side: Side) -> str:
    side.worker(*TOLD)
    job = side.enqueue('disarm', job_timeout=2)
    return f'ended after {side.ended(job, 120)} (timeout 2 s); {side.heard(job)}'


def f2_handler_hangs(side: Side) -> str:
    side.worker('--exception-handler', 'faults_jobs.hang')
    job = side.enqueue('fail')
    seconds(lambda: side.witness.count('told', job) > 0, 20)
    return side.next_job(260)


def f5_on_success_raises(side: Side) -> str:
    side.worker()
    job = side.enqueue('work', on_success='faults_jobs.bad_callback', retry={'max': 2})
    side.until(job, 'failed')
    return f'{side.witness.count("end", job)} executions of the work, then {side.status(job)}'


def g2_scheduling_process_killed(side: Side) -> str:
    worker = side.worker('--with-scheduler')
    side.up()
    seconds(lambda: bool(side.redis.exists('rq:scheduler-lock:q')), 10)
    for pid in tree_of(worker.pid):
        signal_all([pid], signal.SIGKILL)  # the scheduler is a child of the worker
    job = side.enqueue('work', delay=2)
    after = side.until(job, 'finished', limit=700)
    return f'due job done after {took(after, 700)} (due after 2 s)'


def h2_cancel_while_running(side: Side) -> str:
    side.worker()
    job = side.enqueue('work', 2)
    side.begun(job)
    side.call(job, 'cancel')
    time.sleep(4)
    places = [kind for kind in ('finished', 'failed', 'canceled') if side.redis.zscore(f'rq:{kind}:q', job) is not None]
    return f'status {side.status(job)}, in {" and ".join(places) or "no registry"}'


def h5_enqueue_running(side: Side) -> str:
    side.worker()
    side.worker()
    job = side.enqueue('work', 3)
    side.begun(job)
    side.call(job, 'enqueue')
    time.sleep(1.5)
    both = side.witness.count('begin', job) - side.witness.count('end', job)
    return 'never twice at once' if both <= 1 else 'runs twice at once'


def i4_pipe_full(side: Side) -> str:
    reading, writing = os.pipe()
    try:
        side.worker(out=writing)
        jobs = [side.enqueue('work') for _ in range(1)]
        script = 'import sys; from redis import Redis; from rq import Queue\n'
        script += 'q = Queue("q", connection=Redis.from_url(sys.argv[1]))\n'
        script += 'for _ in range(400): q.enqueue("faults_jobs.work")'
        side._run(script)
        seconds(lambda: side.witness.count('end') >= 400 + len(jobs), 60)
        return f'{side.witness.count("end") - len(jobs)} of 400 jobs done in 60 s'
    finally:
        os.close(reading)
        os.close(writing)


CASES: dict[str, tuple[str, Callable[[Side], str]]] = {
    'A1': ('the job\'s process is killed', a1_killed),
    'A11': ('an error text of 10 MB', a11_long_text),
    'A14': ('a result that the server refuses', a14_result_too_large),
    'A15': ('a job times out and leaves a child in a session of its own', a15_child_of_a_timed_out_job),
    'B1': ('a worker is killed with its whole tree', b1_tree_killed),
    'B2': ('only the worker is killed', b2_worker_killed_horse_lives),
    'B7': ('a job takes its worker along each time, 10 retries', b7_poison),
    'B10': ('a worker is killed as it takes a job', b10_between_pop_and_start),
    'B12': ('restart under the same name', b12_same_name),
    'C3': ('the server is away for 45 s while a job runs', c3_outage),
    'C6': ('the server is down at start', c6_down_at_start),
    'C8': ('memory full for 7 s around the job\'s end', c8_full_memory),
    'C9': ('writes refused for 20 s (NOREPLICAS), worker idle', c9_no_replicas),
    'C12': ('half-open connections, worker idle', c12_half_open),
    'D3': ('junk in the queue', d3_junk_id),
    'D6': ('a job without its payload', d6_payload_missing),
    'E2': ('C code holds the interpreter lock', e2_lock_held),
    'E4': ('the job turns the alarm off', e4_alarm_taken),
    'F2': ('an exception handler hangs', f2_handler_hangs),
    'F5': ('on_success raises, 2 retries', f5_on_success_raises),
    'G2': ('the scheduling process is killed', g2_scheduling_process_killed),
    'H2': ('cancel() while it runs', h2_cancel_while_running),
    'H5': ('enqueue_job() while it runs', h5_enqueue_running),
    'I4': ('nobody reads the log pipe', i4_pipe_full),
}  # fmt: skip


def run(case: str, name: str, python: str, home: Path) -> str:
    """One case under one implementation."""
    side = Side(name, python, home / f'{case}-{name}')
    try:
        return CASES[case][1](side)
    finally:
        side.close()


def main(wanted: list[str]) -> None:
    """Both sides of each case at the same time, a few cases at once; prints and stores the table."""
    sides = {'here': sys.executable, 'rq3': str(rq3_python())}
    with tempfile.TemporaryDirectory(prefix='rq-faults-') as folder, ThreadPoolExecutor(6) as pool:
        asked = {
            (case, name): pool.submit(run, case, name, python, Path(folder))
            for case in wanted or CASES
            for name, python in sides.items()
        }
        rows = []
        for case in wanted or CASES:
            row = {'id': case, 'fault': CASES[case][0]}
            for name in sides:
                try:
                    row[name] = asked[case, name].result()
                except Exception as error:
                    row[name] = f'the measurement failed: {error!r}'[:300]
            rows.append(row)
            print(f'| {case} | {row["fault"]} | {row["here"]} | {row["rq3"]} |', flush=True)
    out = ROOT / 'bench' / 'results' / f'faults-{datetime.now(UTC):%Y-%m-%d}.json'
    out.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + '\n')


if __name__ == '__main__':
    main(sys.argv[1:])
