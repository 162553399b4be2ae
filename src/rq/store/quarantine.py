"""Putting a job among the failed ones, as programs of RQ 0.x do it themselves. Typed face of `quarantine`."""

from __future__ import annotations

from rq.rules.record import JobRecord
from rq.store import codec, keys
from rq.store.call import Argument, Call, text
from rq.store.scripts import load
from rq.store.settle import Times, encode_text


def quarantine(
    record: JobRecord,
    failure_ttl: int,
    exc_string: str,
    execution: str = '',
    times: Times = (),
    only_failed: bool = False,
    now: float | str = '',
) -> Call[str]:
    """Answers ok, started (it runs), and with `only_failed` moved (it has another status by now) or gone."""
    job_id, queue = record._id, record.origin
    names = [keys.job(job_id), keys.results(job_id), keys.place('failed', queue), keys.queue(queue), keys.QUEUES]
    started, ended = [f'{moment:.6f}' for moment in times[:2]] or ['', '']
    arguments: list[Argument] = [now, job_id, failure_ttl, int(only_failed), record.worker_name or '', execution]
    arguments += [started, ended, encode_text(exc_string), *codec.flat(codec.encode(record))]
    return Call(load('quarantine'), names, arguments, text)
