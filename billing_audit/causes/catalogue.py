"""All causes, in the order in which they are tried. Adding one is a file and a line."""

from types import ModuleType
from typing import Final

from billing_audit.causes import (
    clock,
    code_list,
    connection_fee,
    cost_rounding,
    cut_off,
    dst,
    duplicate,
    duration_rounding,
    early_answer,
    failed_call,
    free_seconds,
    hung_call,
    increment,
    increment_anchor,
    missing_import,
    missing_outage,
    partial_records,
    prefix,
    rate,
    rate_change,
    rate_change_zone,
    ring_time,
    scale,
    time_band,
    timezone,
)

PRESENCE: Final[dict[str, ModuleType]] = {
    module.CODE: module for module in (failed_call, duplicate, cut_off, missing_outage, missing_import)
}
"""Causes that take the whole charge of a record."""

CLOCKS: Final[dict[str, ModuleType]] = {module.CODE: module for module in (timezone, dst, clock)}
"""Causes without money of their own."""

MEASURED: Final[dict[str, ModuleType]] = {
    module.CODE: module for module in (hung_call, early_answer, ring_time, duration_rounding, partial_records)
}
"""Causes for which two durations of one call differ."""

METHODS: Final[dict[str, ModuleType]] = {
    module.CODE: module
    for module in (
        increment,
        increment_anchor,
        free_seconds,
        duration_rounding,
        scale,
        connection_fee,
        rate_change,
        rate_change_zone,
        time_band,
        prefix,
        code_list,
        rate,
        cost_rounding,
    )
}
"""Causes for which a side's charge is not what the reference says for its own record, as they are looked for."""

REPAIRED: Final = (
    "duration_rounding",
    "increment",
    "increment_anchor",
    "free_seconds",
    "rate",
    "rate_change",
    "rate_change_zone",
    "prefix",
    "code_list",
    "time_band",
    "connection_fee",
    "scale",
    "cost_rounding",
)
"""The same in the order in which they are repaired: duration → billed seconds → rate → fee → scale → rounding."""

CAUSES: Final[dict[str, ModuleType]] = {**CLOCKS, **PRESENCE, **MEASURED, **METHODS}
"""All codes; what none of them explains is `unexplained`."""
