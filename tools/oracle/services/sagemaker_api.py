"""Asks imrec serve for every operation of SageMaker's control plane that it has, by the real boto3.

  sagemaker_api.py --imrec IMREC --scratch FOLDER

Every answer is parsed by botocore, and must have each member that its model requires, and no other; every documented
error must arrive as the right exception. It trains four times, tunes twice, transforms and makes an endpoint, all
small, of pictures that are drawn. Python packages: requirements/s3.txt.
"""
import sys
import time

import boto3
import botocore.config
import botocore.exceptions

from oracle.comparison import Comparison, finish
from oracle.services.local_server import IMAGE, ROLE, Records, arguments, channel, definition, served

BUCKET = "imrec-oracle"


class Service:
    """Calls operations, and holds each answer against botocore's model."""

    def __init__(self, result):
        # Neither tries again nor refuses a request by itself.
        config = botocore.config.Config(retries={"max_attempts": 1}, parameter_validation=False)
        self.client, self.result, self.called = boto3.client("sagemaker", config=config), result, set()
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


def training(name, records, **changes):
    channels = [channel(side, f"s3://{BUCKET}/{side}/") for side in ("train", "validation")]
    return {"TrainingJobName": name, **definition(f"s3://{BUCKET}/output", channels),
            "HyperParameters": dict(records.hyperparameters), **changes}


def jobs(ask, records, stamp):
    name = f"train-{stamp}"
    ask("CreateTrainingJob", **training(name, records, Tags=[{"Key": "of", "Value": "oracle"}]))
    ask.fails("CreateTrainingJob", "ResourceInUse", "already exists", **training(name, records))
    ask.fails("DeleteTrainingJob", "ResourceInUse", "InProgress", TrainingJobName=name)
    trained = ask.wait("DescribeTrainingJob", "TrainingJobStatus", ["Completed", "Failed", "Stopped"],
                       TrainingJobName=name)
    ask.result.check("the training completes", trained["TrainingJobStatus"] == "Completed",
                     repr(trained.get("FailureReason")))
    states = [step["Status"] for step in trained["SecondaryStatusTransitions"]]
    ask.result.check("it goes through the states", states[-4:] == ["Downloading", "Training", "Uploading", "Completed"],
                     states)
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

    long = training(f"long-{stamp}", records)
    long["HyperParameters"]["epochs"] = "100000"
    ask("CreateTrainingJob", **long)
    ask.wait("DescribeTrainingJob", "SecondaryStatus", ["Training", "Failed"], TrainingJobName=f"long-{stamp}")
    ask("StopTrainingJob", TrainingJobName=f"long-{stamp}")
    stopped = ask.wait("DescribeTrainingJob", "TrainingJobStatus", ["Stopped", "Failed"],
                       TrainingJobName=f"long-{stamp}")
    ask.result.check("a stopped job is Stopped", stopped["TrainingJobStatus"] == "Stopped", repr(stopped))
    ask("DeleteTrainingJob", TrainingJobName=f"long-{stamp}")

    short = training(f"short-{stamp}", records, StoppingCondition={"MaxRuntimeInSeconds": 2})
    short["HyperParameters"]["epochs"] = "100000"
    ask("CreateTrainingJob", **short)
    ended = ask.wait("DescribeTrainingJob", "TrainingJobStatus", ["Stopped", "Failed"],
                     TrainingJobName=f"short-{stamp}")
    ask.result.check("time over: MaxRuntimeExceeded", ended["SecondaryStatus"] == "MaxRuntimeExceeded", repr(ended))
    return trained["ModelArtifacts"]["S3ModelArtifacts"]


def tuning(ask, records, stamp):
    name = f"tune-{stamp}"[:32]
    definition = training("unused", records)
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
        ask.result.check("children know their tuning job",
                         described.get("TuningJobArn") == done["HyperParameterTuningJobArn"])
    ask.fails("StopHyperParameterTuningJob", "ValidationException", "status", HyperParameterTuningJobName=name)
    ask("DeleteHyperParameterTuningJob", HyperParameterTuningJobName=name)

    # Two definitions, each with an objective and ranges of its own.
    whole, config = request.pop("TrainingJobDefinition"), dict(request["HyperParameterTuningJobConfig"])
    own = {"TuningObjective": config.pop("HyperParameterTuningJobObjective"),
           "HyperParameterRanges": config.pop("ParameterRanges")}
    request |= {"HyperParameterTuningJobName": f"two-{stamp}", "HyperParameterTuningJobConfig": config,
                "TrainingJobDefinitions": [{**whole, **own, "DefinitionName": one} for one in ("first", "second")]}
    ask.fails("CreateHyperParameterTuningJob", "ValidationException", "DefinitionName", **{
        **request, "TrainingJobDefinitions": [request["TrainingJobDefinitions"][0]] * 2})
    ask("CreateHyperParameterTuningJob", **request)
    done = ask.wait(
        "DescribeHyperParameterTuningJob", "HyperParameterTuningJobStatus", ["Completed", "Failed", "Stopped"],
        HyperParameterTuningJobName=f"two-{stamp}")
    ask.result.check("the tuning of two definitions completes", "BestTrainingJob" in done,
                     repr(done.get("FailureReason")))
    children = ask("ListTrainingJobsForHyperParameterTuningJob",
                   HyperParameterTuningJobName=f"two-{stamp}")["TrainingJobSummaries"]
    ask.result.check("each has a job", {child.get("TrainingJobDefinitionName")
                                        for child in children} == {"first", "second"})
    ask("DeleteHyperParameterTuningJob", HyperParameterTuningJobName=f"two-{stamp}")


