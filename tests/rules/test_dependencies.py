"""`Dependency`, and what `depends_on` means in all its forms."""

from typing import Any

import pytest

from rq.job import Dependency
from rq.rules.dependencies import flatten
from rq.rules.record import JobRecord
from rq.serializers import JSONSerializer


def job(job_id: str) -> JobRecord:
    return JobRecord(job_id, JSONSerializer)


@pytest.mark.parametrize('jobs, ids', [('a', ['a']), (['a', 'b'], ['a', 'b']), (('a',), ['a'])])
def test_made(jobs: Any, ids: list[str]) -> None:
    made = Dependency(jobs)
    assert (made.dependencies, made.allow_failure, made.enqueue_at_front) == (ids, False, False)


def test_of_a_job() -> None:
    one = job('a')
    assert Dependency(one).dependencies == [one]
    assert Dependency([one, 'b'], True, True).dependencies == [one, 'b']


@pytest.mark.parametrize('jobs', [[], (), 5, None, [5], [None], [Dependency('a')], {}])
def test_refused(jobs: Any) -> None:
    with pytest.raises(ValueError):
        Dependency(jobs)


@pytest.mark.parametrize(
    'depends_on, wanted',
    [
        (None, ([], None, None)),
        ([], ([], None, None)),
        ('a', (['a'], None, None)),
        (job('a'), (['a'], None, None)),
        (['a', job('b'), 'a'], (['a', 'b'], None, None)),
        (Dependency('a'), (['a'], False, False)),
        (Dependency(['a', 'b'], allow_failure=True), (['a', 'b'], True, False)),
        (['a', Dependency('b', enqueue_at_front=True)], (['a', 'b'], False, True)),
        ([Dependency('a', allow_failure=True), Dependency('b', enqueue_at_front=True)], (['a', 'b'], True, True)),
        (iter(['a', 'b']), (['a', 'b'], None, None)),
    ],
)
def test_forms(depends_on: Any, wanted: Any) -> None:
    assert flatten(depends_on) == wanted


@pytest.mark.parametrize('depends_on', [5, [5], ['a', None], object(), [['a']]])
def test_what_is_no_dependency(depends_on: Any) -> None:
    with pytest.raises(ValueError):
        flatten(depends_on)
