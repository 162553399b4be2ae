"""`make bench` as a black box: a handful of jobs of ours through every suite; how long it took is nobody's business."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.launch import lives
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
RUN = ROOT / 'bench' / 'run.py'
JOBS = 12
COSTS = ('rate', 'server_cpu')
FIGURES = {
    'enqueue': (*COSTS, 'producer_cpu', 'bytes'),
    'bulk': (*COSTS, 'producer_cpu', 'bytes'),
    'latency': ('p50', 'p99', 'pss'),
}
WORKED = (*COSTS, 'worker_cpu', 'pss', 'lost', 'doubled', 'recorded')


@pytest.fixture(scope='module')
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the results of one small run."""
    folder = tmp_path_factory.mktemp('bench')
    command = [sys.executable, str(RUN), '--peers', 'ours', '--reps', '1', '--jobs', str(JOBS), '--out', str(folder)]
    words = ['--variants', 'fork|inline|inline, batches|2 inline|threads|producer']
    done = subprocess.run([*command, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope='module')
def found(measured: Path) -> Any:
    """The figures."""
    [path] = measured.glob('*.json')
    return json.loads(path.read_text())


def test_every_suite_has_its_figures(found: Any) -> None:
    suites = {run['suite'] for run in found['runs']}
    assert suites == {
        'fresh', 'reused', 'batched', 'cores', 'failing', 'retry', 'io', 'enqueue', 'bulk', 'latency',
    }  # fmt: skip
    for run in found['runs']:
        assert 'error' not in run, run
        assert run['calibration_ms'] > 0
        assert all(run[name] is not None for name in FIGURES.get(run['suite'], WORKED)), run


def test_every_job_ran_as_often_as_it_should_and_was_recorded(found: Any) -> None:
    worked = [run for run in found['runs'] if run['suite'] not in FIGURES]
    assert [(run['lost'], run['doubled'], run['recorded']) for run in worked] == [(0, 0, JOBS)] * len(worked)


def test_the_table_and_the_charts_are_there(measured: Path) -> None:
    [page] = measured.glob('*.md')
    text = page.read_text()
    assert '## Against the bars' in text
    assert '## retry' in text
    charts = sorted(path.name for path in measured.glob('*.svg'))
    assert charts == ['bench-cost.svg', 'bench-enqueue.svg', 'bench-latency.svg', 'bench-throughput.svg']
    for chart in charts:
        picture = ElementTree.parse(measured / chart).getroot()
        assert picture.tag.endswith('svg')
        assert len(picture.findall('{*}rect')) > 2


def test_no_path_of_this_machine_is_in_the_results(measured: Path) -> None:
    for path in measured.iterdir():
        if path.is_file():
            text = path.read_text()
            assert str(ROOT) not in text
            assert str(measured) not in text
            assert str(Path.home()) + '/' not in text


@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM], ids=lambda signum: signum.name)
def test_nothing_is_left_when_it_is_interrupted(signum: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, str(RUN), '--peers', 'ours', '--suites', 'io', '--reps', '1', '--out', str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        try:
            started = wait_until(lambda: worked(run.pid), 30.0, 'a worker and its server run')
            run.send_signal(signum)
            run.communicate(timeout=30)
        finally:
            run.kill()
    assert run.returncode in (130, 143)
    assert [pid for pid in started if lives(pid)] == []
    assert list(tmp_path.iterdir()) == []


def worked(pid: int) -> list[int]:
    """The processes below, as soon as a worker and a server are among them."""
    children = below(pid)
    words = b' '.join(command_of(child) for child in children)
    return children if b'server' in words and b'worker' in words else []


def command_of(pid: int) -> bytes:
    """The command line of a process; empty when it has ended."""
    try:
        return Path(f'/proc/{pid}/cmdline').read_bytes()
    except OSError:
        return b''


def below(pid: int) -> list[int]:
    """The descendants of a process."""
    found = []
    try:
        for task in Path(f'/proc/{pid}/task').iterdir():
            for child in map(int, (task / 'children').read_text().split()):
                found += [child, *below(child)]
    except OSError:  # it ended while we looked
        pass
    return found


def test_an_unknown_suite_is_refused() -> None:
    done = subprocess.run([sys.executable, str(RUN), '--suites', 'nothing'], capture_output=True, text=True)
    assert done.returncode == 2
    assert 'some of: fresh' in done.stderr
