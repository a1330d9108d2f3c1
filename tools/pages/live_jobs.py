"""A server with jobs that really ran, for live_checks.py: by the Python that has boto3
(tools/oracle/requirements/s3.txt).

  live_jobs.py --imrec IMREC --scratch FOLDER

Writes a line of JSON to stdout: the address, and what is there. One training goes on until stdin ends; then all of it
does.
"""
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import boto3

from oracle.comparison import Comparison
from oracle.services.local_server import IMAGE, ROLE, Records, arguments, channel, definition, served

BUCKET = "photos"
WAITS = {"Delay": 1, "MaxAttempts": 300}


def jobs(records):
    """Runs one job of each kind to its end, serves the model, and begins a training that is long."""
    sage, s3 = boto3.client("sagemaker"), boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for side, path in (("train", records.train), ("validation", records.validation)):
        s3.upload_file(str(path), BUCKET, f"data/{side}/{path.name}")
    pictures = sorted(records.photos / path for _, _, path in records.listed["validation"])
    for path in pictures:
        s3.upload_file(str(path), BUCKET, f"test/{path.relative_to(records.photos)}")
    channels = [channel(side, f"s3://{BUCKET}/data/{side}/") for side in ("train", "validation")]
    request = definition(f"s3://{BUCKET}/output", channels)
    sage.create_training_job(TrainingJobName="train-shapes", HyperParameters=records.hyperparameters | {"epochs": "8"},
                             **request)
    sage.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName="train-shapes", WaiterConfig=WAITS)
    ranges = {"ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "0.001", "MaxValue": "0.1",
                                             "ScalingType": "Logarithmic"}],
              "IntegerParameterRanges": [{"Name": "mini_batch_size", "MinValue": "2", "MaxValue": "8"}],
              "CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["sgd", "adam", "nag"]}]}
    tuned = {parameter["Name"] for kind in ranges.values() for parameter in kind}
    sage.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="tune-shapes",
        HyperParameterTuningJobConfig={
            "Strategy": "Random", "RandomSeed": 3, "ParameterRanges": ranges,
            "HyperParameterTuningJobObjective": {"MetricName": "validation:accuracy", "Type": "Maximize"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 5, "MaxParallelTrainingJobs": 1}},
        TrainingJobDefinition={**request, "StaticHyperParameters": {
            name: value for name, value in records.hyperparameters.items() if name not in tuned}})
    while sage.describe_hyper_parameter_tuning_job(
            HyperParameterTuningJobName="tune-shapes")["HyperParameterTuningJobStatus"] == "InProgress":
        time.sleep(0.5)
    told = sage.describe_training_job(TrainingJobName="train-shapes")
    sage.create_model(ModelName="shapes", ExecutionRoleArn=ROLE, PrimaryContainer={
        "Image": IMAGE, "ModelDataUrl": told["ModelArtifacts"]["S3ModelArtifacts"]})
    sage.create_transform_job(
        TransformJobName="transform-shapes", ModelName="shapes",
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/transformed"},
        TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/test/"}},
                        "ContentType": "application/x-image"},
        TransformResources={"InstanceType": "ml.c5.xlarge", "InstanceCount": 1})
    sage.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName="transform-shapes", WaiterConfig=WAITS)
    variant = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1, "ModelName": "shapes"}
    sage.create_endpoint_config(EndpointConfigName="shapes",
                                ProductionVariants=[{**variant, "VariantName": "AllTraffic"}])
    sage.create_endpoint(EndpointName="shapes", EndpointConfigName="shapes")
    sage.get_waiter("endpoint_in_service").wait(EndpointName="shapes", WaiterConfig=WAITS)
    sage.create_training_job(TrainingJobName="train-long", HyperParameters=records.hyperparameters
                             | {"epochs": "100000"}, **request)
    return sage, {"picture": str(pictures[0]), "truth": str(records.validation.with_suffix(".lst")),
                  "classes": records.classes, "pictures": len(pictures)}


def main():
    found = arguments(__doc__)
    records = Records(found.imrec, found.scratch)
    with served(found.imrec, found.scratch / "root", Comparison("live")) as address:
        sage, told = jobs(records)
        print(json.dumps({"address": address, **told}), flush=True)
        sys.stdin.read()
        sage.stop_training_job(TrainingJobName="train-long")


if __name__ == "__main__":
    main()
