"""kill -9 of the server and of its jobs, at random and in the middle of what takes long, while all kinds of work go
on."""
import collections
import hashlib
import io
import os
import re
import shutil
import signal
import sqlite3
import tarfile
import tempfile
import threading
import time

import botocore.exceptions

from service import BUCKET, ENDED, Desk, serving
from trial import Tally

GONE = (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError)
# Seconds after which whatever goes on is over.
LONGEST = 240


def etag(parts):
    digests = [hashlib.md5(part).digest() for part in parts]
    return hashlib.md5(b"".join(digests)).hexdigest() + f"-{len(parts)}" if len(parts) > 1 else digests[0].hex()


class Traffic(threading.Thread):
    """Puts objects one after the other, and knows for each key what may be there: what was answered, or what was not
    yet."""

    def __init__(self, service, numbers):
        super().__init__(daemon=True)
        self.service, self.numbers, self.is_over = service, numbers, False
        self.phase, self.answered, self.faults = "", 0, []
        # For each key what may stand under it: ETag and digest; None: nothing.
        self.may_be = collections.defaultdict(lambda: {None})
        self.turn = threading.Lock()
        self.s3 = service.client("s3")

    def run(self):
        number = 0
        while not self.is_over:
            with self.turn:
                try:
                    self.put(number)
                except GONE:
                    pass  # killed under its hands
                except botocore.exceptions.ClientError as error:
                    self.faults.append(repr(error))
                self.phase = ""
            number += 1
            time.sleep(0.03)

    def note(self, key, parts):
        version = (etag(parts), hashlib.sha256(b"".join(parts)).hexdigest())
        self.may_be[key].add(version)
        return version

    def answer(self, key, version, given):
        self.may_be[key] = {version}
        self.answered += 1
        if given.strip('"') != version[0]:
            self.faults.append(f"{key} was answered with {given}, and is {version[0]}")


class Puts(Traffic):
    def put(self, number):
        size = self.numbers.choice([0, 1, 1000, 100_000, 1_000_000])
        key, body = f"plain/{number % 24}", self.numbers.randbytes(size)
        version = self.note(key, [body])
        self.phase = "put"
        self.answer(key, version, self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)["ETag"])


class Uploads(Traffic):
    """In parts; an upload outlives the server, and goes on where it was."""

    upload = None

    def put(self, number):
        if self.upload is None:
            key, parts = f"parts/{number % 3}", [self.numbers.randbytes(5 << 20), self.numbers.randbytes(100_000)]
            self.upload = key, parts, self.s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"], {}
        key, parts, upload, tags = self.upload
        which = {"Bucket": BUCKET, "Key": key, "UploadId": upload}
        for place, part in enumerate(parts, 1):
            if place not in tags:
                self.phase = "part"
                tags[place] = self.s3.upload_part(PartNumber=place, Body=part, **which)["ETag"]
        was_asked = len(self.may_be[key]) > 1
        version = self.note(key, parts)
        self.phase = "complete"
        try:
            given = self.s3.complete_multipart_upload(MultipartUpload={"Parts": [
                {"PartNumber": place, "ETag": tag} for place, tag in sorted(tags.items())]}, **which)["ETag"]
        except botocore.exceptions.ClientError as error:
            # What was asked before may be done; then the object is the new one.
            if not was_asked or error.response["Error"]["Code"] != "NoSuchUpload":
                raise
            given = self.s3.head_object(Bucket=BUCKET, Key=key)["ETag"]
        self.upload = None
        self.answer(key, version, given)


class Models(Traffic):
    """Makes models, which are rows of the database alone."""

    def __init__(self, service, numbers, artifact):
        super().__init__(service, numbers)
        self.desk, self.artifact, self.made = Desk(service, None, "row-"), artifact, []

    def put(self, number):
        self.phase = "row"
        self.made.append(self.desk.model(self.artifact))
        self.answered += 1
        time.sleep(0.1)


