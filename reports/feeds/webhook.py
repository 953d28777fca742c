"""One POST an event: a CloudEvent (CNCF CloudEvents 1.0, HTTP binding, structured mode), signed as Standard Webhooks 1.0 says.

The CloudEvent's `id` is agent/case/number and stays the same when an event is sent again. With a secret the headers `webhook-id`,
`webhook-timestamp` (Unix seconds) and `webhook-signature` (`v1,` and the base64 of HMAC-SHA256 over "id.timestamp.body") let the
receiver check who sent it and when. The secret's file holds either any text or `whsec_` and base64 (Standard Webhooks).

Any 2xx is an acceptance. 429 and 5xx, a time-out or a broken connection: later, not before `Retry-After` (seconds or a date, RFC 9110
10.2.3). 410 is a final refusal, any other status a refusal; a redirect is one too, because following it would send cases where nobody
said that they should go.
"""

import base64
import binascii
import hashlib
import hmac
import ssl
from datetime import UTC
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import Meta

from reports.feeds import http
from reports.feeds.feed import FeedEvent, Later, Refused
from reports.feeds.options import Clock, FeedOptions, Render, secret


class Options(FeedOptions, frozen=True, kw_only=True):
    """Where to, and how to sign."""

    url: Annotated[str, Meta(description="https:// address of the receiver; http:// only to this machine, unless `plain` is set")]
    secret_file: Annotated[str | None, Meta(description="file with the secret that signs; without it nothing is signed")] = None
    ca_file: Annotated[str | None, Meta(description="certificates to trust instead of the system's")] = None
    timeout_s: Annotated[float, Meta(description="for the whole exchange", gt=0, le=50)] = 10.0
    plain: Annotated[bool, Meta(description="allow http:// to another machine: everyone on the way can read the cases")] = False


class Webhook:
    """Posts to one address."""

    def __init__(self, name: str, options: Options, now: Clock) -> None:
        self.name = name
        self._options = options
        self._target = http.target(options.url)
        self._now = now
        if not self._target.secure and not options.plain and not _here(self._target.host):
            raise ValueError("an http:// address of another machine needs plain = true: everyone on the way can read the cases")

    async def deliver(self, event: FeedEvent) -> None:
        """Post the event; Later or Refused unless the receiver said 2xx."""
        body = cloud_event(event)
        headers = {"Content-Type": "application/cloudevents+json; charset=UTF-8"}
        if self._options.secret_file:
            headers |= signature(event.id, int(self._now().timestamp()), body, secret(self._options.secret_file))
        where = f"{self._target.host}:{self._target.port}"
        try:
            tls = ssl.create_default_context(cafile=self._options.ca_file) if self._target.secure else None
            answer = await http.post(self._target, headers, body, tls, self._options.timeout_s)
        except TimeoutError as why:
            raise Later(f"{where}: no answer within {self._options.timeout_s:g} s") from why
        except (OSError, ValueError) as why:
            raise Later(f"{where}: {why}") from why
        judge(answer, where, self._now)


def cloud_event(event: FeedEvent) -> bytes:
    """Return the CloudEvent of a case event as JSON."""
    who = event.identity
    envelope = {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/firstline/{quote(event.agent, safe='')}",
        "type": f"firstline.case.{event.event}",
        "subject": f"{who.kind}/{who.cause}/{who.element}/{who.episode}",
        "time": event.at,
        "datacontenttype": "application/json",
        "data": event,
    }
    return msgspec.json.encode(envelope)


def signature(identity: str, timestamp: int, body: bytes, key: str) -> dict[str, str]:
    """Return the three headers of Standard Webhooks; Later when the secret says `whsec_` and is not base64."""
    secret_bytes = key.encode()
    if key.startswith("whsec_"):
        try:
            secret_bytes = base64.b64decode(key.removeprefix("whsec_"), validate=True)
        except binascii.Error as why:
            raise Later("the secret begins with whsec_ and the rest is not base64") from why
    name = quote(identity, safe="/")
    signed = hmac.new(secret_bytes, f"{name}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": name,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


def judge(answer: http.Answer, where: str, now: Clock) -> None:
    """Raise Later or Refused for any status that is not 2xx."""
    if 200 <= answer.status < 300:
        return
    said = f"{where} answered {answer.status} {answer.reason}".strip()
    if answer.status >= 500 or answer.status in {408, 425, 429}:
        raise Later(said, retry_after_s(answer.headers.get("retry-after", ""), now))
    if 300 <= answer.status < 400:
        raise Refused(f"{said}: redirects are not followed ({answer.headers.get('location', 'nowhere')[:200]})")
    raise Refused(said, final=answer.status == 410)


def retry_after_s(text: str, now: Clock) -> float | None:
    """Return the seconds that a Retry-After asks for (a number, or a date less the time now); None when it says nothing."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now()).total_seconds())


def _here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def open(name: str, options: Options, *, now: Clock, render: Render) -> Webhook:  # noqa: ARG001
    """Return a feed that posts to the address of `options`; ValueError when that address cannot be used."""
    return Webhook(name, options, now)
