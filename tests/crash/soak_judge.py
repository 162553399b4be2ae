"""The judgement of a soak: what was accepted, what the witness saw, what the server says; and where they disagree."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis

from rq.results import Result
from rq.store import keys
from tests.crash.soak_plan import CRASHES, Wish
from tests.crash.soak_producers import read_ledger

OVERLAP = 10.0  # seconds for which a lost execution and the next one may both run
EARLY = 1.1  # seconds before its time a scheduled job may begin: times are whole seconds
TERMINAL = {Result.Type.SUCCESSFUL, Result.Type.FAILED, Result.Type.STOPPED, Result.Type.MAX_RETRIES_EXCEEDED}
FIELDS = ('status', 'retries_left', 'number_of_retries', 'repeats_left')


@dataclass
class Life:
    """All that is known of one job."""

    wish: Wish
    accepted: bool = False
    accepted_at: float = 0.0  # when the call that made it began
    did: Counter[str] = field(default_factory=Counter)  # what its producer did to it
    maybe: Counter[str] = field(default_factory=Counter)  # what raised, and may have been done
    again_at: float = 0.0  # when the last second enqueue that was accepted began
    events: list[tuple[str, float]] = field(default_factory=list)  # of the witness
    status: str = ''
    left: dict[str, int] = field(default_factory=dict)
    results: list[tuple[Any, str]] = field(default_factory=list)  # type and error, the oldest first

    def times(self, event: str) -> list[float]:
        """When something happened."""
        return [at for what, at in self.events if what == event]

    @property
    def had_ended(self) -> bool:
        """Whether its latest run came to the end of the function: what dies in on_success is not tried again."""
        return max(self.times('end'), default=0.0) > max(self.times('begin'), default=0.0)

    def told(self, by: str) -> list[str]:
        """Of which exceptions a handler or callback was told."""
        return [what.partition(' ')[2] for what, _ in self.events if what.startswith(f'{by} ')]

    def count(self, *types: Any) -> int:
        """How many outcomes of these types are recorded."""
        return sum(kind in types for kind, _ in self.results)

    @property
    def charged(self) -> int:
        """Retries that were used up."""
        return self.wish.retries - self.left.get('retries_left', self.wish.retries) if self.wish.retries else 0

    @property
    def asked(self) -> int:
        """Retries that it asked for and got."""
        return self.left.get('number_of_retries', 0)

    @property
    def repeated(self) -> int:
        """Repetitions that were used up."""
        return self.wish.repeats - self.left.get('repeats_left', self.wish.repeats) if self.wish.repeats else 0

    @property
    def lives(self) -> tuple[int, int]:
        """How often it was queued anew: at least, at most."""
        did, maybe = self.did['requeue'], self.maybe['requeue']
        again = self.did['again'] + self.maybe['again']
        return 1 + did, 1 + did + maybe + again

    @property
    def extra(self) -> int:
        """Executions beyond those that retries, repetitions and producers asked for."""
        return max(len(self.times('begin')) - self.lives[1] - self.charged - self.asked - self.repeated, 0)


def error_of(text: str) -> str:
    """Which exception a recorded text is about."""
    for words, name in (
        ('Work-horse terminated unexpectedly', 'HorseKilledError'),
        ('AbandonedJobError', 'AbandonedJobError'),
        ('PoisonJobError', 'PoisonJobError'),
        ('JobTimeoutException', 'JobTimeoutException'),
        ('ValueError', 'ValueError'),
    ):
        if words in text:
            return name
    return text.strip()[-300:] or 'asked'


def read_lives(directory: Path, redis: Redis) -> tuple[dict[str, Life], list[str]]:
    """From ledgers, witness and server; and what the producers found strange."""
    lives: dict[str, Life] = {}
    strange: list[str] = []
    lines = [line for path in sorted(directory.glob('ledger-*')) for line in read_ledger(path)]
    for line in lines:
        do = line['do']
        if do == 'wish':
            wish = Wish(**{key: value for key, value in line.items() if key in Wish._fields})
            lives[wish.id] = Life(wish)
        elif do == 'accepted':
            for one in line['ids']:
                lives[one].accepted, lives[one].accepted_at = True, line.get('began', line['at'])
        elif do in ('did', 'maybe'):
            getattr(lives[line['id']], do)[line['verb']] += 1
            if do == 'did' and line['verb'] == 'again':
                lives[line['id']].again_at = line['began']
        elif do == 'gone':
            if not lives[line['id']].maybe['delete']:
                strange.append(f'{line["id"]} was accepted, and did not exist when it was to be deleted')
        elif do == 'strange':
            strange.append(f'{line["ids"]}: {line["verb"]}: {line["error"]}')
    for raw in (directory / 'witness').read_text().splitlines():
        job_id, event, _, at = raw.split('\t')
        if job_id in lives:
            lives[job_id].events.append((event, float(at)))
        elif not job_id.startswith('victim-'):
            strange.append(f'the witness knows {job_id}, which nobody made')
    _ask(lives, redis)
    return lives, strange


def _ask(lives: dict[str, Life], redis: Redis) -> None:
    ids = list(lives)
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        pipeline = redis.pipeline(transaction=False)
        for one in some:
            pipeline.hmget(keys.job(one), *FIELDS)
            pipeline.xrange(keys.results(one))
        replies = iter(pipeline.execute())
        for one in some:
            life, values = lives[one], next(replies)
            life.status = values[0].decode() if values[0] else 'gone'
            numbers = zip(FIELDS[1:], values[1:], strict=True)
            life.left = {name: int(value) for name, value in numbers if value is not None and value != b''}
            found = [Result.restore(one, entry.decode(), raw, redis) for entry, raw in next(replies)]
            life.results = [(result.type, error_of(result.exc_string or '')) for result in found]


class Judge:
    """Goes through the lives, and adds up what only counts in sum."""

    def __init__(
        self, lives: dict[str, Life], stopped: set[str], overlaps: dict[str, float], mixed: bool = False
    ) -> None:
        self.lives, self.stopped, self.overlaps, self.mixed = lives, stopped, overlaps, mixed
        self.lost: list[str] = []
        self.unexpected: list[str] = []
        self.notes: list[str] = []  # what is allowed so many times, and should be understood all the same
        self.sums: Counter[str] = Counter()
        self.by_state: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def judge(self) -> 'Judge':
        """All of them."""
        for life in self.lives.values():
            exists = life.status != 'gone'
            if not life.accepted and not exists:
                self.sums['unknown, not there'] += 1
                if life.events:
                    self._complain(life, 'ran, but its enqueue raised and it is not there')
                continue
            self.sums['unknown, there' if not life.accepted else 'accepted'] += 1
            self._state(life)
            self._executions(life)
            if life.status in ('finished', 'failed', 'stopped'):
                self._outcomes(life)
                self._hearers(life)
        return self

    def _complain(self, life: Life, words: str) -> None:
        self.unexpected.append(f'{life.wish.id} ({life.wish.kind}, {life.status}): {words}\n    {_story(life)}')

    # --- one of its allowed states ------------------------------------------------------------------------------

    def _state(self, life: Life) -> None:
        self.by_state[life.wish.kind][life.status] += 1
        allowed = self._allowed(life)
        if life.status in allowed:
            return
        if life.status == 'gone' or life.status in ('queued', 'started', 'scheduled', 'rate_limited', 'created'):
            self.lost.append(f'{life.wish.id} ({life.wish.kind}) is {life.status}\n    {_story(life)}')
        else:
            self._complain(life, f'should be one of {sorted(allowed)}')

    def _allowed(self, life: Life) -> set[str]:
        for verb, state in (('cancel', 'canceled'), ('delete', 'gone')):
            if life.did[verb]:
                return {state}
        allowed = {'finished' if life.wish.end == 'finished' else 'failed'}
        if life.wish.end == 'finished' and life.status == 'failed':
            error = life.results[-1][1] if life.results else 'no record'
            if error in CRASHES:
                allowed.add('failed')
                self.sums['failed by a crash'] += 1
        if self.mixed and life.wish.func == 'stubborn':
            allowed.add('finished')  # in its worker's main thread nobody can end it
        allowed |= {'canceled'} if life.maybe['cancel'] else set()
        allowed |= {'gone'} if life.maybe['delete'] else set()
        allowed |= {'stopped'} if life.did['stop'] or life.maybe['stop'] or life.wish.id in self.stopped else set()
        parents = [self.lives[one] for one in life.wish.after if one in self.lives]
        if any(parent.status not in ('finished', 'gone') for parent in parents):
            return {'deferred'}
        return allowed

    # --- executions ---------------------------------------------------------------------------------------------

    def _executions(self, life: Life) -> None:
        begins, ends = life.times('begin'), life.times('end')
        self.sums['executions'] += len(begins)
        if life.status != 'gone' and life.extra:
            self.sums['extra'] += life.extra
            self.notes.append(f'{life.wish.id} ({life.wish.kind}): {life.extra} extra\n    {_story(life)}')
            self.by_state[life.wish.kind]['extra'] += life.extra
        if life.status == 'gone':
            self.sums['extra'] += max(len(begins) - 1, 0)
        if life.status == 'finished' and len(ends) < 1 + life.repeated:
            self._complain(life, f'is recorded finished, and came to its end {len(ends)} times')
        if life.again_at and life.status == 'finished' and (not begins or begins[-1] < life.again_at):
            self._complain(life, 'was enqueued again, and did not run after that')
        if life.wish.how == 'in' and begins and begins[0] < life.accepted_at + life.wish.delay - EARLY:
            self._complain(life, 'ran before its time')
        for parent in (self.lives[one] for one in life.wish.after if one in self.lives):
            if begins and parent.status == 'finished' and begins[0] < min(parent.times('end'), default=0.0):
                self._complain(life, f'ran before {parent.wish.id} had finished')
        if self.overlaps.get(life.wish.id, 0) > OVERLAP:
            self._complain(life, f'ran twice at the same time for {self.overlaps[life.wish.id]:.1f} s')

    # --- recorded once ------------------------------------------------------------------------------------------

    def _outcomes(self, life: Life) -> None:
        number, (least, most) = life.count(*TERMINAL) - life.repeated, life.lives
        if not least <= number <= most:
            self._complain(life, f'has {number} recorded outcomes, not {least} to {most}')
        if life.count(Result.Type.RETRIED) != life.asked:
            self._complain(life, f'asked for {life.asked} retries, {life.count(Result.Type.RETRIED)} are recorded')
        newest, error = life.results[-1] if life.results else (None, '')
        wanted = {
            'finished': (Result.Type.SUCCESSFUL,),
            'stopped': (Result.Type.STOPPED, Result.Type.FAILED),  # RQ knows no type of its own for them
            'failed': (Result.Type.FAILED, Result.Type.MAX_RETRIES_EXCEEDED),
        }[life.status]
        if newest not in wanted:
            self._complain(life, f'its last record is {newest}')
        if life.status == 'failed' and error != life.wish.end and error not in CRASHES:
            self._complain(life, f'failed with {error!r} instead of {life.wish.end!r}')
        if (
            life.status == 'failed'
            and life.wish.retries
            and life.left.get('retries_left')
            and error != 'PoisonJobError'
            and not (error == 'HorseKilledError' and life.wish.calls_back and life.had_ended)
        ):
            self._complain(life, f'failed with {life.left["retries_left"]} retries left')

    # --- who was told -------------------------------------------------------------------------------------------

    def _hearers(self, life: Life) -> None:
        """Every failed attempt was told to the handler once; to callbacks too, where there are any."""
        stops = life.status == 'stopped'
        failures = life.charged + life.count(Result.Type.FAILED) - (stops and life.results[-1][0] is Result.Type.FAILED)
        self._compare(life, 'told', failures, len(life.told('told')))
        error = life.results[-1][1] if life.results else ''
        names = {error, 'JobFailedError'}  # the latter when another process than that of the job had to tell
        if life.status == 'failed' and error != 'asked' and not names.intersection(life.told('told')):
            self._complain(life, f'its handler was never told of {error}')
        if life.wish.calls_back:
            self._compare(life, 'failure', failures, len(life.told('failure')))
            self._compare(life, 'success', life.count(Result.Type.SUCCESSFUL), len(life.times('success')))
            # on_stopped runs in the worker: without descriptors it cannot reach the witness, and its error says so
            silenced = 'open files' in str(life.results)
            self._compare(life, 'stopped', int(stops and not silenced), len(life.times('stopped')))

    def _compare(self, life: Life, what: str, wanted: int, seen: int) -> None:
        if seen < wanted:
            self._complain(life, f'{what}: {wanted} times expected, {seen} seen')
        elif seen > wanted:
            self.sums[f'repeated {what}'] += seen - wanted
            words = f'{what}: {wanted} times expected, {seen} seen'
            self.notes.append(f'{life.wish.id} ({life.wish.kind}): {words}\n    {_story(life)}')


def _story(life: Life) -> str:
    """What happened to it, in a line."""
    records = [f'{getattr(kind, "name", kind)} {error}'.strip() for kind, error in life.results]
    events = [f'{event} {at:.2f}' for event, at in sorted(life.events, key=lambda pair: pair[1])]
    return f'records {records}, left {life.left}, did {dict(life.did)}, maybe {dict(life.maybe)}, witness {events}'
