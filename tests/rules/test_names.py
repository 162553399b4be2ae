"""Function names and import paths, call strings, job ids and composite keys."""

import datetime
import functools
import json
import os.path
import textwrap
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.exceptions import NotImportableError
from rq.rules.names import (
    get_call_string,
    import_attribute,
    is_job_id,
    parse_composite_key,
    parse_job_id,
    resolve_function_reference,
    shown,
    truncate_long_string,
    validate_job_id,
)
from rq.timeouts import JobTimeoutException

IDS = st.from_regex(r'[A-Za-z0-9_-]+', fullmatch=True)


class Greeter:
    """Something with methods, callable too."""

    def hello(self):
        """A method."""

    @classmethod
    def build(cls):
        """A class method."""

    def __call__(self):
        """The object itself."""


class Unshowable:
    """Its repr fails."""

    def __repr__(self):
        raise RuntimeError('no')


@pytest.fixture
def write_module(tmp_path, monkeypatch):
    """Write a module that can be imported during this test."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(path, source=''):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(source))

    return write


# --- references ---


@pytest.mark.parametrize(
    ('func', 'name'),
    [(json.dumps, 'json.dumps'), (len, 'builtins.len'), ('anything.at_all', 'anything.at_all')],
)
def test_functions_and_texts_have_no_instance(func, name):
    assert resolve_function_reference(func) == (None, name)


def test_methods_and_callables_keep_their_object():
    greeter = Greeter()
    partial = functools.partial(len, [])
    assert resolve_function_reference(greeter.hello) == (greeter, 'hello')
    assert resolve_function_reference(Greeter.build) == (Greeter, 'build')
    assert resolve_function_reference(greeter) == (greeter, '__call__')
    assert resolve_function_reference(partial) == (partial, '__call__')
    assert resolve_function_reference(datetime.datetime.now) == (datetime.datetime, 'now')


def test_a_plain_value_is_no_function():
    with pytest.raises(TypeError, match='42.*int.*give a function'):
        resolve_function_reference(42)


@pytest.mark.parametrize('func', [json.dumps, os.path.join, len, textwrap.TextWrapper.fill, st.integers])
def test_a_reference_leads_back_to_the_function(func):
    assert import_attribute(resolve_function_reference(func)[1]) is func


# --- imports ---


def test_modules_classes_methods_and_builtins_are_found():
    assert import_attribute('json') is json
    assert import_attribute('os.path') is os.path
    assert import_attribute('json.decoder') is json.decoder
    assert import_attribute('json.decoder.JSONDecoder.decode') is json.JSONDecoder.decode
    assert import_attribute('sum') is sum


def test_a_submodule_nobody_imported_yet_is_found(write_module):
    write_module('rq_pack/__init__.py')
    write_module('rq_pack/inner.py', 'def f(): pass')
    assert import_attribute('rq_pack.inner').__name__ == 'rq_pack.inner'
    assert import_attribute('rq_pack.inner.f').__name__ == 'f'


def test_a_reexported_function_wins_over_the_module_of_its_name(write_module):
    write_module('rq_shadow/__init__.py', 'from rq_shadow.add import add')
    write_module('rq_shadow/add.py', 'def add(): pass')
    assert callable(import_attribute('rq_shadow.add'))


@pytest.mark.parametrize('name', ['', '.', 'a..b', '.json', 'json.', 'rq_no_such', 'rq_no_such.f'])
def test_names_that_lead_nowhere(name):
    with pytest.raises(NotImportableError, match='Cannot import'):
        import_attribute(name)


def test_a_missing_attribute_is_named():
    with pytest.raises(ValueError, match="'json.decoder' has no attribute 'Nope'"):
        import_attribute('json.decoder.Nope.f')


def test_an_import_error_inside_a_module_is_not_hidden(write_module):
    write_module('rq_broken.py', 'import rq_module_that_is_missing')
    with pytest.raises(ValueError, match="'rq_broken' exists.*rq_module_that_is_missing") as caught:
        import_attribute('rq_broken.f')
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize('source', ['raise RuntimeError("boom")', 'def broken(:', 'from json import nowhere'])
def test_any_error_inside_a_module_is_told(write_module, source):
    write_module('rq_bad_pack/__init__.py')
    write_module('rq_bad_pack/bad.py', source)
    with pytest.raises(ValueError, match=r"'rq_bad_pack\.bad' exists, but failed") as caught:
        import_attribute('rq_bad_pack.bad.f')
    assert caught.value.__cause__ is not None


def test_a_timeout_during_an_import_stays_a_timeout(write_module):
    write_module('rq_slow.py', 'from rq.timeouts import JobTimeoutException as E; raise E("over")')
    with pytest.raises(JobTimeoutException):
        import_attribute('rq_slow.f')


# --- call strings ---


def test_call_strings():
    assert get_call_string(None, (), {}) is None
    assert get_call_string('f', (), {}) == 'f()'
    assert get_call_string('m.f', (1, 'x'), {'b': 2, 'a': None}) == "m.f(1, 'x', a=None, b=2)"
    assert get_call_string('f', ('x' * 100,), {'k': 'y' * 100}, max_length=5) == "f('xxxx..., k='yyyy...)"


def test_a_failing_repr_does_not_prevent_the_call_string():
    assert get_call_string('f', (Unshowable(),), {}) == 'f(<Unshowable without repr>)'


@given(st.text(), st.none() | st.integers(0, 50))
def test_truncated_texts_begin_like_the_original(text, limit):
    cut = truncate_long_string(text, limit)
    if limit is None or len(text) <= limit:
        assert cut == text
    else:
        assert cut == text[:limit] + '...'


# --- ids ---


@given(IDS)
def test_valid_ids_pass(job_id):
    validate_job_id(job_id)
    assert is_job_id(job_id)
    assert parse_job_id(job_id) == job_id


@given(IDS, IDS)
def test_composite_keys_come_apart(job_id, execution_id):
    assert parse_composite_key(f'{job_id}:{execution_id}') == (job_id, execution_id)
    assert parse_job_id(f'{job_id}:{execution_id}') == job_id


@pytest.mark.parametrize('job_id', ['', 'a b', 'a:b', 'ä', 'a\n', 'a/b', 'x' * 300 + '!'])
def test_bad_ids_are_refused(job_id):
    assert not is_job_id(job_id)
    with pytest.raises(ValueError, match='cannot be a job id') as caught:
        validate_job_id(job_id)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize('job_id', [None, 7, b'bytes', ['a']])
def test_ids_of_another_type_are_refused(job_id):
    assert not is_job_id(job_id)
    with pytest.raises(TypeError, match='must be a str'):
        validate_job_id(job_id)


def test_a_plain_job_id_is_a_composite_key_of_old_times():
    with pytest.warns(DeprecationWarning, match="'abc' is a plain job id"):
        assert parse_composite_key('abc') == ('abc', '')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        parse_composite_key('abc:1')


def test_shown() -> None:
    assert shown('a:b ü') == 'a:b ü'
    assert shown('a\nb\x1b[31m') == r'a\nb\x1b[31m'
