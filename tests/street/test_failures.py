"""FailureGroups: what people say of groups, told by the inspector."""

from datetime import UTC, datetime

import pytest
from redis import Redis

from rq import Queue, SimpleWorker
from rq.exceptions import NoSuchGroupError
from rq.failures import FailureGroups
from rq.inspector import Inspector
from tests import jobs

FAR = datetime(2200, 1, 1, tzinfo=UTC)


@pytest.fixture
def group_id(redis: Redis, queue: Queue) -> str:
    """The id of a group of one failure."""
    queue.enqueue(jobs.fail)
    SimpleWorker([queue], connection=redis).work(burst=True)
    (group,) = Inspector(redis).groups()
    return group.id


def test_what_is_said_of_a_group(redis: Redis, group_id: str) -> None:
    groups, inspector = FailureGroups(redis), Inspector(redis)
    groups.resolve(group_id)
    assert inspector.group(group_id).state == 'resolved'
    groups.reopen(group_id)
    assert inspector.group(group_id).state == 'open'
    groups.mute(group_id, FAR)
    assert (inspector.group(group_id).state, inspector.group(group_id).muted_until) == ('muted', FAR)
    groups.mute(group_id, FAR.replace(tzinfo=None))  # a naive time is UTC
    assert inspector.group(group_id).muted_until == FAR
    groups.mute(group_id)
    assert (inspector.group(group_id).state, inspector.group(group_id).muted_until) == ('muted', None)
    assert inspector.group(group_id).failed_count == 1


@pytest.mark.parametrize('verb', ['resolve', 'reopen', 'mute'])
def test_a_group_that_is_not_there(redis: Redis, verb: str) -> None:
    with pytest.raises(NoSuchGroupError, match='0123456789abcdef'):
        getattr(FailureGroups(redis), verb)('0123456789abcdef')
