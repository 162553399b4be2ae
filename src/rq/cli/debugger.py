"""The debugger of `rq debug`: pdb, opened where the user's own code failed, or at the first line of the function."""

from __future__ import annotations

import bdb
import inspect
import pdb  # noqa: T100 - the debugger is what this is about
import sys
from collections.abc import Callable
from types import CodeType, FrameType, TracebackType
from typing import Any

from rq.rules.anatomy import is_own_file
from rq.rules.wording import own_frames


class Debugger(pdb.Pdb):
    """pdb that begins at the innermost frame of the user's own code; the library's below it are a `down` away."""

    Quit = bdb.BdbQuit  # the user has had enough

    def __init__(self) -> None:
        super().__init__()
        self.prompt = '(rq debug) '

    def setup(self, f: FrameType | None, tb: TracebackType | None) -> Any:
        """Choose the frame to begin with."""
        pdb_itself: Any = super()
        answer = pdb_itself.setup(f, tb)
        own = [at for at, (frame, _) in enumerate(self.stack) if is_own_file(frame.f_code.co_filename)]
        if tb is not None and own and own[-1] != self.curindex:
            self.curindex = own[-1]
            self.curframe = self.stack[self.curindex][0]
            self.curframe_locals = self.curframe.f_locals
        return answer

    def look_at(self, error: BaseException) -> bool:
        """Let the user look around where an error came from; False when none of its frames is the user's."""
        trace = own_frames(error.__traceback__)
        if not has_own_frame(trace):
            return False
        self.reset()
        self.interaction(None, trace)
        return True

    def run_stopped(self, function: Any, call: Callable[[], Any]) -> Any:
        """Make a call, and stop at the first line of a function, or else of the user's code."""
        code = code_of(function)

        def wait(frame: FrameType, event: str, arg: Any) -> Any:
            there = frame.f_code is code if code is not None else is_own_file(frame.f_code.co_filename)
            if event != 'call' or not there:
                return None
            self.set_trace(frame)
            return self.trace_dispatch

        before = sys.gettrace()
        sys.settrace(wait)
        try:
            return call()
        finally:
            sys.settrace(before)


def has_own_frame(trace: TracebackType | None) -> bool:
    """Whether a traceback passes through the user's own code."""
    while trace is not None:
        if is_own_file(trace.tb_frame.f_code.co_filename):
            return True
        trace = trace.tb_next
    return False


def code_of(function: Any) -> CodeType | None:
    """The code of a function under its decorators; None for what has none, such as a builtin."""
    function = inspect.unwrap(function)
    function = getattr(function, '__func__', function)
    code = getattr(function, '__code__', None)
    return code if isinstance(code, CodeType) else None
