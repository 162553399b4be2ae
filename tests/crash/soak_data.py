"""Faults of the soak done to what is stored, and commands. Broken records are victims of their own, accounted for."""

import random
import time
from typing import Any

from rq import Queue
from rq.command import send_kill_horse_command, send_shutdown_command, send_stop_job_command
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.registry import StartedJobRegistry
from rq.store import keys
from rq.suspension import resume, suspend
from tests.crash import soak_jobs
from tests.crash.soak_field import Condition, Fault, Field, Kind
from tests.crash.soak_fleet import LEAVE_SECONDS, is_frozen

AT_MOST = 5  # broken records at a blow


def _victim(field: Field, fault: Fault, number: int) -> str:
    return f'victim-{fault.number}-{number}'


def _enqueue_broken(field: Field, job_id: str, harm: Any) -> None:
    """Enqueued and broken in one transaction, so that no worker sees it whole."""

    def do() -> None:
        pipeline = field.redis.pipeline(transaction=True)
        queue = Queue('q', connection=field.redis)
        queue.enqueue(soak_jobs.short, job_id=job_id, result_ttl=-1, at_front=True, pipeline=pipeline)
        harm(pipeline, keys.job(job_id))
        pipeline.execute()

    field.insist(do)


def _status(field: Field, job_id: str) -> str:
    raw: Any = field.redis.hget(keys.job(job_id), 'status')
    return raw.decode() if raw else ''


def break_records(field: Field, fault: Fault, how: str, number: int) -> Condition:
    """Payload gone or unreadable, a field that means nothing, text that is none; each ends as it should."""
    harm, wanted = {
        'no payload': (lambda p, key: p.hdel(key, 'data'), ('failed', 'aside')),
        'bad payload': (lambda p, key: p.hset(key, 'data', b'\x80\x05junk'), ('failed',)),
        'bad timeout': (lambda p, key: p.hset(key, 'timeout', 'soon'), ('failed',)),
        'bad text': (lambda p, key: p.hset(key, 'description', b'\xff\xfe\x1b[31m'), ('finished',)),
        'unknown status': (lambda p, key: p.hset(key, 'status', 'new_state'), ('new_state',)),
    }[how]
    victims = [_victim(field, fault, place) for place in range(number)]
    for victim in victims:
        _enqueue_broken(field, victim, harm)

    def ended() -> bool:
        aside: Any = field.redis.hgetall(keys.aside('q'))
        if how == 'unknown status':
            return all(victim.encode() in aside for victim in victims)
        # a worker may be killed with such a job in hand, as with any other
        return all(_status(field, victim) in (*wanted, 'failed') or victim.encode() in aside for victim in victims)

    field.checks.append(ended)
    return ended


def break_keys(field: Field, fault: Fault, how: str, number: int) -> Condition:
    """Ids that are none, ids without a record, records that are no hashes: none of them stays in the queue's way."""
    victims: list[bytes] = []
    for place in range(number):
        name = _victim(field, fault, place)
        victim = b'\xff\xfe\x00' + name.encode() if how == 'junk id' else name.encode()

        def do(victim: bytes = victim, name: str = name) -> None:
            pipeline = field.redis.pipeline(transaction=True)
            if how == 'other type':
                pipeline.set(keys.job(name), 'a string', ex=3600)
            pipeline.lpush(keys.queue('q'), victim)
            pipeline.execute()

        field.insist(do)
        victims.append(victim)

    def is_clean() -> bool:
        listed: Any = field.redis.lrange(keys.queue('q'), 0, -1)
        aside: Any = field.redis.hgetall(keys.aside('q'))
        return not set(listed) & set(victims) and (how == 'no record' or set(victims) <= set(aside))

    field.checks.append(is_clean)
    return is_clean


