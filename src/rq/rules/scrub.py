"""Secrets taken out of texts that are stored or logged: values after names that mean one, known values, credentials.

A name counts by its last word (`db_password`, not `password_field`). Booleans, empty values and names of types stay;
after words that programs also use for harmless things (token, auth ...) short numbers and, in prose, plain words, too.
In source lines of a traceback only literals are hidden: anything else there is code. Time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from rq.rules.credentials import may_have_credentials, without_credentials
from rq.rules.secrets import HIDDEN, is_hard, is_secret_name, secret_values, without_literals

__all__ = ['HIDDEN', 'Scrubber', 'is_secret_name', 'scrub', 'scrub_source', 'secret_values']

_PASSES = 3
#: parts of secret names: a text without any of them is not searched for names
_HINTS = (
    *('pass', 'pwd', 'secret', 'token', 'key', 'auth', 'cookie', 'sess', 'credential', 'pin', 'cvv', 'cvc', 'card'),
    *('otp', 'ssn', 'jwt', 'pan', 'sig', 'mnemonic', 'api'),
)
#: a name, perhaps quoted or a subscript, and what ties a value to it; of an option of the shell a space or comma does
_NAMED = re.compile(
    r"""(?P<option>--)?-?(?P<name>[A-Za-z_][\w-]*+)(?P<end>\\?["']?\]?)
        (?:[ \t]{0,4}(?P<tie>=>|[!:=]?==?|:|%3[Dd])[ \t]{0,4}|(?P<space>[ \t]{1,4}|,[ ]?(?=["'])))""",
    re.VERBOSE,
)
_QUOTED = re.compile(
    r"""(?P<prefix>[bBrRuUfF]{0,2})
        (?:(?P<quote>'''|\"\"\"|\\['"]|["'])(?P<text>(?:(?!(?P=quote))(?:\\[^\n]|[^\\\n]))*+)(?P<closed>(?P=quote))?)""",
    re.VERBOSE,
)
_BARE = re.compile(r"""(?:\[hidden\])*+(?:[^\s&,;'"<>()\[\]{}\\]|[,;](?![\w-]{0,40}[=:]|\s|\Z)|\[hidden\])*+""")
_REST_OF_LINE = re.compile(r"""[^\n'"\\]*+""")
_BRACKET = re.compile(r"""[()\[\]{}]|(["'])(?:\\[^\n]|(?!\1)[^\\\n])*+(?:\1|$)""", re.MULTILINE)
_LITERALS = re.compile(
    r"""[(\[{](?:[\s,:]|[bBrRuU]{0,2}'(?:\\.|[^'\\\n])*+'|[bBrRuU]{0,2}"(?:\\.|[^"\\\n])*+"|\d)*+[)\]}]"""
)
_MOST_IN_BRACKETS = 4096
_HARMLESS = frozenset(
    [
        'none',
        'null',
        'nil',
        'true',
        'false',
        'undefined',
        'str',
        'int',
        'bytes',
        'bool',
        'float',
        'object',
        'any',
        'optional',
        'union',
        'list',
        'dict',
        'tuple',
        'set',
        'string',
        'secretstr',
        'required',
        'missing',
        'invalid',
    ]
)
_NUMBER = re.compile(r'[+-]?\d{1,5}(?:\.\d*)?')
_PLAIN = re.compile(r'[A-Za-z][a-z]*|[A-Z_]+|[^\w\s]{1,3}')
#: "the password hunter2": what follows such a word is hidden when it does not look like a word itself
_PROSE = re.compile(
    r"""(?P<name>pass(?:word|wd|phrase|code)|pwd|pin|cvv|cvc|otp|secret|token|api[ _-]?key)(?![\w-])
        [ \t]{1,3}(?:(?:is|was)[ \t]{1,3})?(?P<quote>["']?)(?P<value>[^\s'",;()<>\[\]{}]{3,200}+)""",
    re.VERBOSE | re.IGNORECASE,
)
_NO_SECRET = re.compile(r'md5|sha-?\d+|utf-?\d+|base\d+|argon2\w*|oauth\d?|v\d+|line\d*|[a-z]+://.*|/.*', re.IGNORECASE)
#: the line before the source lines in a traceback; those of exception groups have a margin
_FILE_LINE = re.compile(r'^(?P<margin>[ |]*+)File "[^"\n]*", line \d+[^\n]*\n', re.MULTILINE)
_LITERAL = re.compile(r"""['"\d]""")
_WORD = re.compile(r'[\w-]*+')
_CODE = re.compile(r'[^\n]*(?:\n|\Z)')


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with `[hidden]` in place of each secret; `secrets` are values known to be secret, of any length from 4.

    Never raises. What was scrubbed is not changed by being scrubbed again.
    """
    known = tuple(secrets)
    if not known and not (_may_have_secrets(text) if len(text) > _SHORT else _short_may_have_secrets(text)):
        return text
    for _ in range(_PASSES):
        found = _without_names(without_credentials(without_literals(text, known) if known else text))
        if found == text:
            break
        text = found
    return text


def scrub_source(line: str, secrets: Iterable[str] = ()) -> str:
    """The same for a line of source code: of named values only literals are hidden."""
    if not _LITERAL.search(line):
        return line
    known = tuple(secrets)
    for _ in range(_PASSES):
        found = without_credentials(without_literals(line, known) if known else line)
        found = _without_named(found, [(0, len(found))])
        if found == line:
            break
        line = found
    return line


class Scrubber:
    """Scrubs the texts of one failure, with the same values known to be secret."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.secrets = frozenset(secrets)
        self._latest = '', ''  # a message is asked for more than once
        self._harmless = ''  # a text without anything the search begins with: so is each part of it

    def text(self, text: str) -> str:
        """A text without secrets."""
        known, clean = self._latest
        if text == known:
            return clean
        if self.secrets:
            clean = scrub(text, self.secrets)
        elif text in self._harmless:
            return text
        elif _may_have_secrets(text):
            clean = scrub(text)
        else:
            self._harmless = clean = text
        self._latest = text, clean
        return clean

    def source(self, line: str) -> str:
        """A source line without them."""
        return scrub_source(line, self.secrets)


def _may_have_secrets(text: str) -> bool:
    """Whether there is anything at all in it that the search begins with; in most texts there is not."""
    lowered = text.lower()
    return any(map(lowered.__contains__, _HINTS)) or may_have_credentials(text, lowered)


#: what a job is called is looked at when it begins and when it ends, and is often what the next one is called
_short_may_have_secrets = lru_cache(maxsize=64)(_may_have_secrets)
_SHORT = 1000


def _without_names(text: str) -> str:
    return _without_named(text, None)


def _source_lines(text: str) -> Iterator[tuple[int, int]]:
    """Where the source lines of tracebacks stand: they are indented deeper than the line that names their file."""
    if 'File "' not in text:
        return
    for match in _FILE_LINE.finditer(text):
        margin, begin = match['margin'] + '  ', match.end()
        end = begin
        while text.startswith(margin, end):
            line = _CODE.match(text, end)
            assert line is not None
            end = line.end()
        if end > begin:
            yield begin, end


def _words_with_hints(text: str) -> Iterator[int]:
    """Where words begin that have a part of a secret name in them."""
    lowered = text.lower()
    hints = [hint for hint in _HINTS if hint in lowered]
    if not hints:
        return
    if len(lowered) != len(text):  # capitals that are longer when they are small
        lowered = ''.join(each.lower() if each.isascii() else each for each in text)
    places: list[int] = []
    for hint in hints:
        at = lowered.find(hint)
        while at >= 0:
            places.append(at)
            at = lowered.find(hint, at + len(hint))
    end = 0
    for begin in sorted(places):
        if begin >= end:
            word = _WORD.match(text, begin)
            assert word is not None
            while begin > end and (text[begin - 1] in '_-' or text[begin - 1].isalnum()):
                begin -= 1
            yield begin
            end = word.end()


def _without_named(text: str, code: list[tuple[int, int]] | None) -> str:
    """Without the values of named secrets; `code`: where source stands, None: where tracebacks have it."""
    pieces: list[str] = []
    at, place = 0, 0
    for word in _words_with_hints(text):
        if word < at:
            continue
        named, prose = _NAMED.match(text, word), None
        if named is None or not _means_a_secret(named, text):
            named, prose = None, _PROSE.match(text, word)
            if prose is None:
                continue
        if code is None:
            code = list(_source_lines(text))
        while place < len(code) and code[place][1] <= word:
            place += 1
        in_code = place < len(code) and code[place][0] <= word
        hidden = _value_at(text, named, in_code) if named else None if in_code or not prose else _prose(prose)
        if hidden is not None:
            pieces += [text[at : hidden[0]], HIDDEN]
            at = hidden[1]
    return ''.join([*pieces, text[at:]]) if pieces else text


def _means_a_secret(match: re.Match[str], text: str) -> bool:
    name = match['name'][-64:]
    if match['space'] is not None and not match['option']:
        return False
    if is_secret_name(name):
        return True
    in_query = match.start() > 0 and text[match.start() - 1] in '?&'
    return in_query and name.lower().rpartition('-')[2] in ('sig', 'signature')


def _value_at(text: str, named: re.Match[str], in_code: bool) -> tuple[int, int] | None:
    """Where the value stands that is to be hidden; None when there is none."""
    name, begin = named['name'][-64:], named.end()
    quoted = _QUOTED.match(text, begin)
    if quoted and quoted['quote']:
        start, end = quoted.span('text')
        return (start, end) if quoted['text'] and _is_secret(name, quoted['text'], True) else None
    if begin < len(text) and text[begin] in '([{' and not text.startswith(HIDDEN, begin):
        end = _end_of_brackets(text, begin)
        if in_code and not _LITERALS.fullmatch(text, begin, end):
            return None
        return (begin, end) if end - begin > 2 else None
    if in_code:
        number = _NUMBER_LITERAL.match(text, begin)
        return number.span() if number and is_hard(name) else None
    whole_line = named['tie'] == ':' and name.lower().endswith(_HEADERS) and not named['end']
    bare = (_REST_OF_LINE if whole_line else _BARE).match(text, begin)
    assert bare is not None
    value = bare[0].rstrip()
    is_prose = (named['tie'] != '=' and not named['end']) or named['space'] is not None
    if not value or (named['space'] is not None and value.startswith('-')):
        return None
    return (begin, begin + len(value)) if _is_secret(name, value, not is_prose) else None


_NUMBER_LITERAL = re.compile(r'\d{3,}(?![\w.])')
_HEADERS = ('authorization', 'cookie')


def _is_secret(name: str, value: str, is_tied: bool) -> bool:
    """Whether a value after a secret name is worth hiding; `is_tied`: it can be nothing but its value."""
    if value.rstrip('.').lower() in _HARMLESS or not value.strip('*'):
        return False
    if is_hard(name):
        return True
    return not _NUMBER.fullmatch(value) and (is_tied or not _PLAIN.fullmatch(value))


def _end_of_brackets(text: str, begin: int) -> int:
    """Behind the bracket that closes the one at `begin`; as far as was looked when there is none."""
    depth, limit = 0, min(begin + _MOST_IN_BRACKETS, len(text))
    for match in _BRACKET.finditer(text, begin, limit):
        if match[0] in '([{':
            depth += 1
        elif match[0] in ')]}':
            depth -= 1
            if depth == 0:
                return match.end()
    return limit


def _prose(match: re.Match[str]) -> tuple[int, int] | None:
    value = match['value'].rstrip('.:!?')
    if _NO_SECRET.fullmatch(value) or not _is_odd(match['name'].lower(), value):
        return None
    begin = match.start('value')
    return begin, begin + len(value)


@lru_cache(maxsize=256)
def _is_odd(name: str, value: str) -> bool:
    """Whether a word looks like a secret, not like a word."""
    has_digit = any(each.isdigit() for each in value)
    has_letter = any(each.isalpha() for each in value)
    if name in ('pin', 'cvv', 'cvc', 'otp'):
        return value.isdigit() and len(value) >= 3
    if name.startswith(('pass', 'pwd')):
        return len(value) >= 4 and has_digit and (has_letter or value.isdigit())
    return len(value) >= 8 and has_digit and has_letter
