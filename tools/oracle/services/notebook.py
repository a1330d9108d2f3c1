"""Does with imrec serve, by the real boto3, what notebooks of SageMaker's image classification do: from data to an
endpoint.

  notebook.py --imrec IMREC --scratch FOLDER

The main one trains on RecordIO, tunes, makes a model, transforms a folder of images and asks an endpoint; deployment.py
puts another one under traffic, and runtime.py asks the endpoint the rest. The others: lists of images, transfer
learning, incremental training, several labels for an image, early stopping and warm start of a tuning, a tuning of
several definitions. Clients know the address by AWS_ENDPOINT_URL only. The server answers only what is signed with its
key, and last each service refuses what is not. The pictures are drawn, and the networks small. Each check is a line on
stderr; where one fails, the end of the server's log follows. Python packages: requirements/s3.txt.
"""
import contextlib
import datetime
import gzip
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import time

import boto3
import botocore
import botocore.auth
import botocore.config
import botocore.exceptions

from oracle.comparison import Comparison, finish
from oracle.services.deployment import Deployment
from oracle.services.local_server import IMAGE, KEY, ROLE, SECRET, Records, arguments, channel, definition, served

BUCKET, SAMPLES = "imrec-notebook", "imrec-sample-files"
PREFIX, FOLDER = "DEMO-imageclassification", "image-classification-full-training"
HOME, OUTPUT = f"s3://{BUCKET}/{FOLDER}", f"s3://{BUCKET}/{PREFIX}/output"
# Seconds that a job may take, and an endpoint.
LONGEST = 600
WAITS = {"Delay": 1, "MaxAttempts": LONGEST}


class Steps(Comparison):
    """Tells of each check; a part that stops early is a check that fails, and the next part begins."""

    def check(self, name, same, detail=""):
        print(f"  {'ok     ' if same else 'differs'} {name}", file=sys.stderr, flush=True)
        return super().check(name, same, detail)

    def equal(self, name, found, expected):
        return self.check(name, found == expected, f"{found!r}, expected {expected!r}")

    def part(self, function, *arguments):
        begun = time.monotonic()
        try:
            return function(*arguments)
        except Exception as error:
            self.check(f"{function.__name__} goes through to its end", False, f"{type(error).__name__}: {error}")
        finally:
            print(f"  {function.__name__}: {time.monotonic() - begun:.1f} s", file=sys.stderr)


def stamped(name, form="-%Y-%m-%d-%H-%M-%S"):
    return name + time.strftime(form, time.gmtime())


def index_of_largest(numbers):
    return max(range(len(numbers)), key=numbers.__getitem__)


