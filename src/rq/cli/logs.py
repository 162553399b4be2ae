"""What the commands that run for long log, and how: levels, formats, DICT_CONFIG of a settings module."""

from __future__ import annotations

import logging
import logging.config
import os
from collections.abc import Mapping
from typing import Any

import click

from rq.cli.errors import wrong_option
from rq.logutils import setup_loghandlers


def level_of(word: str | None, option: str) -> str | None:
    """A logging level as logging knows it, in any case; a usage error naming the option for another word."""
    if word is None or word.upper() in logging.getLevelNamesMapping():
        return word and word.upper()
    raise wrong_option(option, f'{word!r} is no level: choose DEBUG, INFO, WARNING, ERROR or CRITICAL')


def apply_dict_config(settings: Mapping[str, Any]) -> None:
    """Configure logging as DICT_CONFIG of the settings module says, if it does."""
    if not settings.get('DICT_CONFIG'):
        return
    try:
        logging.config.dictConfig(settings['DICT_CONFIG'])
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        raise wrong_option('--config', f'DICT_CONFIG of the settings module is wrong: {error}') from error


def configure_logging(settings: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """First the module's DICT_CONFIG, then what the options say."""
    fill_standard_descriptors()
    apply_dict_config(settings)
    try:
        logging.Formatter(options['log_format'], options['date_format'])
    except ValueError as error:
        raise wrong_option('--log-format', error) from error
    try:
        setup_loghandlers_from_args(*(options[word] for word in ('verbose', 'quiet', 'date_format', 'log_format')))
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error  # 1, as in RQ 3.0


def fill_standard_descriptors() -> None:
    """Put /dev/null where stdin, stdout or stderr were closed: else the next socket would stand there.

    A job's `print` in C, or a program that it starts, would then write into the connection to the server.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            try:
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number is this one
            except OSError:
                return  # no such device here: we run without


def setup_loghandlers_from_args(verbose: bool, quiet: bool, date_format: str, log_format: str) -> None:
    """Set up the worker's log: DEBUG, WARNING, or its level as it is; `RuntimeError` for both flags."""
    if verbose and quiet:
        raise RuntimeError('--verbose and --quiet exclude each other')
    level = 'DEBUG' if verbose else 'WARNING' if quiet else None
    setup_loghandlers(level, date_format=date_format, log_format=log_format, name='rq.worker')
