"""Sentry's documented way: a settings module of `rq worker -c` that starts it. What it would send is kept."""

import sentry_sdk
from sentry_sdk.integrations.rq import RqIntegration
from sentry_sdk.transport import Transport
from spans import keep


class Kept(Transport):
    def capture_envelope(self, envelope):
        for item in envelope.items:
            event = item.payload.json
            error = (event.get('exception') or {}).get('values') or [{}]
            keep(
                event.get('type') or 'error', name=event.get('transaction'), trace=event['contexts']['trace'],
                extra=event.get('extra', {}).get('rq-job'), error=error[-1].get('type'), value=error[-1].get('value'),
                mechanism=(error[-1].get('mechanism') or {}).get('type'),
            )  # fmt: skip


sentry_sdk.init(
    dsn='http://key@localhost/1', transport=Kept, integrations=[RqIntegration()], traces_sample_rate=1.0,
    default_integrations=True, auto_enabling_integrations=False,
)  # fmt: skip
