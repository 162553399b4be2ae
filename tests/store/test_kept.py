"""The connection that is kept at hand: used again, lent to nobody else, and never a reason to lose a call."""

import os
import select
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from redis import BlockingConnectionPool, Redis, UnixDomainSocketConnection, UsernamePasswordCredentialProvider
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError, TimeoutError
from redis.retry import Retry

from rq.store import claim, enter, kept, keys
from rq.store.call import Line, run
from tests.conftest import PrivateServer
from tests.store.world import listed, record


def enter_one(client: Any, job_id: str) -> str:
    return run(client, enter.enqueue(record(job_id))).answer


def at_hand(client: Any) -> list[Any]:
    """The connections that are kept for a client."""
    return [connection for _, connection in client.connection_pool.__dict__.get('_rq_kept', ())]


@pytest.fixture
def redis(server: PrivateServer) -> Iterator[Redis]:
    """Of the private server, also where the others have a cluster: a cluster's client keeps connections of its own."""
    with Redis(unix_socket_path=str(server.socket)) as client:
        client.flushall()
        yield client


@pytest.fixture
def client(redis_url: str, redis: Redis) -> Iterator[Any]:
    """Of the same server, with no patience of its own."""
    with Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0)) as client:
        yield client


def test_it_is_used_again(client: Any) -> None:
    enter_one(client, 'a')
    (connection,) = at_hand(client)
    enter_one(client, 'b')
    assert at_hand(client) == [connection]
    assert client.ping() and listed(client) == ['a', 'b']  # over another one
    assert connection not in client.connection_pool._available_connections


def test_the_server_has_closed_it(client: Any, redis: Redis) -> None:
    enter_one(client, 'a')
    (connection,) = at_hand(client)
    redis.client_kill_filter(_type='normal', skipme=True)
    assert select.select([connection._sock], [], [], 5)[0]  # its end has arrived
    assert enter_one(client, 'b') == 'ok'
    assert listed(redis) == ['a', 'b']


def test_a_closed_client_works_on(client: Any) -> None:
    enter_one(client, 'a')
    (connection,) = at_hand(client)
    client.close()
    assert connection._sock is None
    assert enter_one(client, 'b') == 'ok'


def test_a_refusal_leaves_it_usable(client: Any) -> None:
    client.set(keys.wip('broken'), 'x')
    enter_one(client, 'a')
    for _ in range(2):
        with pytest.raises(ResponseError, match='WRONGTYPE'):
            run(client, claim.begin(claim.Lease('j', 'e', 'broken', 'w')))
    client.script_flush()
    assert enter_one(client, 'b') == 'ok' and len(at_hand(client)) == 1


def test_a_line_in_doubt_closes_it(client: Any) -> None:
    """It may lead to a primary of old, as all that a line has."""
    enter_one(client, 'a')
    (connection,) = at_hand(client)
    before = connection._sock
    line = Line(client)
    line.load_scripts()
    assert at_hand(client) == [connection] and connection._sock is before
    line.doubt()
    line.load_scripts()
    assert at_hand(client) == [] and before.fileno() == -1
    assert enter_one(client, 'b') == 'ok'
    line.release()
    assert client.connection_pool._in_use_connections == {*at_hand(client)}


def test_who_has_no_patience_waits_once(redis_url: str, redis: Redis, monkeypatch: Any) -> None:
    with Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0), socket_timeout=0.2) as client:
        enter_one(client, 'a')
        sent: list[int] = []
        (connection,) = at_hand(client)
        send = connection.send_packed_command
        monkeypatch.setattr(connection, 'send_packed_command', lambda *a, **k: sent.append(1) or send(*a, **k))
        redis.execute_command('CLIENT', 'PAUSE', 60_000, 'WRITE')
        try:
            with pytest.raises(TimeoutError):
                enter_one(client, 'b')
        finally:
            redis.execute_command('CLIENT', 'UNPAUSE')
        assert sent == [1]
        assert enter_one(client, 'c') == 'ok'


def test_many_threads(client: Any) -> None:
    def enters(name: int) -> None:
        for number in range(40):
            enter_one(client, f'{name}-{number}')

    threads = [threading.Thread(target=enters, args=(name,)) for name in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(listed(client))) == 320
    assert 1 <= len(at_hand(client)) < kept.FEWEST


def test_a_fork_has_its_own(client: Any) -> None:
    enter_one(client, 'a')
    (connection,) = at_hand(client)
    pid = os.fork()
    if pid == 0:
        try:
            enter_one(client, 'child')
            os._exit(0 if connection not in at_hand(client) else 2)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert enter_one(client, 'b') == 'ok' and at_hand(client) == [connection]
    assert listed(client) == ['a', 'child', 'b']


def test_pools_that_spare_none(redis_url: str, redis: Redis) -> None:
    path = redis.connection_pool.connection_kwargs['path']
    patient = BlockingConnectionPool(connection_class=UnixDomainSocketConnection, path=path)
    provider = UsernamePasswordCredentialProvider()
    for client in (
        Redis.from_url(redis_url, max_connections=2),
        Redis(connection_pool=patient),
        Redis.from_url(redis_url, credential_provider=provider),
    ):
        enter_one(client, 'a')
        assert at_hand(client) == []
        client.close()


def test_one_that_must_leave(client: Any, monkeypatch: Any) -> None:
    enter_one(client, 'a')
    (connection,) = at_hand(client)
    monkeypatch.setattr(connection, 'should_reconnect', lambda: True, raising=False)
    assert enter_one(client, 'b') == 'ok'
    assert at_hand(client) == []
