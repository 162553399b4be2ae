"""Faults of the soak done to the server and to the network before it."""

import random
import time
from typing import Any

from redis.exceptions import RedisError

from rq.store.scripts import load
from tests.crash.soak_field import Fault, Field, Kind

VERBS = ('claim', 'begin', 'finish', 'fail', 'retry', 'note', 'renew', 'rescue', 'promote_due', 'release', 'stop')


def _seconds(low: float, high: float) -> Any:
    return lambda chance: {'seconds': round(chance.uniform(low, high), 2)}


def restart(field: Field, fault: Fault, seconds: float) -> None:
    """kill -9, and started again from its append-only file after a while."""
    with field.server_lock:
        field.server.kill()
        time.sleep(seconds)
        field.server.start()


def freeze(field: Field, fault: Fault, seconds: float) -> None:
    """The server's process stops for a while."""
    with field.server_lock:
        field.server.freeze()
        time.sleep(seconds)
        field.server.thaw()


def cut(field: Field, fault: Fault, times: int) -> None:
    """Every connection is closed by the server, a few times."""
    for _ in range(times):
        for kind in ('normal', 'pubsub'):
            field.asks(lambda kind=kind: field.redis.execute_command('CLIENT', 'KILL', 'TYPE', kind), 0)  # type: ignore[misc]
        time.sleep(0.3)


def forget(field: Field, fault: Fault, times: int) -> None:
    """SCRIPT FLUSH, a few times."""
    for _ in range(times):
        field.asks(field.redis.script_flush, 0)
        time.sleep(0.1)


def configure(field: Field, fault: Fault, name: str, value: str, back: str, seconds: float) -> None:
    """A setting under which the server refuses writes, for a while."""
    with field.server_lock:
        field.insist(lambda: field.redis.config_set(name, value))
        time.sleep(seconds)
        field.insist(lambda: field.redis.config_set(name, back))


def read_only(field: Field, fault: Fault, seconds: float) -> None:
    """It becomes the replica of nobody, and refuses writes as a primary does that was put down."""
    with field.server_lock:
        field.insist(lambda: field.redis.replicaof('127.0.0.1', '1'))
        time.sleep(seconds)
        field.insist(lambda: field.redis.replicaof('NO', 'ONE'))


def pause(field: Field, fault: Fault, seconds: float, mode: str) -> None:
    """CLIENT PAUSE."""
    with field.server_lock:
        field.insist(lambda: field.redis.execute_command('CLIENT', 'PAUSE', int(seconds * 1000), mode))
        time.sleep(seconds)


def block(field: Field, fault: Fault, seconds: float) -> None:
    """DEBUG SLEEP: the server does nothing else."""
    with field.server_lock:
        try:
            field.redis.execute_command('DEBUG', 'SLEEP', seconds)
        except RedisError:
            time.sleep(0.1)  # our own client did not wait so long


def lose_reply(field: Field, fault: Fault, place: int, verb: str, how: str, what: str) -> None:
    """One chosen reply, or command, never arrives. It strikes when the next such command comes, or not at all."""
    proxy, sha = field.places[place].proxy, load(verb).sha.encode()
    rule = proxy.drop_reply(sha, how) if what == 'reply' else proxy.lose_command(sha, how)
    if how == 'hole':
        field.crash(fault, field.places[place], f'{verb} in a hole: its lease may run out unrenewed')
    until = time.monotonic() + 3
    while not rule.hits and time.monotonic() < until:
        time.sleep(0.05)
    fault.note = 'struck' if rule.hits else 'no such command came'


def lose_enqueue(field: Field, fault: Fault, verb: str, what: str) -> None:
    """The same for a producer: what it enqueued may be there or not, once."""
    proxy, sha = field.front, load(verb).sha.encode()
    rule = proxy.drop_reply(sha) if what == 'reply' else proxy.lose_command(sha)
    until = time.monotonic() + 3
    while not rule.hits and time.monotonic() < until:
        time.sleep(0.05)
    fault.note = 'struck' if rule.hits else 'no such command came'


