"""Random histories: the table of states and the server compared after every step, with lost replies and lost workers.

The model knows of each job its status, its queue and who holds it; what the server adds is checked by `check`.
"""

from dataclasses import dataclass, field
from itertools import takewhile
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from rq.rules.lease import Lease
from rq.rules.record import JobRecord
from rq.rules.status import TABLE
from rq.serializers import JSONSerializer
from rq.store import claim, enter, keys, operate, promote, settle
from rq.store.call import Call, run
from tests.invariants import check

JOBS, QUEUES, WORKERS = ('a', 'b', 'c'), ('p', 'q'), ('v', 'w')
TIMES = (1.0, 2.0, 1.0)
CHANGED = {'description': 'changed'}  # by user code; it must not touch the payload of a second enqueue
CHANGING = ('finish', 'fail')
SETTLES = {
    'finish': lambda lease, now: settle.finish(lease, 500, b'1', TIMES, CHANGED, now),
    'finish for ever': lambda lease, now: settle.finish(lease, -1, None, TIMES, {}, now),
    'fail': lambda lease, now: settle.fail(lease, 600, 'x', TIMES, CHANGED, now=now),
    'stop': lambda lease, now: settle.stop(lease, 600, 'x', {}, now),
    'retry': lambda lease, now: settle.retry(lease, 0, False, TIMES, {}, now),
    'retry to the front': lambda lease, now: settle.retry(lease, 0, True, TIMES, {}, now),
    'retry later': lambda lease, now: settle.retry(lease, 20, False, TIMES, {}, now),
    'retry_returned': lambda lease, now: settle.retry_returned(lease, 0, False, 600, b'1', TIMES, {}, now),
    'release': lambda lease, now: settle.release(lease, now),
}
ENDS = {'finish': 'finished', 'finish for ever': 'finished', 'fail': 'failed', 'stop': 'stopped'}


@dataclass
class Modelled:
    """What the table says of one job."""

    status: str
    queue: str
    holder: Lease | None = None
    begun: bool = False
    alive_until: float = 0
    due: float = 0
    again: tuple[str, bool] | None = None
    description: str = ''
    lost: int = 0
    alone: bool = False  # it was put back by a rescue, perhaps from a batch
    executions: set[str] = field(default_factory=set)


#: how often each step is taken, by the name of its method
STEPS = {
    'enqueue': 5,
    'schedule': 2,
    'claim': 6,
    'mark': 3,
    'settle': 6,
    'rescue': 3,
    'cancel': 1,
    'requeue': 2,
    'delete': 1,
    'empty': 0.3,
    'promote_due': 2,
    'time_passes': 3,
    'the_reply_was_lost': 3,
}


