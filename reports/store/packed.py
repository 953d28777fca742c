"""Evidence as it lies in the store: compressed, for that of a wide outage is megabytes of JSON."""

import zlib

FEW_BYTES = 1_000  # less than this is kept as it is
MOST_BYTES = 64 * 1024**2  # of what is unpacked: four times the largest proof
LEVEL = 1  # 11 MB become 0.3 MB in 20 ms; the usual level takes three times as long and saves a fifth of that


def pack(text: bytes) -> bytes:
    """Return the bytes to keep of a JSON document."""
    return zlib.compress(text, LEVEL) if len(text) >= FEW_BYTES else text


def unpack(kept: bytes) -> bytes:
    """Return a JSON document as it was given to `pack`, or was kept before there was any packing; ValueError when it is neither."""
    if not kept.startswith(b"\x78"):  # RFC 1950: what `pack` makes begins with it, and no JSON does
        return kept
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(kept, MOST_BYTES)
    except zlib.error as why:
        raise ValueError(f"the evidence is damaged: {why}") from why
    if not unpacking.eof:
        raise ValueError(f"the evidence is cut off, or longer than {MOST_BYTES} bytes")
    return text
