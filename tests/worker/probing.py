"""How the tests of health answers ask."""

import http.client
import json
import re
from typing import Any

from rq.rules.health import Verdict
from tests.launch import Launched

WELL = Verdict('', 15.0, 10.0)

ILL = Verdict('nothing is accepted', 15.0, 10.0)


def say(level: int, words: str) -> None:
    """For signs that are in no trouble."""
    raise AssertionError(words)


def ask(port: int, path: str = '/livez', verb: str = 'GET') -> tuple[int, dict[str, Any]]:
    """Status and body; 0 when nobody answers."""
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=2)
    try:
        connection.request(verb, path)
        response = connection.getresponse()
        body = response.read()
        return response.status, json.loads(body) if body else {}
    except OSError:
        return 0, {}
    finally:
        connection.close()


def port_of(launched: Launched) -> int:
    """Of its health answers."""
    launched.said('answering probes at')
    found = re.search(r'answering probes at http://127\.0\.0\.1:(\d+)/livez', launched.text)
    assert found
    return int(found[1])
