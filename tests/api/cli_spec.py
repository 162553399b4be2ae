"""Reading cli.md: which options each command has, under which spellings, with which defaults and variables."""

import re
from dataclasses import dataclass

from tests.api.spec import CODE, rows, sections

SPELLING = re.compile(r'^-{1,2}[a-zA-Z][\w-]*')
TYPES = {'TEXT': 'text', 'INT': 'integer', 'FLOAT': 'float'}
WITH_COMMON = ('worker', 'worker-pool', 'info', 'enqueue', 'requeue', 'empty', 'suspend', 'resume', 'cron')


@dataclass(frozen=True)
class Option:
    """One option of one command; what cli.md leaves open is None."""

    command: str
    spellings: tuple[str, ...]
    default: str | None = None
    env: str | None = None
    type: str | None = None
    repeatable: bool = False

    def __str__(self) -> str:
        return f'rq {self.command} {self.spellings[-1]}'


def options(text: str) -> list[Option]:
    """Every option of every command in cli.md."""
    found: list[Option] = []
    for title, body in sections(text, '## '):
        if title.startswith('Options of every command'):
            common = list(_table('*', body))
            found += [_moved(option, command) for command in WITH_COMMON for option in common]
            continue
        for command in re.findall(r'`rq ([\w-]+)', title)[:1]:  # options told for two commands belong to the first
            found += _table(command, body) if '| option |' in body else _prose(command, f'{title}\n{body}')
    return found


def commands(text: str) -> list[str]:
    """Every command that has a heading."""
    return [name for title, _ in sections(text, '## ') for name in re.findall(r'`rq ([\w-]+)', title)]


def _moved(option: Option, command: str) -> Option:
    return Option(command, option.spellings, option.default, option.env, option.type, option.repeatable)


def _table(command: str, body: str) -> list[Option]:
    found = []
    for header, cells in rows(body):
        if header != 'option':
            continue
        wide = len(cells) == 4
        env = (CODE.findall(cells[1]) or [None])[0] if wide else None
        default = cells[2] if wide else cells[1] if len(cells) > 1 else ''
        found += _cell(command, cells[0], default, env)
    return found


def _cell(command: str, cell: str, default: str, env: str | None) -> list[Option]:
    """The options of one cell: a short spelling belongs to the long one that follows it."""
    spellings = [code for code in CODE.findall(cell) if SPELLING.match(code)]
    groups: list[list[str]] = []
    for spelling in spellings:
        if groups and not groups[-1][-1].startswith('--'):
            groups[-1].append(spelling)
        else:
            groups.append([spelling])
    values = [value.strip(' `') for value in default.split(',')] if len(groups) > 1 else [default.strip(' `')]
    kind = next((TYPES[word] for word in re.findall(r'[A-Z]+', re.sub(r'`[^`]*`', '', cell)) if word in TYPES), None)
    known = len(values) == len(groups) and all(re.fullmatch(r'off|\d+|[%\w.]\S*( \S+)?', value) for value in values)
    return [
        Option(
            command,
            tuple(group),
            values[number] if known and ' random' not in values[number] else None,
            env,
            kind,
            '(repeatable)' in cell,
        )
        for number, group in enumerate(groups)
    ]


def _prose(command: str, text: str) -> list[Option]:
    """Options told in sentences: `-x/--long` TEXT (default)."""
    found: dict[str, Option] = {}
    for code, rest in re.findall(r'`(-[^`]*)`([^`]*)', text):
        spellings = tuple(part for part in code.split('/') if SPELLING.fullmatch(part))
        if not spellings:
            continue
        kind = re.match(r' (TEXT|INT|FLOAT|PATH)', rest)
        default = re.match(r' [A-Z]+ \((\w+)\)', rest)
        found.setdefault(
            spellings[-1],
            Option(
                command,
                spellings,
                default[1] if default else None,
                None,
                TYPES[kind[1]] if kind else None,
                '(repeatable)' in rest[:20],
            ),
        )
    if '`rq requeue --queue' in text:
        found['--queue'] = Option(command, ('--queue',))
    return list(found.values())


def difference(option: Option, command: object) -> str | None:
    """Why a click command does not have this option as told, or None."""
    theirs = next((each for each in command.params if option.spellings[-1] in each.opts), None)  # type: ignore[attr-defined]
    if theirs is None:
        return f'{command.name} has no {option.spellings[-1]}'  # type: ignore[attr-defined]
    missing = set(option.spellings) - set(theirs.opts)
    if missing:
        return f'is not spelled {", ".join(sorted(missing))}'
    if option.env and theirs.envvar != option.env:
        return f'reads the variable {theirs.envvar}, not {option.env}'
    if option.type and theirs.type.name.removesuffix(' range') != option.type:
        return f'takes {theirs.type.name}, not {option.type}'
    if option.repeatable and not theirs.multiple:
        return 'cannot be repeated'
    if option.default is not None and _text(theirs) != option.default:
        return f'has the default {_text(theirs)}, not {option.default}'
    return None


def _text(option: object) -> str:
    """The default as cli.md would write it."""
    if option.is_flag:  # type: ignore[attr-defined]
        return 'on' if option.default is True else 'off'  # type: ignore[attr-defined]
    value = option.default  # type: ignore[attr-defined]
    value = value() if callable(value) else value
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    return str(getattr(value, 'value', value))
