"""The command channel: publish, listen, and come back after a broken connection."""

import json
import select

import pytest

from rq.store import keys
from rq.store.channel import Listener, publish
from tests.waiting import wait_until


@pytest.fixture
def listener(redis):
    listener = Listener(redis, 'w')
    wait_until(lambda: redis.pubsub_numsub(keys.channel('w')) == [(keys.channel('w').encode(), 1)])
    yield listener
    listener.close()


def arrived(listener):
    assert select.select([listener.fileno()], [], [], 5)[0]
    return [json.loads(message['data']) for message in listener.messages()]


def test_nobody_listens(redis):
    assert publish(redis, 'w', {'command': 'shutdown'}) == 0


def test_a_command(redis, listener):
    assert publish(redis, 'w', {'command': 'stop-job', 'job_id': 'ä'}) == 1
    assert publish(redis, 'other', {}) == 0
    found = []
    wait_until(lambda: found.extend(arrived(listener)) or found)
    assert found == [{'command': 'stop-job', 'job_id': 'ä'}]


def test_nothing_has_come(listener):
    listener.messages()  # the confirmation of the subscription, if it was not read yet
    assert listener.messages() == []


def test_many_at_once(redis, listener):
    for number in range(100):
        publish(redis, 'w', {'number': number})
    found = []
    wait_until(lambda: found.extend(arrived(listener)) or len(found) == 100)
    assert [each['number'] for each in found] == list(range(100))


def test_what_is_no_json_is_handed_on_as_it_is(redis, listener):
    redis.publish(keys.channel('w'), b'\xff{')
    found = []
    wait_until(lambda: found.extend(listener.messages()) or found)
    assert found[0]['data'] == b'\xff{'


def test_closed(redis, listener):
    listener.close()
    wait_until(lambda: redis.pubsub_numsub(keys.channel('w')) == [(keys.channel('w').encode(), 0)])


def test_a_broken_connection_is_noticed_or_mended(redis, listener):
    redis.execute_command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    descriptor = listener.fileno()
    assert select.select([descriptor], [], [], 5)[0]
    try:
        listener.messages()
    except Exception as error:
        assert isinstance(error, ConnectionError | OSError) or type(error).__name__ == 'ConnectionError'
        return
    wait_until(lambda: publish(redis, 'w', {'command': 'shutdown'}) == 1)
