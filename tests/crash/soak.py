"""The soak: five producers, four workers, a random fault every five seconds; in the end every job has one outcome.

    python -m tests.crash.soak --minutes 10 --seed 7 --out bench/results/soak

Jobs, faults and their moments follow from the seed. The exit code is 1 when a promise was broken.
"""

import argparse
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rq.defaults import LEASE_SECONDS
from rq.store import keys
from rq.suspension import resume
from tests.crash.driver import ROOT, Witness, signal_all
from tests.crash.proxy import Proxy
from tests.crash.servers import Mortal
from tests.crash.soak_faults import all_kinds
from tests.crash.soak_field import Field, Storm
from tests.crash.soak_fleet import Keeper, Watch, alarms, end_all, leave, make_places, ours
from tests.crash.soak_judge import Judge, read_lives
from tests.crash.soak_plan import LIMITS
from tests.crash.soak_producers import Ledger
from tests.crash.soak_report import Report
from tests.crash.workers import Quick
from tests.invariants import check
from tests.waiting import wait_until

PRODUCERS = 5
PERIOD = 5.0  # seconds between two faults
PAUSE = 0.25  # seconds between two steps of one producer
CALM = 4.0  # seconds before the first fault, in which the workers start


@dataclass
class Soak:
    """One run."""

    minutes: float
    seed: int
    real: bool = False
    period: float = PERIOD
    keep: bool = False  # the directory, also when every promise was kept
    mixed: bool = False  # workers of every executor, not of `fork` alone
    directory: Path = Path()

    def run(self) -> Report:
        """From start to judgement."""
        self.directory = Path(tempfile.mkdtemp(prefix='rq-soak-'))
        profile = 'default leases (30 s)' if self.real else f'leases of {Quick.lease_seconds} s'
        profile += ', mixed executors' if self.mixed else ''
        report = Report(self.seed, self.minutes, profile, directory=str(self.directory), mixed=self.mixed)
        witness = Witness(self.directory / 'witness')
        server = Mortal(self.directory / 'server', '--enable-debug-command', 'yes').start()
        front = Proxy(server.upstream).start()
        places = make_places(
            server.upstream, server.client(), self.directory, witness, 'Default' if self.real else 'Quick', self.mixed
        )
        watch = Watch(witness.path)
        producers: list[subprocess.Popen[bytes]] = []
        field: Any = None
        try:
            keeper = Keeper(places, watch, lambda words: field.violate(words))
            field = Field(
                server, server.client(socket_timeout=2), places, watch, keeper, Ledger(self.directory / 'ledger-soak'),
                LEASE_SECONDS if self.real else Quick.lease_seconds, self.directory, front, began_at=time.time(),
            )  # fmt: skip
            keeper.lost = lambda place, what: field.crash(None, place, what)
            keeper.start()
            producers = self._start_producers(server, front)
            storm = Storm(field, all_kinds(), self.seed, self.period)
            report.faults = storm.faults
            time.sleep(CALM)
            storm.run(self.minutes * 60)
            self._settle(field, storm, producers)
            self._judge(field, report, watch)
            keeper.stop()
            leave(places, field.violate)
            left = ours(witness.path)
            if left:
                field.violate(f'processes outlived their workers: {[_shown(pid) for pid in left]}')
        finally:
            for producer in producers:
                producer.kill()
                producer.wait()
            end_all(places, witness.path)
            front.close()
            server.close()
        report.violations = field.violations + report.violations + alarms(self.directory)
        report.rows['unexpected'] = len(report.violations) - report.rows.get('lost', 0)
        self._close(field, report)
        return report

    def _start_producers(self, server: Mortal, front: Proxy) -> list[subprocess.Popen[bytes]]:
        started = []
        for number in range(PRODUCERS):
            command = [sys.executable, '-m', 'tests.crash.soak_producers', '--seed', str(self.seed)]
            command += ['--url', front.url if number < 3 else server.url, '--number', str(number)]
            command += ['--ledger', str(self.directory / f'ledger-{number}'), '--pause', str(PAUSE)]
            command += ['--until', str(time.time() + CALM + self.minutes * 60)]
            environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
            with (self.directory / f'producer-{number}.log').open('wb') as out:
                started.append(
                    subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out, start_new_session=True)
                )
        return started

    def _settle(self, field: Field, storm: Storm, producers: list[subprocess.Popen[bytes]]) -> None:
        """The storm is over: everything is well again, and what is left to be done is done."""
        storm.finish()
        for producer in producers:
            if producer.wait(120):
                field.violate(f'a producer ended with code {producer.returncode}')
        for place in field.places:
            place.proxy.heal()
            signal_all([place.crew.pid], signal.SIGCONT)
        field.insist(lambda: resume(field.redis))
        began = time.monotonic()
        bound = 2 * field.lease + 60
        try:
            wait_until(lambda: field.asks(lambda: _is_quiet(field), False), bound, 'all work is done')
        except AssertionError:
            field.violate(f'not all work was done {bound:g} s after the last fault: {_left(field)}')
        field.settled_in = time.monotonic() - began
        for ended in field.checks:
            if not field.asks(ended, False):
                field.violate('a broken record has not come to its end')

    def _judge(self, field: Field, report: Report, watch: Watch) -> None:
        # the workers live, and may have tidied up between two of our reads: what is wrong stays so
        broken = [words for words in check(field.redis) if 'victim-' not in words]
        if broken:
            time.sleep(1)
            again = check(field.redis)
            field.violations += [words for words in broken if words in again]
        lives, strange = read_lives(self.directory, field.redis)
        judge = Judge(lives, field.stopped, dict(watch.overlaps), self.mixed).judge()
        sums, states = judge.sums, [life.status for life in lives.values()]
        crashes, most = len(field.crashes), field.may_be_lost
        report.rows = {
            'accepted': sums['accepted'],
            'enqueue raised: there / not there': f'{sums["unknown, there"]} / {sums["unknown, not there"]}',
            'finished': states.count('finished'),
            'failed': states.count('failed'),
            '... of these by a crash': sums['failed by a crash'],
            'stopped': states.count('stopped'),
            'canceled': states.count('canceled'),
            'deferred, because a parent failed': states.count('deferred'),
            'deleted': states.count('gone') - sums['unknown, not there'],
            'lost': len(judge.lost),
            'executions': sums['executions'],
            'faults': len(report.faults),
            'crashes': crashes,
            **({'executions in hand at crashes': most} if self.mixed else {}),
            'extra executions': sums['extra'],
            'handlers or callbacks told twice': sum(
                sums[f'repeated {one}'] for one in ('told', 'failure', 'success', 'stopped')
            ),
            'unexpected': 0,  # counted when all is over
            'workers started': field.keeper.starts + len(field.places),
            'most growth of a worker, MiB': round(field.keeper.growth / 1024, 1),
            'all done after the last fault, s': round(field.settled_in, 1),
        }
        report.notes = judge.notes
        report.violations = judge.lost + judge.unexpected + strange
        for name in (
            'extra',
            'failed by a crash',
            'repeated told',
            'repeated failure',
            'repeated success',
            'repeated stopped',
        ):
            if sums[name] > most:
                report.violations.append(f'{name}: {sums[name]}, more than the {most} that crashes may have met')

    def _close(self, field: Field, report: Report) -> None:
        if report.kept and not self.keep:
            shutil.rmtree(self.directory)
        else:
            report.write_evidence(self.directory)


