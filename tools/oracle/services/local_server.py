"""What scripts that ask the local SageMaker share: arguments, a server of their own, drawn records, a training as a
request."""
import argparse
import contextlib
import json
import os
import pathlib
import re
import subprocess
import time

ROLE = "arn:aws:iam::123456789012:role/imrec"
IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1"
# What clients sign with, and a server that wants signatures knows.
KEY, SECRET = "imrec", "imrec-secret"


def arguments(description):
    """--imrec, the program under test, and --scratch, a folder for what is made on the way."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imrec", type=pathlib.Path, required=True)
    parser.add_argument("--scratch", type=pathlib.Path, required=True)
    found = parser.parse_args()
    found.scratch.mkdir(parents=True, exist_ok=True)
    return found


@contextlib.contextmanager
def served(imrec, root, result, *options, is_signed=False, s3=None):
    """imrec serve on a free port, until the end of the block, for every client of boto3 and the command line that is
    not told otherwise. Gives its address. Where something differs by then, the end of its log is printed.

    is_signed: it answers only what is signed with KEY and SECRET. s3: the address of another S3, for it and for
    clients."""
    log = pathlib.Path(f"{root}.log")
    words = [imrec, "serve", "--root", root, "--port", "0", *options]
    words += ["--require-signature"] * is_signed + (["--s3-endpoint", s3] if s3 else [])
    keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output, env=plain | keys if is_signed or s3 else plain)
    is_whole = False
    try:
        url = address(process, log)
        use(url, s3)
        yield url
        is_whole = result.differed == 0
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if not is_whole:
            for line in log.read_text(errors="replace").splitlines()[-40:]:
                print(f"  {line}")


def address(process, log):
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"AWS_ENDPOINT_URL=(\S+)\n", log.read_text(errors="replace")):
            return found[1]
        time.sleep(0.05)
    raise RuntimeError("imrec serve does not start")


def use(url, s3=None):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        AWS_ENDPOINT_URL=url, AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET,
        AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true",
        AWS_PAGER="", NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")
    if s3:
        os.environ["AWS_ENDPOINT_URL_S3"] = s3


class Records:
    """Three drawn classes in FOLDER/photos, packed: about eight pictures of each, four of them to train with."""

    classes = 3

    def __init__(self, imrec, folder):
        self.photos = folder / "photos"
        told = call(imrec, "sample", self.photos, "--classes", str(self.classes), "--per-class", "8", "--json",
                    "--quiet")
        for broken in json.loads(told)["broken"]:
            (self.photos / broken).unlink()
        call(imrec, "convert", self.photos, folder / "small", "--per-class", "4", "--resize", "32", "--quiet")
        self.train, self.validation = folder / "small-4-train.rec", folder / "small-4-val.rec"
        # Of each side (index, label, path) of each picture, as text.
        self.listed = {
            side: [tuple(line.split("\t")) for line in packed.with_suffix(".lst").read_text().splitlines()]
            for side, packed in (("train", self.train), ("validation", self.validation))}
        self.hyperparameters = {
            "image_shape": "3,28,28", "num_layers": "20", "num_training_samples": str(len(self.listed["train"])),
            "num_classes": str(self.classes), "mini_batch_size": "4", "epochs": "2", "learning_rate": "0.01"}


def call(program, *words):
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{program} {words[0]}: exit {done.returncode}: {done.stderr[-1000:]}")
    return done.stdout


def channel(name, uri, kind="application/x-recordio"):
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "ContentType": kind, "CompressionType": "None", "DataSource": {"S3DataSource": source}}


def definition(output, channels):
    """What the request of a training and that of a tuning have in common."""
    return {"AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"}, "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": output},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.p3.2xlarge", "VolumeSizeInGB": 50},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600}, "InputDataConfig": channels}
