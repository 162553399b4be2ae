"""Random histories of jobs that wait for each other and for slots, and repeat: a model and the server, step by step.

The model knows what each verb does to the others: who goes on, who gets a slot, in which order. Every call may be sent
twice, as after a lost reply.
"""

from random import Random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rq.rules.lease import Lease
from rq.store import claim, enter, keys, operate, promote, settle
from rq.store.call import run
from rq.store.promote import by_queue
from tests.model.chains import JOBS, QUEUES, Modelled, World, as_text

TIMES = (1.0, 2.0, 1.0)
SETTLES = {
    'finish': lambda lease, now: settle.finish(lease, 500, b'1', TIMES, {}, now),
    'finish and go': lambda lease, now: settle.finish(lease, 0, b'1', TIMES, {}, now),
    'finish and repeat': lambda lease, now: settle.finish(lease, 500, b'1', TIMES, {'repeats_left': 1}, now, 0),
    'finish and repeat later': lambda lease, now: settle.finish(lease, 0, b'1', TIMES, {'repeats_left': 1}, now, 20),
    'fail': lambda lease, now: settle.fail(lease, 600, 'x', TIMES, {}, now=now),
    'fail unstored': lambda lease, now: settle.fail(lease, 600, 'x', TIMES, {}, stored=False, now=now),
    'stop': lambda lease, now: settle.stop(lease, 600, 'x', {}, now),
    'retry': lambda lease, now: settle.retry(lease, 0, True, TIMES, {}, now),
    'retry later': lambda lease, now: settle.retry(lease, 20, False, TIMES, {}, now),
    'retry_returned': lambda lease, now: settle.retry_returned(lease, 0, False, 600, b'1', TIMES, {}, now),
    'release': lambda lease, now: settle.release(lease, now),
}
#: sets in the order in which scripts see them
IN_ORDER = 'local f = {} for i, key in ipairs(KEYS) do f[i] = redis.call("SMEMBERS", key) end return f'
PLACES = {'finished': 'finished', 'canceled': 'canceled', 'scheduled': 'scheduled', 'deferred': 'deferred'}
STEPS = {
    'enqueue': 5,
    'defer': 6,
    'schedule': 1,
    'claim': 7,
    'settle': 8,
    'cancel': 1.5,
    'requeue': 2,
    'delete': 1,
    'empty': 0.3,
    'promote_due': 2,
    'look_again': 0.5,
    'time_passes': 2,
}


