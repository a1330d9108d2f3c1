"""Writes the test images: generate.py FOLDER. The same bytes every time (with the same OpenCV).

FOLDER/good    class folders with odd names; every image decodes
FOLDER/deep    16-bit PNG: apart, as `unchanged` colours keep the depth
FOLDER/turned  PNG with an EXIF chunk: apart, as OpenCV 4.8 turns them upright and MXNet's own OpenCV 3.4 does not
FOLDER/broken  damaged files and files that are no images
"""
import pathlib
import sys
import unicodedata

from oracle.inputs import pictures

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
CLASSES = ["Zebra", "apple", "a", "a/sub", "a-b", "with space", NFC, NFD, "it's", 'say "hi"', "10", "2", "deep/er/est"]
NAMES = ["1.jpg", "10.jpg", "2.jpg", "B.jpg", "a.jpg", "_.jpg", "é.jpg", "\U0001F600.jpg", "～.jpg", "two words.jpg"]
# width, height
SIZES = [(1, 40), (40, 1), (100, 64), (224, 224), (300, 200), (199, 301), (256, 256), (512, 512), (640, 480),
         (481, 640)]
DAMAGED = {"no-end.jpg", "no-tables.jpg", "rubbish-before-end.jpg"}


def sized():
    """JPEGs of the sizes that resizing and cropping treat differently, and a PNG."""
    for width, height in SIZES:
        yield f"size-{width}x{height}.jpg", pictures.jpeg(pictures.photo(width, height), 92)
    yield "size-160x120-grey.jpg", pictures.jpeg(pictures.photo(160, 120, 1)[:, :, 0])
    yield "size-150x100.png", pictures.png(pictures.photo(150, 100), 2, 8)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def good(folder, files):
    for i, (name, file) in enumerate(files):
        write(folder / CLASSES[i % len(CLASSES)] / name, file)
    small = pictures.jpeg(pictures.photo(24, 18))
    for name in NAMES:  # the same bytes: only the order of names matters here
        write(folder / "names" / name, small)
    for name in ("Upper.JPG", "mixed.JPeG", "long.jpeg", ".hidden.jpg"):
        write(folder / "apple" / name, small)
    loud = pictures.png(pictures.photo(20, 30), 2, 8)
    write(folder / "apple" / "LOUD.PNG", loud)
    write(folder / "root.jpg", small)
    write(folder / "Root.png", loud)
    for name in (".jpg", "notes.txt", "photo.jpg.bak", "jpg"):  # none of these counts as an image
        write(folder / "a-b" / name, b"no image")
    write(folder / "texts" / "only.txt", b"this folder gets no label")
    (folder / "empty").mkdir()
    (folder / "linked class").symlink_to("Zebra")
    (folder / "10" / "linked file.jpg").symlink_to("../root.jpg")


def turned(folder):
    for orientation in range(1, 9):
        block = pictures.exif(orientation, little=orientation % 2 == 0)[10:]  # without the marker, length and "Exif"
        file = pictures.png(pictures.photo(41, 23), 2, 8, before=[pictures.chunk(b"eXIf", block)])
        write(folder / f"class{orientation % 2}" / f"exif{orientation}.png", file)


def broken(folder):
    whole = pictures.jpeg(pictures.photo(200, 150))
    png = pictures.png(pictures.photo(80, 60), 2, 8)
    write(folder / "ok" / "before.jpg", whole)
    write(folder / "ok" / "later.png", png)
    for name, content in {"empty.jpg": b"", "text.jpg": b"this is no image\n", "header-only.jpg": whole[:20],
                          "empty.png": b"", "signature.png": png[:8]}.items():
        write(folder / "unreadable" / name, content)
    write(folder / "long" / "1x400.jpg", pictures.jpeg(pictures.photo(1, 400)))
    write(folder / "truncated" / "half.jpg", whole[:len(whole) // 2])
    write(folder / "truncated" / "no-end.jpg", whole[:-2])
    write(folder / "z-last" / "after.jpg", whole)


def generate(folder):
    kinds = [(name, file) for name, file in pictures.pictures() if name not in DAMAGED]
    good(folder / "good", [kind for kind in kinds if "16bit" not in kind[0]] + list(sized()))
    for i, (name, file) in enumerate(kind for kind in kinds if "16bit" in kind[0]):
        write(folder / "deep" / f"class{i % 2}" / name, file)
    turned(folder / "turned")
    broken(folder / "broken")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    generate(pathlib.Path(sys.argv[1]))
