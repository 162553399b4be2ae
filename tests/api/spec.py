"""Reading api.md: every sentence in it that a machine can hold against the package becomes one Fact.

Standard library only and no import of rq, so that the reader can be tried on any package of that interface.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CODE = re.compile(r'`([^`]+)`')
# Attributes that come from the constructor: a value told for a later name of their row is not theirs.
GIVEN = ('name', 'connection', 'serializer', 'job_class', 'death_penalty_class', 'log', 'log_job_description')
KINDS = ('classmethod', 'staticmethod', 'property settable', 'property', 'attribute', 'properties')


@dataclass(frozen=True)
class Fact:
    """One thing that api.md says: `name` is where it stands, `what` is the sort of check, `text` what is expected."""

    name: str
    what: str
    text: str = ''

    def __str__(self) -> str:
        return f'{self.name} [{self.what}]'


def facts(text: str) -> list[Fact]:
    """Every fact of api.md, in its order."""
    found: list[Fact] = []
    for title, body in sections(text, '## '):
        codes = CODE.findall(title)
        if title == 'Package `rq`':
            found += _package(body)
        elif title == 'Instance attributes':
            found += _instances(body)
        elif title.startswith('Underscored names'):
            found += _underscored(body)
        elif codes and codes[0].startswith('rq.'):
            found += _module(codes[0], body)
    return found


def sections(text: str, mark: str) -> Iterator[tuple[str, str]]:
    """(title, body) of every heading that starts with `mark`."""
    for part in re.split(rf'^{mark}', text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition('\n')
        yield title.strip(), body


def rows(body: str) -> Iterator[tuple[str, list[str]]]:
    """(first header cell, cells) of every table row in a piece of Markdown."""
    header: list[str] | None = None
    for line in body.splitlines():
        if not line.startswith('|'):
            header = None
            continue
        cells = [cell.strip().replace('\\|', '|') for cell in re.split(r'(?<!\\)\|', line)[1:-1]]
        if header is None:
            header = cells
        elif not set(cells[0]) <= set('- :'):
            yield header[0], cells


def _module(module: str, body: str) -> Iterator[Fact]:
    yield Fact(module, 'module')
    if module == 'rq.types':
        yield from (Fact(f'{module}.{name}', 'exists') for name in CODE.findall(body))
        return
    head, *classes = re.split(r'^### ', body, flags=re.MULTILINE)
    yield from _module_tables(module, head)
    for part in classes:
        title, _, rest = part.partition('\n')
        yield from _class(module, CODE.findall(title)[0], rest)
        yield from _module_tables(module, rest)


def _module_tables(module: str, body: str) -> Iterator[Fact]:
    """Functions, plain classes and constants, which stand after the last class of a module."""
    for header, cells in rows(body):
        code = (CODE.findall(cells[0]) or [''])[0]
        if header == 'function':
            yield Fact(f'{module}.{code.partition("(")[0]}', 'function', code)
        elif header == 'class':
            name, _, base = code.rstrip(')').partition('(')
            yield Fact(f'{module}.{name}', 'class', base)
            fields = re.search(r'fields in order: ([\w, ]+\w)', cells[1])
            if fields:
                yield Fact(f'{module}.{name}', 'fields', fields[1])
        elif header == 'name' and module == 'rq.defaults':
            yield Fact(f'{module}.{code}', 'constant', (CODE.findall(cells[1]) or [cells[1]])[-1])
    for line in body.splitlines():
        if line.startswith('Constants: '):
            for name, value in re.findall(r'`(\w+)` = `([^`]*)`', line):
                yield Fact(f'{module}.{name}', 'constant', value)


def _class(module: str, heading: str, body: str) -> Iterator[Fact]:
    name, _, bases = heading.rstrip(')').partition('(')
    owner = f'{module}.{name}'
    yield Fact(owner, 'class', bases)
    if body.lstrip().startswith('alias of '):
        yield Fact(owner, 'alias', body.split('alias of ', 1)[1].split('.')[0])
    for header, cells in rows(body):
        if header == 'member':
            yield from _member(owner, cells)
    members = re.search(r'^Members: (.*)$', body, flags=re.MULTILINE)
    if members:
        yield Fact(owner, 'enum', members[1])


def _member(owner: str, cells: list[str]) -> Iterator[Fact]:
    kind = next((kind for kind in KINDS if cells[0].startswith(kind + ' ')), 'method')
    codes = CODE.findall(cells[0])
    if cells[0] == 'fields in order':
        yield Fact(owner, 'fields', ', '.join(CODE.findall(cells[1])))
    elif kind == 'properties':
        yield from (Fact(f'{owner}.{code}', 'property') for code in codes)
    elif kind == 'attribute':
        yield Fact(f'{owner}.{codes[0]}', kind, CODE.findall(cells[1])[0])
    elif kind.startswith('property'):
        yield Fact(f'{owner}.{codes[0]}', kind)
    elif codes[0].startswith('constructor'):
        yield Fact(owner, 'constructor', codes[0])
    else:
        yield Fact(f'{owner}.{codes[0].partition("(")[0]}', kind, codes[0])


def _package(body: str) -> Iterator[Fact]:
    """The front door, told in prose: one expression per sentence, each of which must match."""
    flat = ' '.join(body.split())

    def listed(pattern: str) -> list[str]:
        return CODE.findall(re.search(pattern, flat)[1])  # type: ignore[index]

    exported = listed(r'`rq.__all__` = (.*?); also')
    yield Fact('rq', 'module')
    yield Fact('rq', 'all', ', '.join(exported))
    yield from (Fact(f'rq.{name}', 'exists') for name in exported)
    yield Fact('rq.VERSION', 'version')
    yield Fact('rq.__version__', 'version')
    for name in listed(r'is a package that re-exports: (.*?)\. `rq'):
        if name.isidentifier():
            yield Fact(f'rq.worker.{name}', 'exists')
    yield from (Fact(f'rq.cli.{name}', 'exists') for name in ('main', *listed(r'the commands (.*?)\.')))
    yield Fact('rq.contrib', 'module')
    yield from (Fact(f'rq.local.{name}', 'exists') for name in listed(r'`rq.local` still holds (.*?) \('))
    for pair in listed(r'Console scripts: (.*?)\. `python'):
        script, _, target = pair.partition(' -> ')
        if not target:
            continue
        yield Fact(script, 'script', target)
    for script, target in re.findall(r'`(\w+)` -> `([\w.:]+)`', flat):
        yield Fact(script, 'script', target)
    yield from (Fact(name, 'logger') for name in listed(r'Loggers: (.*?)\. `rq.worker` starts'))


def _instances(body: str) -> Iterator[Fact]:
    for header, cells in rows(body):
        if header != 'class':
            continue
        for owner in CODE.findall(cells[0]) or ['Registry']:
            run: list[str] = []
            for name, value in re.findall(r'`([\w]+)`(?: \(([^)]*)\))?', cells[1]):
                run.append(name)
                if value:
                    # None or 0, told once, holds for the names before it too.
                    several = value in ('None', '0')
                    for each in run:
                        told = value if each == name or (several and each not in GIVEN) else ''
                        yield Fact(f'{owner}().{each}', 'instance', told)
                    run = []
            yield from (Fact(f'{owner}().{each}', 'instance') for each in run)


def _underscored(body: str) -> Iterator[Fact]:
    for _, cells in rows(body):
        owner = ''
        for code in CODE.findall(cells[0]):
            dotted, _, signature = code.partition('(')
            if dotted.startswith('rq.scripts'):
                continue
            head, _, name = dotted.rpartition('.')
            owner = head or owner
            if owner.startswith('rq.'):
                yield Fact(f'{owner}.{name}', 'exists')
            elif signature:
                yield Fact(f'rq.{owner.lower()}.{owner}.{name}', 'method', f'{name}({signature}')
            else:
                yield Fact(f'{owner}().{name}', 'instance')


@dataclass(frozen=True)
class Parameter:
    """One parameter as api.md writes it."""

    name: str
    kind: str
    default: ast.expr | None


def parameters(text: str) -> list[Parameter]:
    """The parameters of `name(a: T = x, *, b) -> R`."""
    text = re.sub(r'<(\w+\.\w+): [^>]*>', r'\1', text)  # an enum member as repr shows it
    text = re.sub(r'"Literal[^"]*"', 'str', text)
    inside = text[text.index('(') :]
    arguments = ast.parse(f'def f{inside.rpartition(" -> ")[0] or inside}: ...').body[0].args  # type: ignore[attr-defined]
    plain = [*((a, 'positional only') for a in arguments.posonlyargs), *((a, 'plain') for a in arguments.args)]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + arguments.defaults
    found = [Parameter(a.arg, kind, default) for (a, kind), default in zip(plain, defaults, strict=True)]
    if arguments.vararg:
        found.append(Parameter(arguments.vararg.arg, 'rest', None))
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    found += [Parameter(a.arg, 'keyword only', default) for a, default in pairs]
    if arguments.kwarg:
        found.append(Parameter(arguments.kwarg.arg, 'keywords', None))
    return found


def literal(text: str) -> Any:
    """The value of a Python literal; ValueError for other texts."""
    try:
        return ast.literal_eval(text)
    except SyntaxError as error:
        raise ValueError(text) from error
