"""Holding a Fact of api.md against the package: None when it is true, else a sentence that says what is wrong."""

import ast
import functools
import importlib
import importlib.metadata
import inspect
import logging
import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from tests.api.spec import Fact, literal, parameters

KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: 'positional only',
    inspect.Parameter.POSITIONAL_OR_KEYWORD: 'plain',
    inspect.Parameter.VAR_POSITIONAL: 'rest',
    inspect.Parameter.KEYWORD_ONLY: 'keyword only',
    inspect.Parameter.VAR_KEYWORD: 'keywords',
}
LUA = '(Lua script)'  # "other implementations need not have them": api.md, last line
ABSENT = object()
# Where the text of api.md is misprinted (it lost module names inside of quotes): fact -> {as printed: as meant}.
MISPRINTS: dict[str, dict[str, str]] = {
    'rq.logutils.setup_loghandlers': {"'worker'": "'rq.worker'"},
    'rq.cli.helpers.CliConfig': {
        "'Worker'": "'rq.Worker'",
        "'Job'": "'rq.job.Job'",
        "'timeouts.UnixSignalDeathPenalty'": "'rq.timeouts.UnixSignalDeathPenalty'",
        "'Queue'": "'rq.Queue'",
    },
}


def wrong(fact: Fact, optional: Sequence[str] = (), more: Sequence[str] = ()) -> str | None:
    """Why a fact that needs no server is not true, or None.

    `optional` arguments may have the default None; `more` are ours, and must not change what others mean.
    """
    try:
        if fact.what in SIGNED:
            text = fact.text
            for printed, meant in MISPRINTS.get(fact.name, {}).items():
                text = text.replace(printed, meant)
            return _signature_differences(text, without(SIGNED[fact.what](fact), more), optional)
        if fact.what == 'fields':
            return _fields(fact, more)
        return CHECKS[fact.what](fact)
    except Absent as absent:
        return str(absent)


class Absent(Exception):
    """The thing that a fact is about is not there, or is something else."""


def find(dotted: str) -> Any:
    """The object of a dotted name below `rq`, static descriptors as they are."""
    owner, name = find_owner(dotted)
    if owner is None:
        return importlib.import_module(name)
    found = inspect.getattr_static(owner, name, ABSENT) if isinstance(owner, type) else getattr(owner, name, ABSENT)
    if found is ABSENT and isinstance(owner, type):
        found = getattr(owner, name, ABSENT)
    if found is ABSENT:
        raise Absent(f'{dotted} is missing')
    return found


def find_owner(dotted: str) -> tuple[Any, str]:
    """What holds the last part of a dotted name: a class or a module."""
    parts = dotted.split('.')
    for length in range(len(parts), 0, -1):
        module_name = '.'.join(parts[:length])
        try:
            found: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if not module_name.startswith(error.name or '?'):
                raise
            continue
        except ImportError as error:
            raise Absent(f'{module_name} cannot be imported: {error}') from error
        # A class may have the name of a module (`rq.job`), and a package hide a module behind an attribute.
        rest = parts[length:]
        if not rest:
            return None, dotted
        for name in rest[:-1]:
            if not hasattr(found, name):
                raise Absent(f'{name} of {dotted} is missing')
            found = getattr(found, name)
        return found, rest[-1]
    raise Absent(f'{dotted} is missing')


def _module(fact: Fact) -> str | None:
    try:
        importlib.import_module(fact.name)
    except ImportError as error:
        return f'cannot be imported: {error}'
    return None


def _exists(fact: Fact) -> str | None:
    find(fact.name)
    return None


def _class(fact: Fact) -> str | None:
    found = find(fact.name)
    if not isinstance(found, type):
        return f'is {found!r}, not a class'
    names = {base.__name__ for base in found.__mro__}
    for base in filter(None, fact.text.replace(' ', '').split(',')):
        if base == 'namedtuple':
            base = 'tuple'
        if base not in names:
            return f'{base} is not among its bases {sorted(names)}'
    if 'BaseException' in names and ('Exception' in names) != (fact.text != 'BaseException'):
        return f'its base must be {fact.text}'
    return None


def _alias(fact: Fact) -> str | None:
    other = find(f'{fact.name.rpartition(".")[0]}.{fact.text}')
    return None if find(fact.name) is other else f'is not {fact.text}'


def without(signature: inspect.Signature, more: Sequence[str]) -> inspect.Signature:
    """A signature as it was before we added words; those that change what others mean stay."""
    given = list(signature.parameters.values())
    for each in reversed(given):
        by_place = each.kind is each.POSITIONAL_OR_KEYWORD
        behind = [other for other in given[given.index(each) + 1 :] if other.kind is each.kind]
        if each.name in more and each.default is not each.empty and not (by_place and behind):
            given.remove(each)
    return signature.replace(parameters=given)


def _fields(fact: Fact, more: Sequence[str] = ()) -> str | None:
    fields = getattr(find(fact.name), '_fields', None)
    while fields and fields[-1] in more:
        fields = fields[:-1]
    return None if fields == tuple(fact.text.split(', ')) else f'has the fields {fields}'


def _enum(fact: Fact) -> str | None:
    found = find(fact.name)
    wanted = {name: literal(value) for name, value in re.findall(r"(\w+)=('[^']*'|\d+)", fact.text)}
    members = {name: member.value for name, member in found.__members__.items()}
    return None if list(members.items()) == list(wanted.items()) else f'has the members {members}'


