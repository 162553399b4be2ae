"""Where a job was when its time was over, and what it was just handling: kept in case it is killed for not reacting."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import FrameType

from rq.rules.scrub import Scrubber
from rq.rules.secrecy import secrets_of, secrets_of_frame
from rq.rules.wording import bounded, traceback_text

_OURS = str(Path(__file__).parent.parent)
MOST = 8192  # bytes of either part
_CALLS = 30


def last_words(frame: FrameType | None) -> str:
    """The stack of a frame and the exception at hand, as text; empty when it cannot be had."""
    try:
        handled = sys.exc_info()[1]
        scrubber = Scrubber(secrets_of(handled) | _secrets_around(frame))
        text = f'When its time was over it was here:\n{bounded(scrubber.text("".join(_stack(frame))), MOST)}'
        if handled is not None:
            text += f'\nwhile it was handling this:\n{bounded(traceback_text(handled, scrubber), MOST)}'
        return text
    except Exception:
        return ''


def _secrets_around(frame: FrameType | None) -> set[str]:
    found: set[str] = set()
    for _ in range(_CALLS):
        if frame is None:
            break
        found |= secrets_of_frame(frame)
        frame = frame.f_back
    return found


def _stack(frame: FrameType | None) -> list[str]:
    """The newest calls, without ours that lead to them."""
    calls = list(traceback.extract_stack(frame))
    ours = [number for number, call in enumerate(calls) if call.filename.startswith(_OURS)]
    theirs = calls[ours[-1] + 1 :] if ours else calls
    return traceback.format_list((theirs or calls)[-_CALLS:])