class History:
    """One history: the model, the server, and the steps that change both."""

    def __init__(self, redis: Redis, random: Random) -> None:
        self.redis, self.random = redis, random
        self.redis.flushall()
        self.chance = lambda share: random.random() < share
        self.any = random.choice
        self.jobs: dict[str, Modelled] = {}
        self.lists: dict[str, list[str]] = {queue: [] for queue in QUEUES}
        self.old_leases: list[Lease] = []
        self.now = 1_700_000_000.0
        self.serial = 0
        self.repeat: tuple[Call, object] | None = None  # the latest call, and what it must say when sent again

    def step(self) -> str:
        """Take one; then the server must agree."""
        (name,) = self.random.choices(list(STEPS), STEPS.values())
        getattr(self, name)()
        self.the_server_agrees_with_the_table()
        assert check(self.redis) == []
        return name

    # --- the model ----------------------------------------------------------------------------------------------

    def moves(self, verb: str, job_id: str, target: str) -> None:
        """A move, which must be in the table."""
        job = self.jobs[job_id]
        move = TABLE[verb.split()[0]]
        assert job.status in move.sources, (verb, job.status)
        assert target in move.targets, (verb, target)
        job.status = target

    def unlist(self, job_id: str) -> None:
        for ids in self.lists.values():
            if job_id in ids:
                ids.remove(job_id)

    def put(self, job_id: str, front: bool) -> None:
        self.unlist(job_id)
        ids = self.lists[self.jobs[job_id].queue]
        ids.insert(0 if front else len(ids), job_id)

    def let_go(self, job: Modelled) -> None:
        if job.holder:
            self.old_leases.append(job.holder)
        job.holder, job.begun = None, False

    def put_again(self, verb: str, job_id: str, front: bool = False) -> bool:
        """The second enqueue, if there was one."""
        job = self.jobs[job_id]
        if not job.again:
            return False
        job.queue, wanted = job.again
        job.again, job.lost = None, 0
        self.moves(verb, job_id, 'queued')
        self.put(job_id, wanted or front)
        return True

    def called(self, call: Call, answer: object, repeated: object = None) -> object:
        """Run a call; `repeated` is what it says the second time."""
        self.repeat = (call, answer if repeated is None else repeated)
        return run(self.redis, call)

    def fresh_record(self, job_id: str, queue: str) -> JobRecord:
        self.serial += 1
        record = JobRecord(job_id, JSONSerializer)
        record.func_name, record.origin, record.description = 'm.f', queue, str(self.serial)
        return record

    # --- the verbs ----------------------------------------------------------------------------------------------

    def enqueue(self):
        job_id, queue = self.any(JOBS), self.any(QUEUES)
        front, unique = self.chance(0.3), self.chance(0.15)
        record, job = self.fresh_record(job_id, queue), self.jobs.get(job_id)
        call = enter.enqueue(record, front, unique, self.now)
        if unique and job:
            assert self.called(call, 'duplicate').answer == 'duplicate'
            self.repeat = None
            return
        wanted = 'again' if job and job.status == 'started' else 'ok'
        assert self.called(call, 'already', ('already', self.now)).answer == wanted
        if job is None:
            job = self.jobs[job_id] = Modelled('created', queue)
        job.description = record.description
        if wanted == 'again':
            self.moves('enqueue', job_id, 'started')
            job.again = (queue, front)
            return
        stays = job.status == 'queued' and job.queue == queue and not front
        self.moves('enqueue', job_id, 'queued')
        job.queue, job.lost, job.alone = queue, 0, False
        if not stays:
            self.put(job_id, front)

    def schedule(self):
        job_id, queue, wait = self.any(JOBS), self.any(QUEUES), self.any(range(50))
        record, job = self.fresh_record(job_id, queue), self.jobs.get(job_id)
        due = int(self.now) + wait
        call = enter.schedule(record, due, now=self.now)
        if job and job.status == 'started':
            assert self.called(call, 'started') == 'started'
            return
        assert self.called(call, 'already') == 'ok'
        if job is None:
            job = self.jobs[job_id] = Modelled('created', queue)
        self.moves('schedule', job_id, 'scheduled')
        self.unlist(job_id)
        job.queue, job.due, job.lost, job.description, job.alone = queue, due, 0, record.description, False

    def claim(self):
        worker, queues, count = self.any(WORKERS), self.random.sample(QUEUES, 2), self.any((1, 1, 2))
        begun, lost_reply = self.chance(0.3), self.chance(0.3)
        self.serial += 1
        executions = [f'{self.serial}-{number}' for number in range(count)]
        wanted = self.wanted(queues, count)
        call = claim.claim(worker, queues, executions, begun=begun, now=self.now)
        found = self.called(call, None)
        self.repeat = None
        if lost_reply and wanted:
            again = run(self.redis, call)
            assert sorted(each[:3] for each in again.taken) == sorted(each[:3] for each in found.taken)
        assert [(each.job_id, each.execution) for each in found.taken] == list(zip(wanted, executions, strict=False))
        assert found.dropped == []
        for each in found.taken:
            self.moves('claim', each.job_id, 'started')
            self.unlist(each.job_id)
            job = self.jobs[each.job_id]
            assert queues[each.queue] == job.queue
            assert each.raw[b'description'].decode() == job.description
            job.holder = Lease(each.job_id, each.execution, job.queue, worker)
            job.begun, job.alive_until, job.alone = begun, self.now + 30, False

    def wanted(self, queues: list[str], count: int) -> list[str]:
        """Who is next: one that is to be alone by itself, the others together."""
        listed = [job_id for queue in queues for job_id in self.lists[queue]][:count]
        return list(takewhile(lambda job_id: not self.jobs[job_id].alone, listed)) or listed[:1]

    @property
    def leases(self) -> list[Lease]:
        return 2 * [job.holder for job in self.jobs.values() if job.holder] + self.old_leases[-2:]

    def is_held(self, lease: Lease) -> bool:
        job = self.jobs.get(lease.job_id)
        return bool(job and job.holder == lease)

    def mark(self):
        if not self.leases:
            return
        lease, verb = self.any(self.leases), self.any(('begin', 'renew', 'note'))
        held, job = self.is_held(lease), self.jobs.get(lease.job_id)
        if verb == 'begin':
            answer = 'ok' if held else 'lost'
            assert self.called(claim.begin(lease), answer) == answer
        elif verb == 'renew':
            assert self.called(claim.renew(lease.worker, [lease], self.now), [held]) == [held]
        else:
            assert self.called(claim.note(lease, {'kind': 'raised'}, 1, self.now), held) is held
        if held and verb == 'renew':
            job.alive_until = self.now + 30
        elif held:
            job.begun = True
        if held:
            self.moves(verb, lease.job_id, 'started')

    def settle(self):
        if not self.leases:
            return
        lease, verb = self.any(self.leases), self.any(sorted(SETTLES))
        call, job = SETTLES[verb](lease, self.now), self.jobs.get(lease.job_id)
        if job is None:
            assert self.called(call, 'gone') == 'gone'
            return
        if not self.is_held(lease):
            # already: this very outcome was written by this very execution
            assert self.called(call, None) in ('lost', 'already')
            self.repeat = None
            return
        had_again = job.again is not None
        assert self.called(call, 'already') == 'ok'
        self.let_go(job)
        if self.put_again(verb, lease.job_id, front=verb == 'release'):
            assert had_again
            self.repeat = None
            return
        if verb in CHANGING:
            job.description = 'changed'
        if verb in ENDS:
            self.moves(verb, lease.job_id, ENDS[verb])
        elif verb == 'retry later':
            self.moves(verb, lease.job_id, 'scheduled')
            job.due = self.now + 20
        else:
            self.moves(verb, lease.job_id, 'queued')
            self.put(lease.job_id, front=verb in ('release', 'retry to the front'))

    def rescue(self):
        queue, worker, count = self.any(QUEUES), self.any(WORKERS), self.any((1, 2, 3))
        self.serial += 1
        executions = [f'r{self.serial}-{number}' for number in range(count)]
        found = self.called(claim.rescue(queue, worker, executions, now=self.now), None)
        self.repeat = None
        dead = {
            name: job
            for name, job in self.jobs.items()
            if job.holder and job.queue == queue and job.alive_until <= self.now
        }
        assert {orphan.job_id for orphan in found.orphans} <= {name for name, job in dead.items() if job.begun}
        assert len(found.orphans) + found.released == min(count, len(dead))
        released = found.released
        for name, job in sorted(dead.items(), key=lambda item: item[1].alive_until):
            adopted = [orphan for orphan in found.orphans if orphan.job_id == name]
            if adopted:
                assert adopted[0].lost_worker == job.holder.worker
                self.moves('rescue', name, 'started')
                self.let_go(job)
                job.lost += 1
                assert adopted[0].times_lost == job.lost
                job.holder = Lease(name, adopted[0].execution, queue, worker)
                job.begun, job.alive_until = True, self.now + 30
            elif not job.begun and self.redis.hget(keys.job(name), 'status') == b'queued':
                released -= 1
                self.let_go(job)
                job.alone = True
                if not self.put_again('rescue', name, front=True):
                    self.moves('rescue', name, 'queued')
                    self.put(name, front=True)
        assert released == 0
        # several released at once: which one is in front is the order of their leases, not of this model
        for each in QUEUES:
            listed = [i.decode() for i in self.redis.lrange(keys.queue(each), 0, -1)]
            assert sorted(listed) == sorted(self.lists[each])
            self.lists[each] = listed

    def cancel(self):
        job_id = self.any(JOBS)
        job = self.jobs.get(job_id)
        answer = 'gone' if job is None else 'canceled' if job.status == 'canceled' else 'ok'
        again = ('gone' if job is None else 'canceled', {})
        assert self.called(operate.cancel(job_id, now=self.now), again).answer == answer
        if answer == 'ok':
            self.moves('cancel', job_id, 'canceled')
            self.unlist(job_id)
            self.let_go(job)
            job.again = None

    def requeue(self):
        job_id, front = self.any(JOBS), self.chance(0.3)
        job = self.jobs.get(job_id)
        kind = {'finished': 'finished', 'canceled': 'canceled', 'scheduled': 'scheduled'}.get(
            job.status if job else '', 'failed'
        )
        queue = job.queue if job else 'q'
        call = operate.requeue(keys.place(kind, queue), job_id, front, self.now)
        resting = job is not None and job.status not in ('queued', 'started')
        answer = 'ok' if resting else 'absent' if job else 'gone'
        assert self.called(call, None, ('gone' if job is None else 'absent', self.now)).answer == answer
        if resting:
            self.moves('requeue', job_id, 'queued')
            job.lost = 0
            self.put(job_id, front)

    def delete(self):
        job_id = self.any(JOBS)
        job = self.jobs.pop(job_id, None)
        assert self.called(operate.delete(job_id), 'gone') == ('gone' if job is None else 'ok')
        if job:
            self.unlist(job_id)
            self.let_go(job)

    def empty(self):
        queue = self.any(QUEUES)
        ids = self.lists[queue]
        assert self.called(operate.empty(queue), 0) == len(ids)
        for job_id in ids:
            del self.jobs[job_id]
        ids.clear()

    def promote_due(self):
        queue = self.any(QUEUES)
        due = [
            name
            for name, job in self.jobs.items()
            if job.status == 'scheduled' and job.queue == queue and job.due <= self.now
        ]
        assert self.called(promote.promote_due(queue, now=self.now), 0) == len(due)
        for name in sorted(due, key=lambda name: (self.jobs[name].due, name)):
            self.moves('promote_due', name, 'queued')
            self.put(name, front=False)

    def time_passes(self):
        self.now += self.any((1, 10, 31))
        self.repeat = None

    def the_reply_was_lost(self):
        """A client sends the latest call again: it says what it should, and changes nothing (see the invariants)."""
        if self.repeat is None:
            return
        call, answer = self.repeat
        assert run(self.redis, call) == answer

    # --- what must hold -----------------------------------------------------------------------------------------

    def the_server_agrees_with_the_table(self):
        for job_id in JOBS:
            job = self.jobs.get(job_id)
            status, queue, description = self.redis.hmget(keys.job(job_id), 'status', 'origin', 'description')
            assert (status and status.decode()) == (job.status if job else None), job_id
            if job:
                assert (queue.decode(), description.decode()) == (job.queue, job.description), job_id
        for queue, ids in self.lists.items():
            assert [each.decode() for each in self.redis.lrange(keys.queue(queue), 0, -1)] == ids


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**64), length=st.integers(1, 60))
def test_histories(redis, seed, length):
    history = History(redis, Random(seed))
    taken = []
    try:
        for _ in range(length):
            taken.append(history.step())
    except AssertionError as error:
        error.add_note(f'after {taken}, at time {history.now}; the jobs: {history.jobs}')
        raise
