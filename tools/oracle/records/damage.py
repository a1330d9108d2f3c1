"""Compares what imrec says of damaged pictures with libjpeg's djpeg, and with what was done to PNGs.

2,000 photographs are damaged (generated pictures without --photos), a part of them made progressive, grey,
arithmetic-coded or with restart markers first. Where djpeg warns or fails, imrec must call the file damaged or
doubtful; where djpeg is silent, whole, except for what libjpeg does not see (`explained`). `imrec verify`,
`imrec pack` and `imrec pack --pass-through` must agree.

Needs djpeg and jpegtran (Debian's libjpeg-turbo-progs) and nothing beyond Python's own modules.
"""
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import zlib

from oracle.comparison import Comparison, arguments, finish, run, said

SEED, COUNT = 15, 2000
# Options of jpegtran: the picture stays, but its data are coded otherwise.
FORMS = [(), (), (), ("-restart", "1"), ("-restart", "5B"), ("-optimize",), ("-progressive",),
         ("-progressive", "-restart", "1"), ("-grayscale",), ("-arithmetic",)]
# What libjpeg does not look for, and its fast way through a buffer passes over.
UNSEEN = {"doubtful": ("scans are missing", "more than 64 coefficients", "left over after the picture"),
          "skipped": ("bad Huffman code",)}
READ_AHEAD = 7  # bytes that libjpeg may hold when the picture ends: how many it then misses depends on djpeg's buffer


# ---- damage

def scan_start(data):
    """The first byte of compressed data."""
    at = 2
    while data[at:at + 2] != b"\xff\xda":
        # Fill bytes and rubbish between segments are one byte each.
        is_segment = data[at] == 0xFF and data[at + 1] != 0xFF
        at += 2 + struct.unpack(">H", data[at + 2:at + 4])[0] if is_segment else 1
    return at + 2 + struct.unpack(">H", data[at + 2:at + 4])[0]


def forty_bytes(draw, data):
    for _ in range(40):
        data[draw.randrange(2, len(data))] = draw.randrange(256)
    return data


def one_bit(draw, data):
    data[draw.randrange(scan_start(data), len(data))] ^= 1 << draw.randrange(8)
    return data


def header_bits(draw, data):
    end = scan_start(data)
    for _ in range(draw.randrange(1, 4)):
        data[draw.randrange(2, end)] ^= 1 << draw.randrange(8)
    return data


def cut(draw, data):
    return data[:draw.randrange(scan_start(data), len(data))]


def cut_last(draw, data):
    return data[:-draw.randrange(1, 12)]


def cut_and_closed(draw, data):
    return cut(draw, data) + b"\xff\xd9"


def zeros(draw, data):
    count = draw.choice([4, 64, 512, 4096])
    at = draw.randrange(scan_start(data), len(data))
    data[at:at + count] = bytes(len(data[at:at + count]))
    return data


def noise(draw, data):
    at = draw.randrange(scan_start(data), len(data))
    data[at:at + 512] = draw.randbytes(len(data[at:at + 512]))
    return data


def lost(draw, data):
    at = draw.randrange(scan_start(data), len(data))
    del data[at:at + draw.choice([1, 2, 16, 512])]
    return data


def added(draw, data):
    at = draw.randrange(scan_start(data), len(data))
    data[at:at] = draw.randbytes(draw.choice([1, 2, 16, 512]))
    return data


def padded(draw, data):
    """Bytes before the end marker: of padding, or of anything."""
    count = draw.choice([1, 2, 4, 8, 12, 16, 20, 40, 400])
    return data[:-2] + (bytes(count) if draw.random() < 0.5 else draw.randbytes(count)) + data[-2:]


def junk(draw, data):
    """After the end marker, and fill bytes before it: harmless."""
    return data[:-2] + b"\xff" * draw.randrange(3) + data[-2:] + draw.randbytes(draw.randrange(100))


def marker(draw, data):
    at = draw.randrange(scan_start(data), len(data) - 2)
    data[at:at + 2] = bytes([0xFF, draw.choice([0xD0, 0xD3, 0xD7, 0xD8, 0xD9, 0xDA, 0xDC, 0xE1, 0xFE, 0x01])])
    return data


def same(_, data):
    return data


DAMAGE = [forty_bytes, forty_bytes, one_bit, one_bit, header_bits, cut, cut_last, cut_and_closed, zeros, noise, lost,
          added, padded, junk, marker, same]