class Kills:
    def __init__(self, service, records, numbers):
        self.service, self.numbers = service, numbers
        self.desk = Desk(service, records)
        self.desk.put_data()
        first = self.desk.train()
        self.artifact = self.desk.wait(first)["ModelArtifacts"]["S3ModelArtifacts"]
        self.model = self.desk.model(self.artifact)
        self.endpoint = self.desk.endpoint(self.model)
        self.desk.wait(self.endpoint)
        self.probabilities = self.desk.invoke(self.endpoint[1])
        # Each job that was answered, and what was told of it when it had ended.
        self.ended = {first: self.desk.describe(first)}
        self.created = [first]
        self.puts, self.uploads = Puts(service, numbers), Uploads(service, numbers)
        self.models = Models(service, numbers, self.artifact)
        self.threads = [self.puts, self.uploads, self.models]
        self.hit = collections.Counter()
        self.objects = Tally("after kill -9 each object whose put was answered is there, byte for byte, with its ETag, "
                             "and none by half")
        self.known = Tally("after kill -9 each job and model that was answered is there, and what had ended is "
                           "unchanged")
        self.answers = Tally("after kill -9 an endpoint answers as before")
        self.alone = Tally("no process of a dead server is left, and no file that it was writing")
        self.reasons = Tally("a job whose process is killed fails, and says so; others go on")
        self.over = Tally("each job ends: completed, or failed with a reason")

    # MARK: What goes on

    def work(self):
        """So many jobs that there is always one in work."""
        living = [job for job in self.created if job not in self.ended]
        if len([job for job in living if job[0] == "training"]) < 2:
            self.created.append(self.desk.train(epochs=self.numbers.choice([2, 20, 60]),
                                                checkpoints=self.numbers.random() < 0.6))
        if not any(job[0] == "transform" for job in living):
            self.created.append(self.desk.transform(self.model))
        if not any(job[0] == "tuning" for job in living):
            self.created.append(self.desk.tune())

    def note_ends(self):
        for job in self.created:
            if job not in self.ended:
                told = self.desk.describe(job)
                if told[Desk.statuses[job[0]]] in ENDED:
                    self.ended[job] = told

    def phases(self):
        told = self.desk.sage.list_training_jobs(MaxResults=8)["TrainingJobSummaries"]
        return {job["SecondaryStatus"] for job in told if job["TrainingJobStatus"] == "InProgress"}

    aims = ["any", "any", "any", "Starting", "Downloading", "Training", "Uploading", "put", "part", "complete",
            "transform"]

    def aim(self):
        """Waits for a random while, or for what takes only a moment."""
        aim = self.numbers.choice(self.aims)
        end = time.monotonic() + (self.numbers.uniform(0, 4) if aim == "any" else 8)
        if aim in ("Starting", "Downloading"):
            self.created.append(self.desk.train())
        while time.monotonic() < end:
            if aim in ("put", "part", "complete"):
                if aim in {thread.phase for thread in self.threads}:
                    break
                time.sleep(0.0005)
            elif aim == "transform":
                if any("/transforms/" in words for words in self.service.jobs().values()):
                    break
            elif aim == "any":
                time.sleep(max(0, end - time.monotonic()))
            elif aim in self.phases():
                break
        time.sleep(self.numbers.uniform(0, 0.02))

    def stored_phases(self):
        """What was in work when the server was killed, of a copy of its database."""
        with tempfile.TemporaryDirectory() as folder:
            for name in ("imrec.sqlite", "imrec.sqlite-wal"):
                if (self.service.root / name).exists():
                    shutil.copy(self.service.root / name, folder)
            database = sqlite3.connect(os.path.join(folder, "imrec.sqlite"))
            found = database.execute("SELECT json_extract(state, '$.SecondaryStatus') FROM training_job WHERE status = "
                                     "'InProgress'")
            phases = {phase for phase, in found}
            for kind in ("transform", "tuning"):
                if database.execute(f"SELECT COUNT(*) FROM {kind}_job WHERE status = 'InProgress'").fetchone()[0]:
                    phases.add(kind)
            database.close()
        return phases

    # MARK: Kills

    def kill_server(self):
        traffic = {thread.phase for thread in self.threads}
        self.service.kill()
        for phase in self.stored_phases() | traffic - {""}:
            self.hit[phase] += 1
        end = time.monotonic() + 5
        while self.service.processes() and time.monotonic() < end:
            time.sleep(0.02)
        left = self.service.processes()
        self.alone.check(not left, left)
        for thread in self.threads:
            thread.turn.acquire()
        try:
            self.service.start()
            staged = sorted((self.service.root / "s3/.imrec/staging").iterdir())
            self.alone.check(not staged, staged)
            self.check_objects()
            self.check_jobs()
            self.check_endpoint()
        finally:
            for thread in self.threads:
                thread.turn.release()

    def check_objects(self):
        listed = {entry["Key"]: entry for prefix in ("plain/", "parts/") for entry in self.desk.s3.list_objects_v2(
            Bucket=BUCKET, Prefix=prefix).get("Contents", [])}
        may_be = {**self.puts.may_be, **self.uploads.may_be}
        for key in set(listed) | set(may_be):
            found = None
            if key in listed:
                answer = self.desk.s3.get_object(Bucket=BUCKET, Key=key)
                body = answer["Body"].read()
                found = (answer["ETag"].strip('"'), hashlib.sha256(body).hexdigest())
                self.objects.check(len(body) == listed[key]["Size"] and listed[key]["ETag"] == answer["ETag"], key,
                                   listed[key])
            self.objects.check(found in may_be.get(key, {None}), key, found)
            if found in may_be.get(key, ()) and not key.startswith("parts/"):
                may_be[key].intersection_update({found})

    def check_jobs(self):
        for job in self.created:
            told = self.desk.describe(job)
            if job in self.ended:
                self.known.check(told == self.ended[job], job, told)
            else:
                self.known.check(True)
        for name in self.models.made:
            self.known.check(self.desk.sage.describe_model(ModelName=name)["ModelName"] == name)

    def check_endpoint(self):
        end, said = time.monotonic() + 30, None
        while said != self.probabilities and time.monotonic() < end:
            try:
                said = self.desk.invoke(self.endpoint[1])
                break
            except botocore.exceptions.ClientError as error:
                said = repr(error)
                time.sleep(0.05)
        self.answers.check(said == self.probabilities and self.desk.status(self.endpoint) == "InService", said)

    def kill_job(self):
        """Where one is in work."""
        if not self.service.jobs():
            self.created.append(self.desk.train(epochs=60) if self.numbers.random() < 0.5
                                else self.desk.transform(self.model))
        end = time.monotonic() + 3
        while not (jobs := self.service.jobs()) and time.monotonic() < end:
            time.sleep(0.01)
        if not jobs:
            return False
        number = self.numbers.choice(sorted(jobs))
        kind, name = re.search(rf"{self.service.root}/(job|transform)s/([^/ ]+)", jobs[number]).groups()
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            return False
        job = ("training" if kind == "job" else kind, name)
        self.hit[f"process of a {job[0]}"] += 1
        status, reason = self.desk.ended(job, 60)
        self.reasons.check(status == "Completed" or status == "Failed" and "Killed" in reason, job, status, reason)
        return True

    def round(self):
        self.note_ends()
        self.work()
        self.aim()
        if self.numbers.random() < 0.6 or not self.kill_job():
            self.kill_server()

    # MARK: The end

    def end(self):
        for thread in self.threads:
            thread.is_over = True
            thread.join()
        end = time.monotonic() + LONGEST
        while len(self.ended) < len(self.created) and time.monotonic() < end:
            self.note_ends()
            time.sleep(0.2)
        went_on = 0
        for job in self.created:
            told = self.desk.describe(job)
            status, reason = told[Desk.statuses[job[0]]], told.get("FailureReason", "")
            self.over.check(status == "Completed" or status == "Failed" and len(reason) > 20, job, status, reason)
            begins = [step for step in told.get("SecondaryStatusTransitions", []) if step["Status"] == "Starting"]
            went_on += status == "Completed" and len(begins) > 1
            if job[0] == "training" and status == "Completed":
                self.check_artifact(told["ModelArtifacts"]["S3ModelArtifacts"])
        self.check_objects()
        self.check_litter()
        self.over.check(not self.desk.sage.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"])
        faults = Tally("a put to a server that lives is answered as it should")
        for thread in self.threads:
            faults.tried += thread.answered
            for fault in thread.faults:
                faults.check(False, fault)
        for tally in (self.objects, self.known, self.answers, self.alone, self.reasons, self.over, faults):
            tally.close()
        counts = collections.Counter(f"{job[0]} {told[Desk.statuses[job[0]]]}" for job, told in self.ended.items())
        for reason, count in collections.Counter(told["FailureReason"] for told in self.ended.values()
                                                 if "FailureReason" in told).items():
            print(f"  ({count} times: {reason})")
        print("  (in work at kills: " + ", ".join(f"{phase} {count}" for phase, count in sorted(self.hit.items()))
              + ")")
        print("  (ends: " + ", ".join(f"{end} {count}" for end, count in sorted(counts.items()))
              + f"; {went_on} after a new start)")

    def check_artifact(self, uri):
        body = self.desk.s3.get_object(Bucket=BUCKET, Key=uri.split("/", 3)[3])["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as archive:
            names = archive.getnames()
        self.objects.check(any(name.endswith(".params") for name in names), uri, names)

    def check_litter(self):
        """What nobody will ask for any more."""
        for upload in self.desk.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
            self.desk.s3.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
        root = self.service.root
        own = root / "s3/.imrec"
        left = [*own.glob("staging/*"), *own.glob("uploads/*/*"), *root.glob("models/**/*.partial"),
                *own.glob("objects/**/*.partial")]
        self.alone.check(not left, left)


def main(root, records, numbers, count):
    with serving(root) as service:
        kills = Kills(service, records, numbers)
        for thread in kills.threads:
            thread.start()
        for _ in range(count):
            kills.round()
        kills.end()
        print(f"  ({count} kills)")
