"""The exceptions of RQ: which is which, and that they survive a pickle, because results and logs carry them."""

import copy
import os
import pickle
import subprocess
import sys

import pytest

from rq import exceptions
from rq.exceptions import DeserializationError, ShutDownImminentException, UnpickleError


def test_deserialization_error_is_the_unpickle_error_of_old_programs() -> None:
    error = DeserializationError('cannot', 'load')
    assert isinstance(error, UnpickleError) and error.args == ('cannot', 'load')
    assert (error.raw_data, error.inner_exception) == (None, None)
    assert DeserializationError().args == ()
    inner = ValueError('x')
    old = UnpickleError('cannot', b'raw', inner)
    assert (str(old), old.raw_data, old.inner_exception) == ('cannot', b'raw', inner)
    assert UnpickleError('cannot', b'raw').inner_exception is None
    for each in (error, old):
        again = pickle.loads(pickle.dumps(each))
        assert (type(again), again.args, again.raw_data) == (type(each), each.args, each.raw_data)


def test_shutdown_is_no_exception_that_a_job_swallows() -> None:
    error = ShutDownImminentException('soon', {'a': 1})
    assert not isinstance(error, Exception) and str(error) == 'soon' and error.extra_info == {'a': 1}
    assert pickle.loads(pickle.dumps(error)).extra_info == copy.copy(error).extra_info == {'a': 1}
    with pytest.raises(TypeError):
        ShutDownImminentException('soon')  # type: ignore[call-arg]


def test_none_is_another() -> None:
    assert not issubclass(exceptions.InvalidJobOperationError, exceptions.InvalidJobOperation)
    assert not issubclass(exceptions.InvalidJobOperation, exceptions.InvalidJobOperationError)


@pytest.mark.parametrize('prefix', ['', 'a b', 'a*', 'ä', 'rq\n'])
def test_a_bad_key_prefix_keeps_rq_from_being_imported(prefix: str) -> None:
    environment = {**os.environ, 'RQ_KEY_PREFIX': prefix}
    code = 'try:\n import rq\nexcept ValueError as error:\n print(error)'
    done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True, timeout=30)
    assert done.stdout.startswith('Invalid RQ_KEY_PREFIX')


def test_a_good_key_prefix_is_everywhere() -> None:
    environment = {**os.environ, 'RQ_KEY_PREFIX': '{my.app:1}-x_'}
    code = (
        'from redis import Redis; from rq import Queue, Worker; from rq.job import Job\n'
        'from rq import defaults, suspension\n'
        'print(Queue.redis_queues_keys, Worker.redis_workers_keys, Job.key_for("a"), suspension.WORKERS_SUSPENDED,'
        ' Queue("{q}", connection=Redis()).failed_job_registry.key, defaults.FORMAT_KEY_PREFIX)'
    )
    done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True, timeout=30)
    prefix = '{my.app:1}-x_'
    names = ('queues', 'workers', 'job:a', 'suspended', 'failed:{q}')
    assert done.stdout.split() == [*(f'{prefix}:{name}' for name in names), '{{my.app:1}}-x_'], done.stderr
