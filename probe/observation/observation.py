"""One measurement as it happened: the value that everything later is derived from."""

from datetime import datetime

import msgspec

from probe.observation.arp import ArpSample
from probe.observation.capture import CaptureSample
from probe.observation.cdr import CdrSample
from probe.observation.database import DatabaseSample
from probe.observation.device import DeviceSample
from probe.observation.dns import DnsSample
from probe.observation.failure import Failure
from probe.observation.host import HostSample
from probe.observation.http import HttpSample
from probe.observation.icmp import EchoSample
from probe.observation.interfaces import InterfacesSample
from probe.observation.ntp import NtpSample
from probe.observation.path import PathSample
from probe.observation.pmtu import PmtuSample
from probe.observation.sip import CallSample, GatewaySample, RegistrationSample, SipSample
from probe.observation.sockets import SocketsSample
from probe.observation.stamp import StampSample
from probe.observation.tcp import ConnectSample
from probe.observation.tls import TlsSample

Sample = (
    EchoSample
    | ConnectSample
    | TlsSample
    | HttpSample
    | DnsSample
    | NtpSample
    | DatabaseSample
    | DeviceSample
    | HostSample
    | InterfacesSample
    | CaptureSample
    | CdrSample
    | SocketsSample
    | ArpSample
    | PathSample
    | PmtuSample
    | StampSample
    | SipSample
    | RegistrationSample
    | GatewaySample
    | CallSample
)
Outcome = Sample | Failure


class Observation(msgspec.Struct, frozen=True, gc=False):
    """What `agent` saw of `node` with `prober` at `at` (aware UTC, the start of the measurement).

    `item` tells several checks of one prober on one node apart (a port, a URL, a queried name); empty where one is enough.
    """

    agent: str
    node: str
    prober: str
    at: datetime
    took_ms: float
    outcome: Outcome
    item: str = ""
