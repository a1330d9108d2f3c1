"""A folder tree of many image names for the measurement of listing, and its removal."""
import pathlib
import shutil

FOLDER_SIZE = 1000
LINKS = 50_000  # a file of ext4 may have 65,000 names


def tree(folder, count, image):
    """`count` names in folders of 1,000; they are hard links to copies of one image, so the disk holds a few files."""
    folder = pathlib.Path(folder)
    originals = folder.with_name(folder.name + "-originals")
    originals.mkdir(parents=True)
    for number in range(count):
        if number % LINKS == 0:
            original = originals / f"{number}.jpg"
            shutil.copyfile(image, original)
        if number % FOLDER_SIZE == 0:
            place = folder / f"{number // FOLDER_SIZE:04}.class"
            place.mkdir(parents=True)
        (place / f"image_{number % FOLDER_SIZE:04}.jpg").hardlink_to(original)
    return folder


def remove(folder):
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(folder.with_name(folder.name + "-originals"), ignore_errors=True)
