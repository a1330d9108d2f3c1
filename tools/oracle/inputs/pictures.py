"""Small pictures of every kind that the decoders meet, made from a seed with nothing but OpenCV and zlib.

`pictures()` yields (name, bytes). OpenCV writes the plain JPEGs; the kinds that it cannot write are put
together here: inks and odd colour spaces from the scans of grey JPEGs, PNGs of every colour type by hand.
"""

import struct
import zlib

import cv2
import numpy

# ---- content

def photo(width, height, channels=3, seed=0, top=255):
    """Smooth shapes and noise: every coefficient of a JPEG has something to do."""
    random = numpy.random.RandomState(seed * 1009 + width * 31 + height)
    y, x = numpy.mgrid[0:height, 0:width].astype(numpy.float64)
    planes = []
    for channel in range(channels):
        wave = numpy.sin(x / (3 + 2 * channel)) + numpy.cos(y / (4 + channel)) + (x + y) / (width + height)
        planes.append((wave - wave.min()) / max(wave.max() - wave.min(), 1e-9))
    image = numpy.stack(planes, axis=-1) * 0.8 + random.rand(height, width, channels) * 0.2
    image = numpy.clip(image * top, 0, top)
    return image.astype(numpy.uint8 if top < 256 else numpy.uint16)


# ---- JPEG

def jpeg(image, quality=90, sampling=None, progressive=False, restart=0):
    parameters = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if sampling is not None:
        parameters += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    if progressive:
        parameters += [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    if restart:
        parameters += [cv2.IMWRITE_JPEG_RST_INTERVAL, restart]
    done, data = cv2.imencode(".jpg", image, parameters)
    assert done
    return data.tobytes()


def segments(data):
    """(marker, payload) up to the first scan, then (0xda, payload and everything after it)."""
    at = 2
    while True:
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2:at + 4])[0]
        if marker == 0xDA:
            yield marker, data[at + 4:]
            return
        yield marker, data[at + 4:at + 2 + length]
        at += 2 + length


def segment(marker, payload):
    return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload


def insert_after_start(data, *extra):
    return data[:2] + b"".join(extra) + data[2:]


def planes_jpeg(planes, adobe=None, quality=90):
    """One component for each grey plane, each in a scan of its own; `adobe`: the transform byte."""
    kept, scans = b"", []
    for index, plane in enumerate(planes):
        for marker, payload in segments(jpeg(plane, quality)):
            if marker == 0xDA:
                # One component of its own number with table 0, then the range of coefficients and the data.
                scans.append(bytes([0xFF, 0xDA, 0, 8, 1, index + 1, 0]) + payload[3:-2])
            elif index == 0 and marker in (0xDB, 0xC4):
                kept += segment(marker, payload)
    height, width = planes[0].shape[:2]
    frame = struct.pack(">BHHB", 8, height, width, len(planes))
    frame += b"".join(bytes([index + 1, 0x11, 0]) for index in range(len(planes)))
    start = b"\xff\xd8"
    if adobe is not None:
        start += segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, adobe))
    return start + kept + segment(0xC0, frame) + b"".join(scans) + b"\xff\xd9"


def exif(value, little=False, entries=(), kind=3, tag=0x112, count=1, head=b"Exif\0\0"):
    """An APP1 segment with an orientation, after `entries`: (tag, kind, count, value) each."""
    order = "<" if little else ">"
    everything = list(entries) + [(tag, kind, count, value)]
    body = (b"II*\0" if little else b"MM\0*") + struct.pack(order + "IH", 8, len(everything))
    for number, form, many, content in everything:
        body += struct.pack(order + "HHI", number, form, many)
        if isinstance(content, bytes):
            body += content
        else:
            body += struct.pack(order + "H", content) + b"\0\0" if form == 3 else struct.pack(order + "I", content)
    return segment(0xE1, head + body + bytes(4))


# ---- PNG

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data) & 0xFFFFFFFF)


PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(samples, kind, depth, interlaced=False, before=(), level=6):
    """`samples`: height x width x channels of raw values. `kind`: PNG's colour type. `before`: chunks."""
    height, width = samples.shape[:2]

    def rows(part):
        out = b""
        for number, line in enumerate(part):
            flat = line.reshape(-1)
            if depth == 16:
                packed = flat.astype(">u2").tobytes()
            elif depth == 8:
                packed = flat.astype(numpy.uint8).tobytes()
            else:
                bits = "".join(format(int(value), f"0{depth}b") for value in flat)
                bits += "0" * (-len(bits) % 8)
                packed = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
            step = max(1, depth * samples.shape[2] // 8)
            if number % 2:  # filter 1, Sub, on every other row
                out += b"\1" + bytes((packed[i] - (packed[i - step] if i >= step else 0)) & 255
                                     for i in range(len(packed)))
            else:
                out += b"\0" + packed
        return out

    if interlaced:
        raw = b""
        for x, y, dx, dy in PASSES:
            part = samples[y::dy, x::dx]
            if part.size:
                raw += rows(part)
    else:
        raw = rows(samples)
    data = b"\x89PNG\r\n\x1a\n"
    data += chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced)))
    data += b"".join(before)
    data += chunk(b"IDAT", zlib.compress(raw, level))
    return data + chunk(b"IEND", b"")


CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def png_kinds(width, height):
    palette = bytes((i * 37 + c * 91) & 255 for i in range(256) for c in range(3))
    for kind, depths in DEPTHS.items():
        for depth in depths:
            top = (1 << depth) - 1
            samples = photo(width, height, CHANNELS[kind], seed=kind * 17 + depth, top=top).astype(numpy.int64)
            plte = [chunk(b"PLTE", palette[:3 << depth])] if kind == 3 else []
            for interlaced in (False, True):
                name = f"type{kind}-{depth}bit{'-interlaced' if interlaced else ''}-{width}x{height}.png"
                yield name, png(samples, kind, depth, interlaced, plte)
            name = "type%d-%dbit-%s-%dx%d.png"
            size = (width, height)
            if kind == 0:
                clear = chunk(b"tRNS", struct.pack(">H", int(samples[0, 0, 0])))
                yield name % ((kind, depth, "trns") + size), png(samples, kind, depth, False, [clear])
            if kind == 2:
                clear = chunk(b"tRNS", struct.pack(">HHH", *[int(v) for v in samples[0, 0]]))
                yield name % ((kind, depth, "trns") + size), png(samples, kind, depth, False, [clear])
            if kind == 3:
                clear = chunk(b"tRNS", bytes(range(0, 250, 50))[:1 << depth])
                yield name % ((kind, depth, "trns") + size), png(samples, kind, depth, True, plte + [clear])
            # Gamma decides how colour becomes grey; words must not matter.
            gamma = [chunk(b"gAMA", struct.pack(">I", 45455))]
            steep = [chunk(b"gAMA", struct.pack(">I", 100000))]
            srgb = [chunk(b"sRGB", b"\0")]
            chroma = [chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000))]
            words = [chunk(b"tEXt", b"Comment\0" + b"x" * 50),
                     chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"y" * 5000)),
                     chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(b"z" * 5000)),
                     chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1)),
                     chunk(b"tIME", struct.pack(">HBBBBB", 2023, 1, 1, 1, 1, 1)), chunk(b"prVt", b"own")]
            extras = [("gamma", gamma), ("linear", steep), ("srgb", srgb), ("chroma", gamma + chroma),
                      ("words", words)]
            if depth == 16 and kind in (2, 6):
                extras.append(("bits", gamma + [chunk(b"sBIT", bytes([10] * CHANNELS[kind]))]))
            if depth == 8 or depth == 16:
                for word, chunks in extras:
                    yield name % ((kind, depth, word) + size), png(samples, kind, depth, False, chunks + plte)


# ---- all of them

