#!/usr/bin/env python3
"""Asks a running imrec serve for every operation of SageMaker's control plane that it has, by the real boto3.

  sagemaker_api.py ENDPOINT_URL --train T.rec --validation V.rec [--classes N] [--images N] [--image-shape C,H,W] [--objects DIR]

Every answer is parsed by botocore, and must have each member that its model requires, and no other; every documented error
must arrive as the right exception. It trains twice, tunes, transforms and makes an endpoint, all small. Objects are put by
S3's API, or, with --objects, copied into the server's object folder. Python packages: boto3.
"""
import argparse
import pathlib
import shutil
import sys
import time

import boto3
import botocore.config
import botocore.exceptions

from comparison import Comparison

ROLE = "arn:aws:iam::123456789012:role/imrec"
IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1"
BUCKET = "imrec-oracle"


def client(service, url):
    return boto3.client(
        service, endpoint_url=url, region_name="us-east-1", aws_access_key_id="imrec", aws_secret_access_key="imrec-secret",
        config=botocore.config.Config(retries={"max_attempts": 1}, parameter_validation=False))


class Service:
    """Calls operations, and holds each answer against botocore's model."""

    def __init__(self, url, result):
        self.client, self.result, self.called = client("sagemaker", url), result, set()
        self.model = self.client.meta.service_model

    def __call__(self, operation, **request):
        self.called.add(operation)
        method = next(m for m, o in self.client.meta.method_to_api_mapping.items() if o == operation)
        answer = getattr(self.client, method)(**request)
        answer.pop("ResponseMetadata")
        shape = self.model.operation_model(operation).output_shape
        if shape is not None:
            self.check(operation, shape, answer)
        return answer

    def check(self, place, shape, value):
        if shape.type_name == "structure":
            for name in shape.required_members:
                self.result.check(f"{place}.{name} is there", name in value, f"of {sorted(value)}")
            for name, member in value.items():
                if self.result.check(f"{place}.{name} is of the model", name in shape.members):
                    self.check(f"{place}.{name}", shape.members[name], member)
        elif shape.type_name == "list":
            for element in value:
                self.check(place, shape.member, element)
        elif getattr(shape, "enum", None):
            self.result.check(f"{place} is one of the choices", value in shape.enum, repr(value))

    def fails(self, operation, code, words, **request):
        self.called.add(operation)
        method = next(m for m, o in self.client.meta.method_to_api_mapping.items() if o == operation)
        place = f"{operation} fails as {code}"
        try:
            getattr(self.client, method)(**request)
            self.result.check(place, False, "it did not")
        except botocore.exceptions.ClientError as error:
            found = error.response["Error"]
            self.result.check(place, found["Code"] == code and words in found["Message"], repr(found))
            if code in self.model.shape_names:
                wanted = getattr(self.client.exceptions, code)
                self.result.check(f"{place}, as an exception of its own", isinstance(error, wanted), repr(error))

    def wait(self, operation, member, done, **request):
        for _ in range(600):
            answer = self(operation, **request)
            if answer[member] in done:
                return answer
            time.sleep(0.5)
        raise TimeoutError(f"{operation} {request}: {answer[member]}")


def training(name, arguments, **changes):
    height = arguments.image_shape.split(",")[1]
    channel = lambda channel: {
        "ChannelName": channel, "ContentType": "application/x-recordio", "CompressionType": "None",
        "DataSource": {"S3DataSource": {
            "S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{channel}/", "S3DataDistributionType": "FullyReplicated"}}}
    request = {
        "TrainingJobName": name, "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/output"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.p3.2xlarge", "VolumeSizeInGB": 50},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "InputDataConfig": [channel("train"), channel("validation")],
        "HyperParameters": {
            "num_layers": "20", "image_shape": arguments.image_shape, "num_classes": str(arguments.classes),
            "num_training_samples": str(arguments.images), "mini_batch_size": "4", "epochs": "2", "learning_rate": "0.01"},
    }
    request.update(changes)
    return request