def damaged_jpegs(sources, folder, count=COUNT, seed=SEED):
    """Writes `count` files `<number>-<damage>.jpg` into the folder; their names."""
    draw = random.Random(seed)
    plans = [(number, draw.choice(sources), FORMS[number % len(FORMS)], draw.randrange(1 << 30))
             for number in range(count)]

    def write(plan):
        number, source, form, own_seed = plan
        data = source.read_bytes()
        if form:
            made = subprocess.run(["jpegtran", *form, os.fspath(source)], capture_output=True)
            data = made.stdout if made.returncode == 0 else data
        own = random.Random(own_seed)
        damage = DAMAGE[number // len(FORMS) % len(DAMAGE)]
        name = f"{number:04}-{damage.__name__}{''.join(form)}.jpg"
        (folder / name).write_bytes(bytes(damage(own, bytearray(data))))
        return name

    folder.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(write, plans))


# ---- verdicts

def djpeg_says(root, names):
    """{name: the first warning or error} of the files that djpeg does not take in silence."""
    def look(name):
        done = subprocess.run(["djpeg", "-outfile", os.devnull, name], cwd=root, capture_output=True)
        words = done.stderr.decode(errors="replace").strip()
        return (name, words or f"exit {done.returncode}") if done.returncode or words else None

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return dict(filter(None, pool.map(look, names)))


class Refused(Exception):
    pass


def document(result):
    if result[0] not in (0, 2):
        raise Refused(said(result))
    return json.loads(result[1])


def imrec_says(found, root, names):
    """{how: {name: (verdict, reason)}} of verify, pack and pack --pass-through; what is whole is left out."""
    listed, kept = found.scratch / "damage.lst", found.scratch / "kept.rec"
    listed.write_text("".join(f"{number}\t0\t{name}\n" for number, name in enumerate(names)))
    verdicts = {}
    for how, words in (("pack", ["--resize", "32"]), ("pack --pass-through", ["--pass-through"])):
        made = found.scratch / "made.rec"
        told = document(run(found.imrec, "pack", listed, root, "-o", made, "--json", "--quiet", *words))
        verdicts[how] = {item["path"]: (kind, item["reason"])
                         for kind in ("doubtful", "skipped") for item in told[kind]}
    # Records of all files, as a tool that looks at none would make them.
    with open(kept, "wb") as out:
        for number, name in enumerate(names):
            payload = struct.pack("<IfQQ", 0, 0.0, number, 0) + (root / name).read_bytes()
            out.write(record(payload))
    told = document(run(found.imrec, "verify", kept, "--json", "--quiet"))
    verdicts["verify"] = {names[item["id"]]: (kind, item["reason"])
                          for kind, key in (("doubtful", "doubtful"), ("skipped", "bad")) for item in told[key]}
    return verdicts


def record(payload):
    """A record's frame, in parts where the payload has the magic number at a fourth byte."""
    magic = struct.pack("<I", 0xCED7230A)
    parts, start = [], 0
    for at in range(0, len(payload) - 3, 4):
        if payload[at:at + 4] == magic:
            parts.append(payload[start:at])
            start = at + 4
    parts.append(payload[start:])
    framed = b""
    for index, part in enumerate(parts):
        kind = 0 if len(parts) == 1 else 1 if index == 0 else 3 if index == len(parts) - 1 else 2
        framed += magic + struct.pack("<I", kind << 29 | len(part)) + part + bytes(-len(part) % 4)
    return framed


def explained(kind, reason, warning):
    """Why imrec and djpeg may differ; None: they may not."""
    if warning is None and any(words in reason for words in UNSEEN.get(kind, ())):
        return "libjpeg does not see it"
    left = re.search(r"(\d+) extraneous bytes before", warning or reason)
    return "a few bytes left over" if left and int(left[1]) <= READ_AHEAD else None


def compare(comparison, verdicts, warned, names):
    explanations = collections.Counter()
    for name in names:
        told = {how: verdict.get(name, ("whole", "")) for how, verdict in verdicts.items()}
        (kind, reason), warning = told["verify"], warned.get(name)
        comparison.check(name, len({kind for kind, _ in told.values()}) == 1, f"not the same by all: {told}")
        if (kind == "whole") == (warning is not None):
            explanation = explained(kind, reason, warning)
            explanations[explanation] += 1
            comparison.check(name, explanation is not None, f"{kind} {reason!r}, djpeg: {warning!r}")
    del explanations[None]
    for explanation, count in explanations.items():
        print(f"  {comparison.what}: {count} of {len(names)} differ from djpeg: {explanation}")
    comparison.check("few differ", sum(explanations.values()) <= len(names) / 25, f"{dict(explanations)}")


