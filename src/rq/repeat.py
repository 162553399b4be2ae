"""The address at which RQ keeps `Repeat`."""

from rq.rules.repeat import Repeat

__all__ = ['Repeat']