def put(arguments, path, key):
    if arguments.objects:
        target = pathlib.Path(arguments.objects, BUCKET, key)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        return
    s3 = client("s3", arguments.url)
    try:
        s3.create_bucket(Bucket=BUCKET)
    except botocore.exceptions.ClientError:
        pass
    s3.upload_file(str(path), BUCKET, key)


def jobs(ask, arguments, stamp):
    name = f"train-{stamp}"
    ask("CreateTrainingJob", **training(name, arguments, Tags=[{"Key": "of", "Value": "oracle"}]))
    ask.fails("CreateTrainingJob", "ResourceInUse", "already exists", **training(name, arguments))
    ask.fails("DeleteTrainingJob", "ResourceInUse", "InProgress", TrainingJobName=name)
    trained = ask.wait("DescribeTrainingJob", "TrainingJobStatus", ["Completed", "Failed", "Stopped"], TrainingJobName=name)
    ask.result.check("the training completes", trained["TrainingJobStatus"] == "Completed", repr(trained.get("FailureReason")))
    states = [step["Status"] for step in trained["SecondaryStatusTransitions"]]
    ask.result.check("it goes through the states", states[-4:] == ["Downloading", "Training", "Uploading", "Completed"], states)
    ask.result.check("it tells its metrics", {m["MetricName"] for m in trained.get("FinalMetricDataList", [])} >= {
        "train:accuracy", "validation:accuracy"})
    arn = trained["TrainingJobArn"]
    ask.result.check("tags are kept", ask("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "of", "Value": "oracle"}])
    ask("AddTags", ResourceArn=arn, Tags=[{"Key": "more", "Value": ""}])
    ask("DeleteTags", ResourceArn=arn, TagKeys=["of"])
    ask.result.check("tags go", [t["Key"] for t in ask("ListTags", ResourceArn=arn)["Tags"]] == ["more"])
    listed = ask("ListTrainingJobs", NameContains=stamp, StatusEquals="Completed", SortBy="Name", MaxResults=1)
    ask.result.check("lists find it", [j["TrainingJobName"] for j in listed["TrainingJobSummaries"]] == [name])
    ask.fails("StopTrainingJob", "ValidationException", "Completed", TrainingJobName=name)

    long = training(f"long-{stamp}", arguments)
    long["HyperParameters"]["epochs"] = "100000"
    ask("CreateTrainingJob", **long)
    ask.wait("DescribeTrainingJob", "SecondaryStatus", ["Training", "Failed"], TrainingJobName=f"long-{stamp}")
    ask("StopTrainingJob", TrainingJobName=f"long-{stamp}")
    stopped = ask.wait("DescribeTrainingJob", "TrainingJobStatus", ["Stopped", "Failed"], TrainingJobName=f"long-{stamp}")
    ask.result.check("a stopped job is Stopped", stopped["TrainingJobStatus"] == "Stopped", repr(stopped))
    ask("DeleteTrainingJob", TrainingJobName=f"long-{stamp}")

    short = training(f"short-{stamp}", arguments, StoppingCondition={"MaxRuntimeInSeconds": 2})
    short["HyperParameters"]["epochs"] = "100000"
    ask("CreateTrainingJob", **short)
    ended = ask.wait("DescribeTrainingJob", "TrainingJobStatus", ["Stopped", "Failed"], TrainingJobName=f"short-{stamp}")
    ask.result.check("time over: MaxRuntimeExceeded", ended["SecondaryStatus"] == "MaxRuntimeExceeded", repr(ended))
    return trained["ModelArtifacts"]["S3ModelArtifacts"]


def tuning(ask, arguments, stamp):
    name = f"tune-{stamp}"[:32]
    definition = training("unused", arguments)
    statics = {k: v for k, v in definition.pop("HyperParameters").items() if k != "learning_rate"}
    del definition["TrainingJobName"]
    request = {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random", "RandomSeed": 1,
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:accuracy"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 1},
            "ParameterRanges": {"ContinuousParameterRanges": [
                {"Name": "learning_rate", "MinValue": "0.001", "MaxValue": "0.1"}]}},
        "TrainingJobDefinition": {**definition, "StaticHyperParameters": statics},
    }
    ask("CreateHyperParameterTuningJob", **request)
    ask.fails("CreateHyperParameterTuningJob", "ResourceInUse", "already exists", **request)
    done = ask.wait(
        "DescribeHyperParameterTuningJob", "HyperParameterTuningJobStatus", ["Completed", "Failed", "Stopped"],
        HyperParameterTuningJobName=name)
    ask.result.check("the tuning completes with a best job", "BestTrainingJob" in done, repr(done.get("FailureReason")))
    ask("ListHyperParameterTuningJobs", NameContains=name)
    children = ask(
        "ListTrainingJobsForHyperParameterTuningJob", HyperParameterTuningJobName=name,
        SortBy="FinalObjectiveMetricValue", SortOrder="Descending")["TrainingJobSummaries"]
    ask.result.check("it has two training jobs", len(children) == 2, repr(children))
    # Of equals either may come first.
    reached = lambda job: job.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value")
    ask.result.check("the best comes first", bool(children) and reached(children[0]) is not None
                     and reached(children[0]) == reached(done.get("BestTrainingJob", {})))
    for child in children[:1]:
        described = ask("DescribeTrainingJob", TrainingJobName=child["TrainingJobName"])
        ask.result.check("children know their tuning job", described.get("TuningJobArn") == done["HyperParameterTuningJobArn"])
    ask.fails("StopHyperParameterTuningJob", "ValidationException", "status", HyperParameterTuningJobName=name)
    ask("DeleteHyperParameterTuningJob", HyperParameterTuningJobName=name)


def serving(ask, arguments, stamp, artifact):
    model, config, endpoint = f"model-{stamp}", f"config-{stamp}", f"endpoint-{stamp}"
    ask("CreateModel", ModelName=model, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE, "ModelDataUrl": artifact})
    ask.fails("CreateModel", "ValidationException", "Cannot create already existing model", ModelName=model,
              ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE, "ModelDataUrl": artifact})
    ask("DescribeModel", ModelName=model)
    ask.result.check("lists find it", [m["ModelName"] for m in ask("ListModels", NameContains=model)["Models"]] == [model])

    job = f"transform-{stamp}"
    request = {
        "TransformJobName": job, "ModelName": model, "MaxConcurrentTransforms": 16, "MaxPayloadInMB": 6,
        "BatchStrategy": "SingleRecord",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/validation/"}},
            "ContentType": "application/x-recordio", "SplitType": "RecordIO", "CompressionType": "None"},
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/transformed", "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.p2.xlarge", "InstanceCount": 1}}
    ask("CreateTransformJob", **request)
    ask.fails("CreateTransformJob", "ResourceInUse", "already exists", **request)
    ask.fails("CreateTransformJob", "ResourceNotFound", "Could not find model", **{**request, "ModelName": "none"})
    done = ask.wait("DescribeTransformJob", "TransformJobStatus", ["Completed", "Failed", "Stopped"], TransformJobName=job)
    ask.result.check("the transform completes", done["TransformJobStatus"] == "Completed", repr(done.get("FailureReason")))
    ask("ListTransformJobs", NameContains=job)
    ask.fails("StopTransformJob", "ValidationException", "Completed", TransformJobName=job)

    variant = {"VariantName": "AllTraffic", "ModelName": model, "InitialInstanceCount": 1, "InstanceType": "ml.m4.xlarge"}
    ask("CreateEndpointConfig", EndpointConfigName=config, ProductionVariants=[variant])
    ask("DescribeEndpointConfig", EndpointConfigName=config)
    ask("ListEndpointConfigs", NameContains=config)
    ask.fails("CreateEndpointConfig", "ValidationException", "Could not find model", EndpointConfigName="x",
              ProductionVariants=[{**variant, "ModelName": "none"}])
    ask("CreateEndpoint", EndpointName=endpoint, EndpointConfigName=config)
    ask.fails("CreateEndpoint", "ValidationException", "Could not find endpoint configuration", EndpointName="x",
              EndpointConfigName="none")
    ask.wait("DescribeEndpoint", "EndpointStatus", ["InService", "Failed"], EndpointName=endpoint)
    ask("ListEndpoints", NameContains=endpoint, StatusEquals="InService")
    ask("UpdateEndpointWeightsAndCapacities", EndpointName=endpoint, DesiredWeightsAndCapacities=[
        {"VariantName": "AllTraffic", "DesiredWeight": 2.0, "DesiredInstanceCount": 2}])
    changed = ask.wait("DescribeEndpoint", "EndpointStatus", ["InService"], EndpointName=endpoint)
    ask.result.check("the weight is the new one", changed["ProductionVariants"][0]["CurrentWeight"] == 2.0)
    ask("UpdateEndpoint", EndpointName=endpoint, EndpointConfigName=config)
    ask.wait("DescribeEndpoint", "EndpointStatus", ["InService"], EndpointName=endpoint)
    ask("DeleteEndpoint", EndpointName=endpoint)
    for _ in range(100):
        try:
            ask("DescribeEndpoint", EndpointName=endpoint)
        except botocore.exceptions.ClientError:
            break
        time.sleep(0.2)
    ask.fails("DescribeEndpoint", "ValidationException", "Could not find endpoint", EndpointName=endpoint)
    ask("DeleteEndpointConfig", EndpointConfigName=config)
    ask("DeleteModel", ModelName=model)


