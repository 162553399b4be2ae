"""What is a credential by its looks, wherever it stands: in URLs, card numbers, tokens and keys of well-known kinds."""

from __future__ import annotations

import base64
import binascii
import re

from rq.rules.secrets import HIDDEN

_WORD = r'(?<![\w-])'
#: a part that must be there before a pattern is tried, and the pattern; its group `secret` is hidden, else all of it
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (part, re.compile(pattern))
    for part, pattern in (
        ('eyJ', _WORD + r'eyJ[\w-]{5,}+\.[\w-]{5,}+(?:\.[\w-]*+)?'),  # JSON web tokens
        ('AKIA', _WORD + r'AKIA[0-9A-Z]{12,}+'),
        ('ASIA', _WORD + r'ASIA[0-9A-Z]{12,}+'),
        ('gh', _WORD + r'gh[pousr]_[0-9A-Za-z]{16,}+'),
        ('github_pat_', _WORD + r'github_pat_\w{16,}+'),
        ('glpat-', _WORD + r'glpat-[\w-]{16,}+'),
        ('xox', _WORD + r'xox[abeoprs]-[\w-]{8,}+'),
        ('xapp-', _WORD + r'xapp-[\w-]{8,}+'),
        ('hooks.slack.com', r'hooks\.slack\.com/services/(?P<secret>[\w/]{8,}+)'),
        ('k_live_', _WORD + r'[srp]k_live_\w{8,}+'),
        ('k_test_', _WORD + r'[srp]k_test_\w{8,}+'),
        ('whsec_', _WORD + r'whsec_[\w+/=]{8,}+'),
        ('sk-', _WORD + r'sk-[\w-]{20,}+'),
        ('AIza', _WORD + r'AIza[\w-]{30,}+'),
        ('SG.', _WORD + r'SG\.[\w-]{16,}+\.[\w-]{16,}+'),
        ('npm_', _WORD + r'npm_[0-9A-Za-z]{30,}+'),
        ('pypi-', _WORD + r'pypi-[\w-]{30,}+'),
    )
)
_SCHEMES = re.compile(r'[BbTt](?P<word>(?i:earer|asic|oken))[ \t]{1,4}(?P<secret>[\w.~+/=-]{6,}+)')
_RUN = re.compile(r"""[^\s'"<>`]{0,512}+""")
_END_OF_AUTHORITY = re.compile(r'[/?#]')
_PEM_BEGIN = re.compile(r'-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----')
_PEM_END = re.compile(r'-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----')
_MOST_PEM = 16384
#: what a card number begins with; only then the dearer patterns are tried
_MAYBE_CARD = re.compile(r'[2-689]\d{3}(?:\d{9}|[ -]\d{4})')
#: not within longer numbers, fractions, hex digests
_CARD = re.compile(
    r'(?<![0-9a-fA-F.])(?=[2-689])'
    r'(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5})'
    r'(?![0-9a-fA-F])'
)
_SHORT_CARD = re.compile(r'\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?!\d)')


#: in small letters, one of these, or what looks like the number of a card, is in every text with a credential
_SIGNS = (*(part.lower() for part, _ in _KINDS), '-----begin ', '://', 'bearer ', 'basic ', 'token ')


def may_have_credentials(text: str, lowered: str) -> bool:
    """Whether a closer look is worth while; `lowered` is the text in small letters."""
    return any(map(lowered.__contains__, _SIGNS)) or _MAYBE_CARD.search(text) is not None


def without_credentials(text: str) -> str:
    """The text with each credential in it hidden."""
    if '-----BEGIN ' in text:
        text = _without_pem(text)
    if '://' in text and '@' in text:
        text = _without_passwords(text)
    for part, pattern in _KINDS:
        if part in text:
            text = pattern.sub(_hide, text)
    lowered = text.lower()
    if 'bearer ' in lowered or 'basic ' in lowered or 'token ' in lowered:
        text = _SCHEMES.sub(_hide_scheme, text)
    return _without_cards(text) if _MAYBE_CARD.search(text) else text


def _hide(match: re.Match[str]) -> str:
    if 'secret' not in match.groupdict():
        return HIDDEN
    at = match.start('secret') - match.start()
    return match[0][:at] + HIDDEN


def _hide_scheme(match: re.Match[str]) -> str:
    value = match['secret']
    if match['word'].lower() == 'asic':
        is_secret = _is_pair(value)
    else:
        is_secret = len(value) >= 16 and any(each.isdigit() for each in value) and '/' not in value[:1]
    return _hide(match) if is_secret else match[0]


def _is_pair(value: str) -> bool:
    """Whether this is the base64 of user and password."""
    try:
        return b':' in base64.b64decode(value + '=' * (-len(value) % 4), validate=True)
    except (ValueError, binascii.Error):
        return False


def _without_passwords(text: str) -> str:
    """URLs keep scheme, user and host."""
    pieces, at = [], 0
    found = text.find('://')
    while found >= 0:
        begin = found + 3
        run = _RUN.match(text, begin)
        assert run is not None
        span = _password(text[max(found - 5, at) : found], run[0])
        if span is not None:
            pieces += [text[at : begin + span[0]], HIDDEN]
            at = begin + span[1]
            found = text.find('://', at)
        else:
            found = text.find('://', begin)
    return ''.join([*pieces, text[at:]]) if pieces else text


def _password(scheme: str, run: str) -> tuple[int, int] | None:
    """Where the password stands in what follows `://`. Unquoted slashes in it are met, but not in web addresses."""
    later = run.find('://')
    if later >= 0:
        run = run[:later]  # two addresses in one word
    if scheme.lower().endswith(('http', 'https', 'ws', 'wss')):
        end = _END_OF_AUTHORITY.search(run)
        run = run[: end.start()] if end else run
    else:
        run = run.partition('?')[0]
    colon, host = run.find(':'), run.rfind('@')
    if colon < 0 or host <= colon + 1 or run[colon + 1 : host] == HIDDEN:
        return None
    return colon + 1, host


def _without_pem(text: str) -> str:
    pieces, at = [], 0
    match = _PEM_BEGIN.search(text)
    while match:
        end = _PEM_END.search(text, match.end(), match.end() + _MOST_PEM)
        pieces += [text[at : match.start()], HIDDEN]
        at = end.end() if end else min(match.end() + _MOST_PEM, len(text))
        match = _PEM_BEGIN.search(text, at)
    return ''.join([*pieces, text[at:]]) if pieces else text


def _without_cards(text: str) -> str:
    pieces, at = [], 0
    match = _CARD.search(text)
    while match:
        short = _SHORT_CARD.match(text, match.start())
        found = next((each[0] for each in (match, short) if each and _is_card(each[0])), '')
        begin = match.start()
        if found:
            pieces += [text[at:begin], HIDDEN]
            at = begin + len(found)
        match = _CARD.search(text, at if found else begin + 4)
    return ''.join([*pieces, text[at:]]) if pieces else text


def _is_card(number: str) -> bool:
    """Luhn's check."""
    digits = [int(each) for each in number if each.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [sum(divmod(2 * each, 10)) for each in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
