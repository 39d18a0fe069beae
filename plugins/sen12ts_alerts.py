"""Who is told when a run fails or takes too long: a webhook or people by e-mail, as the environment says.

======================== ===================================================================
``SEN12TS_ALERT_WEBHOOK`` URL that gets a JSON object with ``text``, as chat programs take it
``SEN12TS_ALERT_EMAIL``   addresses, with commas; the connection ``smtp_default`` sends
``SEN12TS_DEADLINE_HOURS`` hours after which a run that was queued should have ended
======================== ===================================================================
"""

from __future__ import annotations

import json
import logging
import os
import urllib.request
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import AsyncCallback, BaseNotifier, DeadlineAlert, DeadlineReference

log = logging.getLogger(__name__)

TIMEOUT_S = 20


class Alert(BaseNotifier):
    """Sends a text, a template of Airflow's, to whom the environment names.

    Parameters
    ----------
    message : str
        The text.
    strict : bool
        Whether what cannot be sent is an error; else it is logged, and stops nothing.
    """

    template_fields = ("message",)

    def __init__(self, message: str, *, strict: bool = False) -> None:
        super().__init__()
        self.message, self.strict = message, strict

    def notify(self, context: Any) -> None:  # noqa: ARG002 - the message holds all
        """Send it."""
        failures = tell(self.message)
        if failures and self.strict:
            raise RuntimeError("; ".join(failures))


async def late(context: dict[str, Any]) -> None:
    """Tell that a run takes too long; called by Airflow's triggerer."""
    run = context["dag_run"]
    name = run["dag_id"] if isinstance(run, dict) else run.dag_id
    tell(f"sen12ts: a run of {name} has not ended within {os.environ['SEN12TS_DEADLINE_HOURS']} hours")


def tell(text: str) -> list[str]:
    """Send a text to whom the environment names; what cannot be sent is logged, returned, and stops nothing."""
    failures = []
    for variable, send in (("SEN12TS_ALERT_WEBHOOK", _by_webhook), ("SEN12TS_ALERT_EMAIL", _by_email)):
        address = os.environ.get(variable, "").strip()
        if address:
            try:
                send(address, text)
            except Exception as error:  # noqa: BLE001 - whatever it is, the run's own state is safe
                failures.append(f"{variable}: the alert was not sent: {type(error).__name__}")
                log.warning(failures[-1])
    return failures


def _by_webhook(url: str, text: str) -> None:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ValueError("must be a URL of http or https")
    body = json.dumps({"text": text}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S):
        pass


def _by_email(addresses: str, text: str) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    with SmtpHook() as hook:
        hook.send_email_smtp(to=addresses.split(","), subject=text[:80], html_content=text)


def deadline() -> DeadlineAlert | None:
    """Deadline of a run, where the environment sets one."""
    hours = os.environ.get("SEN12TS_DEADLINE_HOURS", "").strip()
    if not hours:
        return None
    callback = AsyncCallback("sen12ts_alerts.late")
    return DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, timedelta(hours=float(hours)), callback)
