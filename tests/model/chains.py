"""What `test_chains` knows: jobs that wait for each other and for slots, and what each verb does to others."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from redis import Redis

from rq.rules.lease import Lease
from rq.rules.record import JobRecord
from rq.rules.status import TABLE
from rq.serializers import JSONSerializer
from rq.store import keys
from rq.store.call import run
from tests.invariants import check

JOBS, QUEUES, LIMITS = ('a', 'b', 'c', 'd'), ('p', 'q'), (None, None, ('k', 1), ('k', 1), ('l', 2))


@dataclass
class Modelled:
    """What is to be known of one job."""

    status: str
    queue: str
    limit: str | None = None
    concurrency: int = 0
    front: bool = False
    ended: bool = False
    parents: tuple[str, ...] = ()
    allow: bool = False
    holder: Lease | None = None
    again: tuple[str, bool] | None = None
    slot_of: str | None = None
    due: int = 0
    unstored: bool = False


@dataclass
class Books:
    """A rate limit."""

    concurrency: int = 0
    slots: set[str] = field(default_factory=set)
    line: dict[str, int] = field(default_factory=dict)


class World:
    """The model, the server, and the steps that change both."""

    def __init__(self, redis: Redis, random: Random) -> None:
        self.redis, self.random = redis, random
        redis.flushall()
        self.any, self.chance = random.choice, lambda share: random.random() < share
        self.jobs: dict[str, Modelled] = {}
        self.lists: dict[str, list[str]] = {queue: [] for queue in QUEUES}
        self.limits: dict[str, Books] = {}
        self.left: dict[
            str, tuple[str, str]
        ] = {}  # execution of a deleted job -> its id, the limit whose slot it holds
        self.old_leases: list[Lease] = []
        self.now, self.serial = 1_700_000_000, 0
        self.links: dict[str, dict[str, list[str]]] = {}

    def called(self, call: Any, *second: Any) -> Any:
        """Run a call, perhaps twice; `second` is what it may say then."""
        answer = run(self.redis, call)
        if second and self.chance(0.3):
            assert run(self.redis, call) in second
        return answer

    # --- the model ----------------------------------------------------------------------------------------------

    def moves(self, verb: str, job_id: str, target: str) -> None:
        job, move = self.jobs[job_id], TABLE[verb.split()[0]]
        assert job.status in move.sources | {'rate_limited'}, (verb, job.status)
        assert target in move.targets, (verb, target)
        job.status, job.unstored = target, False

    def unlist(self, job_id: str) -> None:
        for ids in self.lists.values():
            if job_id in ids:
                ids.remove(job_id)

    def push(self, verb: str, job_id: str, front: bool) -> None:
        self.moves(verb, job_id, 'queued')
        ids = self.lists[self.jobs[job_id].queue]
        ids.insert(0 if front else len(ids), job_id)

    def fill(self, limit: str) -> None:
        books = self.limits[limit]
        while books.line and len(books.slots) < books.concurrency:
            job_id = min(books.line, key=lambda each: (books.line[each], each))
            del books.line[job_id]
            books.slots.add(job_id)
            self.push('fill_slots', job_id, self.jobs[job_id].front)

    def leave_slot(self, job_id: str, limit: str | None) -> None:
        books = self.limits.get(limit or '')
        if books and (books.line.pop(job_id, None) is not None or job_id in books.slots):
            books.slots.discard(job_id)
            self.fill(str(limit))

    def enter(self, verb: str, job_id: str, front: bool) -> None:
        job = self.jobs[job_id]
        if job.limit is None:
            return self.push(verb, job_id, front)
        books = self.limits.setdefault(job.limit, Books())
        books.concurrency, job.front = job.concurrency, job.front or front
        if job_id in books.slots:
            self.push(verb, job_id, front)
        else:
            self.moves(verb, job_id, 'rate_limited')
            books.line[job_id] = self.now
        return self.fill(job.limit)

    def is_met(self, job: Modelled, excepted: str = '') -> bool:
        done = {'finished', 'failed'} if job.allow else {'finished'}
        parents = [self.jobs[each] for each in job.parents if each in self.jobs and each != excepted]
        return all(parent.status in done for parent in parents)

    def release(self, verb: str, parent: str, how: str) -> dict[str, list[str]]:
        went: dict[str, list[str]] = {}
        waiting = [each for each, job in self.jobs.items() if job.status == 'deferred' and parent in job.parents]
        known = self.links['down'].get(parent, [])
        # one whose record was made since does not know them; then another parent does, or `check` will find out
        for job_id in (each for each in known if each in waiting):
            job = self.jobs[job_id]
            if (how != 'failed' or job.allow) and self.is_met(job, parent):
                self.enter(verb, job_id, job.front and not job.ended)
                went.setdefault(job.queue, []).append(job_id)
        return went

    def let_go(self, job: Modelled) -> None:
        if job.holder:
            self.old_leases.append(job.holder)
        job.holder = None

    def made(self, job_id: str, **more: Any) -> tuple[JobRecord, Modelled]:
        """A fresh record, and what the model will know of it."""
        record, queue, limit = JobRecord(job_id, JSONSerializer), self.any(QUEUES), self.any(LIMITS)
        record.func_name, record.origin = 'm.f', queue
        record.rate_limit_key, record.rate_limit_concurrency = limit or (None, None)
        return record, Modelled('created', queue, *(limit or (None, 0)), **more)

    def replace(self, job_id: str, new: Modelled, keeps: bool = False) -> None:
        """The record takes the place of an older one."""
        old = self.jobs.get(job_id)
        if old:
            new.status = old.status
            self.unlist(job_id)
            self.jobs[job_id] = new
            if not (keeps and old.limit == new.limit):
                self.leave_slot(job_id, old.limit)
            if not (keeps and old.slot_of == new.limit):
                self.leave_slot(job_id, old.slot_of)
        self.jobs[job_id] = new

    # --- what must hold -----------------------------------------------------------------------------------------

    def the_server_agrees(self) -> None:
        pipeline = self.redis.pipeline()
        for job_id in JOBS:
            pipeline.hmget(keys.job(job_id), 'status', 'origin')
        found = {job_id: tuple(map(as_text, pair)) for job_id, pair in zip(JOBS, pipeline.execute(), strict=True)}
        jobs = {job_id: (job.status, job.queue) for job_id, job in self.jobs.items()}
        assert {job_id: pair for job_id, pair in found.items() if pair[0]} == jobs
        assert {
            queue: list(map(as_text, self.redis.lrange(keys.queue(queue), 0, -1))) for queue in QUEUES
        } == self.lists
        for limit, books in self.limits.items():
            assert set(map(as_text, self.redis.zrange(keys.slots(limit), 0, -1))) == books.slots, limit
            line = self.redis.zrange(keys.waiting(limit), 0, -1, withscores=True)
            assert {as_text(member): int(score) for member, score in line} == books.line, limit
        assert check(self.redis, [job_id for job_id, job in self.jobs.items() if job.unstored]) == []


def as_text(raw: bytes | None) -> str | None:
    return raw.decode() if raw is not None else None
