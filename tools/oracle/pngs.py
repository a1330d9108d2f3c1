"""Writes PNG files of every kind, also those that OpenCV's own encoder never makes: palettes, 1 to 4 bits, Adam7."""
import struct
import zlib

import numpy as np

GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
# Adam7: first column, first row, column step, row step of each pass.
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, body=b""):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def scanlines(samples, depth):
    """Rows of `samples` (height, width, channels), packed at `depth` bits, each with the filter byte 0."""
    height = samples.shape[0]
    if 0 in samples.shape:
        return b""
    rows = samples.reshape(height, -1)
    if depth == 16:
        packed = rows.astype(">u2").view(np.uint8).reshape(height, -1)
    elif depth == 8:
        packed = rows.astype(np.uint8)
    else:
        bits = (rows[:, :, None] >> np.arange(depth - 1, -1, -1)) & 1
        packed = np.packbits(bits.reshape(height, -1).astype(np.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in packed)


def encode(samples, depth, kind, interlaced=False, extra=()):
    """A whole PNG file. `samples`: (height, width, channels) in 0..<2**depth; `extra`: chunks before the image data."""
    height, width, channels = samples.shape
    assert channels == CHANNELS[kind]
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced))
    if interlaced:
        data = b"".join(scanlines(samples[y::dy, x::dx], depth) for x, y, dx, dy in ADAM7)
    else:
        data = scanlines(samples, depth)
    body = b"".join(chunk(name, content) for name, content in extra)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IDAT", zlib.compress(data, 6)) + chunk(b"IEND")
