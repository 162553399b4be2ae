"""The store suite on every server at hand: Debian's Redis, and a cluster, where one prefix keeps all in one slot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.servers.cluster import cluster

PROJECT = Path(__file__).parents[2]


def run_store_suite(*more: str, **environment: str) -> None:
    """In a process of its own, because the prefix is read once."""
    words = [
        sys.executable,
        '-m',
        'pytest',
        'tests/store',
        '-x',
        '-p',
        'no:xdist',
        '-p',
        'no:cacheprovider',
        *more,
    ]
    environment = {**os.environ, **environment}
    ran = subprocess.run(words, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=280)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    assert ' passed' in ran.stdout


def test_three_nodes() -> None:
    with cluster() as ports:
        # prefixes without a hash tag have no place here, and REPLICAOF is refused
        run_store_suite(
            '-k', 'not another_prefix and not read_only', RQ_KEY_PREFIX='{rq}', RQ_TEST_CLUSTER=str(ports[0])
        )


def test_debian_redis() -> None:
    binary = shutil.which('redis-server')
    assert binary, 'this test needs redis-server; `make test` installs it, or: apt-get install redis-server'
    run_store_suite(RQ_TEST_BINARY=binary)


def test_a_worker_on_a_cluster() -> None:
    """Over a cluster's client: failures, dependents, results and maintenance."""
    with cluster() as ports:
        environment = {**os.environ, 'RQ_KEY_PREFIX': '{rq}'}
        words = [sys.executable, '-m', 'tests.servers.on_cluster', str(ports[0])]
        ran = subprocess.run(words, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1] == 'finished failed finished finished, 1 failed, no violation, 0 workers'
