"""Where the readings of a device become bad, when neither it nor the module in it says so itself."""

from checks import host, interfaces
from checks.finding import Levels

CPU_SOURCE = "our choice: never critical, for most devices forward in hardware; a busy processor delays routing, management and signalling"
CPU = Levels(0.90, None, "ratio", CPU_SOURCE)
MEMORY = Levels(0.95, None, "ratio", "our choice: never critical, for what counts as used (caches, images) differs from maker to maker")
STORAGE = Levels(0.95, None, "ratio", "our choice: never critical, for a flash that holds two system images is nearly full for years")
SESSIONS = Levels(0.80, 0.95, "ratio", "our choice: at 1.0 the next session, translation or connection is refused")
LICENCES = Levels(0.90, None, "ratio", "our choice: never critical, for a few licences that are all in use are often meant so")
RESTART = Levels(600.0, None, "s", "our choice: ten minutes, long enough to be believed and to be seen", low=True, margin=0.0)
CLOCK = Levels(
    10.0, None, "s", "our choice: the clock of RFC 2790 is read in whole seconds; never critical, for time itself is judged by ntp"
)
TEMPERATURE = Levels(
    75.0,
    95.0,
    "°C",
    "our choice, for sensors without own limits: silicon runs to 100 °C, and a sound device keeps away from it",
    margin=0.03,
)
FAN_STOPPED = Levels(1.0, None, "rpm", "our choice: it stands still, and was seen turning in the last 14 days")
MODULE_TEMPERATURE = Levels(
    70.0,
    85.0,
    "°C",
    "our choice, for modules without own limits: commercial ones are built for 70 °C, industrial ones for 85 °C",
    margin=0.03,
)
RX = Levels(
    -28.0,
    None,
    "dBm",
    "our choice, for modules without own limits: where common receivers end (ITU-T G.984.2, class B+); never critical, as its port tells",
    low=True,
    margin=0.02,
)
TX = Levels(
    -16.0,
    None,
    "dBm",
    "our choice, for modules without own limits: the weakest common launch is -15 dBm (ITU-T G.957 S-1.1), less 1 dB for the measuring",
    low=True,
    margin=0.03,
)
BIAS = Levels(None, None, "mA", "our choice: not judged without own limits, for lasers differ tenfold; held against its usual")
LOST = "our choice: half of the light is gone; ageing takes years for it, dirt, a bend or a bad splice does not"
RX_LOSS = Levels(3.0, None, "dB", LOST)
TX_LOSS = Levels(3.0, None, "dB", LOST)
LEVEL_LOSS = Levels(3.0, None, "dB", LOST)
UPS_MINUTES = Levels(20.0, 8.0, "min", "our choice: time to get there, time to shut servers down; judged on battery only", low=True)
UPS_CHARGE = Levels(0.50, 0.20, "ratio", "our choice, judged on battery only", low=True)
UPS_LOAD = Levels(0.80, 1.0, "ratio", "our choice: above 1.0 it transfers to bypass or switches off; a fifth is kept for starting currents")
BGP_UP = Levels(600.0, None, "s", "our choice: ten minutes, long enough to be believed and to be seen", low=True, margin=0.0)
PREFIXES = Levels(None, None, "prefixes", "our choice: held against the usual", low=True)
PREFIX_LOSS = Levels(1.0, None, "prefixes", "our choice: the peer sends none, and sent some in the last 14 days")
OSPF_LOSS = Levels(1.0, None, "neighbours", "our choice: fewer than were seen at once in the last 14 days")
REGISTRATION_LOSS = Levels(1.0, None, "lines", "our choice: fewer lines are registered than at once in the last 14 days")


class Limits(host.Limits, frozen=True):
    """What can be set for an `snmp` check: of the host part and of the interfaces as for those, and the device's own.

    Levels that a sensor or module states itself go before those of the same question here.
    """

    errors: Levels = interfaces.ERRORS
    discards: Levels = interfaces.DISCARDS
    utilisation: Levels = interfaces.UTILISATION
    flaps: Levels = interfaces.FLAPS
    half_duplex: Levels = interfaces.HALF
    processor: Levels = CPU
    pool_memory: Levels = MEMORY
    pool_storage: Levels = STORAGE
    sessions: Levels = SESSIONS
    licences: Levels = LICENCES
    restart: Levels = RESTART
    device_clock: Levels = CLOCK
    temperature: Levels = TEMPERATURE
    fan_stopped: Levels = FAN_STOPPED
    module_temperature: Levels = MODULE_TEMPERATURE
    rx_power: Levels = RX
    rx_loss: Levels = RX_LOSS
    tx_power: Levels = TX
    tx_loss: Levels = TX_LOSS
    level_loss: Levels = LEVEL_LOSS
    bias: Levels = BIAS
    ups_minutes: Levels = UPS_MINUTES
    ups_charge: Levels = UPS_CHARGE
    ups_load: Levels = UPS_LOAD
    bgp_up: Levels = BGP_UP
    prefixes: Levels = PREFIXES
    prefix_loss: Levels = PREFIX_LOSS
    ospf_loss: Levels = OSPF_LOSS
    registration_loss: Levels = REGISTRATION_LOSS


_INTERFACES = interfaces.Limits.__struct_fields__


def of_interfaces(limits: Limits) -> interfaces.Limits:
    """Return the part of the limits by which interfaces are judged."""
    return interfaces.Limits(**{name: getattr(limits, name) for name in _INTERFACES if hasattr(limits, name)})