def refusals(ask, arguments):
    for operation, member in [
        ("DescribeTrainingJob", "TrainingJobName"), ("StopTrainingJob", "TrainingJobName"),
        ("DeleteTrainingJob", "TrainingJobName"), ("DescribeTransformJob", "TransformJobName"),
        ("StopTransformJob", "TransformJobName"), ("DescribeHyperParameterTuningJob", "HyperParameterTuningJobName"),
        ("StopHyperParameterTuningJob", "HyperParameterTuningJobName"),
        ("ListTrainingJobsForHyperParameterTuningJob", "HyperParameterTuningJobName"),
    ]:
        ask.fails(operation, "ResourceNotFound", "Requested resource not found", **{member: "none"})
    for operation, member in [("DescribeModel", "ModelName"), ("DeleteModel", "ModelName"),
                              ("DescribeEndpointConfig", "EndpointConfigName"), ("DeleteEndpoint", "EndpointName"),
                              ("DeleteEndpointConfig", "EndpointConfigName")]:
        ask.fails(operation, "ValidationException", "Could not find", **{member: "none"})
    bad = training("a_b", arguments, RoleArn="role")
    bad["ResourceConfig"]["InstanceType"] = "local"
    ask.fails("CreateTrainingJob", "ValidationException", "validation errors detected: ", **bad)
    bad = training("a", arguments)
    bad["ResourceConfig"]["InstanceType"] = "local"
    ask.fails("CreateTrainingJob", "ValidationException",
              "1 validation error detected: Value 'local' at 'resourceConfig.instanceType' failed to satisfy constraint: "
              "Member must satisfy enum value set: [", **bad)
    bad = training("a", arguments)
    bad["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{BUCKET}/nothing-here/"
    ask.fails("CreateTrainingJob", "ValidationException", "No S3 objects found under S3 URL", **bad)
    ask.fails("ListTrainingJobs", "ValidationException", "NextToken", NextToken="00")
    ask.fails("ListTags", "ValidationException", "Could not find model",
              ResourceArn="arn:aws:sagemaker:us-east-1:123456789012:model/none")
    ask.fails("ListNotebookInstances", "UnknownOperationException", "ListNotebookInstances")
    ask.called.discard("ListNotebookInstances")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--train", required=True)
    parser.add_argument("--validation", required=True)
    parser.add_argument("--classes", type=int, default=2)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--image-shape", default="3,28,28")
    parser.add_argument("--objects")
    arguments = parser.parse_args()
    stamp = str(int(time.time() * 10))[-9:]
    put(arguments, arguments.train, "train/train.rec")
    put(arguments, arguments.validation, "validation/validation.rec")
    with Comparison("sagemaker_api") as result:
        ask = Service(arguments.url, result)
        refusals(ask, arguments)
        artifact = jobs(ask, arguments, stamp)
        serving(ask, arguments, stamp, artifact)
        tuning(ask, arguments, stamp)
        print(f"  {len(ask.called)} operations were called", file=sys.stderr)
    sys.exit(Comparison.differing > 0)


if __name__ == "__main__":
    main()
