"""What `rq info` reads of queues and workers. Nothing is changed; what cannot be read is None, or left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rq.store import keys, read
from rq.store.aside import Missing, of_queue
from rq.store.aside import missing as missing_of
from rq.store.call import ResponseError

MOST_ASIDE = 100
FAILED = 'failed'
#: registries in the order of a job's life, beside those that every line of `rq info` counts
OTHER_REGISTRIES = ('deferred', 'ready', 'scheduled', 'canceled')


# --- queues ---------------------------------------------------------------------------------------------------


class Counts(NamedTuple):
    """How many jobs a queue and its registries hold; None for what cannot be read."""

    name: str
    waiting: int | None
    executing: int | None
    finished: int | None
    failed: int | None

    def __str__(self) -> str:
        waiting, executing, finished, failed = ('?' if n is None else n for n in self[1:])
        return f'{waiting}, {executing} executing, {finished} finished, {failed} failed'


def count(queue: Any) -> Counts:
    """What every line of `rq info` counts."""
    registries = (queue.started_job_registry, queue.finished_job_registry, queue.failed_job_registry)
    return Counts(queue.name, *(_count_of(each) for each in (queue, *registries)))


def count_others(queue: Any) -> dict[str, int | None]:
    """What only programs are told: the other registries by name."""
    return {kind: _count_of(getattr(queue, f'{kind}_job_registry')) for kind in OTHER_REGISTRIES}


def _count_of(place: Any) -> int | None:
    try:
        return int(place.count)
    except ResponseError:  # a key of the wrong type
        return None


def aside(connection: Any, queue: str) -> dict[str, str]:
    """Some of the members of a queue that cannot be worked on, with the reasons."""
    try:
        return of_queue(connection, queue, MOST_ASIDE)
    except ResponseError:
        return {}


def missing(connection: Any, queue: str) -> Missing | None:
    """What is known of ids that were listed without a record, within the last week."""
    try:
        return missing_of(connection, queue)
    except ResponseError:
        return None


def known_queues(queue_class: Any, connection: Any) -> list[str]:
    """The names of all queues, sorted; keys that are none of a queue are passed over."""
    names = []
    for key in read.texts(list(connection.smembers(queue_class.redis_queues_keys))):
        try:
            names.append(queue_class.from_queue_key(key, connection=connection).name)
        except ValueError:
            continue
    return sorted(names)


def queue_names(queues: Iterable[Any], queue_class: Any, connection: Any) -> list[str]:
    """The names of the given queues (or names), or of all when none is given."""
    given = [queue if isinstance(queue, str) else queue.name for queue in queues]
    if given:
        return given
    known = set(known_queues(queue_class, connection))
    # The list that 0.x kept of failed jobs is shown while it exists, and no longer.
    if connection.exists(keys.queue(FAILED)):
        known.add(FAILED)
    elif FAILED in known and not any(connection.exists(key) for key in _traces(FAILED)):
        known.remove(FAILED)
    return sorted(known)


def _traces(queue: str) -> list[str]:
    """Keys that tell that jobs have gone through a queue, or that somebody waits for them."""
    return [keys.workers(queue), keys.wip(queue), *(keys.place(kind, queue) for kind in keys.PLACES)]


# --- workers --------------------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """A worker as its hash describes it."""

    name: str
    fields: dict[str, str]

    def __str__(self) -> str:
        host, ip, pid = (self.fields.get(field, '?') for field in ('hostname', 'ip_address', 'pid'))
        return f'{self.name} ({host} {ip} {pid})'

    @property
    def state(self) -> str:
        """Whether it is busy, idle, suspended ..."""
        return self.fields.get('state', '?')

    @property
    def queues(self) -> list[str]:
        """The names of its queues, the first one first."""
        return self.fields.get('queues', '').split(',')

    @property
    def work(self) -> str:
        """Its queues, and what became of its jobs."""
        finished, failed = (self.fields.get(f'{kind}_job_count', 0) for kind in ('successful', 'failed'))
        return f'{", ".join(self.queues)}. jobs: {finished} finished, {failed} failed'


class Fleet(NamedTuple):
    """Workers by key, and the keys that stand in the set of each queue."""

    workers: dict[bytes, Seen]
    sets: list[set[bytes]]

    def of(self, number: int) -> list[Seen]:
        """The workers of one of the queues, sorted."""
        return sorted(self.workers[key] for key in self.sets[number] if key in self.workers)


def fleet(names: Sequence[str], worker_class: Any, connection: Any) -> Fleet:
    """The workers of these queues, each once; all of the database when there is no queue."""
    # A fresh database knows no queue yet, but perhaps workers that wait for the first.
    sets = _members(connection, [keys.workers(name) for name in names] or [worker_class.redis_workers_keys])
    return Fleet(_read_workers(connection, worker_class.redis_worker_namespace_prefix, set().union(*sets)), sets)


def _members(connection: Any, sets: Sequence[str]) -> list[set[bytes]]:
    """The members of each set, in one round trip; of a key that is no set, none."""
    pipeline = connection.pipeline(transaction=False)
    for key in sets:
        pipeline.smembers(key)
    return [set() if isinstance(reply, Exception) else set(reply) for reply in pipeline.execute(raise_on_error=False)]


def _read_workers(connection: Any, prefix: str, members: Iterable[bytes]) -> dict[bytes, Seen]:
    """Those of the worker keys that have a hash, in one round trip; the others have died without a word."""
    wanted = [member for member in members if read.texts([member])[0].startswith(prefix)]
    pipeline = connection.pipeline(transaction=False)
    for key in wanted:
        pipeline.hgetall(key)
    found = {}
    for key, fields in zip(wanted, pipeline.execute(raise_on_error=False), strict=True):
        if fields and not isinstance(fields, Exception):
            name = printable(read.texts([key])[0].removeprefix(prefix))
            words = read.texts([word for pair in fields.items() for word in pair])
            found[key] = Seen(name, dict(zip(words[::2], map(printable, words[1::2]), strict=True)))
    return found


def printable(text: str) -> str:
    """The text with line ends and control characters escaped, so that a name stays within its line."""
    return text if text.isprintable() else ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