def jpeg_kinds():
    samplings = {"444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, "422": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
                 "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, "440": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
                 "411": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411}
    for width, height in [(1, 1), (2, 3), (7, 5), (8, 8), (16, 16), (17, 9), (31, 33), (100, 75), (129, 66)]:
        size = f"{width}x{height}"
        for word, sampling in samplings.items():
            yield f"{word}-{size}.jpg", jpeg(photo(width, height), 90, sampling)
            yield f"{word}-progressive-{size}.jpg", jpeg(photo(width, height), 75, sampling, True)
            yield f"{word}-restart-{size}.jpg", jpeg(photo(width, height), 85, sampling, False, 2)
        yield f"grey-{size}.jpg", jpeg(photo(width, height, 1)[:, :, 0], 90)
        yield f"grey-progressive-{size}.jpg", jpeg(photo(width, height, 1)[:, :, 0], 60, None, True)
        planes = [photo(width, height, 1, seed)[:, :, 0] for seed in range(4)]
        for adobe in (None, 0, 2):
            yield f"inks-{adobe}-{size}.jpg", planes_jpeg(planes, adobe)
        for adobe in (None, 0, 1):
            yield f"planes-{adobe}-{size}.jpg", planes_jpeg(planes[:3], adobe)
    for quality in (0, 1, 10, 50, 100):
        yield f"quality-{quality}.jpg", jpeg(photo(40, 30), quality)
    plain = jpeg(photo(23, 14))
    grey = jpeg(photo(23, 14, 1)[:, :, 0])
    inks = planes_jpeg([photo(23, 14, 1, seed)[:, :, 0] for seed in range(4)], 2)
    for value in range(10):
        for little in (False, True):
            turned = exif(value, little)
            word = "little" if little else "big"
            yield f"exif-{value}-{word}.jpg", insert_after_start(plain, turned)
        yield f"exif-{value}-grey.jpg", insert_after_start(grey, exif(value))
        yield f"exif-{value}-inks.jpg", insert_after_start(inks, exif(value))
        yield f"exif-{value}-progressive.jpg", insert_after_start(
            jpeg(photo(37, 21), progressive=True), exif(value))
    odd = {
        "second": [exif(6), exif(3)],
        "after-xmp": [segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), exif(6)],
        "after-empty": [segment(0xE1, b""), exif(6)],
        "after-short": [segment(0xE1, b"Exif\0"), exif(6)],
        "no-name": [exif(6, head=b"NoName")],
        "long": [exif(6, kind=4, little=True)],
        "long-big": [exif(6, kind=4)],
        "twice": [exif(6, entries=[(0x112, 3, 1, 8)])],
        "text-first": [exif(6, entries=[(0x10F, 2, 4, b"abc\0")])],
        "text-outside": [exif(6, entries=[(0x10F, 2, 400, struct.pack(">I", 8))])],
        "text-edge": [exif(6, entries=[(0x10F, 2, 30, struct.pack(">I", 8))])],
        "text-edge-over": [exif(6, entries=[(0x10F, 2, 31, struct.pack(">I", 8))])],
        "rational-outside": [exif(6, entries=[(0x11A, 5, 1, struct.pack(">I", 5000))])],
        "rational-edge": [exif(6, entries=[(0x11A, 5, 1, struct.pack(">I", 30))])],
        "rational-edge-over": [exif(6, entries=[(0x11A, 5, 1, struct.pack(">I", 31))])],
        "whitepoint-edge-over": [exif(6, entries=[(0x13E, 5, 1, struct.pack(">I", 23))])],
        "primaries-edge-over": [exif(6, entries=[(0x13F, 5, 1, struct.pack(">I", 0))])],
        "coefficients-edge": [exif(6, entries=[(0x211, 5, 1, struct.pack(">I", 14))])],
        "unknown-outside": [exif(6, entries=[(0x9999, 2, 400, struct.pack(">I", 80000))])],
        "mixed-order": [segment(0xE1, b"Exif\0\0IM*\0" + bytes(4))],
        "no-order": [segment(0xE1, b"Exif\0\0XX" + exif(6)[12:])],
        "same-order": [segment(0xE1, b"Exif\0\0QQ" + exif(6)[12:])],
        "bad-magic": [segment(0xE1, b"Exif\0\0MM\0\x2b" + exif(6)[14:])],
        "cut": [segment(0xE1, exif(6)[4:-8])],
        "cut-more": [segment(0xE1, exif(6)[4:-10])],
        "far": [segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xf0\0\0\0\0")],
    }
    for word, extra in odd.items():
        yield f"exif-{word}.jpg", insert_after_start(plain, *extra)
    yield "rubbish-after.jpg", plain + b"rubbish" * 100
    yield "rubbish-before-end.jpg", plain[:-2] + b"\0\1\2\3" * 5 + plain[-2:]
    yield "no-end.jpg", plain[:-2]
    yield "old-jfif.jpg", plain.replace(b"JFIF\0\1\1", b"JFIF\0\3\1")
    yield "adobe-unknown.jpg", insert_after_start(plain, segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, 9)))
    yield "adobe-rgb.jpg", insert_after_start(
        b"".join([plain[:2]] + [plain[2:]]), segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, 0)))
    tables = [segment(m, p) for m, p in segments(plain) if m == 0xC4]
    bare = plain
    for table in tables:
        bare = bare.replace(table, b"")
    yield "no-tables.jpg", bare


