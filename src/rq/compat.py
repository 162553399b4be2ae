"""Old address of a few small things: Python 2 and 3 were told apart here."""

from rq.legacy import names
from rq.legacy.words import string_types, text_type
from rq.utils import as_text, decode_redis_hash

__all__ = ['as_text', 'decode_redis_hash', 'string_types', 'text_type']

names.tell('rq.compat', 'rq.utils')
