"""JPEG files that OpenCV's encoder does not make: EXIF orientation, and CMYK, YCCK and RGB from separate scans."""
import struct

import cv2
import numpy as np


def segments(file):
    """The (marker, body) pairs before the image data, and the entropy-coded data up to the end marker."""
    at, found = 2, []
    while True:
        marker, length = file[at + 1], struct.unpack(">H", file[at + 2:at + 4])[0]
        found.append((marker, file[at + 4:at + 2 + length]))
        at += 2 + length
        if marker == 0xDA:
            return found, file[at:-2]


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def exif(orientation, big_endian=False):
    """The body of an EXIF block with nothing but the orientation tag (0x0112, a SHORT) in it."""
    order = ">" if big_endian else "<"
    tiff = (b"MM" if big_endian else b"II") + struct.pack(order + "HI", 42, 8)
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return tiff + struct.pack(order + "H", 1) + entry + struct.pack(order + "I", 0)


def with_exif(file, orientation, big_endian=False):
    return file[:2] + segment(0xE1, b"Exif\0\0" + exif(orientation, big_endian)) + file[2:]


def planes(components, quality, adobe=None):
    """A baseline JPEG of full-size `components` (2-D arrays), each in a scan of its own.

    Each scan is the data of a grey JPEG with the same tables. `adobe` is the transform in an Adobe marker:
    0 means CMYK or RGB as it stands, 1 YCbCr, 2 YCCK; None leaves the marker out.
    """
    height, width = components[0].shape
    greys = [cv2.imencode(".jpg", c, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes() for c in components]
    out = b"\xff\xd8"
    if adobe is not None:
        out += segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, adobe))
    for marker, body in segments(greys[0])[0]:
        if marker in (0xDB, 0xC4):
            out += segment(marker, body)
        if marker == 0xC0:
            fields = b"".join(bytes([i + 1, 0x11, 0]) for i in range(len(components)))
            out += segment(0xC0, struct.pack(">BHHB", 8, height, width, len(components)) + fields)
    for i, grey in enumerate(greys):
        out += segment(0xDA, bytes([1, i + 1, 0, 0, 63, 0])) + segments(grey)[1]
    return out + b"\xff\xd9"


def cmyk(picture, quality, transform, inverted=True):
    """A four-component JPEG of an RGB picture: CMYK for `transform` 0 or None, YCCK for 2."""
    black = 255 - picture.max(axis=2)
    inks = [255 - picture[:, :, i] - black for i in range(3)] + [black]
    if inverted:
        inks = [255 - ink for ink in inks]
    if transform == 2:
        turned = cv2.cvtColor(np.dstack([255 - ink for ink in inks[:3]]), cv2.COLOR_RGB2YCrCb)
        inks = [turned[:, :, 0], turned[:, :, 2], turned[:, :, 1], inks[3]]
    return planes([np.ascontiguousarray(ink) for ink in inks], quality, transform)