def pictures():
    yield from jpeg_kinds()
    for width, height in [(1, 1), (3, 2), (9, 13), (33, 20)]:
        yield from png_kinds(width, height)


def turned_pngs():
    """PNGs with an eXIf chunk: OpenCV 4.8 turns them; MXNet's own OpenCV 3.4 does not."""
    def block(value, order=None, little=False):
        content = exif(value, little)[10:]  # without the marker, the length and "Exif"
        return chunk(b"eXIf", content if order is None else order + content[2:])

    def picture(*before, after=b"", kind=2, depth=8):
        samples = photo(23, 14, CHANNELS[kind], top=(1 << depth) - 1).astype(numpy.int64)
        data = png(samples, kind, depth, before=before)
        return data[:-12] + after + data[-12:]

    for value in range(10):
        yield f"exif-{value}.png", picture(block(value, little=value % 2 == 1))
    yield "exif-after.png", picture(after=block(6))
    yield "exif-before-and-after.png", picture(block(1), after=block(6))
    yield "exif-twice.png", picture(block(8), block(3))
    yield "exif-bad-sum.png", picture(block(6)[:-1] + b"\0", block(8))
    yield "exif-bad-order.png", picture(block(6, order=b"XX"), block(8))
    yield "exif-short.png", picture(chunk(b"eXIf", b"M"), block(8))
    yield "exif-empty.png", picture(chunk(b"eXIf", b"MM"), block(8))
    yield "exif-named.png", picture(chunk(b"eXIf", exif(6)[4:]))
    for kind, depth in ((0, 8), (4, 8), (6, 8), (2, 16), (0, 16)):
        yield f"exif-type{kind}-{depth}bit.png", picture(block(6), kind=kind, depth=depth)


def damaged(seed=0, count=300):
    """JPEGs with changed, lost or doubled bytes: what OpenCV makes of them is what keeping damage means."""
    random = numpy.random.RandomState(seed)
    sources = [jpeg(photo(90, 70), 80), jpeg(photo(90, 70), 80, progressive=True),
               jpeg(photo(64, 48), 85, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, restart=3),
               jpeg(photo(50, 40, 1)[:, :, 0], 75), planes_jpeg([photo(40, 30, 1, s)[:, :, 0] for s in range(4)], 2)]
    for index in range(count):
        data = bytearray(sources[index % len(sources)])
        start = data.index(b"\xff\xda")
        kind = random.randint(4)
        at = random.randint(start, len(data) - 2)
        if kind == 0:
            data[at] ^= 1 << random.randint(8)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            del data[at:at + random.randint(1, 40)]
        else:
            data[at:at] = bytes(random.randint(0, 256, random.randint(1, 20), dtype=numpy.uint8))
        yield f"damaged-{seed}-{index}.jpg", bytes(data)
