"""No room on the disk, a database that another program keeps, objects that are not what they were: each is said, and
over when its cause is."""
import concurrent.futures
import contextlib
import gzip
import hashlib
import io
import shutil
import sqlite3
import subprocess
import tarfile
import time

import botocore.exceptions

from service import BUCKET, HOME, deployed, local_server, serving
from trial import Tally

REFUSED = botocore.exceptions.ClientError


def refusal(call, **arguments):
    """How a call is refused: status, code, message and seconds; None where it is answered."""
    begun = time.monotonic()
    try:
        call(**arguments)
    except REFUSED as error:
        return (error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"],
                error.response["Error"]["Message"], time.monotonic() - begun)
    return None


# MARK: Disk

def small_disk(root, records):
    root.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "none", root], capture_output=True).returncode:
        return print("  (left out: a small disk; only root may mount one)")
    try:
        with serving(root) as service:
            SmallDisk(service, records).fill_and_empty()
    finally:
        subprocess.run(["umount", root])


class SmallDisk:
    def __init__(self, service, records):
        self.service = service
        self.desk, self.model, self.endpoint, self.probabilities = deployed(service, records)
        self.refused = Tally("on a full disk a put is refused by InsufficientStorage, and leaves nothing")
        self.told = Tally("on a full disk what is known is still told, and endpoints answer")
        self.failed = Tally("a job that finds no room fails, and says so, or ends whole")
        self.again = Tally("when there is room again all works, without a new start")

    def fill(self, room):
        """Leaves so many bytes."""
        with (self.service.root / "ballast").open("wb") as file:
            try:
                while True:
                    file.write(bytes(4096))
                    file.flush()
            except OSError:
                pass
            with contextlib.suppress(OSError):
                file.close()
        size = (self.service.root / "ballast").stat().st_size
        with (self.service.root / "ballast").open("r+b") as file:
            file.truncate(max(0, size - room))

    def empty(self):
        (self.service.root / "ballast").unlink()

    def fill_and_empty(self):
        for room in (0, 50_000, 500_000, 2_000_000, 5_000_000):
            upload = self.desk.s3.create_multipart_upload(Bucket=BUCKET, Key="in-parts")["UploadId"]
            # One that runs when the disk is filled, one that finds it full, and what there is room for by then.
            jobs = [self.desk.train(epochs=20, checkpoints=True)]
            self.wait_for(jobs[0], "Training")
            self.fill(room)
            self.put(upload, room)
            for make in (self.desk.train, lambda: self.desk.transform(self.model), self.desk.tune):
                try:
                    jobs.append(make())
                except REFUSED as error:
                    self.refused.check(error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500, error)
            self.ask(jobs)
            time.sleep(3)
            self.ask(jobs)
            self.empty()
            for job in jobs:
                status, reason = self.desk.ended(job)
                said = any(words in reason for words in ("disk is full", "disk is almost full", "disk that holds"))
                # Of a tuning job the trainings say it.
                self.failed.check(status == "Completed" or status == "Failed" and (said or job[0] == "tuning"), room,
                                  job, status, reason)
            self.check_again(upload)
        for tally in (self.refused, self.told, self.failed, self.again):
            tally.close()

    def wait_for(self, job, phase):
        end = time.monotonic() + 30
        while self.desk.describe(job)["SecondaryStatus"] != phase and time.monotonic() < end:
            time.sleep(0.02)

    def put(self, upload, room):
        body = bytes(6 << 20)
        for call in (lambda: self.desk.s3.put_object(Bucket=BUCKET, Key="large", Body=body),
                     lambda: self.desk.s3.put_object(Bucket=BUCKET, Key="pictures/0.jpg", Body=body),
                     lambda: self.desk.s3.upload_part(Bucket=BUCKET, Key="in-parts", UploadId=upload, PartNumber=1,
                                                      Body=body)):
            said = refusal(call)
            self.refused.check(said and said[:2] == (507, "InsufficientStorage"), room, said)
        keys = [entry["Key"] for entry in self.desk.s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
        self.refused.check("large" not in keys and "in-parts" not in keys, keys)
        found = self.desk.s3.get_object(Bucket=BUCKET, Key="pictures/0.jpg")["Body"].read()
        self.refused.check(found == self.desk.pictures[0].read_bytes(), "a refused put changed the object")

    def ask(self, jobs):
        for job in jobs:
            self.told.check(self.desk.status(job) in ("InProgress", "Completed", "Failed"), job)
        self.told.check(len(self.desk.sage.list_training_jobs()["TrainingJobSummaries"]) > 0)
        self.told.check(self.desk.invoke(self.endpoint[1]) == self.probabilities)

    def check_again(self, upload):
        with self.again_checked("a put"):
            self.desk.s3.put_object(Bucket=BUCKET, Key="large", Body=bytes(6 << 20))
            self.desk.s3.delete_object(Bucket=BUCKET, Key="large")
        with self.again_checked("an upload"):
            which = {"Bucket": BUCKET, "Key": "in-parts", "UploadId": upload}
            tag = self.desk.s3.upload_part(PartNumber=1, Body=bytes(6 << 20), **which)["ETag"]
            self.desk.s3.complete_multipart_upload(MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]}, **which)
            self.desk.s3.delete_object(Bucket=BUCKET, Key="in-parts")
        with self.again_checked("jobs"):
            jobs = [self.desk.train(), self.desk.transform(self.model), self.desk.tune()]
            ends = [self.desk.ended(job) for job in jobs]
            assert all(status == "Completed" for status, _ in ends), ends

    def again_checked(self, what):
        return Checked(self.again, what)


