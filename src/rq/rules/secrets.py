"""Which names mean a secret, which values stand under them, and a text without values that are known."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

HIDDEN = '[hidden]'
SHORTEST = 4  # characters of a value that is hidden wherever it stands
_SHORT = 6  # shorter ones only as a word of their own
_LONGEST = 1 << 16
_MOST_VALUES = 100
_MOST_LOOKED_AT = 1000

#: the last word of a name, or its last two: nothing else is called like that
_HARD = frozenset(
    [
        'password',
        'passwd',
        'pwd',
        'passphrase',
        'passcode',
        'pass',
        'secret',
        'apikey',
        'accesskey',
        'secretkey',
        'privatekey',
        'signingkey',
        'encryptionkey',
        'masterkey',
        'sshkey',
        'accountkey',
        'sharedkey',
        'credential',
        'credentials',
        'authorization',
        'pin',
        'pincode',
        'cvv',
        'cvc',
        'cvv2',
        'otp',
        'totp',
        'cardnumber',
        'creditcard',
        'creditcardnumber',
        'cardno',
        'pan',
        'ssn',
        'passwords',
        'secrets',
        'mnemonic',
    ]
)
#: also called like that: what a parser reads, a flag, a count
_SOFT = frozenset(
    [
        'token',
        'tokens',
        'auth',
        'cookie',
        'cookies',
        'sessionid',
        'sessionkey',
        'jsessionid',
        'phpsessid',
        'sessid',
        'jwt',
        'accesskeyid',
        'authkey',
        'licensekey',
        'apikeys',
        'privatekeys',
    ]
)
_ENDINGS = ('password', 'passwd', 'passphrase', 'secret', 'apikey')  # of a word without a seam: PGPASSWORD
_SOFT_ENDINGS = ('token',)
#: words behind it that change nothing
_TAILS = frozenset(
    ['hash', 'value', 'raw', 'plain', 'text', 'string', 'new', 'old', 'again', 'confirm', 'confirmation', 'header']
)
_WORDS = re.compile(r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+')
_NAME_LENGTH = 64
#: what is a secret's name by its looks, and none: words of programs
_NOT = frozenset(['notoken', 'keypass', 'bypass', 'compass'])
_NO_VALUES = frozenset(['none', 'null', 'true', 'false', 'undefined', 'hidden', '****'])


@lru_cache(maxsize=4096)
def _rank(name: str) -> int:
    """2: nothing but a secret is called like that; 1: secrets and other things; 0: no secret."""
    words = [word.lower() for word in _WORDS.findall(name[-_NAME_LENGTH:])]
    while len(words) > 1 and (words[-1] in _TAILS or words[-1].isdigit()):
        words.pop()
    if not words or words[-1] in _NOT:
        return 0
    for length in (1, 2, 3):
        ending = ''.join(words[-length:])
        if ending in _HARD:
            return 2
        if ending in _SOFT:
            return 1
    if words[-1].endswith(_ENDINGS):
        return 2
    return 1 if words[-1].endswith(_SOFT_ENDINGS) else 0


def is_secret_name(name: object) -> bool:
    """Whether the value of an argument, variable, field or header of this name is to be hidden."""
    return type(name) is str and _rank(name[-_NAME_LENGTH:]) > 0


def is_hard(name: str) -> bool:
    """Whether nothing but a secret has this name, so that a number or a plain word is one, too."""
    return _rank(name[-_NAME_LENGTH:]) == 2


def secret_values(mapping: Mapping[Any, Any], depth: int = 2) -> set[str]:
    """The texts under secret names, also in dicts and lists within; of builtin types only, so nothing is run."""
    found: set[str] = set()
    if type(mapping) is dict:
        gather(mapping, depth, None, found, [_MOST_LOOKED_AT])
    return found


def gather(value: Any, depth: int, name: str | None, found: set[str], left: list[int]) -> None:
    """Add the texts of a value; `name`: the secret name it stands under, if any; `left`: how many to look at."""
    left[0] -= 1
    if left[0] < 0 or len(found) >= _MOST_VALUES:
        return
    kind = type(value)
    if kind is dict and depth > 0:
        for key, each in list(value.items())[:_MOST_LOOKED_AT]:
            gather(each, depth - 1, key if is_secret_name(key) else name, found, left)
    elif kind in (list, tuple, set, frozenset) and depth > 0:
        for each in list(value)[:_MOST_LOOKED_AT]:
            gather(each, depth - 1, name, found, left)
    elif name is not None:
        text = _text_of(value, kind, name)
        if len(text) >= SHORTEST and text.lower() not in _NO_VALUES:
            found.add(text)


def _text_of(value: Any, kind: type, name: str) -> str:
    if kind is str:
        return str(value[:_LONGEST])
    if kind is bytes or kind is bytearray:
        return bytes(value[:_LONGEST]).decode('utf-8', errors='replace')
    return str(value) if kind is int and is_hard(name) and abs(value) < 10**30 else ''


@lru_cache(maxsize=256)
def _forms(secret: str) -> tuple[str, ...]:
    """A value as it is, and as it looks in a repr, in JSON, in a URL, and line by line."""
    try:
        forms = {
            secret,
            secret.strip(),
            json.dumps(secret, ensure_ascii=False)[1:-1],
            repr(secret)[1:-1],
            ascii(secret)[1:-1],
            json.dumps(secret)[1:-1],
        }
        forms |= {quote(secret, safe=''), quote(secret), quote_plus(secret)}
        forms.add(repr(secret.encode())[2:-1])
    except UnicodeEncodeError:  # a lone surrogate
        forms = {secret, repr(secret)[1:-1]}
    lines = secret.split('\n')
    if len(lines) > 1:
        forms |= {line.strip() for line in lines[:200] if len(line.strip()) >= 16}
    return tuple(form for form in forms if len(form) >= SHORTEST)


def without_literals(text: str, secrets: Iterable[str]) -> str:
    """The text without any of these values; what is hidden already stays as it is."""
    known = {secret for secret in secrets if len(secret) >= SHORTEST and secret not in HIDDEN}
    forms = sorted({form for secret in known for form in _forms(secret)} - {''}, key=len, reverse=True)
    forms = [form for form in forms if form in text and form not in HIDDEN]
    if not forms:
        return text
    return HIDDEN.join(_without(part, forms) for part in text.split(HIDDEN))


def _without(part: str, forms: list[str]) -> str:
    spans = sorted(span for form in forms for span in _spans(part, form))
    pieces: list[str] = []
    at = 0
    for begin, end in spans:
        if begin > at or not pieces:
            pieces += [part[at:begin], HIDDEN]
        at = max(at, end)
    return ''.join([*pieces, part[at:]])


def _spans(part: str, form: str) -> list[tuple[int, int]]:
    spans, at = [], part.find(form)
    while at >= 0:
        end = at + len(form)
        if len(form) >= _SHORT or not (part[at - 1 : at].isalnum() or part[end : end + 1].isalnum()):
            spans.append((at, end))
        at = part.find(form, end)
    return spans
