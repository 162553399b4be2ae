"""`make bench`: ours beside RQ 3.0 and other queues on Redis, same server, same jobs, interleaved, medians.

The whole takes about half an hour on two cores. Results go to bench/results/ and charts to docs/images/; a part
(some suites or queues, or fewer than three repetitions) goes to .bench/results/ alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bars import Row
from catalog import PEERS, PRODUCERS, SUITES, Peer, Variant
from charts import draw
from environments import HOME, Missing, folder_of, installed
from measure import EXECUTIONS, KINDS, measure
from servers import Server
from tables import page
from trees import adopt_orphans, end_everything

HERE = Path(__file__).parent
WHOLE = 3  # repetitions of a result that is kept
SLOWER = {'failing': 0.5, 'retry': 0.2, 'bulk': 4.0}  # the first run of a suite beside the rate of no-op jobs
SPACED = 200  # jobs of a latency run
LEAST, MOST = 30, 60_000

Work = tuple[str, Peer, Variant]


def words(choices: list[str]) -> Any:
    """A type for argparse: some of the choices, with commas between."""

    def parse(text: str) -> list[str]:
        found = [word for word in text.replace(' ', ',').split(',') if word]
        unknown = [word for word in found if word not in choices]
        if unknown or not found:
            raise argparse.ArgumentTypeError(f'some of: {", ".join(choices)}')
        return found

    return parse


def parser() -> argparse.ArgumentParser:
    """The options."""
    suites = '\n'.join(f'  {name:8} {text}' for name, text in SUITES.items())
    found = argparse.ArgumentParser(
        description=__doc__,
        epilog=f'suites:\n{suites}\n\nqueues: {", ".join(PEERS)}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument('--suites', type=words(list(SUITES)), default=list(SUITES), help='default: all')
    found.add_argument('--peers', type=words(list(PEERS)), default=list(PEERS), help='default: all')
    found.add_argument('--variants', help='only settings of these names, with | between')
    found.add_argument('--reps', type=int, default=WHOLE, help=f'repetitions, default {WHOLE}')
    found.add_argument('--seconds', type=float, default=2.0, help='length of one run, roughly; default 2')
    found.add_argument('--jobs', type=int, help='so many jobs in each run, instead')
    found.add_argument('--out', type=Path, help='a folder for the results')
    return found


def chosen(options: argparse.Namespace, left_out: list[str]) -> tuple[list[Work], dict[str, Path]]:
    """What is to be measured, and the environments of the queues; those that cannot be had are left out."""
    work: list[Work] = []
    folders: dict[str, Path] = {}
    names = options.variants.split('|') if options.variants else None
    for name in options.peers:
        peer = PEERS[name]
        mine = [
            (suite, peer, variant)
            for variant in peer.variants
            for suite in variant.suites
            if suite in options.suites and (suite != 'bulk' or peer.bulk)
            if names is None or variant.name in names
        ]
        try:
            if mine:
                folders[name] = folder_of(peer)
                work += mine
        except Missing as missing:
            print(missing, flush=True)
            left_out.append(str(missing).replace(str(HERE.parent), '.').replace(str(Path.home()), '~'))
    return work, folders


class Sizes:
    """How many jobs a run gets: by the catalog's guess at first, then by what was measured."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._rates: dict[tuple[str, str, str], float] = {}

    def number(self, suite: str, peer: Peer, variant: Variant) -> int:
        """The jobs of the next run."""
        if self._options.jobs:
            return int(self._options.jobs)
        if suite == 'latency':
            return SPACED
        if suite == 'io':
            return variant.io_jobs
        rate = self._rates.get((suite, peer.name, variant.name)) or variant.rate * SLOWER.get(suite, 1.0)
        return int(min(MOST, max(LEAST, rate * self._options.seconds)))

    def learn(self, run: Row) -> None:
        """Take the rate of a run for the next one."""
        if run.get('rate'):
            key = (run['suite'], run['peer'], run['variant'])
            self._rates[key] = run['rate'] / EXECUTIONS.get(KINDS.get(run['suite'], ''), 1)


