"""Which causes explain which of the users' words, and what is to be looked at next when none was found: a table to be read."""

from collections.abc import Collection

from checks.diagnosis.symptom import Symptom
from checks.finding import Message


def _codes(*lines: str) -> tuple[str, ...]:
    return tuple(code for line in lines for code in line.split())


# What a caller never notices: a fault of its own, and no explanation of any complaint; in no column below.
UNHEARD = frozenset(
    _codes(
        "snmp_silent snmp_agent snmp_credentials snmp_answers redundancy_lost cabling fan power_supply temperature ups_battery ups_load",
        "time_server clock records_missing capture_unreadable device_part path_change mac_changed mtu_small processes_stuck",
        "responder_silent agent_blind",
    )
)

_GONE = _codes(  # nothing passes
    "host_down process_down service_hung service_error service_blocked database fibre_cut interface_down interface_admin_down",
    "site_power customer_line customer_router gateway_down carrier_network routing_loop path_broken path_own_side bgp_down prefixes",
    "ospf tunnel read_only mount units disk_full inodes oom test_call ups_on_battery duplicate_address certificate",
)
_CAPACITY = _codes(  # a part of the calls passes
    "licence_full sessions trunk_full connections descriptors conntrack ports listen_queue sockets calls_fail memory saturation cpu",
    "device_cpu device_memory service_slow pressure datagrams_lost cpu_stolen",
)
_HEARD = _codes(  # calls pass, and sound bad
    "loss delay carrier_quality path_voice voice_quality saturation duplex interface_errors fibre_degraded optics_tx",
    "cpu device_cpu pressure cpu_stolen datagrams_lost retransmission test_call_quality",
)
_COMES_AND_GOES = _codes("link_flapping bgp_flapping reboot")  # over when it is asked for: no reason for what lasts
_ONE_WAY = _codes("nat_dmz sip_alg voice_one_way test_call_audio service_blocked mtu_black_hole gateway_standard conntrack")
_REGISTRATION = _codes(
    "gateway_registration account gateway_down nat_dmz sip_alg certificate dns mtu_black_hole gateway_standard registration",
    "service_blocked service_hung service_error process_down",
)
_SLUGGISH = _codes(
    "service_slow delay cpu device_cpu disk_slow database connections dns saturation memory pressure descriptors retransmission",
    "mtu_black_hole listen_queue service_hung",
)

EXPLAINS: dict[Symptom, tuple[Collection[str], ...]] = {
    # the likeliest first; a cause in no column is a fault as well, but not what he complains of
    Symptom.NO_CALLS: (
        tuple(code for code in _GONE + _REGISTRATION if code != "dns"),
        (*_CAPACITY, "dns"),
        _ONE_WAY,
        _HEARD,
        _COMES_AND_GOES,
    ),
    Symptom.SOME_CALLS: (_CAPACITY, (*_HEARD, *_COMES_AND_GOES, "mtu_black_hole", "duplicate_address"), _GONE + _REGISTRATION),
    Symptom.ONE_WAY_AUDIO: (_ONE_WAY, _HEARD, _GONE),  # NAT and DMZ, ALG, a firewall
    Symptom.ECHO: (_codes("delay path_voice gateway_standard test_call_quality carrier_quality saturation"), _HEARD),
    Symptom.DROPS: (  # after half a minute: a session timer, NAT that forgets; at any time: a line that flaps
        _codes("sip_alg nat_dmz conntrack mtu_black_hole gateway_standard routing_loop") + _COMES_AND_GOES,
        _HEARD + _CAPACITY,
        _GONE,
    ),
    Symptom.BAD_QUALITY: (_HEARD, _ONE_WAY, _CAPACITY),
    Symptom.CANT_REGISTER: (_REGISTRATION, _GONE, _CAPACITY, _HEARD),
    Symptom.SLOW: (_SLUGGISH, _HEARD + _CAPACITY, _GONE),
    Symptom.WRONG_NUMBER: (_codes("gateway_standard account"),),  # our configuration, or the gateway's
}

ANY: tuple[Collection[str], ...] = (
    _GONE,
    _ONE_WAY + _REGISTRATION,
    _CAPACITY,
    _HEARD + _SLUGGISH,
    _COMES_AND_GOES,
)  # no word was said: the gravest first


def rank(cause: str, symptoms: Collection[Symptom]) -> int | None:
    """Return how near a cause is to what was complained of, 0 the nearest; None when nobody would complain of it in these words."""
    tables = [EXPLAINS[one] for one in symptoms] or [ANY]
    return min((place for columns in tables for place, causes in enumerate(columns) if cause in causes), default=None)


def next_test(symptoms: Collection[Symptom]) -> Message:
    """Return what to look at next when no fault was found: the message `next.<symptom>`, or `next.any`."""
    first = min(symptoms, default=None)
    return Message(f"next.{first.value}" if first is not None else "next.any")
