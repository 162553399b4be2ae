"""The demo's course: a private server, jobs, real workers as processes, progress, and the outcome."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rq.connections import EMBEDDED_DIRECTORY, from_url
from rq.demo import jobs
from rq.demo.summary import Failed, Outcome, render
from rq.devserver import Server, serve
from rq.exceptions import InvalidJobOperation
from rq.job import Job, Retry
from rq.queue import EnqueueData, Queue

QUEUE = 'demo'
URL = 'embedded://'
WORKERS = 2
OURS = str(Path(__file__).parent.parent)
LOOK_SECONDS = 0.2
LEAVE_SECONDS = 10.0  # what a worker may take to leave before it is told again, and then killed
# A worker whose demo was killed leaves by itself; longer than a lease, so that a job of a lost worker is still rescued.
IDLE_SECONDS = 60
ACCIDENTS = {
    'demo-segfault': 'reads address zero, which kills its process',
    'demo-timeout': f'sleeps {jobs.OVERSLEEP} s, and is allowed 1',
    'demo-missing': 'calls a function that does not exist',
    'demo-flaky': 'fails twice, and has Retry(max=3)',
}
_INSTALLED = ('site-packages', 'dist-packages')


def python_files(directory: Path | None) -> list[Path]:
    """Python files below a directory, or all of the standard library; not those in hidden or package directories."""
    root = Path(sysconfig.get_path('stdlib')) if directory is None else directory
    return sorted(path.absolute() for path in root.rglob('*.py') if not _hidden(path, root) and path.is_file())


def _hidden(path: Path, root: Path) -> bool:
    parts = path.relative_to(root).parts[:-1]
    return any(part.startswith('.') or part in _INSTALLED for part in parts)


def tour(files: Sequence[Path], say: Callable[[str], None]) -> bool:
    """The whole demo in the current directory; whether each job came to its end. Server and workers are gone then."""
    server = serve(EMBEDDED_DIRECTORY)
    try:
        with from_url(URL) as connection:
            queue = Queue(QUEUE, connection=connection)
            clear(queue)
            say(f'A private server runs in {os.path.relpath(server.directory)}/.')
            began = time.monotonic()
            ids = enqueue(queue, files)
            say(f'{len(ids):,} jobs are on the queue {QUEUE!r}: a file to parse each, and four accidents.')
            with working(server) as workers, progress(len(ids), say) as advance:
                watch(queue, set(ids), workers, advance)
                seconds = time.monotonic() - began
            outcome = outcome_of(queue, ids, seconds)
            for line in ['', *render(outcome, OURS, 'demo-timeout', commands())]:
                say(line)
            return outcome.missing == 0
    finally:
        server.stop_if_last()


# --- jobs ---------------------------------------------------------------------------------------------


def clear(queue: Queue) -> None:
    """Remove what an earlier demo left in this queue and its registries; no other queue is touched."""
    queue.empty()
    places = (queue.failed_job_registry, queue.finished_job_registry, queue.scheduled_job_registry)
    for place in (*places, queue.started_job_registry, queue.canceled_job_registry):
        for job_id in place.get_job_ids(cleanup=False):
            try:
                Job(job_id, connection=queue.connection).delete()
            except InvalidJobOperation:  # its record has expired
                queue.connection.zrem(place.key, job_id)


def enqueue(queue: Queue, files: Sequence[Path]) -> list[str]:
    """Everything in a few writes; the ids."""

    def accident(job_id: str, function: Any, **words: Any) -> EnqueueData:
        return Queue.prepare_data(function, job_id=job_id, description=ACCIDENTS[job_id], result_ttl='1d', **words)

    datas = [
        accident('demo-segfault', jobs.segfault),
        accident('demo-timeout', jobs.oversleep, timeout=1),
        accident('demo-missing', f'{jobs.__name__}.not_written_yet'),
        accident('demo-flaky', jobs.flaky, retry=Retry(max=3)),
    ]
    datas += [Queue.prepare_data(jobs.count_definitions, args=(str(path),), result_ttl='1d') for path in files]
    return [job.id for job in queue.enqueue_many(datas)]


def watch(
    queue: Queue, ids: set[str], workers: Sequence[subprocess.Popen[bytes]], advance: Callable[[int, int], None]
) -> None:
    """Until every job has come to an end, or there is no worker left."""
    while True:
        alone = all(worker.poll() is not None for worker in workers)
        finished = ids.intersection(queue.finished_job_registry.get_job_ids())
        failed = ids.intersection(queue.failed_job_registry.get_job_ids())
        advance(len(finished), len(failed))
        if alone or len(finished) + len(failed) >= len(ids):
            return
        time.sleep(LOOK_SECONDS)


def outcome_of(queue: Queue, ids: Sequence[str], seconds: float) -> Outcome:
    """What is on record of the jobs."""
    wanted = set(ids)
    finished = [one for one in queue.finished_job_registry.get_job_ids() if one in wanted]
    failed = [one for one in queue.failed_job_registry.get_job_ids() if one in wanted]
    values = {job.id: job.return_value() for job in Job.fetch_many(finished, queue.connection) if job}
    reports = [_report(job) for job in Job.fetch_many(failed, queue.connection) if job]
    missing = len(ids) - len(values) - len(reports)
    return Outcome(WORKERS, seconds, values, reports, missing, ACCIDENTS)


def _report(job: Job) -> Failed:
    latest = job.latest_result()
    about = Path(job.args[0]).name if job.args else job.id
    return Failed(job.id, about, (latest and latest.exc_string) or '')


# --- workers ------------------------------------------------------------------------------------------


@contextmanager
def working(server: Server) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Workers, as `rq worker` would be started; their logs stand in the server's directory."""
    words = [sys.executable, '-P', '-m', 'rq.cli', 'worker', '--url', server.url]
    words += ['--max-idle-time', str(IDLE_SECONDS), QUEUE]
    # What the user has set for other programs of theirs must not reach these workers.
    environment = {name: value for name, value in os.environ.items() if not name.startswith('RQ_')}
    if 'RQ_KEY_PREFIX' in os.environ:
        environment['RQ_KEY_PREFIX'] = os.environ['RQ_KEY_PREFIX']
    started: list[subprocess.Popen[bytes]] = []
    with ExitStack() as logs:
        try:
            for number in range(1, WORKERS + 1):
                log = logs.enter_context(Path(server.directory, f'demo-worker-{number}.log').open('wb'))
                # A session of its own: Ctrl-C reaches the demo alone, which ends its workers in order.
                worker = subprocess.Popen(
                    words, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
                started.append(worker)
            yield started
        finally:
            dismiss(started)


def dismiss(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    """Have them leave: after their job, then at once, then by force."""
    for act in (subprocess.Popen.terminate, subprocess.Popen.terminate, subprocess.Popen.kill):
        for worker in workers:
            act(worker)  # does nothing to one that has gone
        deadline = time.monotonic() + LEAVE_SECONDS
        for worker in workers:
            try:
                worker.wait(max(deadline - time.monotonic(), 0.01))
            except subprocess.TimeoutExpired:
                continue
        if all(worker.poll() is not None for worker in workers):
            return


# --- words --------------------------------------------------------------------------------------------


@contextmanager
def progress(total: int, say: Callable[[str], None]) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal that `rich` can draw on, else a line for every fifth of the way."""
    try:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError:
        drawable = False
    else:
        drawable = sys.stdout.isatty()
    if not drawable:
        yield _fifths(total, say)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn('{task.description}'), TimeElapsedColumn())
    with Progress(*columns) as bar:
        task = bar.add_task('', total=total)
        yield lambda finished, failed: bar.update(
            task, completed=finished + failed, description=f'{finished:,} finished, [red]{failed:,} failed[/red]'
        )


def _fifths(total: int, say: Callable[[str], None]) -> Callable[[int, int], None]:
    said = 0

    def advance(finished: int, failed: int) -> None:
        nonlocal said
        fifth = (finished + failed) * 5 // total
        if fifth > said:
            said = fifth
            say(f'  {finished + failed:,} of {total:,}: {finished:,} finished, {failed:,} failed')

    return advance


def commands() -> list[tuple[str, str]]:
    """What to paste next, and what it does."""
    rq = program()
    return [
        (f'{rq} info --url {URL} {QUEUE}', 'what is where'),
        (f'{rq} requeue --url {URL} --queue {QUEUE} demo-timeout', 'try one again ...'),
        (f'{rq} worker --url {URL} --burst {QUEUE}', '... and this time it succeeds'),
    ]


def program() -> str:
    """How to call `rq` from the current directory's shell."""
    script = Path(sys.executable).parent / 'rq'
    found = shutil.which('rq')
    if found is not None and script.exists() and script.samefile(found):
        return 'rq'
    if script.exists():
        near = os.path.relpath(script)
        return shlex.quote(str(script) if near.startswith('..') else near)
    return f'{shlex.quote(sys.executable)} -m rq.cli'
