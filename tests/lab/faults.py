"""Every fault the lab can have, by name: made when its context is entered, undone when it is left; both wait until they hold."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from tests.lab import device_faults, line_faults, voice_faults, way_faults

if TYPE_CHECKING:
    from tests.lab.lab import Lab

FAULTS: dict[str, Callable[["Lab"], AbstractContextManager[None]]] = {
    make.__name__: make
    for make in (
        line_faults.fibre_cut,
        line_faults.both_fibres_cut,
        line_faults.admin_down,
        line_faults.flap,
        line_faults.bgp_down,
        line_faults.bgp_unreadable,
        line_faults.lossy,
        line_faults.lossy_outwards,
        line_faults.lossy_inwards,
        line_faults.slow,
        way_faults.mtu_black_hole,
        way_faults.mtu_honest,
        way_faults.duplicate_address,
        way_faults.routing_loop,
        way_faults.far_end_down,
        way_faults.carrier_drops,
        way_faults.hop_silent,
        way_faults.no_audio,
        voice_faults.sip_503,
        voice_faults.sip_403,
        voice_faults.sip_silent,
        voice_faults.sip_blocked,
        voice_faults.sip_prohibited,
        voice_faults.sip_refused,
        voice_faults.dmz_wrong,
        voice_faults.sip_alg,
        voice_faults.gateway_off,
        voice_faults.gateway_refuses,
        device_faults.degraded_optics,
        device_faults.crc,
        device_faults.snmp_dead,
        device_faults.snmp_restarted,
        device_faults.rebooted,
        device_faults.overheated,
        device_faults.fan_stopped,
        device_faults.on_battery,
    )
}
