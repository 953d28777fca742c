"""Every fault the lab can have, by name. FAULTS[name].plant(lab, random.Random(seed)) gives its Truth while it lasts."""

from tests.lab import device_faults, line_faults, machine_faults, service_faults, site_faults, voice_faults, way_faults
from tests.lab.truth import NO_FAULT, Fault, Plain, Truth, truth

__all__ = ["FAULTS", "NO_FAULT", "Fault", "Plain", "Truth", "truth"]

FAULTS: dict[str, Fault] = {
    one.name: one
    for room in (line_faults, way_faults, site_faults, service_faults, voice_faults, device_faults, machine_faults)
    for one in room.FAULTS
}