def _all(fact: Fact) -> str | None:
    exported = list(find(fact.name).__all__)
    wanted = fact.text.split(', ')
    missing, extra = sorted(set(wanted) - set(exported)), sorted(set(exported) - set(wanted))
    return f'missing {missing}, too many {extra}' if missing or extra else None


def _version(fact: Fact) -> str | None:
    found = find(fact.name)
    return None if isinstance(found, str) and re.match(r'\d+\.\d+', found) else f'is {found!r}'


def _logger(fact: Fact) -> str | None:
    """A logger counts as there when somebody has asked for it; the caller has built one of everything."""
    try:
        importlib.import_module(fact.name)
    except ImportError as error:
        return f'its module cannot be imported: {error}'
    return None if fact.name in logging.root.manager.loggerDict else 'nobody logs under this name'


def _script(fact: Fact) -> str | None:
    scripts = {each.name: each.value for each in importlib.metadata.distribution('rq').entry_points}
    return None if scripts.get(fact.name) == fact.text else f'leads to {scripts.get(fact.name)}'


def _signature_differences(text: str, signature: inspect.Signature, optional: Sequence[str]) -> str | None:
    wanted = parameters(text)
    actual = list(signature.parameters.values())
    shape = [(each.name, each.kind) for each in wanted]
    found = [(each.name, KINDS[each.kind]) for each in actual]
    if shape != found:
        return f'takes ({", ".join(map(str, actual))}), not {text}'
    wrong = [
        f'{each.name} has the default {theirs.default!r}'
        for each, theirs in zip(wanted, actual, strict=True)
        if not (each.name in optional and each.default is None and theirs.default is None)
        and not same_value(each.default, theirs.default)
    ]
    return '; '.join(wrong) + f', not {text}' if wrong else None


def same_value(wanted: ast.expr | None, found: Any) -> bool:
    """Whether a default is the one that api.md writes."""
    if wanted is None:
        return found is inspect.Parameter.empty
    if isinstance(wanted, ast.Attribute):  # an enum member
        return isinstance(found, Enum) and found.name == wanted.attr
    if isinstance(wanted, ast.Name):  # a class
        return isinstance(found, type) and found.__name__ == wanted.id
    value = ast.literal_eval(wanted)
    return type(value) is type(found) and bool(value == found)


def _callable(fact: Fact) -> inspect.Signature:
    found = find(fact.name)
    if not callable(found):
        raise Absent(f'is {found!r}')
    return inspect.signature(found)


def _method(fact: Fact) -> inspect.Signature:
    found = find(fact.name)
    kind = {classmethod: 'classmethod', staticmethod: 'staticmethod', property: 'property'}.get(type(found), 'method')
    if kind != fact.what:
        raise Absent(f'is a {kind}')
    owner, name = find_owner(fact.name)
    signature = inspect.signature(getattr(owner, name))
    if kind == 'method':
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])
    return signature


def _property(fact: Fact) -> str | None:
    found = find(fact.name)
    if not isinstance(found, property | functools.cached_property):
        return f'is {found!r}'
    settable = getattr(found, 'fset', None) is not None
    return 'cannot be set' if fact.what == 'property settable' and not settable else None


def _constant(fact: Fact) -> str | None:
    found = find(fact.name)
    return None if same_text(fact.text, found) else f'is {found!r}, not {fact.text}'


def same_text(text: str, found: Any) -> bool:
    """Whether a value is the one whose `repr`, or short description, stands in api.md."""
    defaults = importlib.import_module('rq.defaults')
    prefix = defaults.FORMAT_KEY_PREFIX if '{0}' in text else defaults.RQ_KEY_PREFIX
    if text == LUA:
        return isinstance(found, str)
    if text.startswith('the prefix with braces doubled'):
        return bool(found == prefix.replace('{', '{{').replace('}', '}}'))
    if ' members {' in text:
        members = {name: getattr(member, 'value', None) for name, member in found.__members__.items()}
        return bool(members == literal(text.partition(' members ')[2].replace('"', "'")))
    if '<' in text:  # functions and classes inside a container: the names of what is in it count
        return _names_in(repr(found)) == _names_in(text)
    try:
        wanted = literal(text)
    except ValueError:
        return isinstance(found, type) and found.__name__ == text
    if isinstance(wanted, str) and wanted == 'rq':
        wanted = prefix
    if isinstance(wanted, str) and wanted.startswith('rq:'):
        wanted = prefix + wanted[2:]
    return type(wanted) is type(found) and bool(wanted == found)


def _names_in(text: str) -> list[str]:
    return re.findall(r"<(?:class '|function |built-in function )?([\w.<>]+?)(?:'| at \w+|>)", text)


SIGNED: dict[str, Callable[[Fact], inspect.Signature]] = {
    'function': _callable,
    'constructor': _callable,
    'method': _method,
    'classmethod': _method,
    'staticmethod': _method,
}
CHECKS: dict[str, Callable[[Fact], str | None]] = {
    'module': _module,
    'exists': _exists,
    'class': _class,
    'alias': _alias,
    'fields': _fields,
    'enum': _enum,
    'all': _all,
    'version': _version,
    'logger': _logger,
    'script': _script,
    'property': _property,
    'property settable': _property,
    'attribute': _constant,
    'constant': _constant,
}
