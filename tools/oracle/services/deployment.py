"""An endpoint under traffic, as boto3 sees it: captured requests, a shadow variant, weights, and changes while it is
asked."""
import base64
import collections
import concurrent.futures
import datetime
import json
import math
import re
import threading
import time

import boto3
import botocore.exceptions

WAITS = {"Delay": 1, "MaxAttempts": 120}
IMAGE_TYPE = "application/x-image"
DIGITS = r"\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.jsonl"


class Deployment:
    """One endpoint: at first of one variant with a shadow, then of two variants that share the requests 3 to 1."""

    def __init__(self, steps, bucket, models, picture):
        self.steps, self.bucket, self.models, self.picture = steps, bucket, models, picture
        self.sage, self.s3, self.runtime = (boto3.client(name) for name in ("sagemaker", "s3", "sagemaker-runtime"))
        self.name = "traffic-" + time.strftime("%H-%M-%S", time.gmtime())
        self.prefix = f"capture/{self.name}-data"
        # Of what was asked with an id: the answer, by variant.
        self.answers = {}

    def run(self):
        self.create()
        self.shadow()
        self.update()
        self.weights()
        self.sage.delete_endpoint(EndpointName=self.name)
        self.sage.get_waiter("endpoint_deleted").wait(EndpointName=self.name, WaiterConfig=WAITS)
        self.captured()

    def variant(self, name, model, weight=1.0):
        return {"VariantName": name, "ModelName": model, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large",
                "InitialVariantWeight": weight}

    def configure(self, name, variants, shadows=()):
        more = {"ShadowProductionVariants": list(shadows)} if shadows else {}
        self.sage.create_endpoint_config(
            EndpointConfigName=f"{self.name}-{name}", ProductionVariants=variants, **more, DataCaptureConfig={
                "EnableCapture": True, "InitialSamplingPercentage": 100,
                "DestinationS3Uri": f"s3://{self.bucket}/{self.prefix}",
                "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
                "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]}})
        return f"{self.name}-{name}"

    def invoke(self, **more):
        """The variant that answered, and what."""
        answer = self.runtime.invoke_endpoint(EndpointName=self.name, ContentType=IMAGE_TYPE, Body=self.picture, **more)
        return answer["InvokedProductionVariant"], answer["Body"].read().decode()

    def create(self):
        config = self.configure("one", [self.variant("Blue", self.models[0])], [self.variant("Grey", self.models[1])])
        self.sage.create_endpoint(EndpointName=self.name, EndpointConfigName=config)
        self.sage.get_waiter("endpoint_in_service").wait(EndpointName=self.name, WaiterConfig=WAITS)
        told = self.sage.describe_endpoint(EndpointName=self.name)
        self.steps.equal("its capture is told", {name: value for name, value in told["DataCaptureConfig"].items()
                                                 if name != "KmsKeyId"}, {
"EnableCapture": True, "CaptureStatus": "Started", "CurrentSamplingPercentage": 100,
"DestinationS3Uri": f"s3://{self.bucket}/{self.prefix}"})
        self.steps.equal("its shadow is told", [v["VariantName"] for v in told["ShadowProductionVariants"]], ["Grey"])

    def shadow(self):
        """A shadow answers nobody."""
        found = []
        for number in range(6):
            variant, text = self.invoke(InferenceId=f"id-{number}", CustomAttributes=f"attributes {number}")
            found.append(variant)
            self.answers[f"id-{number}"] = text
        self.steps.equal("only the production variant answers", found, ["Blue"] * 6)
        self.steps.equal("a shadow cannot be asked for", self.refusal(TargetVariant="Grey"), "ValidationError")

    def refusal(self, **more):
        try:
            self.invoke(**more)
            return None
        except botocore.exceptions.ClientError as error:
            return error.response["Error"]["Code"]

    def change(self, call):
        """Changes the endpoint while four clients ask it, each again as soon as it is answered: nobody is refused.
        Gives the variants that answered, and those of the last answers."""
        over, failures = threading.Event(), []

        def ask():
            found = []
            while not over.is_set():
                try:
                    found.append(self.invoke()[0])
                except Exception as error:
                    failures.append(repr(error))
            return found

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            clients = [pool.submit(ask) for _ in range(4)]
            try:
                time.sleep(0.3)
                call()
                self.sage.get_waiter("endpoint_in_service").wait(EndpointName=self.name, WaiterConfig=WAITS)
                time.sleep(0.3)
            finally:
                over.set()
            found = [client.result() for client in clients]
        self.steps.check("each of the four asked more than once", min(map(len, found)) > 1,
                         repr([len(f) for f in found]))
        self.steps.check("no request is lost", not failures, repr(failures[:3]))
        return collections.Counter(variant for each in found for variant in each), {each[-1] for each in found if each}

    def update(self):
        config = self.configure("two", [self.variant("One", self.models[0], 3.0),
                                        self.variant("Two", self.models[1], 1.0)])
        seen, last = self.change(lambda: self.sage.update_endpoint(EndpointName=self.name, EndpointConfigName=config))
        self.steps.check("the old variant answers before, the new ones after", seen["Blue"] > 0 and "Blue" not in last,
                         f"{seen} {last}")
        told = self.sage.describe_endpoint(EndpointName=self.name)
        self.steps.equal("its configuration is the new one", told["EndpointConfigName"], config)
        self.steps.equal("its weights are told", {v["VariantName"]: v["CurrentWeight"]
                                                  for v in told["ProductionVariants"]},
                         {"One": 3.0, "Two": 1.0})
        self.steps.equal("no shadow is left", told.get("ShadowProductionVariants", []), [])

    def weights(self):
        count = 400
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            found = collections.Counter(variant for variant, _ in pool.map(lambda _: self.invoke(), range(count)))
        # Five standard deviations: by chance once in two million runs.
        bound = 5 * math.sqrt(count * 0.75 * 0.25)
        self.steps.check("the requests are shared 3 to 1", abs(found["One"] - 0.75 * count) <= bound and
                         set(found) == {"One", "Two"}, repr(found))
        for variant in ("One", "Two"):
            self.steps.equal(f"{variant} answers where it is asked for",
                             {self.invoke(TargetVariant=variant)[0] for _ in range(8)}, {variant})
        _, last = self.change(lambda: self.sage.update_endpoint_weights_and_capacities(
            EndpointName=self.name, DesiredWeightsAndCapacities=[
                {"VariantName": "One", "DesiredWeight": 0.0}, {"VariantName": "Two", "DesiredWeight": 1.0,
                                                               "DesiredInstanceCount": 2}]))
        told = self.sage.describe_endpoint(EndpointName=self.name)["ProductionVariants"]
        self.steps.equal("the new weights and counts are told",
                         {v["VariantName"]: (v["CurrentWeight"], v["CurrentInstanceCount"]) for v in told},
                         {"One": (0.0, 1), "Two": (1.0, 2)})
        self.steps.equal("a variant without weight gets nothing", last | {self.invoke()[0] for _ in range(20)}, {"Two"})
        self.steps.equal("but where it is asked for", self.invoke(TargetVariant="One")[0], "One")

    def captured(self):
        """What was captured, field by field. The last of it is stored soon after the endpoint is gone."""
        end = time.monotonic() + 60
        while True:
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + "/")
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
            if {key.split("/")[3] for key in keys} >= {"Blue", "One", "Two"} or time.monotonic() > end:
                break
            time.sleep(0.2)
        self.steps.check("objects are named as SageMaker names them", bool(keys) and all(
            re.fullmatch(rf"{self.prefix}/{self.name}/(Blue|Grey|One|Two)/{DIGITS}", key) for key in keys), repr(keys))
        lines = [json.loads(line) for key in keys if "/Blue/" in key
                 for line in self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read().splitlines()]
        named = {line["eventMetadata"]["inferenceId"]: line for line in lines if "inferenceId" in line["eventMetadata"]}
        self.steps.equal("each request with an id is there once", sorted(named), sorted(self.answers))
        self.steps.equal("each event has an id of its own", len({line["eventMetadata"]["eventId"] for line in lines}),
                         len(lines))
        for number, (name, answer) in enumerate(sorted(self.answers.items())):
            line = named.get(name, {})
            data, event = line.get("captureData", {}), line.get("eventMetadata", {})
            self.steps.equal(f"{name}: what is in a line", (sorted(line), line.get("eventVersion"), sorted(event)), (
                ["captureData", "eventMetadata", "eventVersion"], "0",
                ["customAttributes", "eventId", "inferenceId", "inferenceTime"]))
            self.steps.equal(f"{name}: the request", data.get("endpointInput"), {
                "observedContentType": IMAGE_TYPE, "mode": "INPUT", "data": base64.b64encode(self.picture).decode(),
                "encoding": "BASE64"})
            self.steps.equal(f"{name}: the answer", data.get("endpointOutput"), {
                "observedContentType": "application/json", "mode": "OUTPUT", "data": answer, "encoding": "JSON"})
            self.steps.equal(f"{name}: its attributes", event.get("customAttributes"), [f"attributes {number}"])
            moment = datetime.datetime.strptime(event.get("inferenceTime", ""),
                                                "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)
            self.steps.check(f"{name}: its time",
                             0 <= (datetime.datetime.now(datetime.UTC) - moment).total_seconds() < 600,
                             repr(event))
