"""The function's name is read off the payload, and nothing of it is loaded."""

import json
import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.rules.peek import function_in


class Bomb:
    """Loading it would end this process."""

    def __reduce__(self):
        return os._exit, (1,)


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('arguments', [(), (1, 'x'), (Bomb(),), ('y' * 100_000,)])
def test_pickle(protocol, arguments):
    assert function_in(pickle.dumps(('shop.orders.charge', None, arguments, {}), protocol)) == 'shop.orders.charge'


def test_json():
    assert function_in(json.dumps(['shop.orders.charge', None, ['x' * 10_000], {}]).encode()) == 'shop.orders.charge'


@given(st.binary(max_size=200))
def test_what_is_no_payload_has_no_function(data):
    assert isinstance(function_in(data), str)


@pytest.mark.parametrize('value', [None, 17, ['a.b'], (1, 'a.b'), (Bomb(), 'a.b'), ('two words', 1), ('x' * 501, 1)])
def test_what_begins_with_no_name_has_no_function(value):
    assert function_in(pickle.dumps(value)) == ''
