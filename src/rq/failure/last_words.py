"""Where a job was when its time was over, and what it was just handling: kept in case it is killed for not reacting."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import FrameType

from rq.rules.wording import bounded, traceback_text

_OURS = str(Path(__file__).parent.parent)
MOST = 8192  # bytes of either part


def last_words(frame: FrameType | None) -> str:
    """The stack of a frame and the exception at hand, as text; empty when it cannot be had."""
    try:
        text = f'When its time was over it was here:\n{bounded("".join(_stack(frame)), MOST)}'
        handled = sys.exc_info()[1]
        if handled is not None:
            text += f'\nwhile it was handling this:\n{bounded(traceback_text(handled), MOST)}'
        return text
    except Exception:
        return ''


def _stack(frame: FrameType | None) -> list[str]:
    """The newest calls, without ours that lead to them."""
    calls = list(traceback.extract_stack(frame))
    ours = [number for number, call in enumerate(calls) if call.filename.startswith(_OURS)]
    theirs = calls[ours[-1] + 1 :] if ours else calls
    return traceback.format_list((theirs or calls)[-30:])
