"""Firings of cron jobs, each made once: the verb `fire` wraps what a pipeline has collected. History and books.

Key of ours: `rq:cron-fired:<identity>`, a hash with the latest firing: who (owner), which call (token), for when (due),
when (at, server time).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from rq.defaults import DEFAULT_CRON_JOB_HISTORY_LIMIT, DEFAULT_CRON_JOB_HISTORY_TTL
from rq.store import keys
from rq.store.call import Argument, Call, text
from rq.store.scripts import Script, load

_PLACE = 'local scripts = {}'


class Fired(NamedTuple):
    """fired, already (a repeated call), or refused; then how many seconds ago somebody else fired."""

    answer: str
    age: float = 0.0


def _fired(reply: list[Any]) -> Fired:
    answer = text(reply[0])
    return Fired(answer, float(reply[1]) - float(reply[2])) if answer == 'refused' else Fired(answer)


@cache
def _wrapping(texts: tuple[str, ...]) -> Script:
    """The script `fire` with other scripts inside, each a function of its keys and arguments."""
    base = load('fire')
    functions = ',\n'.join(f'function(KEYS, ARGV)\n{one}\nend' for one in texts)
    whole = base.text.replace(_PLACE, f'local scripts = {{{functions}}}')
    return Script(base.name, whole, hashlib.sha1(whole.encode(), usedforsecurity=False).hexdigest(), base.header)


def fire(
    identity: str,
    owner: str,
    token: str,
    due: float,
    interval: float | None,
    commands: Sequence[Sequence[Any]],
    now: float | str = '',
) -> Call[Fired]:
    """Run the commands, unless another owner made this firing: since `interval` seconds, or for this due time."""
    texts: list[str] = []
    args: list[Argument] = [now, owner, token, repr(due), interval or '', DEFAULT_CRON_JOB_HISTORY_TTL]
    if interval:
        args[5] = max(DEFAULT_CRON_JOB_HISTORY_TTL, int(interval) * 2)
    for command in commands:
        words = list(command)
        if words[0] == 'EVAL':
            if words[1] not in texts:
                texts.append(words[1])
            words[1] = texts.index(words[1]) + 1
        args += [len(words), *words]
    return Call(_wrapping(tuple(texts)), [keys.cron_fired(identity)], args, _fired)


def remember(pipeline: Any, name: str, job_id: str, at: float) -> None:
    """Put a job into the history of its cron job, and the cron job into the books."""
    history = keys.cron_history(name)
    pipeline.zadd(history, {job_id: at})
    pipeline.zremrangebyrank(history, 0, -DEFAULT_CRON_JOB_HISTORY_LIMIT - 1)
    pipeline.expire(history, DEFAULT_CRON_JOB_HISTORY_TTL)
    pipeline.zadd(keys.CRON_JOBS, {name: at})


def commands_of(pipeline: Any) -> list[tuple[Any, ...]]:
    """What a pipeline has collected so far."""
    # Those of clusters collect objects instead of pairs.
    return [tuple(each.args) if hasattr(each, 'args') else tuple(each[0]) for each in pipeline.command_stack]
