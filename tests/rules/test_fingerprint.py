"""Failures of one cause are one, and failures of two causes are two."""

import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.rules.anatomy import ExceptionRecord, Frame, from_json, to_json
from rq.rules.fingerprint import FRAMES, MESSAGE, NAME, TITLE, Cause, fingerprint, normalised

WORD = st.text(string.ascii_lowercase, min_size=1, max_size=8)


def frame(function: str = 'charge', module: str = 'shop.orders', is_own: bool = True, **more) -> Frame:
    words = {'file': '/srv/app/x.py', 'line': 7, 'source': '    total = price / count'}
    return Frame(function=function, module=module, is_own=is_own, **{**words, **more})


LIBRARY = frame('send', 'http.client', False)
OWN = st.lists(st.builds(frame, WORD, WORD), min_size=1, max_size=12)


def record(*frames: Frame, type_name: str = 'ValueError', **more) -> ExceptionRecord:
    return ExceptionRecord(type_name, '', 'words', frames, **more)


def cause(*frames: Frame, more: tuple[ExceptionRecord, ...] = (), **words) -> Cause:
    words = {'kind': 'raised', 'type_name': 'ValueError', 'message': 'no', 'function': 'shop.orders.charge', **words}
    chain = (record(*frames, type_name=words['type_name'], members=words.pop('members', ())), *more) if frames else ()
    return fingerprint(chain=chain, **words)


@given(OWN, st.integers(1, 10**6), WORD, st.text(max_size=50))
def test_lines_paths_and_messages_do_not_count(frames, line, folder, message):
    moved = [replace(one, line=line, file=f'/releases/{folder}/x.py', source=f'  {one.source} ') for one in frames]
    assert cause(*frames).id == cause(*moved, message=message).id


@given(OWN, OWN, st.integers(1, 300))
def test_recursion_of_any_depth_is_one(outer, loop, times):
    assert cause(*outer, *loop).id == cause(*outer, *loop * times).id


@given(OWN, st.lists(st.integers(0, 12), max_size=5))
def test_library_frames_between_own_ones_do_not_count(frames, places):
    mixed = list(frames)
    for place in places:
        mixed.insert(place, LIBRARY)
    assert cause(*mixed).id == cause(*frames).id


@given(st.integers(2, 40), st.integers(0, 3), st.booleans())
def test_where_the_stack_overflows_is_chance(depth, below, deeper):
    start, loop = frame('start'), frame('walk')
    ends = [frame('measure', source=f'line {below}'), LIBRARY][: 1 + deeper]
    one = cause(start, *[loop] * depth, *ends, type_name='RecursionError')
    assert one.id == cause(start, loop, loop, type_name='RecursionError').id


BASE = cause(frame('run'), frame('charge'))


@pytest.mark.parametrize(
    'other',
    [
        cause(frame('run'), frame('charge'), type_name='KeyError'),
        cause(frame('run'), frame('refund')),
        cause(frame('run'), frame('charge', module='shop.mail')),
        cause(frame('charge'), frame('run')),
        cause(frame('run'), frame('charge', source='other = 1')),
        cause(frame('run'), frame('charge'), more=(record(type_name='KeyError', link='cause'),)),
        cause(frame('run'), frame('charge'), members=(record(type_name='KeyError'),)),
        cause(LIBRARY),
        cause(),
    ],
)
def test_what_counts(other):
    assert other.id != BASE.id


def test_the_function_does_not_count_where_there_are_own_frames():
    assert cause(frame('run'), function='a.b').id == cause(frame('run'), function='c.d').id


@given(st.permutations(['KeyError', 'KeyError', 'OSError', 'a.B']))
def test_members_count_by_their_types(types):
    members = tuple(record(frame(name), type_name=name) for name in types)
    nested = (record(members=members[:2]), *members[2:])
    plain = cause(frame(), type_name='ExceptionGroup', members=members)
    assert plain.id == cause(frame(), type_name='ExceptionGroup', members=members[::-1]).id
    assert plain.id == cause(frame(), type_name='ExceptionGroup', members=nested).id
    assert plain.title == 'ExceptionGroup (KeyError, OSError, B) in shop.orders:charge'


def test_own_code_that_is_installed():
    """The package in which the job's function lives is the user's, wherever it is installed."""
    installed = cause(frame('charge', is_own=False), LIBRARY)
    assert installed.id == cause(frame('charge'), LIBRARY).id
    assert installed.title == 'ValueError in shop.orders:charge'


def test_without_own_frames():
    deep = [frame(f'f{number}', 'lib', False, line=number) for number in range(9)]
    one = cause(*deep, message='first')
    assert one.id == cause(*deep[3:], message='second').id
    assert one.id != cause(*deep[:-1]).id
    assert one.id != cause(*deep, function='other.work').id
    assert one.frames == ('lib:f6', 'lib:f7', 'lib:f8')


@pytest.mark.parametrize('name', ['<listcomp>', 'f.<locals>.<dictcomp>'])
def test_frames_that_newer_interpreters_do_not_have(name):
    assert cause(frame('run'), frame(name)).id == cause(frame('run')).id


def test_a_spawned_process_calls_the_main_module_by_another_name():
    assert cause(frame(module='__main__')).id == cause(frame(module='__mp_main__')).id


