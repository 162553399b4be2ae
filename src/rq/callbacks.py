"""Callback, and running one under its timeout. When it is called is the business of perform/ and failure/."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Callable
from typing import Any

from rq.defaults import CALLBACK_TIMEOUT
from rq.rules.names import import_attribute, resolve_function_reference
from rq.rules.payload import UNEVALUATED
from rq.rules.scrub import Scrubber
from rq.rules.secrecy import secrets_of
from rq.rules.timing import parse_timeout
from rq.rules.wording import traceback_text
from rq.timeouts import JobTimeoutException

logger = logging.getLogger('rq.job')


def _without_secrets(error: BaseException, job: Any) -> str:
    return traceback_text(error, Scrubber(secrets_of(error, job)))


class Callback:
    """A function, or its dotted name, to be called on an outcome, with a timeout of its own (seconds or '1m')."""

    def __init__(self, func: str | Callable[..., Any], timeout: Any | None = None) -> None:
        if not isinstance(func, str) and not inspect.isfunction(func) and not inspect.isbuiltin(func):
            raise ValueError(f'Callback func must be a function or its dotted name, not {func!r}')
        self.func = func
        self.timeout = parse_timeout(timeout) if timeout else CALLBACK_TIMEOUT

    @property
    def name(self) -> str:
        """The dotted name by which a worker finds the function."""
        if isinstance(self.func, str):
            return self.func
        return resolve_function_reference(self.func)[1]


def as_callback(word: str, value: Callback | Callable[..., Any] | str | None) -> Callback | None:
    """What was given for `on_success` and its siblings, as a Callback."""
    if value is None or isinstance(value, Callback):
        return value
    if not isinstance(value, str) and not callable(value):
        raise ValueError(f'{word} must be a Callback, not {value!r}; write {word}=Callback(function)')
    warnings.warn(
        f'Passing a string or function as {word} is deprecated, write {word}=Callback(...)',
        DeprecationWarning,
        stacklevel=5,
    )
    return Callback(value)


def _call(job: Any, func: Any, penalty: type[Any], timeout: int, *args: Any) -> None:
    if inspect.iscoroutinefunction(func):
        raise TypeError(f'Callback {func!r} is a coroutine function; callbacks must be plain functions')
    with penalty(timeout, JobTimeoutException, job_id=job.id):
        func(job, job.connection, *args)


def execute_success_callback(job: Any, death_penalty_class: type[Any], result: Any) -> None:
    """Call `on_success` with the result, if there is one; what it raises is raised."""
    callback = job.success_callback
    if callback:
        logger.debug('Job %s: calling success callback %s', job.id, callback)
        _call(job, callback, death_penalty_class, job.success_callback_timeout, result)


def _tell(job: Any, word: str, penalty: type[Any], *args: Any) -> None:
    """Call the callback of this name, if there is one; what it raises is logged and raised."""
    said = word.replace('_', ' ')
    try:
        callback = getattr(job, f'{word}_callback')
        if callback:
            logger.debug('Job %s: calling %s callback %s', job.id, said, callback)
            _call(job, callback, penalty, getattr(job, f'{word}_callback_timeout'), *args)
    except Exception as error:
        logger.error('Job %s: error while running the %s callback\n%s', job.id, said, _without_secrets(error, job))
        raise


def execute_failure_callback(job: Any, death_penalty_class: type[Any], *exc_info: Any) -> None:
    """Call `on_failure` with the exception, if there is one; what it raises is logged and raised."""
    _tell(job, 'failure', death_penalty_class, *exc_info)


def execute_stopped_callback(job: Any, death_penalty_class: type[Any]) -> None:
    """Call `on_stopped`, if there is one; what it raises is logged and raised."""
    _tell(job, 'stopped', death_penalty_class)


def execute_final_failure_callback(job: Any, death_penalty_class: type[Any], *exc_info: Any) -> None:
    """Call `on_final_failure` with the exception, if there is one; what it raises is logged and raised."""
    _tell(job, 'final_failure', death_penalty_class, *exc_info)


class HasCallbacks:
    """Mixin of Job: its callbacks, imported on first use, and the methods that call them, which tracers patch."""

    def _forget_callbacks(self) -> None:
        self._success_callback = self._failure_callback = self._stopped_callback = UNEVALUATED
        self._final_callback = UNEVALUATED

    def _take_callbacks(self, **given: Any) -> None:
        """Those that were given, by the words of `enqueue`; their names and timeouts are the job's from now on."""
        for word, value in given.items():
            callback = as_callback(word, value)
            if callback:
                attribute = f'_{word.removeprefix("on_").removesuffix("_failure")}_callback'
                self.__dict__[f'{attribute}_name'] = callback.name
                self.__dict__[f'{attribute}_timeout'] = callback.timeout

    def _callback(self, word: str) -> Any:
        cached = self.__dict__[f'_{word}_callback']
        if cached is UNEVALUATED:
            name = self.__dict__[f'_{word}_callback_name']
            cached = self.__dict__[f'_{word}_callback'] = import_attribute(name) if name else None
        return cached

    def _callback_timeout(self, word: str) -> int:
        return self.__dict__[f'_{word}_callback_timeout'] or CALLBACK_TIMEOUT

    success_callback = property(lambda self: self._callback('success'), doc='The imported function, or None.')
    success_callback_timeout = property(lambda self: self._callback_timeout('success'), doc='Seconds.')
    failure_callback = property(lambda self: self._callback('failure'), doc='The imported function, or None.')
    failure_callback_timeout = property(lambda self: self._callback_timeout('failure'), doc='Seconds.')
    stopped_callback = property(lambda self: self._callback('stopped'), doc='The imported function, or None.')
    stopped_callback_timeout = property(lambda self: self._callback_timeout('stopped'), doc='Seconds.')

    final_failure_callback = property(lambda self: self._callback('final'), doc='The imported function, or None.')
    final_failure_callback_timeout = property(lambda self: self._callback_timeout('final'), doc='Seconds.')

    execute_success_callback = execute_success_callback
    execute_failure_callback = execute_failure_callback
    execute_stopped_callback = execute_stopped_callback
    execute_final_failure_callback = execute_final_failure_callback
