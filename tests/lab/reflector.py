"""The far end's STAMP reflector (RFC 8762), the project's own: `reflector.py ADDRESS NETWORK`; it answers who is of the network."""

import asyncio
import sys

from probe.stamp_reflector import reflecting
from probe.stamp_wire import PORT


async def main(address: str, network: str) -> None:
    async with reflecting(address, PORT, [network]):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
