"""The log of workers as a fresh process has it: other rooms' tests configure it in this one."""

import logging

import pytest


@pytest.fixture(autouse=True)
def fresh_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """No handlers, nothing disabled."""
    for name in ('rq.worker', 'rq.job'):
        log = logging.getLogger(name)
        monkeypatch.setattr(log, 'disabled', False)
        monkeypatch.setattr(log, 'propagate', True)
        monkeypatch.setattr(log, 'handlers', [])
        log.setLevel(logging.INFO if name == 'rq.worker' else logging.NOTSET)
