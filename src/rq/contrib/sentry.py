"""Old address of `register_sentry`, for the client that Sentry had before sentry-sdk."""

from rq.legacy.sentry import register_sentry

__all__ = ['register_sentry']
