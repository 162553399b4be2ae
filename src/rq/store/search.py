"""Looking for failed jobs among very many: candidates in order, and what their records say. Nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from rq.defaults import DEFAULT_FAILURE_TTL
from rq.rules.timing import str_to_date
from rq.store import keys, read
from rq.store.call import Argument, Call, ResponseError
from rq.store.failures import Bucket, as_number
from rq.store.scripts import load

#: how much is read of each record: what proves its failure, and its description, and its latest attempt
PROOF, WORDS, ATTEMPT = 0, 1, 2


class Candidate(NamedTuple):
    """A job that stands in a set of failed jobs: since when (ms), and in which of the sets that were asked."""

    moment: float
    job_id: bytes
    place: int


class Seen(NamedTuple):
    """What the record of a job says, as it is stored; empty where there is nothing, or nothing of a sane length.

    `moment`: when it failed (ms), as its bucket has it.
    """

    status: bytes = b''
    queue: bytes = b''
    bucket: bytes = b''
    moment: bytes = b''
    started_at: bytes = b''
    ended_at: bytes = b''
    failure_ttl: bytes = b''
    result_ttl: bytes = b''
    description: bytes = b''
    attempts: bytes = b''
    attempt: bytes = b''
    text: bytes = b''


def buckets(
    group: str = '', queue: str = '', function: str = '', type_name: str = '', kind: str = ''
) -> Call[list[Bucket]]:
    """Buckets of failed jobs, an empty word being any; of names the end is enough. A rest bucket may hold any."""

    def decode(reply: list[bytes]) -> list[Bucket]:
        words = [read.shown(one) for one in reply]
        found = []
        for gid, number, place, count in zip(words[::4], words[1::4], words[2::4], words[3::4], strict=True):
            name, (queue, _, function) = f'{gid}:{number}', place.rpartition('\n')
            found.append(Bucket(name, gid, queue, function, as_number(count), place == ''))
        return found

    return Call(load('failed_sets'), [keys.FAILURES], ['', group, queue, function, type_name, kind], decode)


def bucket_set(name: str) -> tuple[str, str]:
    """A bucket, for `candidates`: its scores are moments."""
    return keys.failed_in(name), ''


def registry_set(queue: str) -> tuple[str, str]:
    """The failed jobs of a queue, for `candidates`: its scores are ends, a year later unless the job says otherwise."""
    return keys.place('failed', queue), str(DEFAULT_FAILURE_TTL)


def candidates(
    sets: Sequence[tuple[str, str]],
    limit: int,
    newest: bool = True,
    low: float | None = None,
    high: float | None = None,
    after: Candidate | None = None,
) -> Call[list[Candidate]]:
    """The first so many with `low <= moment < high`, behind `after`: by moment and id, the latest first or last."""

    def decode(reply: list[Any]) -> list[Candidate]:
        triples = zip(reply[::3], reply[1::3], reply[2::3], strict=True)
        return [Candidate(float(moment), job_id, place - 1) for moment, job_id, place in triples]

    bounds: list[Argument] = ['' if bound is None else repr(float(bound)) for bound in (low, high)]
    place: list[Argument] = ['', ''] if after is None else [repr(after.moment), after.job_id]
    words: list[Argument] = ['', limit, int(newest), *bounds, *place, *(kept for _, kept in sets)]
    return Call(load('failed_page'), [key for key, _ in sets], words, decode)


def records(job_ids: Sequence[bytes], what: int = PROOF) -> Call[list[Seen]]:
    """What the records of these jobs say, in order; empty where there is none."""

    def decode(reply: list[list[bytes]]) -> list[Seen]:
        return [Seen(*fields) for fields in reply]

    names: list[Argument] = [keys.JOB_PREFIX.encode() + job_id for job_id in job_ids]
    return Call(load('failed_records'), names, ['', what, *job_ids], decode)


def registered(connection: Any, queues: Sequence[str]) -> int:
    """How many jobs the failed registries of these queues hold; those whose time is over are not counted."""
    now = int(read.server_time(connection))
    pipeline = connection.pipeline(transaction=False)
    for queue in queues:
        pipeline.zcount(keys.place('failed', queue), f'({now}', '+inf')
        pipeline.zcount(keys.place('failed', queue), '-inf', '(0')
    replies = pipeline.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, Exception) and not isinstance(reply, ResponseError):
            raise reply
    return sum(reply for reply in replies if isinstance(reply, int))


def moment_of(raw: bytes) -> float | None:
    """A timestamp text in ms; None where there is none."""
    try:
        return str_to_date(raw).timestamp() * 1000
    except (ValueError, OverflowError):
        return None
