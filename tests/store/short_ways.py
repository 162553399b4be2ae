"""The same call by its script without the short way at its beginning: what both leave must be the same."""

import hashlib
from dataclasses import replace
from typing import Any

from rq.store.call import Call


def at_length(call: Call[Any], way: str) -> Call[Any]:
    """The call by a script whose short way fails before it begins."""
    text = call.script.text.replace(f'pcall({way})', 'pcall(error)')
    assert text != call.script.text
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return replace(call, script=replace(call.script, text=text, sha=sha))
