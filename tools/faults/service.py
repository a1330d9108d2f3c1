"""imrec serve under test: started, killed and started anew, with pings beside it, and a desk that asks it for jobs."""
import contextlib
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import boto3
import botocore.config

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from oracle.services import local_server
from trial import PROGRAM, Tally

BUCKET = "imrec-faults"
HOME = f"s3://{BUCKET}"
ENDED = ("Completed", "Failed", "Stopped")


class Pings(threading.Thread):
    """Asks /ping and /healthz in turn, every 50 ms, while the server is meant to answer."""

    longest = 1.0

    def __init__(self, service):
        super().__init__(daemon=True)
        self.service, self.is_over, self.slowest = service, False, 0.0
        self.tally = Tally("/ping and /healthz answer 200 within a second, whatever else happens")

    def run(self):
        number = 0
        while not self.is_over:
            run = self.service.run
            if run:
                number += 1
                begun = time.monotonic()
                said = self.ask(("/ping", "/healthz")[number % 2])
                seconds = time.monotonic() - begun
                # One that the kill of the server met says nothing.
                if self.service.run == run:
                    self.slowest = max(self.slowest, seconds)
                    self.tally.check(said == 200 and seconds < self.longest, said, f"{seconds:.2f} s")
            time.sleep(0.05)

    def ask(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError as error:
            return repr(error)
        finally:
            connection.close()

    def end(self):
        self.is_over = True
        self.join()
        self.tally.close()
        print(f"  (the slowest took {self.slowest * 1000:.0f} ms)")


class Service:
    """imrec serve on one root, which may be killed and started anew at the same port."""

    def __init__(self, root, *options):
        self.root, self.options = pathlib.Path(root), options
        self.process, self.port, self.starts = None, 0, 0
        # The number of the start, while requests are meant to be answered.
        self.run = 0

    def start(self):
        self.starts += 1
        self.log = pathlib.Path(f"{self.root}-{self.starts}.log")
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--root", self.root, "--port", str(self.port), "--running-jobs", "2",
                 "--threads", "1", *self.options],
                stdout=output, stderr=output, env={**os.environ, "SWIFT_BACKTRACE": "enable=no"})
        self.url = local_server.address(self.process, self.log)
        self.port = int(self.url.rsplit(":", 1)[1])
        local_server.use(self.url)
        self.run = self.starts

    def client(self, name, retries=0):
        return boto3.client(name, endpoint_url=self.url, config=botocore.config.Config(
            retries={"total_max_attempts": 1 + retries, "mode": "standard"}, connect_timeout=5, read_timeout=60))

    def kill(self, number=signal.SIGKILL):
        self.run = 0
        self.process.send_signal(number)
        return self.process.wait(60)

    def processes(self):
        """The processes that have to do with the root, by number: what they were called with."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and int(entry.name) != os.getpid():
                    words = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                    if f"{self.root}/" in words or f"{self.root} " in words:
                        found[int(entry.name)] = words
        return found

    def jobs(self):
        """The processes of its jobs."""
        return {number: words for number, words in self.processes().items() if number != self.process.pid}

    def memory(self):
        """Resident bytes."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def tell(self):
        for line in self.log.read_text(errors="replace").splitlines()[-15:]:
            print(f"  {line[:300]}")


@contextlib.contextmanager
def serving(root, *options):
    """A service and its pings, until the end of the block; it is still to be alive then, and to end when asked to."""
    service = Service(root, *options)
    service.start()
    pings = Pings(service)
    pings.start()
    try:
        yield service
        lives = Tally("the server is alive at the end, and ends when it is asked to")
        lives.check(service.process.poll() is None, "it ended by itself with", service.process.returncode)
        if service.process.poll() is None:
            lives.check(service.kill(signal.SIGTERM) == 0, service.process.returncode)
        lives.close()
        if lives.failures:
            service.tell()
    finally:
        service.run = 0
        if service.process.poll() is None:
            service.process.kill()
            service.process.wait()
        pings.end()