class History(World):
    """The steps that change the model and the server."""

    def step(self) -> str:
        (name,) = self.random.choices(list(STEPS), STEPS.values())
        for kind, key in (('down', keys.dependents), ('up', keys.dependencies)):
            found = self.redis.eval(IN_ORDER, len(JOBS), *map(key, JOBS))
            self.links[kind] = {each: list(map(as_text, ids)) for each, ids in zip(JOBS, found, strict=True)}
        said = getattr(self, name)()
        self.the_server_agrees()
        return f'{name} {said}'

    # --- the verbs ----------------------------------------------------------------------------------------------

    def enqueue(self):
        job_id, front = self.any(JOBS), self.chance(0.3)
        (record, new), old = self.made(job_id), self.jobs.get(job_id)
        answer = self.called(enter.enqueue(record, front, now=self.now), ('already', self.now)).answer
        if old and old.status == 'started':
            assert answer == 'again'
            if old.limit and old.limit != new.limit:
                old.slot_of = old.slot_of or old.limit
            old.again, old.limit, old.concurrency = (new.queue, front), new.limit, new.concurrency
            old.parents, old.allow, old.front = (), False, False
            return f'{job_id} again'
        stays = old and old.status == 'queued' and old.queue == new.queue and not (front or old.limit or new.limit)
        place = self.lists[new.queue].index(job_id) if stays else -1
        self.replace(job_id, new, keeps=True)
        self.enter('enqueue', job_id, front)
        if stays:
            self.lists[new.queue].insert(place, self.lists[new.queue].pop())
        assert answer == (new.status if new.limit else 'ok')
        return f'{job_id} {new.limit} {new.concurrency}'

    def schedule(self):
        job_id = self.any(JOBS)
        (record, new), old = self.made(job_id, due=self.now + 20), self.jobs.get(job_id)
        answer = self.called(enter.schedule(record, new.due, now=self.now), 'already', 'started')
        assert answer == ('started' if old and old.status == 'started' else 'ok')
        if answer == 'ok':
            self.replace(job_id, new)
            self.moves('schedule', job_id, 'scheduled')
        return job_id

    def defer(self):
        job_id, mode, front = self.any(JOBS), self.any(('ask', 'enter')), self.chance(0.3)
        (record, new), old = self.made(job_id), self.jobs.get(job_id)
        others = [each for each in (*JOBS, 'gone') if each != job_id]
        new.parents, new.allow = tuple(self.random.sample(others, self.any((1, 2)))), self.chance(0.3)
        new.front = front
        record._dependency_ids, record.allow_dependency_failures = list(new.parents), new.allow
        record.enqueue_at_front = front
        answer = self.called(enter.defer(record, mode, front, self.now), 'already', 'met', 'started')
        met = self.is_met(new)
        if met and mode == 'ask':
            assert answer == 'met'
        elif old and old.status == 'started':
            assert answer == 'started'
        else:
            assert answer == ('entered' if met else 'ok')
            self.replace(job_id, new)
            self.enter('defer', job_id, front) if met else self.moves('defer', job_id, 'deferred')
        return f'{job_id} after {new.parents}: {answer}'

    def claim(self):
        queue = self.any(QUEUES)
        self.serial += 1
        taken = run(self.redis, claim.claim('w', [queue], [f'e{self.serial}'], now=self.now)).taken
        assert [each.job_id for each in taken] == self.lists[queue][:1]
        for each in taken:
            self.moves('claim', each.job_id, 'started')
            self.unlist(each.job_id)
            self.jobs[each.job_id].holder = Lease(each.job_id, each.execution, queue, 'w')
        return [each.job_id for each in taken]

    def settle(self):
        leases = 3 * [job.holder for job in self.jobs.values() if job.holder] + self.old_leases[-3:]
        if not leases:
            return None
        lease, verb = self.any(leases), self.any(sorted(SETTLES))
        job_id, job = lease.job_id, self.jobs.get(lease.job_id)
        answer = self.called(SETTLES[verb](lease, self.now), 'already', 'lost', 'gone')
        if job is None or job.holder != lease:
            assert answer in (('lost', 'already') if job else ('gone',))
            _, left = self.left.pop(lease.execution, ('', None))
            if left and not (job and job.limit == left):
                self.leave_slot(job_id, left)
            if answer == 'lost':
                self.free_slot(job_id)
            return f'{verb} {job_id}: {answer}'
        assert answer == 'ok'
        self.let_go(job)
        job.ended = job.ended or (verb not in ('release', 'stop', 'fail unstored') and not job.again)
        self.settled(verb, job_id, job)
        return f'{verb} {job_id}'

    def settled(self, verb: str, job_id: str, job: Modelled) -> None:
        word = verb.split()[0]
        if word == 'fail' and not job.again:
            job.status = 'failed'
            self.release('promote_ready', job_id, 'failed')
            job.status = 'started'
        if job.again:
            queue, front = job.again
            job.again, job.ended, slot_of, job.slot_of = None, False, job.slot_of, None
            self.leave_slot(job_id, slot_of)
            job.queue = queue
            self.enter(word, job_id, front or verb == 'release')
        elif verb.endswith('later'):
            self.moves(word, job_id, 'scheduled')
            job.due = self.now + 20
        elif verb in ('retry', 'retry_returned', 'release', 'finish and repeat'):
            self.push(word, job_id, verb in ('retry', 'release') or (verb == 'finish and repeat' and job.front))
        else:
            self.moves(word, job_id, {'finish': 'finished', 'fail': 'failed', 'stop': 'stopped'}[word])
            job.unstored = verb == 'fail unstored'
        if word == 'finish':
            self.release('promote_ready', job_id, 'finished')
        self.free_slot(job_id)
        if verb == 'finish and go' and job.status == 'finished':
            del self.jobs[job_id]

    def free_slot(self, job_id: str) -> None:
        job = self.jobs[job_id]
        if job.status not in ('queued', 'started', 'rate_limited'):
            self.leave_slot(job_id, job.slot_of or job.limit)

    def cancel(self):
        job_id, release, forget = self.any(JOBS), self.chance(0.5), self.chance(0.2)
        job = self.jobs.get(job_id)
        call = operate.cancel(job_id, release, forget, self.now)
        answer = self.called(call, ('canceled', {}), ('gone', {}))
        assert answer.answer == ('gone' if job is None else 'canceled' if job.status == 'canceled' else 'ok')
        if answer.answer == 'ok':
            running = job.holder
            self.moves('cancel', job_id, 'canceled')
            self.unlist(job_id)
            self.let_go(job)
            job.again = None
            if not running:
                self.leave_slot(job_id, job.limit)
            assert answer.released == (self.release('promote_ready', job_id, 'left') if release else {})
        return job_id

    def requeue(self):
        job_id, front = self.any(JOBS), self.chance(0.3)
        job = self.jobs.get(job_id)
        queue, status = (job.queue, job.status) if job else ('q', '')
        call = operate.requeue(keys.place(PLACES.get(status, 'failed'), queue), job_id, front, self.now)
        answer = self.called(call, ('absent', self.now), ('gone', self.now)).answer
        resting = job and not job.unstored and status in (*PLACES, 'failed', 'stopped')
        assert answer == ('ok' if resting else 'absent' if job else 'gone')
        if resting:
            job.ended, slot_of, job.slot_of = False, job.slot_of, None
            self.leave_slot(job_id, slot_of)
            job.front = front if job.limit else job.front
            self.enter('requeue', job_id, front)
        return f'{job_id} {answer}'

    def remove(self, job_id: str) -> None:
        job = self.jobs.pop(job_id)
        self.unlist(job_id)
        limit = job.slot_of or job.limit
        for parent in self.links['up'].get(job_id, []):
            if job_id in self.links['down'].get(parent, []):
                self.links['down'][parent].remove(job_id)
        if job.holder and limit:
            self.left[job.holder.execution] = (job_id, limit)
        else:
            for execution, (owner, slot) in list(self.left.items()):
                if owner == job_id:
                    del self.left[execution]
                    self.leave_slot(job_id, slot)
            self.leave_slot(job_id, limit)
        self.let_go(job)

    def delete(self):
        job_id, with_dependents = self.any(JOBS), self.chance(0.4)
        known = job_id in self.jobs
        answer = self.called(operate.delete(job_id, True, with_dependents, self.now), 'gone')
        assert answer == ('ok' if known else 'gone')
        if not known:
            return f'{job_id}: gone'
        self.remove(job_id)
        if not with_dependents:
            self.release('promote_ready', job_id, 'left')
        doomed = [job_id] if with_dependents else []
        while doomed:
            for child in list(self.links['down'].get(doomed.pop(), [])):
                if child in self.jobs:
                    self.remove(child)
                    doomed.append(child)
        return f'{job_id} {with_dependents}'

    def empty(self):
        queue = self.any(QUEUES)
        gone = {job_id: self.jobs.pop(job_id) for job_id in self.lists[queue]}
        self.lists[queue].clear()
        assert run(self.redis, operate.empty(queue, now=self.now)) == len(gone)
        for job_id, job in gone.items():
            self.release('promote_ready', job_id, 'left')
            self.leave_slot(job_id, job.limit)
        return list(gone)

    def promote_due(self):
        queue = self.any(QUEUES)
        mine = [each for each, job in self.jobs.items() if job.status == 'scheduled' and job.queue == queue]
        due = sorted((self.jobs[each].due, each) for each in mine if self.jobs[each].due <= self.now)
        assert run(self.redis, promote.promote_due(queue, now=self.now)) == len(due)
        for _, job_id in due:
            job = self.jobs[job_id]
            self.enter('promote_due', job_id, job.front and not job.ended)
        return due

    def look_again(self):
        """Nobody waits who need not, so looking changes nothing."""
        assert run(self.redis, promote.promote_ready(JOBS, now=self.now)) == by_queue([])

    def time_passes(self):
        self.now += self.any((1, 21))


@settings(
    max_examples=150,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],  # a seed cannot be shrunk to a simpler one
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**64), length=st.integers(1, 80))
def test_chains(redis, seed, length):
    history, taken = History(redis, Random(seed)), []
    try:
        for _ in range(length):
            taken.append(history.step())
    except AssertionError as error:
        error.add_note(f'after {taken}, at time {history.now}; the jobs: {history.jobs}; {history.limits}')
        raise
