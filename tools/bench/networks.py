"""The networks that tools/bench/infer and tools/bench/precision measure: one folder each, for imrec and every peer."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

from measure import Failed

ROOT = pathlib.Path(__file__).resolve().parents[2]


def said(words):
    print(f"== bench: {words}", file=sys.stderr, flush=True)


def python(variable, default):
    """The Python that an environment variable names, or that of tools/setup."""
    found = pathlib.Path(os.environ.get(variable, ROOT / default / "bin/python")).absolute()
    if not found.exists():
        raise Failed(f"no {found}; tools/setup --oracle --peers --tuners makes it")
    return found


def built(given):
    """The imrec to measure: the given one, or a release that is built now."""
    if not given:
        said("swift build -c release")
        subprocess.run(["swift", "build", "-c", "release", "--product", "imrec"], cwd=ROOT, check=True,
                       stdout=sys.stderr)
    return pathlib.Path(given or ROOT / ".build/release/imrec").resolve()


class Networks:
    """Makes networks where they are missing."""

    FILES = {"export_onnx": "model.onnx", "export_ncnn": "model.ncnn.bin", "export_int8": "model.int8.xml"}

    def __init__(self, folder, scratch, imrec):
        self.folder, self.scratch, self.imrec = folder.absolute(), scratch, imrec
        self.peers = python("IMREC_PEERS_PYTHON", ".venv-peers")

    def made(self, name, exports=("export_onnx", "export_ncnn")):
        """The folder of a network, with the files of these programs of oracle/inputs."""
        folder = self.folder / name
        if not (folder / "expected.json").exists():
            said(f"making {name}")
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([python("IMREC_ORACLE_PYTHON", ".venv-oracle"), "-m", "oracle.inputs.make_nets", self.folder,
                            name], check=True, cwd=ROOT / "tools", stdout=sys.stderr, stderr=subprocess.DEVNULL)
        for script in exports:
            if not (folder / self.FILES[script]).exists():
                subprocess.run([self.peers, "-m", f"oracle.inputs.{script}", folder], check=True, cwd=ROOT / "tools",
                               stdout=sys.stderr)
        self.check(folder)
        return folder

    def check(self, folder):
        """imrec has to give MXNet's probabilities: a fast engine that is wrong is not measured."""
        worst, _ = self.compared(folder, folder, "fp32")
        if worst > 2e-5:
            raise Failed(f"{folder.name}: imrec's probabilities differ from MXNet's by {worst:.2g}")

    def compared(self, model, folder, precision):
        """The largest difference of imrec's probabilities from MXNet's on the pictures, and the largest probability."""
        output = self.scratch / "checked"
        shutil.rmtree(output, ignore_errors=True)
        subprocess.run([self.imrec, "transform", model, folder / "pictures", output, "--precision", precision,
                        "--quiet"], check=True, stdout=subprocess.DEVNULL)
        expected = json.loads((folder / "expected.json").read_text())
        worst = 0
        for index, known in enumerate(expected):
            found = json.loads((output / f"{index}.png.out").read_text())["prediction"]
            worst = max(worst, *(abs(ours - theirs) for ours, theirs in zip(found, known, strict=True)))
        return worst, max(map(max, expected))
