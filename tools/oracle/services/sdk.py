"""Does with imrec serve, by SageMaker's own SDK of Python, what its users do: upload, fit with logs, tune, deploy,
transform.

  sdk.py --imrec IMREC --scratch FOLDER

The role is given; the image is that of image_uris. Clients know the address by AWS_ENDPOINT_URL only, and no host but
this one is asked. Each check is a line on stderr. Python packages: requirements/sdk.txt.
"""
import contextlib
import io
import json
import os
import pathlib
import re

os.environ.update(SAGEMAKER_SUPPRESS_V2_WARNING="1", TelemetryOptOut="1")

from oracle.comparison import Comparison, finish
from oracle.services.local_server import ROLE, Records, arguments, served

BUCKET = "imrec-sdk"


def no_telemetry(folder):
    path = folder / "sagemaker.yaml"
    path.write_text("SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n")
    os.environ.update(SAGEMAKER_ADMIN_CONFIG_OVERRIDE=str(path), SAGEMAKER_USER_CONFIG_OVERRIDE=str(path))


def compare(result, records):
    import boto3
    import sagemaker
    from sagemaker.estimator import Estimator
    from sagemaker.inputs import TrainingInput
    from sagemaker.serializers import IdentitySerializer
    from sagemaker.tuner import CategoricalParameter, ContinuousParameter, HyperparameterTuner, IntegerParameter

    session = sagemaker.Session(default_bucket=BUCKET)
    image = sagemaker.image_uris.retrieve(region=boto3.Session().region_name, framework="image-classification")
    who = boto3.client("sts").get_caller_identity()
    result.check("STS names the account", who["Account"] == "123456789012" and who["Arn"].startswith("arn:aws:sts::"),
                 str(who))

    channels = {}
    for name, path in (("train", records.train), ("validation", records.validation)):
        uri = session.upload_data(str(path), key_prefix=f"data/{name}")
        channels[name] = TrainingInput(uri.rsplit("/", 1)[0] + "/", content_type="application/x-recordio")
    result.check("upload_data says where", uri == f"s3://{BUCKET}/data/validation/{records.validation.name}", uri)

    estimator = Estimator(
        image, ROLE, instance_count=1, instance_type="ml.p3.2xlarge", volume_size=50, max_run=3600,
        output_path=f"s3://{BUCKET}/output", sagemaker_session=session, base_job_name="sdk")
    estimator.set_hyperparameters(**records.hyperparameters)
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        estimator.fit(channels)
    log = re.sub(r"\x1b\[[0-9;]*m", "", told.getvalue())
    epochs = re.findall(r"Epoch\[(\d+)\] Validation-accuracy=", log)
    result.check("fit shows the log, each line once", epochs == ["0", "1"], f"{epochs} in {log[-500:]}")
    result.check("fit says what it cost", "Training seconds: " in log, log[-200:])
    result.check("fit leaves a model", estimator.model_data.endswith("/output/model.tar.gz"), estimator.model_data)

    tuner = HyperparameterTuner(
        estimator, "validation:accuracy",
        {"learning_rate": ContinuousParameter(0.001, 0.1, scaling_type="Logarithmic"),
         "mini_batch_size": IntegerParameter(2, 4),
         "optimizer": CategoricalParameter(["sgd", "adam"])}, max_jobs=2, max_parallel_jobs=1,
        base_tuning_job_name="sdk")
    with contextlib.redirect_stdout(io.StringIO()):
        tuner.fit(channels)
        tuner.wait()
    table = tuner.analytics().dataframe()
    result.check("the tuner's table has each job with its values",
                 len(table) == 2 and set(table["optimizer"]) <= {"sgd", "adam", '"sgd"', '"adam"'}
                 and table["FinalObjectiveValue"].notna().all(),
                 table.to_csv())
    best = tuner.best_estimator()
    result.check("the best estimator is that of the best job",
                 best.latest_training_job.name == tuner.best_training_job())

    with contextlib.redirect_stdout(io.StringIO()):
        predictor = best.deploy(initial_instance_count=1, instance_type="ml.m4.xlarge",
                                serializer=IdentitySerializer("application/x-image"))
    pictures = sorted(records.photos.rglob("*.jpg"))
    answer = json.loads(predictor.predict(pictures[0].read_bytes()))
    result.check("the endpoint answers with a probability for each class",
                 len(answer) == records.classes and abs(sum(answer) - 1) < 1e-4, str(answer))

    inputs = session.upload_data(str(pictures[0].parent), key_prefix="images")
    transformer = best.transformer(1, "ml.c5.xlarge", output_path=f"s3://{BUCKET}/transformed", strategy="SingleRecord",
                                   max_payload=6)
    with contextlib.redirect_stdout(io.StringIO()):
        transformer.transform(inputs + "/", content_type="application/x-image", wait=True, logs=True)
    found = session.list_s3_files(BUCKET, "transformed")
    expected = sorted(path.name for path in pictures[0].parent.iterdir())
    result.check("each image has its .out", sorted(pathlib.Path(key).name
                                                   for key in found) == [name + ".out" for name in expected],
                 str(found))
    first = json.loads(session.read_s3_file(BUCKET, f"transformed/{pictures[0].name}.out"))["prediction"]
    result.check("transform and endpoint agree", first == answer, f"{first}, {answer}")

    predictor.delete_model()
    predictor.delete_endpoint()
    left = boto3.client("sagemaker").list_endpoints()["Endpoints"]
    result.check("the endpoint is gone", left == [], str(left))


def main():
    given = arguments(__doc__)
    no_telemetry(given.scratch)
    with Comparison("SageMaker's SDK") as result:
        records = Records(given.imrec.resolve(), given.scratch)
        with served(given.imrec.resolve(), given.scratch / "root", result):
            compare(result, records)
    finish()


if __name__ == "__main__":
    main()
