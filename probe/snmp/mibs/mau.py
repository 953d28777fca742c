"""What a medium attachment unit runs at: dot3MauType of IANA-MAU-MIB (RFC 4836) as speed and duplex."""

_M, _G = 10**6, 10**9

# by the last number of the type's OID; half and full duplex where the type tells them apart
_TYPES: dict[int, tuple[int, str]] = {
    **dict.fromkeys((2, 3, 4, 5, 6, 7, 8, 9), (10 * _M, "")),
    10: (10 * _M, "half"),  # 10BASE-T
    11: (10 * _M, "full"),
    12: (10 * _M, "half"),  # 10BASE-FL
    13: (10 * _M, "full"),
    14: (100 * _M, "half"),  # 100BASE-T4
    15: (100 * _M, "half"),  # 100BASE-TX
    16: (100 * _M, "full"),
    17: (100 * _M, "half"),  # 100BASE-FX
    18: (100 * _M, "full"),
    19: (100 * _M, "half"),  # 100BASE-T2
    20: (100 * _M, "full"),
    **dict.fromkeys((21, 23, 25, 27, 29), (_G, "half")),  # 1000BASE-X, -LX, -SX, -CX, -T
    **dict.fromkeys((22, 24, 26, 28, 30), (_G, "full")),
    **dict.fromkeys(range(31, 42), (10 * _G, "full")),  # 10GBASE-X … -CX4: there is no half duplex at 10 Gbit/s
    **dict.fromkeys((44, 45, 46), (100 * _M, "full")),  # 100BASE-BX10, -LX10
    **dict.fromkeys((47, 48, 49), (_G, "full")),  # 1000BASE-BX10, -LX10
    **dict.fromkeys((54, 55, 57, 58), (10 * _G, "full")),  # 10GBASE-T, -LRM, -KX4, -KR
    56: (_G, "full"),  # 1000BASE-KX
}


def runs_at(mau_type: int | None) -> tuple[int | None, str]:
    """Return speed in bit/s and duplex of a MAU type; (None, "") for one that is unknown or not told."""
    return _TYPES.get(mau_type, (None, "")) if mau_type is not None else (None, "")