def hole(field: Field, fault: Fault, seconds: float, place: int | None, kind: str) -> None:
    """The network before one worker, or all, swallows or holds everything for a while."""
    met = field.places if place is None else [field.places[place]]
    taken = [one for one in met if one.network.acquire(timeout=0.01)]
    try:
        for one in taken:
            if seconds > field.lease / 3:
                field.crash(fault, one, f'network: {kind} for {seconds:g} s')
            one.proxy.black_hole() if kind == 'hole' else one.proxy.hold()
        time.sleep(seconds)
    finally:
        for one in taken:
            one.proxy.heal()
            one.network.release()


def slow(field: Field, fault: Fault, seconds: float, place: int, delay: float) -> None:
    """Every chunk takes so long, both ways."""
    proxy = field.places[place].proxy
    with field.places[place].network:
        proxy.slow(delay)
        time.sleep(seconds)
        proxy.slow(0)


def cut_one(field: Field, fault: Fault, place: int, times: int) -> None:
    """The connections of one worker are closed, a few times."""
    for _ in range(times):
        field.places[place].proxy.cut()
        time.sleep(0.4)


def _reply(chance: random.Random) -> dict[str, Any]:
    how = chance.choices(['cut', 'hole'], [4, 1])[0]
    what = chance.choices(['reply', 'command'], [3, 1])[0]
    return {'place': chance.randrange(4), 'verb': chance.choice(VERBS), 'how': how, 'what': what}


def _one_place(low: float, high: float) -> Any:
    return lambda chance: {'place': chance.randrange(4), **_seconds(low, high)(chance)}


def _setting(name: str, value: str, back: str) -> Any:
    return lambda c: {'name': name, 'value': value, 'back': back, **_seconds(2, 6)(c)}


WEATHERS = [
    Kind('C', 'server killed, short', 1.5, _seconds(0.1, 1), restart),
    Kind('C', 'server killed, long', 0.7, _seconds(4, 8), restart),
    Kind('C', 'server frozen', 1, _seconds(1, 6), freeze),
    Kind('C', 'connections cut', 1.5, lambda c: {'times': c.randint(1, 4)}, cut),
    Kind('C', 'scripts forgotten', 1, lambda c: {'times': c.randint(1, 10)}, forget),
    Kind('C', 'memory full', 1.2, _setting('maxmemory', '1', '0'), configure),
    Kind('C', 'no replicas', 1, _setting('min-replicas-to-write', '1', '0'), configure),
    Kind('C', 'read-only', 0.7, _seconds(2, 5), read_only),
    Kind('C', 'clients paused', 1, lambda c: {**_seconds(1, 4)(c), 'mode': c.choice(['ALL', 'WRITE'])}, pause),
    Kind('C', 'server blocked', 1, _seconds(1, 4), block),
    Kind('C', 'reply lost', 4, _reply, lose_reply),
    Kind(
        'C', 'reply lost to a producer', 2,
        lambda c: {
            'verb': c.choice(['enqueue_plain', 'enqueue', 'schedule', 'defer']),
            'what': c.choice(['reply', 'command']),
        },
        lose_enqueue,
    ),
    Kind('C', 'one worker cut off', 1.5, lambda c: {**_one_place(2, 7)(c), 'kind': c.choice(['hole', 'hold'])}, hole),
    Kind(
        'C', 'all workers cut off', 0.7,
        lambda c: {'place': None, **_seconds(2, 5)(c), 'kind': c.choice(['hole', 'hold'])}, hole,
    ),
    Kind('C', 'slow network', 0.7, lambda c: {**_one_place(2, 5)(c), 'delay': round(c.uniform(0.02, 0.2), 3)}, slow),
    Kind('C', 'connections of one cut', 1, lambda c: {'place': c.randrange(4), 'times': c.randint(1, 4)}, cut_one),
]  # fmt: skip