class Notebook:
    def __init__(self, steps, records, scratch):
        self.steps, self.records, self.scratch = steps, records, scratch
        self.s3, self.sage = boto3.client("s3"), boto3.client(service_name="sagemaker")
        self.runtime = boto3.Session().client(service_name="runtime.sagemaker")
        self.recordio = [channel(side, f"{HOME}/{side}/") for side in ("train", "validation")]

    # MARK: What the parts share

    def train(self, name, channels, completes=True, **changes):
        """Runs a training to its end. Gives what is then said of it."""
        self.sage.create_training_job(
            TrainingJobName=name, HyperParameters={**self.records.hyperparameters, **changes},
            **definition(OUTPUT, channels))
        # The waiter raises for a job that failed, too; its status tells.
        with contextlib.suppress(botocore.exceptions.WaiterError):
            self.sage.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=name, WaiterConfig=WAITS)
        told = self.sage.describe_training_job(TrainingJobName=name)
        self.steps.check(f"{name.split('--')[0]} {'completes' if completes else 'fails'}",
                         told["TrainingJobStatus"] == ("Completed" if completes else "Failed"),
                         f"{told['TrainingJobStatus']} {told.get('FailureReason')}")
        return told

    def artifact(self, told):
        """The names of the files in a job's model."""
        bucket, key = told["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").split("/", 1)
        archive = io.BytesIO(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        return sorted(tarfile.open(fileobj=archive, mode="r:gz").getnames())

    def tune(self, name, jobs, ranges, early="Off", **more):
        """Runs a tuning to its end. Gives what is then said of it."""
        tuned = {parameter["Name"] for kind in ranges.values() for parameter in kind}
        self.sage.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name,
            HyperParameterTuningJobConfig={
                "ParameterRanges": ranges, "Strategy": "Bayesian", "TrainingJobEarlyStoppingType": early,
                "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": min(2, jobs)},
                "HyperParameterTuningJobObjective": {"MetricName": "validation:accuracy", "Type": "Maximize"}},
            TrainingJobDefinition={
                **definition(OUTPUT, self.recordio),
                "StaticHyperParameters": {k: v for k, v in self.records.hyperparameters.items() if k not in tuned}},
            **more)
        return self.tuned(name, jobs)

    def tuned(self, name, jobs):
        end = time.monotonic() + LONGEST
        while True:
            told = self.sage.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
            status = told["HyperParameterTuningJobStatus"]
            if status not in ("InProgress", "Stopping") or time.monotonic() > end:
                break
            time.sleep(0.5)
        self.steps.check(f"{name.rsplit('-', 4)[0]} completes", status == "Completed",
                         f"{status} {told.get('FailureReason')}")
        counted = told["TrainingJobStatusCounters"]
        self.steps.check("all its jobs are counted", counted["Completed"] + counted["Stopped"] == jobs, repr(counted))
        return told

    def transform(self, name, model, source):
        """Runs a batch transform over a prefix. Gives the predictions by the name of the image."""
        outputs = self.outputs(name, model, source)
        return {path: json.loads(text)["prediction"] for path, text in outputs.items()}

    def outputs(self, name, model, source, kind="application/x-image", strategy="SingleRecord", split="None",
                assemble="None", compression="None", **more):
        """Runs a batch transform over a prefix. Gives its outputs by the name of the input."""
        self.sage.create_transform_job(
            TransformJobName=name, ModelName=model, MaxConcurrentTransforms=16, MaxPayloadInMB=6,
            BatchStrategy=strategy,
            TransformOutput={"S3OutputPath": f"s3://{BUCKET}/{name}/output", "AssembleWith": assemble},
            TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
                            "ContentType": kind, "SplitType": split, "CompressionType": compression},
            TransformResources={"InstanceType": "ml.c5.xlarge", "InstanceCount": 1}, **more)
        with contextlib.suppress(botocore.exceptions.WaiterError):
            self.sage.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName=name, WaiterConfig=WAITS)
        told = self.sage.describe_transform_job(TransformJobName=name)
        self.steps.check("the transform completes", told["TransformJobStatus"] == "Completed",
                         f"{told['TransformJobStatus']} {told.get('FailureReason')}")
        found = {}
        for key in self.keys(f"{name}/output"):
            self.s3.download_file(BUCKET, key, str(self.scratch / "out"))
            found[pathlib.PurePath(key).name.removesuffix(".out")] = (self.scratch / "out").read_text()
        return found

    def keys(self, prefix):
        return [entry["Key"] for entry in self.s3.list_objects(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]

    def model(self, name, artifact):
        answer = self.sage.create_model(
            ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE, "ModelDataUrl": artifact})
        self.steps.check("the model has an ARN", answer["ModelArn"].startswith("arn:aws:sagemaker:us-east-1:"),
                         repr(answer))

    # MARK: The main notebook

    def data(self):
        """Records are fetched from a bucket of samples, and put where the training looks for them."""
        for bucket in (SAMPLES, BUCKET):
            self.s3.create_bucket(Bucket=bucket)
        for side, path in (("train", self.records.train), ("validation", self.records.validation)):
            self.s3.upload_file(str(path), SAMPLES, f"datasets/{path.name}")
            copy = self.scratch / path.name
            self.s3.download_file(SAMPLES, f"datasets/{path.name}", str(copy))
            self.steps.bytes(f"{side}.rec comes down as it went up", copy.read_bytes(), path.read_bytes())
            with copy.open("rb") as file:
                boto3.resource("s3").Bucket(BUCKET).put_object(Key=f"{FOLDER}/{side}/{path.name}", Body=file)
            self.steps.equal(f"{side}.rec is listed", self.keys(f"{FOLDER}/{side}/"), [f"{FOLDER}/{side}/{path.name}"])

    def training(self):
        told = self.train(stamped(f"{PREFIX}-"), self.recordio)
        name = told["TrainingJobName"]
        self.steps.equal("the model is where it should be", told["ModelArtifacts"]["S3ModelArtifacts"],
                         f"{OUTPUT}/{name}/output/model.tar.gz")
        self.steps.check("it is listed",
                         f"{PREFIX}/output/{name}/output/model.tar.gz" in self.keys(f"{PREFIX}/output/{name}/"))
        files = self.artifact(told)
        self.steps.check("it has network, shapes and one epoch's weights", sum(
            file.endswith(".params") for file in files) == 1 and
            {"image-classification-symbol.json", "model-shapes.json"} <= set(files), repr(files))
        metrics = {metric["MetricName"]: metric["Value"] for metric in told["FinalMetricDataList"]}
        self.steps.check("accuracies are told", all(
            0 <= metrics.get(name, -1) <= 1 for name in ("train:accuracy", "validation:accuracy")), repr(metrics))
        return told["ModelArtifacts"]["S3ModelArtifacts"]

    # Batches of at most the twelve images that there are.
    ranges = {
        "CategoricalParameterRanges": [],
        "ContinuousParameterRanges": [{"Name": name, "MinValue": least, "MaxValue": most} for name, least, most in (
            ("beta_1", "1e-6", "0.999"), ("beta_2", "1e-6", "0.999"), ("eps", "1e-8", "1.0"),
            ("gamma", "1e-8", "0.999"),
            ("learning_rate", "1e-6", "0.5"), ("momentum", "0.0", "0.999"), ("weight_decay", "0.0", "0.999"))],
        "IntegerParameterRanges": [{"Name": "mini_batch_size", "MinValue": "2", "MaxValue": "8"}]}

    def tuning(self):
        told = self.tune(stamped("DEMO-hpo-ic-", "%d-%H-%M-%S"), 3, self.ranges)
        best = told["BestTrainingJob"]
        self.steps.equal("each range is drawn from", sorted(best["TunedHyperParameters"]), sorted(
            parameter["Name"] for kind in self.ranges.values() for parameter in kind))
        child = self.sage.describe_training_job(TrainingJobName=best["TrainingJobName"])
        self.steps.equal("its best job knows it", child["TuningJobArn"], told["HyperParameterTuningJobArn"])
        return told, child["ModelArtifacts"]["S3ModelArtifacts"]

    def pictures(self):
        """The pictures of a class go up by the command line, as a folder."""
        named = sorted(self.records.photos.iterdir())[0]
        source = f"{HOME}/test/"
        aws = shutil.which("aws", path=str(pathlib.Path(sys.executable).parent)) or shutil.which("aws")
        if aws:
            done = subprocess.run([aws, "s3", "cp", str(named), source, "--recursive", "--quiet"], capture_output=True,
                                  text=True, timeout=LONGEST)
            self.steps.check("aws s3 cp --recursive", done.returncode == 0, done.stderr)
        else:
            for path in named.iterdir():
                self.s3.upload_file(str(path), BUCKET, f"{FOLDER}/test/{path.name}")
        # A sibling whose name begins the same, which the prefix must not match.
        self.s3.put_object(Bucket=BUCKET, Key=f"{FOLDER}/test_other/note.txt", Body=b"no image")
        self.steps.equal("the pictures are listed", self.keys(f"{FOLDER}/test/"), [
            f"{FOLDER}/test/{path.name}" for path in sorted(named.iterdir())])
        return source, {path.name: path.read_bytes() for path in named.iterdir()}

    def batch(self, model, source, pictures):
        found = self.transform(stamped("image-classification-model"), model, source)
        self.steps.equal("each picture has an output", sorted(found), sorted(pictures))
        self.steps.check("each is a probability of each class", all(
            len(numbers) == self.records.classes and abs(sum(numbers) - 1) < 1e-3 for numbers in found.values()),
                         repr(found))
        return found

    def record_batches(self, model):
        """Records in mini-batches, and compressed, are answered as one by one, and in their order."""
        path = self.records.validation
        self.s3.put_object(Bucket=BUCKET, Key=f"packed/{path.name}.gz", Body=gzip.compress(path.read_bytes()))
        usual = {"kind": "application/x-recordio", "split": "RecordIO", "assemble": "Line"}
        source = f"{HOME}/validation/"
        single = self.outputs(stamped("single-record"), model, source, **usual).get(path.name, "")
        lines = [json.loads(line)["prediction"] for line in single.splitlines()]
        self.steps.equal("each record has a line", len(lines), len(self.records.listed["validation"]))
        self.steps.check("the lines differ, so their order can be seen", len(set(single.splitlines())) > 1)
        mini = {"strategy": "MultiRecord", "ModelClientConfig": {"InvocationsTimeoutInSeconds": 600,
                                                                 "InvocationsMaxRetries": 1},
                "Environment": {"MORE": "1"}}
        name = stamped("multi-record")
        several = self.outputs(name, model, source, **usual, **mini)
        told = self.sage.describe_transform_job(TransformJobName=name)
        self.steps.equal("what was asked is told", [told[member] for member in (
            "BatchStrategy", "ModelClientConfig", "Environment")],
                         ["MultiRecord", mini["ModelClientConfig"], mini["Environment"]])
        packed = self.outputs(stamped("multi-record-gzip"), model, f"s3://{BUCKET}/packed/", compression="Gzip",
                              **usual, **mini)
        for words, found in (("mini-batches", several.get(path.name, "")),
                             ("compressed", packed.get(f"{path.name}.gz", ""))):
            numbers = [json.loads(line)["prediction"] for line in found.splitlines()]
            self.steps.check(f"{words}: the same answers in the same order", len(numbers) == len(lines) and all(
                abs(one - other) < 1e-4 for pair in zip(numbers, lines, strict=True)
                for one, other in zip(*pair, strict=True)), f"{numbers} {lines}")

    def endpoint(self, model, pictures, batch):
        config, name = stamped(f"{PREFIX}-epc-"), stamped(f"{PREFIX}-ep-")
        self.sage.create_endpoint_config(EndpointConfigName=config, ProductionVariants=[{
            "InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1, "ModelName": model,
            "VariantName": "AllTraffic"}])
        self.sage.create_endpoint(EndpointName=name, EndpointConfigName=config)
        self.sage.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig=WAITS)
        self.steps.equal("the endpoint is in service", self.sage.describe_endpoint(EndpointName=name)["EndpointStatus"],
                         "InService")
        for picture, content in sorted(pictures.items()):
            answer = self.runtime.invoke_endpoint(EndpointName=name, ContentType="application/x-image",
                                                  Body=bytearray(content))
            numbers = json.loads(answer["Body"].read())
            self.steps.check(f"{picture}: a bare array with the class of the batch", isinstance(numbers, list) and
                             index_of_largest(numbers) == index_of_largest(batch[picture]) and
                             all(abs(one - other) < 1e-4 for one, other in zip(numbers, batch[picture], strict=True)),
                             f"{numbers} {batch[picture]}")
        picture = next(path for path in sorted(self.records.photos.rglob("*.jpg")))
        done = subprocess.run([sys.executable, pathlib.Path(__file__).with_name("runtime.py"),
                               self.runtime.meta.endpoint_url, name,
                               picture], capture_output=True, text=True, timeout=LONGEST)
        for line in done.stdout.splitlines()[:-1]:
            self.steps.check(line[7:], line.startswith("ok"))
        self.steps.check("runtime.py", done.returncode == 0, done.stderr[-500:])
        self.sage.delete_endpoint(EndpointName=name)
        self.sage.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig=WAITS)
        try:
            self.sage.describe_endpoint(EndpointName=name)
            self.steps.check("the endpoint is gone", False)
        except botocore.exceptions.ClientError as error:
            self.steps.check("the endpoint is gone", error.response["Error"]["Code"] == "ValidationException",
                             str(error))
        self.sage.delete_endpoint_config(EndpointConfigName=config)
        self.sage.delete_model(ModelName=model)
        self.steps.equal("no model is left", self.sage.list_models(NameContains=model)["Models"], [])

    # MARK: Its siblings

    def lists(self):
        """Images with a list of each side; a checkpoint of each epoch."""
        image = "application/x-image"
        channels = []
        for side, entries in self.records.listed.items():
            for _, _, path in entries:
                self.s3.upload_file(str(self.records.photos / path), BUCKET, f"lst/{side}/{path}")
            self.s3.put_object(Bucket=BUCKET, Key=f"lst/{side}_lst/{side}.lst",
                               Body="".join("\t".join(entry) + "\n" for entry in entries).encode())
            channels += [channel(name, f"s3://{BUCKET}/lst/{name}/", image) for name in (side, f"{side}_lst")]
        told = self.train(stamped("lst-format-"), channels, resize="32", top_k="2", checkpoint_frequency="1",
                          augmentation_type="crop")
        self.steps.equal("each epoch is kept", [name for name in self.artifact(told) if name.endswith(".params")], [
            f"image-classification-{epoch:04}.params" for epoch in (1, 2)])
        return channels

    def transfer(self, channels):
        """A pretrained model gets another last layer; without one, the failure says what is missing."""
        usual = {"image_shape": "3,224,224", "num_layers": "18", "resize": "256", "epochs": "1",
                 "use_pretrained_model": "1"}
        told = self.train(stamped("no-model-"), channels, completes=False, **usual)
        self.steps.check("the reason names the channel model", "'model'" in told.get("FailureReason", ""),
                         repr(told.get("FailureReason")))
        # The same network, of smaller images: quicker to make.
        base = self.train(stamped("base-"), channels, image_shape="3,64,64", num_layers="18", resize="72", epochs="1")
        model = channel("model", base["ModelArtifacts"]["S3ModelArtifacts"], "application/x-sagemaker-model")
        self.train(stamped("transfer-learning-"), [*channels, model], **usual, num_classes="4")

    def incremental(self, artifact):
        channels = [*self.recordio, channel("model", artifact, "application/x-sagemaker-model")]
        told = self.train(stamped("incremental-"), channels)
        echoed = {entry["ChannelName"]: entry["DataSource"]["S3DataSource"]["S3Uri"]
                  for entry in told["InputDataConfig"]}
        self.steps.equal("its channel model is told", echoed["model"], artifact)

    def several_labels(self, channels):
        """A column for each class in the lists, and a model whose outputs do not sum to one."""
        for side, entries in self.records.listed.items():
            lines = []
            for index, label, path in entries:
                held = {int(float(label)), int(index) % self.records.classes}
                lines.append("\t".join([index, *(str(int(c in held)) for c in range(self.records.classes)), path])
                             + "\n")
            self.s3.put_object(Bucket=BUCKET, Key=f"multi/{side}_lst/{side}.lst", Body="".join(lines).encode())
        changed = [channel(entry["ChannelName"], f"s3://{BUCKET}/multi/{entry['ChannelName']}/", entry["ContentType"])
                   if entry["ChannelName"].endswith("_lst") else entry for entry in channels]
        told = self.train(stamped("multi-label-"), changed, multi_label="1", use_weighted_loss="1", resize="32",
                          augmentation_type="crop_color_transform")
        model = stamped("multi-label-model-")
        self.model(model, told["ModelArtifacts"]["S3ModelArtifacts"])
        found = self.transform(stamped("multi-label-transform-"), model, f"s3://{BUCKET}/lst/validation/001.")
        self.steps.check("each class has a probability of its own", bool(found) and all(
            len(numbers) == self.records.classes and all(0 <= number <= 1 for number in numbers)
            for numbers in found.values()) and
            any(abs(sum(numbers) - 1) > 1e-3 for numbers in found.values()), repr(found))

    def early_stopping(self):
        told = self.tune(stamped("DEMO-hpo-es-", "%d-%H-%M-%S"), 3, {
            "ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "0.0001", "MaxValue": "0.05"}],
            "IntegerParameterRanges": [{"Name": "mini_batch_size", "MinValue": "2", "MaxValue": "6"}],
            "CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["sgd", "adam", "rmsprop", "nag"]}]},
                         early="Auto")
        self.steps.equal("its early stopping is told",
                         told["HyperParameterTuningJobConfig"]["TrainingJobEarlyStoppingType"], "Auto")
        children = self.sage.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=told["HyperParameterTuningJobName"], MaxResults=100)["TrainingJobSummaries"]
        self.steps.check("its jobs are listed with what was drawn", len(children) == 3 and all(
            set(child["TunedHyperParameters"]) == {"learning_rate", "mini_batch_size", "optimizer"}
            for child in children), repr(children))

    def several_definitions(self):
        """Two optimizers, each with its ranges, under one budget."""
        name, jobs = stamped("DEMO-hpo-md-", "%d-%H-%M-%S"), 3
        ranges = {"sgd": ("momentum", "0.5", "0.9"), "adam": ("beta_1", "0.8", "0.99")}
        statics = self.records.hyperparameters
        self.sage.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name,
            HyperParameterTuningJobConfig={
                "Strategy": "Random", "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs,
                                                         "MaxParallelTrainingJobs": 1}},
            TrainingJobDefinitions=[{
                **definition(OUTPUT, self.recordio), "DefinitionName": optimizer,
                "TuningObjective": {"MetricName": "validation:accuracy", "Type": "Maximize"},
                "HyperParameterRanges": {"ContinuousParameterRanges": [
                    {"Name": tuned, "MinValue": least, "MaxValue": most}]},
                "StaticHyperParameters": {**statics, "optimizer": optimizer}}
                                    for optimizer, (tuned, least, most) in ranges.items()])
        told = self.tuned(name, jobs)
        self.steps.equal("its definitions are told", [one["DefinitionName"] for one in told["TrainingJobDefinitions"]],
                         list(ranges))
        children = self.sage.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name, SortBy="CreationTime", SortOrder="Ascending")["TrainingJobSummaries"]
        self.steps.equal("they take turns, each with its own ranges", [
            (child["TrainingJobDefinitionName"], list(child["TunedHyperParameters"])) for child in children], [
            (optimizer, [ranges[optimizer][0]]) for optimizer in ("sgd", "adam", "sgd")])
        reached = [child["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for child in children]
        best = told["BestTrainingJob"]
        self.steps.equal("the best of all is the best", best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"],
                         max(reached))
        trained = self.sage.describe_training_job(TrainingJobName=best["TrainingJobName"])
        self.steps.equal("it was trained by its definition", trained["HyperParameters"]["optimizer"],
                         best["TrainingJobDefinitionName"])

    def warm_start(self, parent):
        told = self.tune(stamped("DEMO-hpo-ws-", "%d-%H-%M-%S"), 2, self.ranges, WarmStartConfig={
            "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": parent["HyperParameterTuningJobName"]}],
            "WarmStartType": "IdenticalDataAndAlgorithm"})
        reached = [job["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for job in (
            told["OverallBestTrainingJob"], told["BestTrainingJob"], parent["BestTrainingJob"])]
        self.steps.check("the best of all is the best of both", reached[0] == max(reached[1:]), repr(reached))