def break_claims(field: Field, fault: Fault) -> Condition:
    """Members that mean nothing among the claims and leases; the others are seen to all the same."""
    member = f'victim-{fault.number}:nonsense'.encode()

    def do() -> None:
        pipeline = field.redis.pipeline(transaction=True)
        pipeline.zadd(keys.wip('q'), {member: 1})
        pipeline.zadd(keys.leases('q'), {member: 1, b'\xff\xfe': 1})
        pipeline.execute()

    field.insist(do)
    return lambda: (
        field.redis.zscore(keys.wip('q'), member) is None and field.redis.zscore(keys.leases('q'), b'\xff\xfe') is None
    )


def lock(field: Field, fault: Fault, seconds: int) -> Condition:
    """The scheduler of somebody else holds the lock of the queue, and has died: what is due waits until it expires."""
    field.insist(lambda: field.redis.set(keys.scheduler_lock('q'), 'foreign', ex=seconds))
    time.sleep(seconds)
    return lambda: field.redis.get(keys.scheduler_lock('q')) != b'foreign'


def stop(field: Field, fault: Fault, draw: float) -> None:
    """The stop command, for one of the jobs that run."""
    running = field.asks(lambda: StartedJobRegistry('q', connection=field.redis).get_job_ids(), [])
    if running:
        job_id = running[int(draw * len(running))]
        field.stopped.add(job_id)
        try:
            field.asks(lambda: send_stop_job_command(field.redis, job_id), None)
        except (NoSuchJobError, InvalidJobOperation):
            fault.note = 'it has ended meanwhile'


def kill_horse(field: Field, fault: Fault, place: int) -> None:
    """The kill-horse command."""
    one = field.places[place]
    field.crash(fault, one, 'kill-horse command')
    field.asks(lambda: send_kill_horse_command(field.redis, one.crew.name), None)


def shut_down(field: Field, fault: Fault, place: int) -> None:
    """The shutdown command: a warm stop. A worker whose connection was just cut does not hear it, and stays."""
    one = field.places[place]
    with one.lock:
        if one.doomed:
            fault.note = 'it was leaving already'
            return
        one.doom(fault.name)
        field.warm_stop(fault, one)
        crew = one.crew
        field.asks(lambda: send_shutdown_command(field.redis, crew.name), None)
    time.sleep(3)
    with one.lock:
        if one.crew is crew and crew.process.poll() is None:
            if 'received shutdown command' in crew.text():
                one.leave_by = time.monotonic() + LEAVE_SECONDS
            elif is_frozen(crew.pid):
                fault.note = 'it may hear of it when it thaws'
            else:
                one.doomed, fault.note = '', 'not heard'


def hold_up(field: Field, fault: Fault, seconds: float) -> None:
    """All workers are suspended for a while."""
    try:
        field.insist(lambda: suspend(field.redis, 60))
        time.sleep(seconds)
    finally:
        field.insist(lambda: resume(field.redis))


def _some(*ways: str) -> Any:
    return lambda chance: {'how': chance.choice(ways), 'number': chance.randint(1, AT_MOST)}


def _place(chance: random.Random) -> dict[str, Any]:
    return {'place': chance.randrange(4)}


DATA = [
    Kind(
        'D', 'broken records', 3,
        _some('no payload', 'bad payload', 'bad timeout', 'bad text', 'unknown status'), break_records,
    ),
    Kind('D', 'broken keys', 2, _some('junk id', 'no record', 'other type'), break_keys),
    Kind('D', 'broken claims', 0.7, lambda c: {}, break_claims),
    Kind('G', 'foreign lock', 1, lambda c: {'seconds': c.randint(2, 5)}, lock),
    Kind('H', 'stop command', 2, lambda c: {'draw': c.random()}, stop),
    Kind('H', 'kill-horse command', 1, _place, kill_horse),
    Kind('H', 'shutdown command', 1, _place, shut_down),
    Kind('H', 'suspended', 0.7, lambda c: {'seconds': round(c.uniform(1, 4), 2)}, hold_up),
]  # fmt: skip