class Checked:
    """A trial that holds where its block ends without an error."""

    def __init__(self, tally, what):
        self.tally, self.what = tally, what

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        self.tally.check(error is None, self.what, repr(error))
        return error is None or isinstance(error, Exception)


# MARK: Lock

def locked_database(root, records):
    with serving(root) as service:
        LockedDatabase(service, records).lock()


class LockedDatabase:
    # Longer than a write waits for a lock.
    seconds = 12

    def __init__(self, service, records):
        self.service = service
        self.desk, self.model, self.endpoint, _ = deployed(service, records)
        self.refused = Tally("while the database is locked a write is refused by ServiceUnavailable, in time, and a "
                             "read is answered")
        self.kept = Tally("what jobs and endpoints reach while the database is locked is recorded when the lock is "
                          "gone")

    def lock(self):
        desk = self.desk
        # One that ends meanwhile; those that are to begin meanwhile.
        jobs = [desk.train(epochs=60), desk.tune(), desk.train(), desk.transform(self.model)]
        jobs.append(desk.endpoint(self.model))
        time.sleep(1)
        database = sqlite3.connect(self.service.root / "imrec.sqlite", isolation_level=None, timeout=20)
        database.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            container = {"ModelDataUrl": f"{HOME}/x", "Image": "image"}
            calls = [pool.submit(refusal, desk.sage.create_model, ModelName=f"locked-{number}",
                                 PrimaryContainer=container)
                     for number in range(12)]
            calls.append(pool.submit(refusal, desk.sage.stop_training_job, TrainingJobName=jobs[0][1]))
            calls.append(pool.submit(refusal, desk.sage.delete_model, ModelName=self.model))
            # One of a client that asks again, as they all do unless told otherwise.
            patient = pool.submit(refusal, self.service.client("sagemaker", retries=20).create_model,
                                  ModelName="patient", PrimaryContainer=container)
            while time.monotonic() < begun + self.seconds:
                for call in (lambda: desk.describe(jobs[0]), desk.sage.list_training_jobs,
                             lambda: desk.invoke(self.endpoint[1]),
                             lambda: desk.s3.list_objects_v2(Bucket=BUCKET)):
                    asked = time.monotonic()
                    said = refusal(call)
                    self.refused.check(said is None and time.monotonic() - asked < 3, said, time.monotonic() - asked)
                time.sleep(0.3)
            database.execute("ROLLBACK")
            database.close()
            for call in calls:
                said = call.result()
                self.refused.check(said is not None and said[:2] == (503, "ServiceUnavailable") and said[3] < 10, said)
            self.kept.check(patient.result() is None, patient.result())
        for job in jobs:
            status, reason = desk.ended(job, 90)
            self.kept.check(status == ("InService" if job[0] == "endpoint" else "Completed"), job, status, reason)
        for tally in (self.refused, self.kept):
            tally.close()


# MARK: Objects

def archive(members):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def flipped(content, numbers, count=1):
    content = bytearray(content)
    for _ in range(count):
        content[numbers.randrange(len(content))] ^= 1 << numbers.randrange(8)
    return bytes(content)


