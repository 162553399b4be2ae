"""The names that RQ has under `rq.cli.helpers`; they are defined in the rooms they belong to."""

from rq.cli.arguments import ParsingMode, parse_function_arg, parse_function_args, parse_schedule
from rq.cli.info import get_scale, pad, refresh, show_both, show_queues, show_workers, state_symbol
from rq.cli.logs import setup_loghandlers_from_args
from rq.cli.options import CliConfig, get_redis_from_config, pass_cli_config, read_config_file

__all__ = [
    'CliConfig',
    'ParsingMode',
    'get_redis_from_config',
    'get_scale',
    'pad',
    'parse_function_arg',
    'parse_function_args',
    'parse_schedule',
    'pass_cli_config',
    'read_config_file',
    'refresh',
    'setup_loghandlers_from_args',
    'show_both',
    'show_queues',
    'show_workers',
    'state_symbol',
]