def _is_quiet(field: Field) -> bool:
    redis = field.redis
    lines = [keys.waiting(limit) for limit in LIMITS]
    places = [keys.wip('q'), keys.leases('q'), keys.place('scheduled', 'q'), *lines]
    return not redis.llen(keys.queue('q')) and not any(map(redis.zcard, places)) and not redis.hlen(keys.RELEASING)


def _left(field: Field) -> dict[str, Any]:
    redis = field.redis
    names = [keys.wip('q'), keys.leases('q'), keys.place('scheduled', 'q'), *(keys.waiting(limit) for limit in LIMITS)]
    found = {name: redis.zrange(name, 0, 9, withscores=True) for name in names}
    return {**found, keys.queue('q'): redis.lrange(keys.queue('q'), 0, 9)}


def _shown(pid: int) -> str:
    try:
        words = Path(f'/proc/{pid}/cmdline').read_bytes().replace(b'\0', b' ').decode(errors='replace')
    except OSError:
        words = ''
    return f'{pid} {words}'


def main() -> int:
    """From the shell."""
    parser = argparse.ArgumentParser(
        prog='python -m tests.crash.soak', description='Four workers in a storm of faults.'
    )
    parser.add_argument('--minutes', type=float, default=10)
    parser.add_argument('--seed', type=int, default=None, help='a random one when none is given')
    parser.add_argument('--out', type=Path, help='path of the report, without suffix')
    parser.add_argument('--real', action='store_true', help='the default leases of 30 s, not those of 2 s')
    parser.add_argument('--mixed', action='store_true', help='workers of every executor, not of fork alone')
    parser.add_argument('--period', type=float, default=PERIOD, help='seconds between two faults')
    parser.add_argument('--keep', action='store_true', help='keep ledgers, witness and logs')
    words = parser.parse_args()
    seed = random.randrange(10**6) if words.seed is None else words.seed
    print(f'soak of {words.minutes:g} minutes, seed {seed}, Python {platform.python_version()}', flush=True)
    report = Soak(words.minutes, seed, words.real, words.period, words.keep, words.mixed).run()
    out = words.out or ROOT / 'bench' / 'results' / f'soak-{time.strftime("%Y-%m-%d")}-{seed}'
    report.write(out)
    print(report.text())
    return 0 if report.kept else 1


if __name__ == '__main__':
    sys.exit(main())
