#!/usr/bin/env python3
"""Asks a server's runtime API by the real boto3, and says what the client made of the answers.

  tools/oracle/services/runtime.py URL ENDPOINT IMAGE [--variant NAME] [--account NUMBER]

URL: http://127.0.0.1:4566 or the like; the keys are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, where they are set.
ENDPOINT: one in service. IMAGE: a JPEG or PNG. --variant: one of its variants, else that by which it answers first.
Needs boto3. Exits 1 where something is not as SageMaker has it. notebook.py runs it on the endpoint that it makes; by
hand it asks any server.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

failures = []


def check(name, holds, found=""):
    print(f"{'ok    ' if holds else 'FAILED'} {name}" + (f": {found}" if not holds else ""))
    if not holds:
        failures.append(name)


def error_of(call):
    """The error that a call raises, as the client names and parses it."""
    try:
        call()
    except ClientError as error:
        return error
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("endpoint")
    parser.add_argument("image", type=pathlib.Path)
    parser.add_argument("--variant")
    parser.add_argument("--account", default="123456789012")
    given = parser.parse_args()
    client = boto3.client(
        "sagemaker-runtime", endpoint_url=given.url, region_name="us-east-1",
        aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "local"),
        aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "local"),
        config=Config(retries={"max_attempts": 0}, max_pool_connections=16))
    image = given.image.read_bytes()

    def invoke(body=image, endpoint=given.endpoint, kind="application/x-image", **more):
        return client.invoke_endpoint(EndpointName=endpoint, ContentType=kind, Body=body, **more)

    answer = invoke(bytearray(image), CustomAttributes="c000b4f9-df62-4c85-a0bf", InferenceId="id-1")
    numbers = json.loads(answer["Body"].read())
    check("a bare array of probabilities", isinstance(numbers, list) and abs(sum(numbers) - 1) < 1e-3, numbers)
    check("application/json", answer["ContentType"] == "application/json", answer["ContentType"])
    check("the custom attributes come back", answer["CustomAttributes"] == "c000b4f9-df62-4c85-a0bf", answer)
    check("a variant is named", bool(answer["InvokedProductionVariant"]), answer)
    check("a request id", bool(answer["ResponseMetadata"].get("RequestId")), answer["ResponseMetadata"])
    lines = invoke(Accept="application/jsonlines")
    found = json.loads(lines["Body"].read())
    check("JSON lines where they are asked for", found.get("prediction") is not None, found)
    variant = given.variant or answer["InvokedProductionVariant"]
    aimed = [invoke(TargetVariant=variant)["InvokedProductionVariant"] for _ in range(8)]
    check("the variant that is asked for answers", set(aimed) == {variant}, aimed)

    lost = error_of(lambda: invoke(endpoint="no-such-endpoint"))
    check("an endpoint that is not there: ValidationError",
          lost and lost.response["Error"]["Code"] == "ValidationError", lost)
    check("its words",
          lost and lost.response["Error"]["Message"] == f"Endpoint no-such-endpoint of account {given.account} not "
                                                        "found.", lost)
    none = error_of(lambda: invoke(TargetVariant="no-such-variant"))
    check("a variant that is not there: ValidationError", none and none.response["Error"]["Code"] == "ValidationError",
          none)
    for name, body, kind, status in (("no image", b"GIF89a", "application/x-image", 400),
                                     ("an empty body", b"", "application/x-image", 400),
                                     ("another type", image, "application/octet-stream", 415)):
        bad = error_of(lambda: invoke(body, kind=kind))
        check(f"{name}: ModelError", isinstance(bad, client.exceptions.ModelError), bad)
        if isinstance(bad, client.exceptions.ModelError):
            check(f"{name}: its members", bad.response.get("OriginalStatusCode") == status
                  and bad.response.get("OriginalMessage")
                  and bad.response.get("LogStreamArn", "").startswith("arn:aws:logs:"), bad.response)
            check(f"{name}: its words", f"Received client error ({status}) from primary with message" in str(bad), bad)
    large = error_of(lambda: invoke(bytes(6_291_457)))
    check("a body that is too large: 413", large and large.response["ResponseMetadata"]["HTTPStatusCode"] == 413, large)
    check("one of the largest size: ModelError", isinstance(error_of(lambda: invoke(bytes(6_291_456))),
                                                            client.exceptions.ModelError))
    later = error_of(lambda: client.invoke_endpoint_async(EndpointName=given.endpoint, InputLocation="s3://b/k"))
    check("invoke_endpoint_async is refused by name",
          later and "InvokeEndpointAsync" in str(later.response["Error"]["Message"]), later)
    stream = error_of(lambda: client.invoke_endpoint_with_response_stream(EndpointName=given.endpoint, Body=image))
    check("a response stream is refused by name", stream
          and "ResponseStream" in str(stream.response["Error"]["Message"]), stream)
    model = error_of(lambda: invoke(TargetModel="a.tar.gz"))
    check("TargetModel is refused by name", model and "Target-Model" in str(model.response["Error"]["Message"]), model)

    expected = json.loads(invoke(TargetVariant=variant)["Body"].read())
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        many = list(pool.map(lambda _: json.loads(invoke(TargetVariant=variant)["Body"].read()), range(64)))
    check("64 answers of 16 clients are those of one", all(numbers == expected for numbers in many))
    print(f"runtime: {len(failures)} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
