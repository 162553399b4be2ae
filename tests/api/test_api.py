"""The package against api.md and cli.md, by machine: one test for each fact, named after it."""

import warnings
from pathlib import Path
from typing import Any

import pytest

from rq.cli import main
from tests.api.cli_spec import Option, commands, difference, options
from tests.api.compare import SIGNED, wrong
from tests.api.differences import DIFFERENCES, MORE_HERE, OPTIONAL_HERE
from tests.api.instances import BUILDERS, wrong_attribute
from tests.api.spec import Fact, facts

HERE = Path(__file__).parent
FACTS = facts((HERE / 'api.md').read_text())
TEXT_OF_CLI = (HERE / 'cli.md').read_text()
OPTIONS = options(TEXT_OF_CLI)
COMMANDS = commands(TEXT_OF_CLI)
NAMES = {str(each) for each in (*FACTS, *OPTIONS)}

pytestmark = pytest.mark.filterwarnings('ignore::DeprecationWarning')


def the(*whats: str) -> list[Any]:
    """The facts of these sorts, each under its own name."""
    return [pytest.param(fact, id=str(fact)) for fact in FACTS if fact.what in whats]


def judge(name: str, reason: str | None) -> None:
    """A fact holds, or it is listed as a difference and does not."""
    if name in DIFFERENCES:
        assert reason, f'{name} is as specified: take it out of differences.py'
    else:
        assert reason is None, f'{name} {reason}'


@pytest.mark.parametrize('fact', [*the(*({fact.what for fact in FACTS} - {'instance', 'logger'}))])
def test_fact(fact: Fact) -> None:
    judge(str(fact), wrong(fact, OPTIONAL_HERE.get(fact.name, ()), MORE_HERE.get(fact.name, ())))


@pytest.mark.parametrize('fact', the('instance'))
def test_instance(fact: Fact, redis: Any) -> None:
    judge(str(fact), wrong_attribute(fact, redis))


@pytest.mark.parametrize('fact', the('logger'))
def test_logger(fact: Fact, redis: Any) -> None:
    for build in BUILDERS.values():
        with warnings.catch_warnings():
            build(redis)
    judge(str(fact), wrong(fact))


@pytest.mark.parametrize('command', COMMANDS)
def test_command(command: str) -> None:
    assert command in main.commands


@pytest.mark.parametrize('option', OPTIONS, ids=str)
def test_option(option: Option) -> None:
    command = main.commands.get(option.command)
    judge(str(option), difference(option, command) if command else f'rq {option.command} is missing')


def test_few_differences_with_reasons() -> None:
    assert len(DIFFERENCES) + len(OPTIONAL_HERE) <= 10
    assert all(len(reason) > 20 for reason in DIFFERENCES.values())
    assert set(DIFFERENCES) <= NAMES


@pytest.mark.parametrize('name', MORE_HERE)
def test_what_is_more_here_is_needed(name: str) -> None:
    told = next(fact for fact in FACTS if fact.name == name and fact.what in (*SIGNED, 'fields'))
    assert wrong(told), f'{name} is as specified: take it out of differences.py'
    for word in MORE_HERE[name]:
        others = [other for other in MORE_HERE[name] if other != word]
        assert wrong(told, OPTIONAL_HERE.get(name, ()), others), f'{name} knows no {word}'


@pytest.mark.parametrize('name', OPTIONAL_HERE)
def test_what_may_be_left_out_is_required_by_rq(name: str) -> None:
    told = next(fact for fact in FACTS if fact.name == name and fact.what in SIGNED)
    assert wrong(told), f'{name} is as specified: take it out of differences.py'


def test_the_reader_reads_it_all() -> None:
    """Should a table of api.md change its shape, the reader must not fall silent."""
    text = (HERE / 'api.md').read_text()
    rows = [
        line for line in text.splitlines() if line.startswith(('| `', '| property', '| classmethod', '| attribute'))
    ]
    assert len(FACTS) > len(rows)
    assert len(OPTIONS) > 100


@pytest.mark.parametrize(
    'fact',
    [
        Fact('rq.nothing', 'module'),
        Fact('rq.utils.nothing', 'exists'),
        Fact('rq.queue.Queue', 'class', 'dict'),
        Fact('rq.utils.ceildiv', 'function', 'ceildiv(b, a)'),
        Fact('rq.utils.ceildiv', 'function', 'ceildiv(a, b=1)'),
        Fact('rq.utils.safe_json_dumps', 'function', 'safe_json_dumps(*, value)'),
        Fact('rq.utils.decode_redis_hash', 'function', 'decode_redis_hash(h, *, decode_values=True)'),
        Fact('rq.queue.Queue.count', 'method', 'count()'),
        Fact('rq.queue.Queue.key', 'property settable'),
        Fact('rq.queue.Queue.all', 'method', 'all()'),
        Fact('rq.queue.Queue.DEFAULT_TIMEOUT', 'attribute', '181'),
        Fact('rq.defaults.RQ_KEY_PREFIX', 'constant', "'qr'"),
        Fact('rq.utils.Platform', 'enum', "WINDOWS='windows'"),
        Fact('rq', 'all', 'Queue'),
        Fact('rqinfo', 'script', 'rq.cli:main'),
    ],
    ids=str,
)
def test_a_fact_can_be_untrue(fact: Fact) -> None:
    assert wrong(fact)


def test_an_option_can_be_wrong() -> None:
    command = main.commands['info']
    assert difference(Option('info', ('--nothing',)), command)
    assert difference(Option('info', ('-x', '--raw')), command)
    assert difference(Option('info', ('--interval',), type='text'), command)
    assert difference(Option('info', ('--url',), env='URL'), command)
    assert difference(Option('info', ('--raw',), default='on'), command)
    assert difference(Option('info', ('--raw',), repeatable=True), command)
