"""What is kept of a job that fails, on request: its locals, its output. As `keep_on_failure` has it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

LOCALS, OUTPUT = 'locals', 'output'
WORDS = (LOCALS, OUTPUT)
_ALL = frozenset(WORDS)


def keep_words(value: Any) -> str:
    """The words of `keep_on_failure`, given as 'locals,output' or one by one, as they are stored; `ValueError` else."""
    if value is None:
        return ''
    given = value.split(',') if isinstance(value, str) else value
    if not isinstance(given, Iterable):
        raise ValueError(_refused(value))
    words = [word.strip() if isinstance(word, str) else word for word in given]
    if any(word not in (*WORDS, '') for word in words):
        raise ValueError(_refused(value))
    return ','.join(word for word in WORDS if word in words)


def _refused(value: Any) -> str:
    return f"keep_on_failure={value!r} is not known: give 'locals', 'output', or 'locals,output'"


def kept(*given: Any) -> frozenset[str]:
    """What is to be kept when so many have a say; of a record anything may come, and what is not known is nothing."""
    listed = [each.split(',') if isinstance(each, str) else each for each in given if each]
    return (
        frozenset(word for each in listed if isinstance(each, list | tuple | set | frozenset) for word in each) & _ALL
    )


def keeps(word: str, job: Any, worker: Any) -> bool:
    """Whether this is to be kept of a job, because it or its worker says so."""
    return bool(job.keep_on_failure or worker.keep_on_failure) and word in kept(
        job.keep_on_failure, worker.keep_on_failure
    )


def joined(*given: str | None) -> str | None:
    """What several ask for, as it is stored; None for nothing."""
    words = kept(*given)
    return ','.join(word for word in WORDS if word in words) or None