def rounds(work: list[Work], folders: dict[str, Path], options: argparse.Namespace) -> list[Row]:
    """Every repetition takes the suites in a random order, and the settings of a suite: they run close in time."""
    found: list[Row] = []
    sizes = Sizes(options)
    began = time.monotonic()
    for repetition in range(1, options.reps + 1):
        packs = sorted({together(suite) for suite, _, _ in work})
        for pack in random.sample(packs, len(packs)):
            mine = [one for one in work if together(one[0]) == pack]
            for suite, peer, variant in random.sample(mine, len(mine)):
                run: Row = {'suite': suite, 'peer': peer.name, 'variant': variant.name, 'repetition': repetition}
                run['command'] = variant.command
                run |= measure(peer, variant, suite, sizes.number(suite, peer, variant), folders[peer.name])
                sizes.learn(run)
                found.append(run)
                print(f'{time.monotonic() - began:6.0f} s  {repetition}/{options.reps}  {told(run)}', flush=True)
    return found


def together(suite: str) -> str:
    """Suites that are compared with one another make one pack."""
    return 'reused' if suite == 'batched' else suite


def told(run: Row) -> str:
    """One run in one line."""
    head = f'{run["suite"]:8} {run["peer"]:9} {run["variant"]:22}'
    if 'error' in run:
        return f'{head} {run["error"]}'
    if run['suite'] == 'latency':
        return f'{head} p50 {run["p50"]:7.2f} ms  p99 {run["p99"]:7.2f} ms  {run["pss"]:5.1f} MiB'
    cost = run['producer_cpu'] if run['suite'] in PRODUCERS else run['worker_cpu']
    line = f'{head} {run["rate"]:9,.0f}/s  CPU {cost:7.3f} + {run["server_cpu"]:6.3f} s per 1,000'
    return line + ('' if sound(run) else f'  lost {run["lost"]}, doubled {run["doubled"]}, recorded {run["recorded"]}')


def sound(run: Row) -> bool:
    """Did every job run exactly as often as it should, with its outcome recorded?"""
    if 'error' in run:
        return False
    if run['suite'] == 'latency':
        return not run['late']
    if run['suite'] in PRODUCERS:
        return True
    return not run['lost'] and not run['doubled'] and run['recorded'] in (None, run['number'])


def machine() -> dict[str, Any]:
    """What machine this is."""
    processor = platform.machine()
    for line in Path('/proc/cpuinfo').read_text().splitlines():
        if line.startswith('model name'):
            processor = line.partition(':')[2].strip()
            break
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    return {
        'cores': os.cpu_count(),
        'processor': processor,
        'memory_gib': round(memory),
        'system': f'{platform.system()} {platform.release().split("-")[0]}',
        'python': platform.python_version(),
    }


def keep(found: dict[str, Any], options: argparse.Namespace, whole: bool) -> None:
    """Write figures, table and charts."""
    folder = options.out or (HERE / 'results' if whole else HOME / 'results')
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'{found["day"]}.json').write_text(json.dumps(found, indent=1) + '\n')
    text = page(found)
    (folder / f'{found["day"]}.md').write_text(text)
    charts = HERE.parent / 'docs' / 'images' if whole and not options.out else folder
    charts.mkdir(parents=True, exist_ok=True)
    for name, picture in draw(found).items():
        (charts / f'bench-{name}.svg').write_text(picture)
    print(f'\n{text}\nwritten to {folder} and {charts}')


def main() -> int:
    """Measure and report; 1 when a run of ours lost, doubled or did not record a job."""
    options = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    adopt_orphans()
    left_out: list[str] = []
    try:
        work, folders = chosen(options, left_out)
        with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
            version = server.version()
        found: dict[str, Any] = {
            'day': datetime.now(UTC).strftime('%Y-%m-%d'),
            'machine': machine(),
            'server': version,
            'repetitions': options.reps,
            'versions': {name: installed(PEERS[name]) for name in folders},
            'left_out': left_out,
            'runs': rounds(work, folders, options),
        }
    except KeyboardInterrupt:
        return 130
    finally:
        end_everything()
    whole = options.reps >= WHOLE and not options.jobs and not options.variants
    whole = whole and options.suites == list(SUITES) and options.peers == list(PEERS)
    keep(found, options, whole)
    bad = [run for run in found['runs'] if run['peer'] == 'ours' and not sound(run)]
    for run in bad:
        print(f'not sound: {told(run)}', file=sys.stderr)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
