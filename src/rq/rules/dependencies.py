"""`Dependency`: what a job waits for, in all the forms that `depends_on` takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from rq.rules.record import JobRecord


class Dependency:
    """Jobs (or their ids) that must end first; failed ones too may release, and the job may go to the front then."""

    def __init__(self, jobs: Any, allow_failure: bool = False, enqueue_at_front: bool = False) -> None:
        dependencies = _listed(jobs)
        if not all(isinstance(one, str | JobRecord) for one in dependencies):
            raise ValueError(f'Dependency takes jobs and ids of jobs, not {jobs!r}')
        if not dependencies:
            raise ValueError('Dependency needs at least one job; without any, leave depends_on out')
        self.dependencies = dependencies
        self.allow_failure = allow_failure
        self.enqueue_at_front = enqueue_at_front


Dependency.__module__ = 'rq.job'  # its public address


def _listed(jobs: Any) -> list[Any]:
    if isinstance(jobs, str | JobRecord | Dependency):
        return [jobs]
    if not isinstance(jobs, Iterable):
        raise ValueError(f'{jobs!r} is neither a job, nor the id of one, nor a list of them')
    return list(jobs)


class Flattened(NamedTuple):
    """Ids without repetition; the flags are None where no `Dependency` says anything of them."""

    ids: list[str]
    allow_failure: bool | None
    at_front: bool | None


def flatten(depends_on: Any) -> Flattened:
    """What `depends_on` means; `ValueError` for what is no dependency."""
    ids: list[str] = []
    said: list[Dependency] = []
    for one in [] if depends_on is None else _listed(depends_on):
        if isinstance(one, Dependency):
            said.append(one)
        elif not isinstance(one, str | JobRecord):
            raise ValueError(f'depends_on={depends_on!r}: {one!r} is neither a job, nor its id, nor a Dependency')
        ids += [job if isinstance(job, str) else job.id for job in getattr(one, 'dependencies', [one])]
    if not said:
        return Flattened(list(dict.fromkeys(ids)), None, None)
    flags = any(one.allow_failure for one in said), any(one.enqueue_at_front for one in said)
    return Flattened(list(dict.fromkeys(ids)), *flags)