def test_where_time_ran_out_is_chance():
    one = cause(frame('run'), frame('charge'), kind='timed_out', type_name='rq.timeouts.JobTimeoutException')
    other = cause(frame('run'), frame('mail'), kind='timed_out', type_name='rq.timeouts.JobTimeoutException')
    assert one.id == other.id
    assert one.title == 'JobTimeoutException in shop.orders:run'


def killed(**words):
    return cause(**{'kind': 'killed', 'type_name': 'HorseKilledError', 'signal': 9, **words})


def test_killed():
    one = killed(message='waitpid returned 9; peak memory 10 MiB')
    assert one.id == killed(message='waitpid returned 9').id
    assert one.title == 'Killed by signal 9 in shop.orders.charge'
    assert one.id != killed(signal=11).id
    assert one.id != killed(function='a.b').id
    assert killed(signal=None, exit_code=3).title == 'Process ended with exit code 3 in shop.orders.charge'


def test_abandoned_by_any_worker():
    words = {'kind': 'abandoned', 'type_name': 'AbandonedJobError'}
    one = cause(message='worker blue.17 vanished while the job was running', **words)
    assert one.id == cause(message='its worker vanished while the job was running', **words).id
    assert one.title == 'AbandonedJobError in shop.orders.charge'


def test_words_count_where_there_are_no_frames():
    words = {'kind': 'undecodable', 'type_name': 'DeserializationError', 'function': ''}
    one = cause(message="The payload of job a1 cannot be loaded: bad byte 17 in 'x'", **words)
    assert one.id == cause(message="The payload of job b22 cannot be loaded: bad byte 9 in 'yy'", **words).id
    assert one.id != cause(message='The payload of job b2 is empty', **words).id
    assert one.title.startswith('DeserializationError: The payload of job <n> cannot')


@given(OWN, OWN, WORD)
def test_override(some, others, words):
    one, other = cause(*some, override=words), cause(*others, override=words, type_name='KeyError', message='x')
    assert one.id == other.id
    assert one.title == words
    assert one.id != cause(*some, override=f'{words}!').id
    assert cause(*some, override=' \n').id == cause(*some).id


@given(st.text(max_size=3000), st.text(max_size=3000), st.text(max_size=300), st.integers(0, 60))
def test_whatever_comes_it_is_bounded_and_plain(text, name, function, depth):
    one = fingerprint(text, name, text, [record(*[frame(name, name)] * depth)], function, None, None, text[:5])
    assert len(one.id) == 16 and set(one.id) <= set(string.hexdigits.lower())
    assert len(one.title) <= TITLE and len(one.message) <= MESSAGE and len(one.frames) <= FRAMES
    words = one.words()
    assert all(len(each) <= FRAMES * (NAME + 1) for each in words[2:])
    assert all(each.isprintable() for each in words[2:])


def test_text_that_is_no_unicode():
    assert cause(frame('a\ud800')).id != cause(frame('b')).id


@given(OWN)
def test_the_same_as_stored(frames):
    chain = [record(*frames), record(LIBRARY, link='cause')]
    stored = from_json(to_json(chain))
    assert fingerprint('raised', 'E', '', chain) == fingerprint('raised', 'E', '', stored)


CHANGING = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(str),
    st.uuids().map(str),
    st.uuids().map(lambda one: one.hex[:12]),
    st.integers(0).map(hex),
    st.datetimes().map(lambda one: one.isoformat()),
    st.lists(WORD, min_size=1, max_size=4).map(lambda parts: '/' + '/'.join(parts)),
    st.text(string.ascii_letters + ' ', max_size=20).map(repr),
    st.text(string.ascii_letters + ' ', max_size=20).map(lambda one: f'"{one}"'),
    st.builds('https://{}.example/{}?q={}'.format, WORD, WORD, WORD),
    st.builds('{}@{}.example'.format, WORD, WORD),
    st.builds('ord_{}{}'.format, st.integers(0, 10**9), WORD),
)


@given(CHANGING, CHANGING)
def test_what_changes_in_a_message_leaves_no_trace(one, other):
    said = normalised(f'cannot load {one} from ({other}), giving up')
    assert said.startswith('cannot load <') and said.endswith('>), giving up')
    assert all(text.strip('"\'') not in said for text in (one, other) if any(map(str.isdigit, text)))


@pytest.mark.parametrize(
    'message, said',
    [
        ("order 17 of 'bob' can't be read", "order <n> of <text> can't be read"),
        ('Connection to 10.0.0.1:6379 refused', 'Connection to <n> refused'),
        ('rows [1, 2, 3] and [4]', 'rows [<n>] and [<n>]'),
        ("{'a': 1, 'b': 2}", '{<text>: <n>}'),
        ('C:\\Users\\bob\\a.txt is locked', '<path> is locked'),
        ('took 12.5s for 50% of 1e-9', 'took <n> for <n> of <n>'),
        ('ab12cd34 and deadbeef', '<n> and <n>'),
        ('at 2024-01-02 03:04:05.678+00:00 and 2024-01-02T03:04:05Z', 'at <n> and <n>'),
        ('job 6f9619ff-8b86-d011-b42d-00cf4fc964ff', 'job <uuid>'),
        ('a\tb\n\nc', 'a b c'),
        ('', ''),
    ],
)
def test_messages(message, said):
    assert normalised(message) == said


def test_a_hostile_message_takes_no_time():
    for text in ("a'" * 1000, '"\\' * 1000, 'a/b-' * 500, 'a.' * 1000, '/' * 2000, 'a1-' * 700, '0-' * 1000):
        assert len(normalised(text)) <= MESSAGE