class Desk:
    """Asks for jobs, models and endpoints, each with a name of its own, and waits for what becomes of them."""

    def __init__(self, service, records, prefix=""):
        self.service, self.records, self.prefix, self.count = service, records, prefix, 0
        self.connect()

    def connect(self):
        self.s3, self.sage = self.service.client("s3"), self.service.client("sagemaker")
        self.runtime = self.service.client("sagemaker-runtime")

    def name(self, kind):
        self.count += 1
        return f"{self.prefix}{kind}-{self.count}"

    def put_data(self):
        """Records, and a picture of each class. Beside the records stand files that no training reads: they take a
        while to be brought to a job."""
        self.s3.create_bucket(Bucket=BUCKET)
        for side, path in (("train", self.records.train), ("validation", self.records.validation)):
            self.s3.upload_file(str(path), BUCKET, f"{side}/{path.name}")
        self.pictures = [sorted(folder.glob("*.jpg"))[0] for folder in sorted(self.records.photos.iterdir())
                         if folder.is_dir()]
        for number, path in enumerate(self.pictures):
            self.s3.upload_file(str(path), BUCKET, f"pictures/{number}.jpg")
        for number in range(100):
            self.s3.put_object(Bucket=BUCKET, Key=f"ballast/{number}", Body=b"x" * 1000)

    channels = [local_server.channel("train", f"{HOME}/train/"),
                local_server.channel("validation", f"{HOME}/validation/")]
    ballast = [local_server.channel("ballast", f"{HOME}/ballast/")]

    def train(self, epochs=2, checkpoints=False, channels=None, **changes):
        name = self.name("training")
        request = local_server.definition(f"{HOME}/output", channels or self.channels + self.ballast)
        if checkpoints:
            request["CheckpointConfig"] = {"S3Uri": f"{HOME}/checkpoints/{name}"}
        self.sage.create_training_job(TrainingJobName=name, HyperParameters={
            **self.records.hyperparameters, "epochs": str(epochs), **changes}, **request)
        return ("training", name)

    def tune(self, jobs=2):
        name = self.name("tuning")
        fixed = {key: value for key, value in self.records.hyperparameters.items() if key != "learning_rate"}
        self.sage.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name,
            HyperParameterTuningJobConfig={
                "Strategy": "Random", "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": 1},
                "HyperParameterTuningJobObjective": {"MetricName": "validation:accuracy", "Type": "Maximize"},
                "ParameterRanges": {"ContinuousParameterRanges": [
                    {"Name": "learning_rate", "MinValue": "0.001", "MaxValue": "0.1"}]}},
            TrainingJobDefinition={**local_server.definition(f"{HOME}/tuned", self.channels),
                                   "StaticHyperParameters": fixed})
        return ("tuning", name)

    def model(self, artifact):
        name = self.name("model")
        self.sage.create_model(ModelName=name, ExecutionRoleArn=local_server.ROLE,
                               PrimaryContainer={"Image": local_server.IMAGE, "ModelDataUrl": artifact})
        return name

    def transform(self, model, prefix="pictures/"):
        name = self.name("transform")
        self.sage.create_transform_job(
            TransformJobName=name, ModelName=model, TransformOutput={"S3OutputPath": f"{HOME}/transformed/{name}"},
            TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{HOME}/{prefix}"}},
                            "ContentType": "application/x-image"},
            TransformResources={"InstanceType": "ml.c5.xlarge", "InstanceCount": 1})
        return ("transform", name)

    def endpoint(self, model):
        name = self.name("endpoint")
        self.sage.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[{
            "VariantName": "all", "ModelName": model, "InitialInstanceCount": 1, "InstanceType": "ml.c5.xlarge"}])
        self.sage.create_endpoint(EndpointName=name, EndpointConfigName=name)
        return ("endpoint", name)

    def invoke(self, name):
        return json.loads(self.runtime.invoke_endpoint(
            EndpointName=name, ContentType="application/x-image", Body=self.pictures[0].read_bytes())["Body"].read())

    def describe(self, job):
        kind, name = job
        if kind == "training":
            told = self.sage.describe_training_job(TrainingJobName=name)
        elif kind == "transform":
            told = self.sage.describe_transform_job(TransformJobName=name)
        elif kind == "endpoint":
            told = self.sage.describe_endpoint(EndpointName=name)
        else:
            told = self.sage.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        told.pop("ResponseMetadata")
        return told

    statuses = {"training": "TrainingJobStatus", "transform": "TransformJobStatus", "endpoint": "EndpointStatus",
                "tuning": "HyperParameterTuningJobStatus"}

    def status(self, job):
        return self.describe(job)[self.statuses[job[0]]]

    def wait(self, job, seconds=120, ends=ENDED + ("InService",)):
        """What is told of it when it has ended, or when its time is over."""
        end = time.monotonic() + seconds
        while True:
            told = self.describe(job)
            if told[self.statuses[job[0]]] in ends or time.monotonic() > end:
                return told
            time.sleep(0.05)

    def ended(self, job, seconds=120):
        """Its status and reason, for a message and to compare."""
        told = self.wait(job, seconds)
        return told[self.statuses[job[0]]], told.get("FailureReason", "")

    def artifact(self, job):
        return self.describe(job)["ModelArtifacts"]["S3ModelArtifacts"]


def deployed(service, records):
    """A desk with a model in service; and the model, the endpoint and its answer."""
    desk = Desk(service, records)
    desk.put_data()
    model = desk.model(desk.wait(desk.train())["ModelArtifacts"]["S3ModelArtifacts"])
    endpoint = desk.endpoint(model)
    desk.wait(endpoint)
    return desk, model, endpoint, desk.invoke(endpoint[1])