def serving(ask, records, stamp, artifact):
    model, config, endpoint = f"model-{stamp}", f"config-{stamp}", f"endpoint-{stamp}"
    ask("CreateModel", ModelName=model, ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": artifact})
    ask.fails("CreateModel", "ValidationException", "Cannot create already existing model", ModelName=model,
              ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE, "ModelDataUrl": artifact})
    ask("DescribeModel", ModelName=model)
    found = [m["ModelName"] for m in ask("ListModels", NameContains=model)["Models"]]
    ask.result.check("lists find it", found == [model])

    job = f"transform-{stamp}"
    request = {
        "TransformJobName": job, "ModelName": model, "MaxConcurrentTransforms": 16, "MaxPayloadInMB": 6,
        "BatchStrategy": "MultiRecord", "ModelClientConfig": {"InvocationsTimeoutInSeconds": 3600,
                                                              "InvocationsMaxRetries": 3},
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/validation/"}},
            "ContentType": "application/x-recordio", "SplitType": "RecordIO", "CompressionType": "None"},
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/transformed", "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.p2.xlarge", "InstanceCount": 1}}
    ask("CreateTransformJob", **request)
    ask.fails("CreateTransformJob", "ResourceInUse", "already exists", **request)
    ask.fails("CreateTransformJob", "ResourceNotFound", "Could not find model", **{**request, "ModelName": "none"})
    ask.fails("CreateTransformJob", "ValidationException", "invocationsTimeoutInSeconds", **{
        **request, "ModelClientConfig": {"InvocationsTimeoutInSeconds": 3601}})
    done = ask.wait("DescribeTransformJob", "TransformJobStatus", ["Completed", "Failed", "Stopped"],
                    TransformJobName=job)
    ask.result.check("the transform completes", done["TransformJobStatus"] == "Completed",
                     repr(done.get("FailureReason")))
    ask("ListTransformJobs", NameContains=job)
    ask.fails("StopTransformJob", "ValidationException", "Completed", TransformJobName=job)

    variant = {"VariantName": "AllTraffic", "ModelName": model, "InitialInstanceCount": 1,
               "InstanceType": "ml.m4.xlarge"}
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


def refusals(ask, records):
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
    bad = training("a_b", records, RoleArn="role")
    bad["ResourceConfig"]["InstanceType"] = "local"
    ask.fails("CreateTrainingJob", "ValidationException", "validation errors detected: ", **bad)
    bad = training("a", records)
    bad["ResourceConfig"]["InstanceType"] = "local"
    ask.fails("CreateTrainingJob", "ValidationException",
              "1 validation error detected: Value 'local' at 'resourceConfig.instanceType' failed to satisfy "
              "constraint: Member must satisfy enum value set: [", **bad)
    bad = training("a", records)
    bad["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{BUCKET}/nothing-here/"
    ask.fails("CreateTrainingJob", "ValidationException", "No S3 objects found under S3 URL", **bad)
    ask.fails("ListTrainingJobs", "ValidationException", "NextToken", NextToken="00")
    ask.fails("ListTags", "ValidationException", "Could not find model",
              ResourceArn="arn:aws:sagemaker:us-east-1:123456789012:model/none")
    ask.fails("ListNotebookInstances", "UnknownOperationException", "ListNotebookInstances")
    ask.called.discard("ListNotebookInstances")


def main():
    found = arguments(__doc__)
    stamp = str(int(time.time() * 10))[-9:]
    with Comparison("sagemaker_api") as result:
        records = Records(found.imrec, found.scratch)
        with served(found.imrec, found.scratch / "root", result):
            s3 = boto3.client("s3")
            s3.create_bucket(Bucket=BUCKET)
            for side, path in (("train", records.train), ("validation", records.validation)):
                s3.upload_file(str(path), BUCKET, f"{side}/{side}.rec")
            ask = Service(result)
            refusals(ask, records)
            artifact = jobs(ask, records, stamp)
            serving(ask, records, stamp, artifact)
            tuning(ask, records, stamp)
            print(f"  {len(ask.called)} operations were called", file=sys.stderr)
    finish()


if __name__ == "__main__":
    main()