def bad_models(whole, numbers):
    """Archives that hold no model: each by its name, and whether it must be refused. A single bit may do no harm."""
    with tarfile.open(fileobj=io.BytesIO(whole), mode="r:gz") as tar:
        members = [(entry.name, tar.extractfile(entry).read()) for entry in tar if entry.isfile()]
    params = next(number for number, (name, _) in enumerate(members) if name.endswith(".params"))

    def changed(number, content):
        return archive([*members[:number], (members[number][0], content), *members[number + 1:]])

    yield "empty", b"", True
    yield "no archive", numbers.randbytes(10_000), True
    yield "text", b"<html>404</html>", True
    yield "gzip of nothing", gzip.compress(b""), True
    yield "gzip of rubbish", gzip.compress(numbers.randbytes(10_000)), True
    yield "archive of nothing", archive([]), True
    for part in (1, 3, 7, 9):
        yield f"cut at {part}/10", whole[:len(whole) * part // 10], True
    # Only the length that gzip itself ends with is missing.
    yield "without its end", whole[:-4], False
    for number in range(4):
        yield f"flipped bits {number}", flipped(whole, numbers, 20), True
    yield "cut parameters", changed(params, members[params][1][:-1000]), True
    yield "no parameters", archive(members[:params] + members[params + 1:]), True
    yield "other parameters", changed(params, numbers.randbytes(5000)), True
    yield "rubbish for a network", archive([
        (name, b"{" if name.endswith("symbol.json") else content) for name, content in members]), True
    yield "deep network", archive([
        (name, b"[" * 200_000 if name.endswith("symbol.json") else content) for name, content in members]), True
    yield "leads elsewhere", archive([("../../outside", b"x"), *members]), False


def damaged_objects(root, records, numbers):
    with serving(root) as service:
        DamagedObjects(service, records, numbers).damage()


class DamagedObjects:
    def __init__(self, service, records, numbers):
        self.service, self.records, self.numbers = service, records, numbers
        self.desk, self.model, self.endpoint, self.probabilities = deployed(service, records)
        self.failed = Tally("a job or an endpoint with a damaged object fails and says why")
        self.whole = Tally("others go on as before")

    def damage(self):
        self.models()
        self.trainings()
        self.behind_the_back()
        self.pictures()
        for tally in (self.failed, self.whole):
            tally.close()

    def fails(self, what, job, must=True):
        status, reason = self.desk.ended(job)
        is_clear = status == "Failed" and len(reason) > 20 and "see its log" not in reason and "signal" not in reason
        self.failed.check(is_clear or not must and status in ("Completed", "InService"), what, job, status, reason)
        self.whole.check(self.desk.invoke(self.endpoint[1]) == self.probabilities, what)

    def models(self):
        uri = self.desk.sage.describe_model(ModelName=self.model)["PrimaryContainer"]["ModelDataUrl"]
        whole = self.desk.s3.get_object(Bucket=BUCKET, Key=uri.split("/", 3)[3])["Body"].read()
        for number, (what, content, must) in enumerate(bad_models(whole, self.numbers)):
            key = f"bad/{number}/model.tar.gz"
            self.desk.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
            model = self.desk.model(f"{HOME}/{key}")
            endpoint = self.desk.endpoint(model)
            self.fails(what, endpoint, must)
            said = refusal(self.desk.invoke, name=endpoint[1])
            self.failed.check(not must or said and said[1] in ("ValidationError", "ModelError"), what, said)
            self.fails(what, self.desk.transform(model), must)
            self.desk.sage.delete_endpoint(EndpointName=endpoint[1])
        missing = self.desk.model(f"{HOME}/nowhere/model.tar.gz")
        self.fails("no object", self.desk.endpoint(missing))
        self.fails("no object", self.desk.transform(missing))

    def trainings(self):
        train, validation = (path.read_bytes() for path in (self.records.train, self.records.validation))
        lst = self.records.train.with_suffix(".lst").read_bytes()
        cases = [("empty", b"", True), ("rubbish", self.numbers.randbytes(20_000), True),
                 ("cut", train[:len(train) // 2 + 1], True),
                 ("a list", lst, True)]
        cases += [(f"flipped bits {number}", flipped(train, self.numbers, 3), False) for number in range(4)]
        cases += [(f"flipped heads {number}", b"\xff" + train[1:], True) for number in range(1)]
        for number, (what, content, must) in enumerate(cases):
            key = f"bad-train/{number}"
            self.desk.s3.put_object(Bucket=BUCKET, Key=f"{key}/train.rec", Body=content)
            self.fails(what, self.desk.train(channels=[local_server.channel("train", f"{HOME}/{key}/"),
                                                       self.desk.channels[1]]), must)
        self.desk.s3.put_object(Bucket=BUCKET, Key="images/x.jpg", Body=self.desk.pictures[0].read_bytes())
        for number, content in enumerate([b"", self.numbers.randbytes(3000), b"1\t2\n", b"0\tone\tx.jpg\n",
                                          b"0\t0\t../../x\n", b"0\t0\tnowhere.jpg\n", b"0\t99\tx.jpg\n"]):
            key = f"bad-list/{number}"
            self.desk.s3.put_object(Bucket=BUCKET, Key=f"{key}/a.lst", Body=content)
            channels = [local_server.channel(name, f"{HOME}/{uri}", "application/x-image") for name, uri in (
                ("train", "images/"), ("validation", "images/"), ("train_lst", f"{key}/"),
                ("validation_lst", f"{key}/"))]
            self.fails(f"list {number}", self.desk.train(channels=channels))

    def behind_the_back(self):
        """A file that somebody writes to is another object: its ETag is that of its bytes now, and jobs take these."""
        root = self.service.root / "s3" / BUCKET
        for number in range(5):
            key = f"behind/{number}"
            self.desk.s3.put_object(Bucket=BUCKET, Key=key, Body=b"a" * 1000, Metadata={"kind": "first"})
            time.sleep(0.02)
            content = self.numbers.randbytes(1000 - 10 * number)
            (root / key).write_bytes(content)
            answer = self.desk.s3.get_object(Bucket=BUCKET, Key=key)
            self.whole.check(answer["Body"].read() == content
                             and answer["ETag"].strip('"') == hashlib.md5(content).hexdigest(),
                             key)
        self.desk.s3.put_object(Bucket=BUCKET, Key="behind/train/train.rec", Body=self.records.train.read_bytes())
        path = root / "behind/train/train.rec"
        path.write_bytes(self.records.train.read_bytes()[:1000])
        self.fails("a file cut behind the server's back", self.desk.train(
            channels=[local_server.channel("train", f"{HOME}/behind/train/"), self.desk.channels[1]]))
        # The model's file is cut while its endpoint is in service: it has its own, and a new one fails.
        uri = self.desk.sage.describe_model(ModelName=self.model)["PrimaryContainer"]["ModelDataUrl"]
        path = root / uri.split("/", 3)[3]
        whole = path.read_bytes()
        path.write_bytes(whole[:5000])
        self.fails("a model cut behind the server's back", self.desk.endpoint(self.model))
        path.write_bytes(whole)
        endpoint = self.desk.endpoint(self.model)
        self.whole.check(self.desk.ended(endpoint)[0] == "InService", "a model that is whole again")
        shutil.rmtree(root / "behind")
        self.whole.check(refusal(self.desk.s3.get_object, Bucket=BUCKET, Key="behind/0")[1] == "NoSuchKey")

    def pictures(self):
        """What is no picture is the client's fault; and of a transform the others are done."""
        picture = self.desk.pictures[0].read_bytes()
        runtime = self.service.client("sagemaker-runtime")
        for content in (b"\0", picture[:len(picture) // 2], b"<svg/>", self.numbers.randbytes(5000), b"\xff\xd8\xff"):
            said = refusal(runtime.invoke_endpoint, EndpointName=self.endpoint[1], ContentType="application/x-image",
                           Body=content)
            self.failed.check(said and said[:2] == (424, "ModelError"), content[:10], said)
            said = refusal(runtime.invoke_endpoint, EndpointName=self.endpoint[1], ContentType="application/json",
                           Body=content)
            self.failed.check(said and said[:2] == (424, "ModelError"), content[:10], said)
        self.desk.s3.put_object(Bucket=BUCKET, Key="mixed/a.jpg", Body=picture)
        self.desk.s3.put_object(Bucket=BUCKET, Key="mixed/b.jpg", Body=picture[:100])
        job = self.desk.transform(self.model, "mixed/")
        status, reason = self.desk.ended(job)
        self.failed.check(status == "Failed" and len(reason) > 20, status, reason)
        keys = [entry["Key"] for entry in self.desk.s3.list_objects_v2(Bucket=BUCKET,
                Prefix=f"transformed/{job[1]}/")["Contents"]]
        self.whole.check(keys == [f"transformed/{job[1]}/a.jpg.out"], keys)
        said = refusal(self.desk.s3.get_object, Bucket=BUCKET, Key="nowhere")
        self.failed.check(said[:2] == (404, "NoSuchKey"), said)