def refusals(steps):
    """Each service names in its own way what is wrong with a signature."""
    calls = {
        "sagemaker": lambda client: client.list_models(),
        "sagemaker-runtime": lambda client: client.invoke_endpoint(
            EndpointName="none", Body=b"x", ContentType="application/x-image"),
        "s3": lambda client: client.list_objects_v2(Bucket=BUCKET)}
    s3_codes = {"InvalidSignatureException": "SignatureDoesNotMatch",
                "UnrecognizedClientException": "InvalidAccessKeyId",
                "MissingAuthenticationTokenException": "AccessDenied"}
    right, clock = (KEY, SECRET), botocore.auth.get_current_datetime
    cases = [("a wrong secret", (KEY, "guess"), 0, "InvalidSignatureException"),
             ("an unknown key", ("stranger", SECRET), 0, "UnrecognizedClientException"),
             ("a clock 16 minutes late", right, -16, "InvalidSignatureException"),
             ("a clock 16 minutes early", right, 16, "InvalidSignatureException"),
             ("no signature", None, 0, "MissingAuthenticationTokenException")]
    for service, call in calls.items():
        for what, keys, minutes, code in cases:
            if service == "s3":
                code = "RequestTimeTooSkewed" if minutes else s3_codes[code]
            config = botocore.config.Config(
                retries={"total_max_attempts": 1}, **({} if keys else {"signature_version": botocore.UNSIGNED}))
            key, secret = keys or right
            client = boto3.client(service, config=config, aws_access_key_id=key, aws_secret_access_key=secret)
            botocore.auth.get_current_datetime = lambda *words: clock(*words) + datetime.timedelta(minutes=minutes)
            try:
                call(client)
                found = (200, "")
            except botocore.exceptions.ClientError as error:
                found = (error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"])
            finally:
                botocore.auth.get_current_datetime = clock
            steps.equal(f"{service}, {what}", found, (403, code))


def run(steps, records, scratch):
    notebook = Notebook(steps, records, scratch)
    part = steps.part
    part(notebook.data)
    artifact = part(notebook.training)
    tuned = part(notebook.tuning)
    pictures = part(notebook.pictures)
    if tuned and pictures:
        model = stamped("DEMO-full-image-classification-model")
        part(notebook.model, model, tuned[1])
        part(notebook.record_batches, model)
        batch = part(notebook.batch, model, *pictures)
        if artifact:
            other = stamped("DEMO-trained-model")
            part(notebook.model, other, artifact)
            part(Deployment(steps, BUCKET, (model, other), min(pictures[1].items())[1]).run)
        if batch:
            part(notebook.endpoint, model, pictures[1], batch)
    if artifact:
        part(notebook.incremental, artifact)
    if listed := part(notebook.lists):
        part(notebook.transfer, listed)
        part(notebook.several_labels, listed)
    part(notebook.early_stopping)
    part(notebook.several_definitions)
    if tuned:
        part(notebook.warm_start, tuned[0])
    part(refusals, steps)


def main():
    found = arguments(__doc__)
    with Steps("notebook") as steps:
        records = Records(found.imrec, found.scratch)
        with served(found.imrec, found.scratch / "root", steps, is_signed=True):
            run(steps, records, found.scratch)
    finish()


if __name__ == "__main__":
    main()
