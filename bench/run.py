"""`make bench`: ours beside RQ 3.0 on one private server, in turn, medians of several rounds.

Rates are jobs per second of wall time; CPU is seconds per 1,000 jobs, which a busy machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from datetime import UTC, datetime
from pathlib import Path

from rq.devserver.binary import find_binary

HERE = Path(__file__).parent
PEER = 'rq==3.0.0'
#: suite -> jobs for us, jobs for RQ 3.0; each run takes a few seconds
SUITES = {
    'fork': (1500, 500),
    'simple': (6000, 1500),
    'failing': (3000, 1000),
    'enqueue': (6000, 3000),
    'bulk': (10000, 6000),
}


def peer_python() -> str:
    """The interpreter of an environment with the published RQ 3.0, made on first use."""
    home = HERE.parent / '.bench' / 'rq3'
    python = home / 'bin' / 'python'
    if not python.exists():
        print(f'making an environment for {PEER} ...', flush=True)
        venv.create(home, with_pip=True)
        subprocess.run([python, '-m', 'pip', '-q', 'install', PEER, 'redis', 'hiredis'], check=True)
    return str(python)


class Server:
    """A private Valkey without persistence, for the time of one comparison."""

    def __enter__(self) -> str:
        self._folder = tempfile.TemporaryDirectory()
        socket = f'{self._folder.name}/s'
        options = ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', self._folder.name]
        self._process = subprocess.Popen([str(find_binary()), *options], stdout=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while not Path(socket).exists():
            assert time.monotonic() < until, 'the server did not start'
            time.sleep(0.02)
        return socket

    def __exit__(self, *exc_info: object) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


def measure(python: str, suite: str, number: int, socket: str) -> dict[str, float]:
    """One run of one side; its log goes to a file, as it does in production."""
    with tempfile.TemporaryDirectory() as folder, Path(folder, 'log').open('w+') as log:
        out = Path(folder, 'out')
        environment = {**os.environ, 'BENCH_SOCKET': socket, 'BENCH_OUT': str(out), 'PYTHONPATH': str(HERE)}
        command = [python, str(HERE / 'side.py'), suite, str(number)]
        done = subprocess.run(command, stdout=log, stderr=log, env=environment, check=False)
        if done.returncode:
            log.seek(0)
            raise SystemExit(f'{suite} failed:\n{log.read()[-2000:]}')
        found: dict[str, float] = json.loads(out.read_text())
    return found


def compare(suites: list[str], rounds: int) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Every suite on both sides, in turn."""
    sides = {'ours': sys.executable, 'RQ 3.0': peer_python()}
    found: dict[str, dict[str, list[dict[str, float]]]] = {suite: {side: [] for side in sides} for suite in suites}
    with Server() as socket:
        for round_number in range(rounds):
            for suite in suites:
                for (side, python), number in zip(sides.items(), SUITES[suite], strict=True):
                    run = measure(python, suite, number, socket)
                    found[suite][side].append(run)
                    print(f'round {round_number + 1}  {suite:8} {side:7} {run["rate"]:9,.0f}/s', flush=True)
    return found


def median(runs: list[dict[str, float]], name: str) -> float:
    """The middle value of one figure."""
    return statistics.median(run[name] for run in runs)


def table(found: dict[str, dict[str, list[dict[str, float]]]]) -> str:
    """The figures as a Markdown table; the ratio is the median of the ratios round by round."""
    lines = [
        '| work | ours /s | RQ 3.0 /s | ratio (min to max) | CPU s per 1,000: ours worker + server | RQ 3.0 |',
        '|---|---|---|---|---|---|',
    ]
    for suite, sides in found.items():
        ours, theirs = sides['ours'], sides['RQ 3.0']
        ratios = [mine['rate'] / other['rate'] for mine, other in zip(ours, theirs, strict=True)]
        spread = f'{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})'
        costs = [f'{median(runs, "cpu"):.2f} + {median(runs, "server_cpu"):.3f}' for runs in (ours, theirs)]
        rates = [f'{median(runs, "rate"):,.0f}' for runs in (ours, theirs)]
        lines.append(f'| {suite} | {rates[0]} | {rates[1]} | {spread} | {costs[0]} | {costs[1]} |')
    return '\n'.join(lines)


def main() -> None:
    """Parse the words, measure, print, and keep the figures under bench/results/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--suite', default=','.join(SUITES), help='some of: ' + ', '.join(SUITES))
    parser.add_argument('--rounds', type=int, default=3)
    words = parser.parse_args()
    suites = words.suite.split(',')
    unknown = set(suites) - set(SUITES)
    if unknown:
        parser.error(f'no such suite: {", ".join(sorted(unknown))}; there are {", ".join(SUITES)}')
    found = compare(suites, words.rounds)
    text = table(found)
    print('\n' + text)
    day = datetime.now(UTC).strftime('%Y-%m-%d')
    head = (
        f'# Ours beside RQ 3.0, {day}\n\n{words.rounds} rounds in turn, medians; Python {platform.python_version()}, '
    )
    head += f'{os.cpu_count()} cores; a private Valkey without persistence; logs at INFO into a file.\n\n'
    (HERE / 'results' / f'{day}.md').write_text(head + text + '\n')
    (HERE / 'results' / f'{day}.json').write_text(json.dumps(found, indent=1) + '\n')


if __name__ == '__main__':
    main()
