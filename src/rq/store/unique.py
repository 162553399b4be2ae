"""Once only: the verbs that refuse an id which exists, as programs call them by hand. Typed faces."""

from __future__ import annotations

from typing import Any

from rq.rules.record import JobRecord
from rq.store import codec, keys
from rq.store.call import Call, text
from rq.store.scripts import load

#: What RQ calls these scripts. Keys and arguments are those of our verbs, not RQ's.
UNIQUE_ENQUEUE_SCRIPT = load('enqueue').text
UNIQUE_SCHEDULE_SCRIPT = load('schedule').text


def save_new(record: JobRecord) -> Call[str]:
    """The record is stored and listed nowhere. Answers ok or duplicate."""
    fields = codec.encode(record)
    if record._status is not None:
        fields['status'] = record._status.value
    return Call(load('save_new'), [keys.job(record._id)], [record.ttl or '', *codec.flat(fields)], text)


def registered(connection: Any, verb: str) -> Any:
    """The script of a verb as redis-py's callable object, one for each connection."""
    # Kept on the client: a script holds its client, and a table of ours would keep both for ever.
    name = f'_rq_script_{verb}'
    found = connection.__dict__.get(name)
    if found is None:
        found = connection.__dict__[name] = connection.register_script(load(verb).text)
    return found
