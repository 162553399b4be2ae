"""The text of a traceback is put together from places that are known already: it is Python's own, to the byte."""

import linecache
import random
import traceback
import types
from functools import partial

import pytest

from rq.rules import places
from rq.rules.anatomy import describe
from rq.rules.scrub import Scrubber, scrub
from rq.rules.wording import traceback_text


class Stern(Exception):
    """One that speaks in lines."""

    def __str__(self):
        return 'first\n  File "no.py", line 1, in none\n    password = "hunter22"\nlast ' + ', '.join(
            map(str, self.args)
        )


class Mute(Exception):
    def __str__(self):
        raise RuntimeError('not a word')


class Meta(type):
    """Its classes go the long way."""


class Odd(Exception, metaclass=Meta):
    pass


def plain():
    raise ValueError('plain')


def silent():
    raise ValueError


def stern():
    raise Stern('stern', 2)


def mute():
    raise Mute


def odd():
    raise Odd('odd')


def over_lines():
    return [
        int(each)
        for each in ('1', 'x')
    ]  # fmt: skip


def operand():
    a, b = {'x': 1}, None
    return a['x'] + b['y'] if b else a['x'] + a['y']


def no_name():
    return undefined_name  # noqa: F821


def no_attribute():
    return ''.uper()


def no_module():
    from collections import OrderedDct  # noqa: F401


def syntax():
    compile('a = (1,\nb c', '<given>', 'exec')


def syntax_of_a_file():
    raise SyntaxError('wrong', (__file__, 1, 4, 'text of it'))


def noted():
    error = KeyError('key')
    error.add_note('one\ntwo')
    error.add_note('')
    raise error


def badly_noted():
    error = KeyError('key')
    error.__notes__ = 'no list'
    raise error


def group():
    raise ExceptionGroup(
        'several', [ValueError('one'), ExceptionGroup('inner', [caught(plain), OSError(2, 'no file')])]
    )


def deep(depth=30):
    return deep(depth - 1) if depth else 1 / 0


def three_in_a_row(depth=2):
    if depth:
        three_in_a_row(depth - 1)
    else:
        plain()


def endless():
    endless()


def in_a_text():
    exec(compile('def made():\n    raise LookupError("of a text")\nmade()', '<string>', 'exec'), {})


def with_secret_names():
    password, token = 'hunter22', 'abcd1234efgh5678'
    raise ValueError(f'{password=} {token=} postgres://me:geheim@host/db')


def secret_in_the_source():
    raise ValueError('card 4111 1111 1111 1111' if len('password=') else {'api_key': 's3cr3ts3cr3t'})


LEAVES = [
    plain, silent, stern, mute, odd, over_lines, operand, no_name, no_attribute, no_module, syntax, syntax_of_a_file,
    noted, badly_noted, group, deep, three_in_a_row, endless, in_a_text, with_secret_names, secret_in_the_source,
]  # fmt: skip


def caught(function, *args):
    try:
        function(*args)
    except BaseException as error:
        return error
    raise AssertionError('it raised nothing')


def from_cause(inner):
    try:
        inner()
    except BaseException as error:
        raise RuntimeError('because') from error


def from_none(inner):
    try:
        inner()
    except BaseException:
        raise LookupError('and nothing else') from None


def while_handled(inner):
    try:
        inner()
    except BaseException:
        plain()


def from_one_never_raised(inner):
    try:
        inner()
    except BaseException:
        raise OSError(5, 'io') from ValueError('never raised')


def again(inner):
    try:
        inner()
    except BaseException as error:
        raise error


def in_a_circle(inner):
    first, second = caught(inner), caught(plain)
    first.__cause__, second.__cause__ = second, first
    raise first


WRAPS = [from_cause, from_none, while_handled, from_one_never_raised, again, in_a_circle]


def without_ours(error):
    """As Python formats it; frames of a traceback beyond a hundred are left out in both."""
    told = traceback.TracebackException(type(error), error, error.__traceback__, limit=-100, compact=True)
    return ''.join(told.format()).replace('<exception str() failed>', '<text unavailable: its __str__ raised>')


@pytest.fixture(autouse=True)
def nothing_known():
    places._known.clear()


@pytest.mark.parametrize('leaf', LEAVES)
def test_it_is_what_python_says(leaf):
    error = caught(leaf)
    for _ in range(3):  # unknown, and known
        assert traceback_text(error) == without_ours(error)
    assert traceback_text(error, Scrubber()) == scrub(without_ours(error))
    assert traceback_text(error, Scrubber({'plain', 'because'})) == scrub(without_ours(error), {'plain', 'because'})


def test_so_are_chains_of_any_kind():
    draw = random.Random(6)
    for _ in range(300):
        inner = draw.choice(LEAVES)
        for wrap in draw.choices(WRAPS, k=draw.randrange(1, 5)):
            inner = partial(wrap, inner)
        error = caught(inner)
        assert traceback_text(error) == without_ours(error)
        assert traceback_text(error, Scrubber()) == scrub(without_ours(error))


def test_a_file_that_has_changed_is_read_again(tmp_path):
    path = tmp_path / 'changing.py'
    path.write_text('def fail():\n    return 1 / 0  # once\n')
    names = {}
    exec(compile(path.read_text(), str(path), 'exec'), names)
    error = caught(names['fail'])
    assert '# once' in traceback_text(error)
    path.write_text('def fail():\n    return 1 / 0  # and now\n')
    assert '# and now' in traceback_text(error) == without_ours(error)
    assert describe(error)[0].frames[-1].source.endswith('# and now')
    path.unlink()
    assert traceback_text(error) == without_ours(error)


def test_a_step_may_lie_about_its_line():
    """Template engines have such ones: the same code, at a line that somebody says."""
    step = caught(plain).__traceback__
    for line in (1, 3, 5, 3):
        told = ValueError('told').with_traceback(types.TracebackType(None, step.tb_frame, step.tb_lasti, line))
        assert traceback_text(told) == without_ours(told)


def test_code_that_comes_and_goes_leaves_no_pile():
    for number in range(places._MOST + 10):
        names = {}
        exec(compile(f'def fail{number}():\n    raise ValueError', '<made>', 'exec'), names)
        traceback_text(caught(names[f'fail{number}']))
    assert len(places._known) <= places._MOST


def test_the_same_code_under_two_names_of_files_is_two_places(tmp_path):
    errors = []
    for name in ('one.py', 'two.py'):
        (tmp_path / name).write_text(f'def fail():\n    raise ValueError  # {name}\n')
        names = {}
        exec(compile('def fail():\n    raise ValueError\n', str(tmp_path / name), 'exec'), names)
        errors.append(caught(names['fail']))
    for error in errors * 2:
        assert traceback_text(error) == without_ours(error)
    assert '# two.py' in traceback_text(errors[1])


def test_lines_that_a_loader_gives():
    """Of a module that is in no file, as in a zip archive."""

    class Loader:
        def get_source(self, name):
            return 'def fail():\n    raise ValueError("zipped")\n'

    names = {'__name__': 'zipped', '__loader__': Loader()}
    exec(compile(Loader().get_source(''), '/no/such.zip/zipped.py', 'exec'), names)
    linecache.lazycache('/no/such.zip/zipped.py', names)
    error = caught(names['fail'])
    for _ in range(2):
        assert 'raise ValueError("zipped")' in traceback_text(error) == without_ours(error)