# ---- PNG

def chunk(name, data, flip=0):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", (zlib.crc32(name + data) & 0xFFFFFFFF) ^ flip)


def pngs():
    """(name, file, verdict)"""
    start = b"\x89PNG\r\n\x1a\n"
    side = 24
    rows = b"".join(b"\0" + bytes((x * y + c) & 255 for x in range(side) for c in range(3)) for y in range(side))
    packed = zlib.compress(rows)

    def head(flip=0):
        return chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0), flip)

    data, end, text = chunk(b"IDAT", packed), chunk(b"IEND", b""), b"Title\0words"
    yield "sound", start + head() + data + end, "whole"
    yield "parts", start + head() + chunk(b"IDAT", packed[:50]) + chunk(b"IDAT", packed[50:]) + end, "whole"
    yield "comment", start + head() + chunk(b"tEXt", text) + data + end, "whole"
    yield "unknown chunk", start + head() + chunk(b"prVt", text) + data + end, "whole"
    yield "after the end", start + head() + data + end + b"more", "whole"
    yield "sum of IHDR", start + head(1) + data + end, "skipped"
    yield "sum of IDAT", start + head() + chunk(b"IDAT", packed, 1) + end, "skipped"
    yield "sum of IEND", start + head() + data + chunk(b"IEND", b"", 1), "skipped"
    yield "sum of a comment", start + head() + chunk(b"tEXt", text, 1) + data + end, "doubtful"
    yield "sum of a late comment", start + head() + data + chunk(b"tEXt", text, 1) + end, "doubtful"
    yield "sum of gAMA", start + head() + chunk(b"gAMA", struct.pack(">I", 45455), 1) + data + end, "doubtful"
    yield "sum of tRNS", start + head() + chunk(b"tRNS", bytes(6), 1) + data + end, "skipped"
    yield "zlib's sum", start + head() + chunk(b"IDAT", packed[:-1] + bytes([packed[-1] ^ 1])) + end, "skipped"
    yield "rows missing", start + head() + chunk(b"IDAT", zlib.compress(rows[:-80])) + end, "skipped"
    yield "data cut", start + head() + chunk(b"IDAT", packed[:-9]) + end, "skipped"
    yield "rows too many", start + head() + chunk(b"IDAT", zlib.compress(rows + rows[:80])) + end, "doubtful"
    yield "data in two places", start + head() + data + chunk(b"tEXt", text) + chunk(b"IDAT", b"1") + end, "doubtful"
    yield "no end", start + head() + data, "skipped"
    yield "no data", start + head() + end, "skipped"
    yield "critical chunk unknown", start + head() + chunk(b"QrVt", text) + data + end, "skipped"
    yield "bomb", start + head() + chunk(b"IDAT", zlib.compress(rows + bytes(200_000_000))) + end, "skipped"


def main():
    found = arguments(__doc__)
    missing = [program for program in ("djpeg", "jpegtran") if shutil.which(program) is None]
    if missing:
        print(f"damage: skipped, no {' and no '.join(missing)} here: tools/setup --oracle installs libjpeg-turbo-progs")
        return
    root = pathlib.Path(found.photos or found.images)
    sound = sorted(path for path in root.rglob("*.jp*g") if path.is_file())
    if found.photos:
        names = [os.fspath(path.relative_to(root)) for path in sound]
        with Comparison("damage/sound photographs") as comparison:
            compare(comparison, imrec_says(found, root, names), djpeg_says(root, names), names)
    folder = found.scratch / "damaged"
    names = [os.fspath(path.relative_to(root)) for path in (sound[::7] if found.photos else sound)]
    warned = djpeg_says(root, names)
    names = damaged_jpegs([root / name for name in names if name not in warned], folder)
    with Comparison("damage") as comparison:
        compare(comparison, imrec_says(found, folder, names), djpeg_says(folder, names), names)
    folder = found.scratch / "pngs"
    folder.mkdir(exist_ok=True)
    expected = {f"{name}.png": (verdict, file) for name, file, verdict in pngs()}
    for name, (_, file) in expected.items():
        (folder / name).write_bytes(file)
    with Comparison("damage/PNG") as comparison:
        for how, told in imrec_says(found, folder, list(expected)).items():
            for name, (verdict, _) in expected.items():
                kind, reason = told.get(name, ("whole", ""))
                comparison.check(f"{how}: {name}", kind == verdict, f"{kind} {reason!r}, not {verdict}")
    finish()


if __name__ == "__main__":
    main()
