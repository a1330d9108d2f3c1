"""Runs the commands of situations that once went wrong, and holds what imrec says and does against what is right.

  cases.py --imrec IMREC --cases FOLDER --scratch FOLDER

FOLDER/NN-name/ has the inputs, cmd.txt (shell commands, run from inside the folder with imrec on the PATH and OUT an
empty scratch folder) and expected.txt, what is right, in words. A folder for which there is no check here is a failure.
Python packages: requirements/s3.txt (two cases ask imrec serve by boto3).
"""
import argparse
import os
import pathlib
import re
import subprocess

from oracle.comparison import Comparison, finish


class Ran:
    """What the commands of one case wrote (both streams, in order), and the scratch folder they wrote into."""

    def __init__(self, folder, imrec, scratch):
        scratch.mkdir(parents=True)
        plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        done = subprocess.run(
            ["bash", "cmd.txt"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
            env=plain | {"PATH": f"{imrec.parent}:{os.environ['PATH']}", "OUT": str(scratch),
                         "PYTHONWARNINGS": "ignore"})
        self.text, self.out, self.status = done.stdout.decode(errors="replace"), scratch, done.returncode

    def says(self, pattern):
        return re.search(pattern, self.text, re.IGNORECASE | re.DOTALL) is not None

    def file(self, name):
        path = self.out / name
        return path.read_text(errors="replace") if path.exists() else ""


def manifest(ran):
    yield "id.manifest is trained on two classes, or refused with both candidates named", (
        re.search(r'num_hidden.{1,8}"2"', ran.text) or ran.says('any of the attributes "id", "label"'))
    yield "gt.manifest is not refused for confidence", not ran.says("confidence.*whole number")
    yield "gt.manifest's label is learnt", (ran.out / "o02b" / "image-classification-symbol.json").exists()


def cifar_stem(ran):
    computed = [float(value) for value in re.findall(r"0\.\d{3,}", ran.text)]
    right = any(abs(value - 0.8029) < 2e-3 for value in computed)
    yield "the probabilities are ONNX Runtime's, or the stem is refused", right or ran.says("stem|3x3|stride")
    yield "no other probabilities", right or not computed


def extensions(ran):
    report = ran.file("o05-report.json")
    yield "WebP and BMP files are said", ran.says(r"\.webp") and ran.says(r"\.bmp")
    yield "and stand in the report", "webp" in report and "bmp" in report
    listed = ran.file("o05l.lst")
    yield "JPEGs by other names are listed", "w.jpe" in listed and "z.jfif" in listed
    yield "a class of WebP files is no empty one without a word", ran.says(r"2 \.webp files")


def layouts(ran):
    yield "splits are recognised", ran.says(r"train.*val|val.*train") and ran.says("kaggle_split/train")
    yield "a folder in a folder is recognised", ran.says("dataset/dataset") or ran.says("one class")
    yield "a flat folder with a table is recognised", ran.says(r"labels\.csv") or ran.says("one class.*images")


def equal_attribute(ran):
    yield "it runs", ran.says(r"\d %.*class \d") and ran.status == 0


def archive_of_macos(ran):
    # Its parameters are two letters: what is asked is which files are looked at.
    yield "what macOS adds is no model", not ran.says("2 models") and ran.says(r"net-0000\.params|class \d")


def conditional_delete(ran):
    yield "a delete with a wrong ETag is refused", ran.says("PreconditionFailed|412")
    yield "the object stays", len(re.findall(r"left \['z'\]", ran.text)) == 2


def model_that_is_none(ran):
    for what in ("Git LFS pointer", "HTML page", "PyTorch checkpoint"):
        yield f"{what} is named", ran.says(what)
    yield "no words of the parsers", not ran.says("wire type|Unrecognized archive|header has \\d+ bytes")


def key_names(ran):
    yield "no name is simply missing", not ran.says("there is no conv1.weight")
    runs = len(re.findall(r"^im224\.png", ran.text, re.MULTILINE)) or len(re.findall(r"im224", ran.text))
    yield "each is read or named", runs >= 3 or ran.says("module") and ran.says("model") and ran.says("hugging face")


def truths(ran):
    kaggle, semicolons, utf16, blanks, stems = re.split(r"== t_\w+\n", ran.text)[1:6]
    yield "a header of unknown names is no image", re.search(r"image_id|breed|column", kaggle) is not None
    yield "semicolons are read or named", "a path and a label are expected" not in semicolons
    yield "UTF-16 is read or named", utf16.count("\n") < 8 and "\\x" not in utf16
    yield "a blank before a name is no part of it", '\\" label' not in blanks and '" label"' not in blanks
    yield "paths without suffix find their outputs, or the suffix is named", re.search(
        r"suffix|ending|extension", stems) is not None or "missing" not in stems


def below_root(ran):
    yield "no untrue warning", not ran.says("are absolute and outside")
    yield "the records are there", (ran.out / "o16.rec").exists()


def whole_file(ran):
    yield "the array is read or named once", ran.says("JSON array") or not ran.says("array.json line")
    yield "the table is read or named once", len(re.findall(r"preds\.csv", ran.text)) <= 3
    yield "no line by line faults", not ran.says('"cat" where an array')


def missing_object(ran):
    reasons = {line.split(" ", 1)[0]: line for line in ran.text.splitlines() if line.startswith("missing-")}
    yield "a missing image is the client's error", "ClientError" in reasons.get("missing-image", "")
    # Refused before there is a job, or the job's end.
    yield "a missing bucket is the client's error", (
        "ClientError" in reasons.get("missing-bucket", "") or ran.says("ValidationException.*No S3 objects found"))
    yield "nothing is the service's", not ran.says("InternalServerError")
    yield "the key is named", "nope.jpg" in reasons.get("missing-image", "")


CHECKS = {
    "02-manifest-guesses-label": manifest,
    "03-cifar-stem-safetensors": cifar_stem,
    "05-other-image-extensions": extensions,
    "06-split-folders-as-classes": layouts,
    "07-onnx-reshape-allowzero": equal_attribute,
    "09-s3-conditional-delete": conditional_delete,
    "11-model-file-that-is-none": model_that_is_none,
    "12-safetensors-key-names": key_names,
    "15-csv-truth": truths,
    "16-absolute-below-root": below_root,
    "17-mac-tar-model": archive_of_macos,
    "19-outputs-as-json-array-or-csv": whole_file,
    "21-missing-object-is-internal-error": missing_object,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imrec", type=pathlib.Path, required=True)
    parser.add_argument("--cases", type=pathlib.Path, required=True)
    parser.add_argument("--scratch", type=pathlib.Path, required=True)
    found = parser.parse_args()
    with Comparison("cases") as result:
        for folder in sorted(path for path in found.cases.iterdir() if path.is_dir()):
            if not result.check(f"{folder.name} has a check", folder.name in CHECKS):
                continue
            ran = Ran(folder, found.imrec.resolve(), (found.scratch / folder.name).resolve())
            for what, holds in CHECKS[folder.name](ran):
                if not result.check(f"{folder.name}: {what}", bool(holds)):
                    print("    " + "\n    ".join(ran.text.splitlines()[:30]))
    finish()


if __name__ == "__main__":
    main()
