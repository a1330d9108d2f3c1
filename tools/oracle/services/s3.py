"""Uses the local S3 as its users do: boto3, its transfer manager, presigned URLs and the AWS command line.

  s3.py --serve SERVE_OBJECTS --scratch FOLDER [--quick]

SERVE_OBJECTS is the program serve-objects. Listings and errors are compared with moto's server, too, where moto is
installed. --quick leaves out the command line and most of the strange keys. Python packages: requirements/s3.txt.
"""
import argparse
import base64
import contextlib
import hashlib
import http.client
import os
import pathlib
import random
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zlib

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from oracle.comparison import Comparison

KEY, SECRET, MEBIBYTE = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 1 << 20
# Keys that are no paths of files: refused here, though S3 takes them.
UNSTORABLE = ["/lead", "a//b", "a/./b", "a/../b", "..", ".", "x" * 256]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", type=pathlib.Path, required=True)
    parser.add_argument("--scratch", type=pathlib.Path, required=True)
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args()


def client(port, secret=SECRET, **config):
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id=KEY,
                        aws_secret_access_key=secret,
                        config=Config(retries={"total_max_attempts": 1}, read_timeout=60, **config))


@contextlib.contextmanager
def served(program, root, *words):
    process = subprocess.Popen([program.resolve(), root, "--quick", *words], stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def moto():
    if not shutil.which("moto_server"):
        print("s3: moto_server is not installed; nothing is compared with it", file=sys.stderr)
        yield None
        return
    process = subprocess.Popen(["moto_server", "-H", "127.0.0.1", "-p", "0"], stderr=subprocess.PIPE, text=True)
    try:
        port = next((int(line.rsplit(":", 1)[1]) for line in process.stderr if "Running on http://127.0.0.1" in line),
                    None)
        # Its log must not fill the pipe.
        threading.Thread(target=lambda: [None for _ in process.stderr], daemon=True).start()
        yield port
    finally:
        process.terminate()
        process.wait(30)


def refusal(call, **words):
    """(status, code) of the error that the call gives; (200, "") where it gives none."""
    try:
        call(**words)
        return 200, ""
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]


def objects(s3, root):
    with Comparison("s3 objects") as check:
        check.check("create", refusal(s3.create_bucket, Bucket="photos") == (200, ""))
        check.check("create again", refusal(s3.create_bucket, Bucket="photos") == (409, "BucketAlreadyOwnedByYou"))
        check.check("bad name", refusal(s3.create_bucket, Bucket="Photos_X")[1] == "InvalidBucketName")
        check.check("buckets", [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["photos"])
        check.check("head bucket", refusal(s3.head_bucket, Bucket="photos") == (200, ""))
        check.check("no bucket", refusal(s3.head_bucket, Bucket="nobody") == (404, "404"))
        body = random.Random(1).randbytes(100_000)
        begun = time.monotonic()
        put = s3.put_object(Bucket="photos", Key="a/b.jpg", Body=body, ContentType="image/jpeg",
                            CacheControl="max-age=5", Metadata={"kind": "test"})
        check.check("no wait for 100", time.monotonic() - begun < 0.9)
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        check.check("etag", put["ETag"] == etag, put["ETag"])
        check.check("file", (root / "photos/a/b.jpg").read_bytes() == body)
        got = s3.get_object(Bucket="photos", Key="a/b.jpg")
        check.bytes("body", got["Body"].read(), body)
        for name, value in {"ContentType": "image/jpeg", "CacheControl": "max-age=5", "Metadata": {"kind": "test"},
                            "ETag": etag, "ContentLength": len(body), "AcceptRanges": "bytes"}.items():
            check.check(name, got[name] == value, repr(got.get(name)))
        head = s3.head_object(Bucket="photos", Key="a/b.jpg", ChecksumMode="ENABLED")
        crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
        check.check("head", (head["ContentLength"], head["ETag"], head["ChecksumCRC32"]) == (len(body), etag, crc))
        check.check("last modified", abs(head["LastModified"].timestamp() - time.time()) < 60)
        check.check("missing key", refusal(s3.get_object, Bucket="photos", Key="no") == (404, "NoSuchKey"))
        check.check("missing head", refusal(s3.head_object, Bucket="photos", Key="no") == (404, "404"))
        check.check("missing bucket", refusal(s3.get_object, Bucket="nobody", Key="no") == (404, "NoSuchBucket"))
        for text, part in {"bytes=0-9": body[:10], "bytes=5-": body[5:], "bytes=-7": body[-7:],
                           "bytes=99999-200000": body[99999:]}.items():
            found = s3.get_object(Bucket="photos", Key="a/b.jpg", Range=text)
            start = len(body) - len(part) if text != "bytes=0-9" else 0
            check.check(text, (found["Body"].read(), found["ContentRange"]) ==
                        (part, f"bytes {start}-{start + len(part) - 1}/{len(body)}"), found["ContentRange"])
        check.check("range behind", refusal(s3.get_object, Bucket="photos", Key="a/b.jpg",
                                            Range="bytes=100000-") == (416, "InvalidRange"))
        both = {"Bucket": "photos", "Key": "a/b.jpg"}
        check.check("if match", refusal(s3.get_object, IfMatch=etag, **both) == (200, ""))
        check.check("if match not", refusal(s3.get_object, IfMatch='"0"', **both) == (412, "PreconditionFailed"))
        check.check("if none match", refusal(s3.get_object, IfNoneMatch=etag, **both)[0] == 304)
        check.check("if modified", refusal(s3.get_object, IfModifiedSince=head["LastModified"], **both)[0] == 304)
        check.check("if unmodified", refusal(s3.get_object, IfUnmodifiedSince="2001-01-01", **both)[0] == 412)
        check.check("new only", refusal(s3.put_object, IfNoneMatch="*", Body=b"",
                                        **both) == (412, "PreconditionFailed"))
        (root / "photos/by hand.txt").write_bytes(b"hello")
        check.check("by hand", s3.head_object(Bucket="photos",
                                              Key="by hand.txt")["ETag"] == '"5d41402abc4b2a76b9719d911017c592"')
        copy = s3.copy_object(Bucket="photos", Key="copy \u00e9+%", CopySource={"Bucket": "photos", "Key": "a/b.jpg"})
        check.check("copy", copy["CopyObjectResult"]["ETag"] == etag)
        check.check("copy keeps", s3.head_object(Bucket="photos", Key="copy \u00e9+%")["ContentType"] == "image/jpeg")
        s3.copy_object(CopySource=both, MetadataDirective="REPLACE", Metadata={"new": "1"}, **both)
        check.check("replace", s3.head_object(**both)["Metadata"] == {"new": "1"})
        check.check("copy to itself", refusal(s3.copy_object, CopySource=both, **both) == (400, "InvalidRequest"))
        check.check("copy of none", refusal(s3.copy_object, CopySource={"Bucket": "photos", "Key": "no"},
                                            **both) == (404, "NoSuchKey"))
        check.check("delete if match not", refusal(s3.delete_object, IfMatch='"0"',
                                                   **both) == (412, "PreconditionFailed"))
        done = s3.delete_objects(Bucket="photos", Delete={"Objects": [{"Key": "a/b.jpg", "ETag": '"0"'}]})
        check.check("delete many if match not", [error["Code"]
                                                 for error in done.get("Errors", [])] == ["PreconditionFailed"],
                    repr(done))
        check.check("delete if of this size", refusal(s3.delete_object, IfMatchSize=1,
                                                      **both) == (501, "NotImplemented"))
        check.check("of another owner", refusal(s3.delete_object, ExpectedBucketOwner="210987654321",
                                                **both) == (403, "AccessDenied"))
        check.check("not deleted", refusal(s3.get_object, IfMatch=etag, **both) == (200, ""))
        check.check("delete", refusal(s3.delete_object, Bucket="photos", Key="no") == (200, ""))
        unwanted = [{"Key": key} for key in ("copy \u00e9+%", "by hand.txt", "no")]
        done = s3.delete_objects(Bucket="photos", Delete={"Objects": unwanted})
        check.check("delete many", len(done["Deleted"]) == 3 and "Errors" not in done, repr(done))
        check.check("deleted", sorted(path.name for path in (root / "photos").iterdir()) == ["a"])
        check.check("not empty", refusal(s3.delete_bucket, Bucket="photos") == (409, "BucketNotEmpty"))
        check.check("not here", refusal(s3.get_object_tagging, **both) == (501, "NotImplemented"))
        check.check("not here either", refusal(s3.get_bucket_policy, Bucket="photos")[0] == 501)
        check.check("location", s3.get_bucket_location(Bucket="photos")["LocationConstraint"] in (None, "us-east-1"))
        check.check("empty", s3.put_object(Bucket="photos", Key="empty",
                                           Body=b"")["ETag"] == '"d41d8cd98f00b204e9800998ecf8427e"')
        check.check("get empty", s3.get_object(Bucket="photos", Key="empty")["Body"].read() == b"")


def checksums(s3, port):
    with Comparison("s3 checksums") as check:
        body = b"123456789" * 1000
        for name in ("CRC32", "SHA1", "SHA256", "CRC32C", "CRC64NVME"):
            given = {"SHA1": hashlib.sha1(body).digest(), "SHA256": hashlib.sha256(body).digest(),
                     "CRC32": zlib.crc32(body).to_bytes(4, "big")}.get(name)
            if given is None:
                with contextlib.suppress(ImportError):
                    from awscrt import checksums as crt
                    given = (crt.crc32c(body).to_bytes(4, "big") if name == "CRC32C"
                             else crt.crc64nvme(body).to_bytes(8, "big"))
            where = {"Bucket": "photos", "Key": f"sum/{name}"}
            if given is not None:
                text = base64.b64encode(given).decode()
                put = s3.put_object(Body=body, **where, **{f"Checksum{name}": text})
                check.check(f"{name} told", put.get(f"Checksum{name}") == text, repr(put))
                head = s3.head_object(ChecksumMode="ENABLED", **where)
                check.check(f"{name} kept", (head.get(f"Checksum{name}"),
                                             head.get("ChecksumType")) == (text, "FULL_OBJECT"))
                check.check(f"{name} read", s3.get_object(ChecksumMode="ENABLED", **where)["Body"].read() == body)
            wrong = base64.b64encode(bytes({"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20,
                                            "SHA256": 32}[name])).decode()
            found = refusal(s3.put_object, Body=body, Bucket="photos", Key=f"wrong/{name}",
                            **{f"Checksum{name}": wrong})
            check.check(f"{name} wrong", found == (400, "BadDigest"), repr(found))
            check.check(f"{name} nothing put", refusal(s3.head_object, Bucket="photos", Key=f"wrong/{name}")[0] == 404)
        wrong = base64.b64encode(bytes(16)).decode()
        check.check("md5", refusal(s3.put_object, Bucket="photos", Key="wrong/md5", Body=body,
                                   ContentMD5=wrong) == (400, "BadDigest"))
        # A body in chunks with its checksum behind it, as boto3 sends one over https.
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        for trailer, status in ((base64.b64encode(zlib.crc32(body).to_bytes(4, "big")), 200), (b"AAAAAA==", 400)):
            request = AWSRequest("PUT", f"http://127.0.0.1:{port}/photos/chunked", headers={
                "x-amz-trailer": "x-amz-checksum-crc32", "content-encoding": "aws-chunked",
                "x-amz-decoded-content-length": str(len(body))})
            request.context["payload_signing_enabled"] = False
            request.headers["X-Amz-Content-SHA256"] = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
            auth = S3SigV4Auth(Credentials(KEY, SECRET), "s3", "us-east-1")
            auth.payload = lambda _: "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
            auth.add_auth(request)
            framed = b"1000\r\n" + body[:4096] + b"\r\n" + f"{len(body) - 4096:x}\r\n".encode() + body[4096:]
            framed += b"\r\n0\r\nx-amz-checksum-crc32:" + trailer + b"\r\n\r\n"
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("PUT", "/photos/chunked", framed, dict(request.headers.items()))
            answer = connection.getresponse()
            check.check(f"chunked {status}", answer.status == status, answer.read().decode())
        check.check("chunked body", s3.get_object(Bucket="photos", Key="chunked")["Body"].read() == body)
        check.check("chunked encoding", "ContentEncoding" not in s3.head_object(Bucket="photos", Key="chunked"))


def transfers(s3, scratch):
    with Comparison("s3 transfers") as check:
        source, back = scratch / "large", scratch / "back"
        source.write_bytes(random.Random(2).randbytes(20 * MEBIBYTE + 17))
        s3.upload_file(str(source), "photos", "big/large", ExtraArgs={"ContentType": "x/y"})
        head = s3.head_object(Bucket="photos", Key="big/large")
        parts = [source.read_bytes()[i:i + 8 * MEBIBYTE] for i in range(0, source.stat().st_size, 8 * MEBIBYTE)]
        etag = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest() + f"-{len(parts)}"
        check.check("etag of parts", (head["ETag"], head["ContentType"]) == (f'"{etag}"', "x/y"), head["ETag"])
        s3.download_file("photos", "big/large", str(back))
        check.bytes("large file", back.read_bytes(), source.read_bytes())
        for number, part in enumerate(parts, 1):
            got = s3.get_object(Bucket="photos", Key="big/large", PartNumber=number)
            check.check(f"part {number}", (got["Body"].read(), got["PartsCount"]) == (part, len(parts)),
                        got["ContentRange"])
            head = s3.head_object(Bucket="photos", Key="big/large", PartNumber=number)
            check.check(f"head of part {number}", (head["ContentLength"],
                                                   head["PartsCount"]) == (len(part), len(parts)), repr(head))
        check.check("no such part", refusal(s3.get_object, Bucket="photos", Key="big/large",
                                            PartNumber=4) == (416, "InvalidPartNumber"))
        s3.copy({"Bucket": "photos", "Key": "big/large"}, "photos", "big/copied")
        s3.download_file("photos", "big/copied", str(back))
        check.bytes("copied in parts", back.read_bytes(), source.read_bytes())
        for name in ("CRC32", "CRC32C", "CRC64NVME", "SHA256", "SHA1"):
            if name in ("CRC32C", "CRC64NVME"):
                try:
                    import awscrt  # noqa: F401
                except ImportError:
                    continue
            s3.upload_file(str(source), "photos", "big/summed", ExtraArgs={"ChecksumAlgorithm": name})
            head = s3.head_object(Bucket="photos", Key="big/summed", ChecksumMode="ENABLED")
            check.check(f"{name} of parts", f"Checksum{name}" in head, repr(head))
            check.check(f"{name} body", s3.get_object(Bucket="photos", Key="big/summed",
                                                      ChecksumMode="ENABLED")["Body"].read() == source.read_bytes())
        where = {"Bucket": "photos", "Key": "big/by-hand"}
        upload = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
        check.check("uploads",
                    [u["Key"] for u in s3.list_multipart_uploads(Bucket="photos")["Uploads"]] == ["big/by-hand"])
        tags = [s3.upload_part(PartNumber=n, Body=b"x" * n, **upload)["ETag"] for n in (1, 2)]
        check.check("parts", [(p["PartNumber"], p["Size"], p["ETag"])
                              for p in s3.list_parts(**upload)["Parts"]] == [(1, 1, tags[0]), (2, 2, tags[1])])
        page = s3.list_parts(MaxParts=1, **upload)
        check.check("page of parts", (page["IsTruncated"], page["NextPartNumberMarker"]) == (True, 1))
        complete = lambda *claims: refusal(s3.complete_multipart_upload,
                                           MultipartUpload={"Parts": [{"PartNumber": n, "ETag": t} for n, t in claims]},
                                           **upload)
        check.check("too small", complete((1, tags[0]), (2, tags[1])) == (400, "EntityTooSmall"))
        check.check("order", complete((2, tags[1]), (1, tags[0])) == (400, "InvalidPartOrder"))
        check.check("unknown part", complete((3, tags[1])) == (400, "InvalidPart"))
        check.check("one part", complete((2, tags[1])) == (200, ""))
        check.check("gone", complete((2, tags[1])) == (404, "NoSuchUpload"))
        begun = {(key, s3.create_multipart_upload(Bucket="photos", Key=key)["UploadId"])
                 for key in ("up/a", "up/b", "up/b", "up/\u00fc c")}
        for size in (1, 2, 3, 4, 5):
            pages = s3.get_paginator("list_multipart_uploads").paginate(
                Bucket="photos", Prefix="up/", PaginationConfig={"PageSize": size})
            found = [(u["Key"], u["UploadId"]) for page in pages for u in page.get("Uploads", [])]
            check.check(f"uploads, {size} a page", len(found) == 4 and set(found) == begun, repr(found))
        for key, identity in begun:
            s3.abort_multipart_upload(Bucket="photos", Key=key, UploadId=identity)
        upload["UploadId"] = s3.create_multipart_upload(**where)["UploadId"]
        s3.abort_multipart_upload(**upload)
        check.check("aborted", refusal(s3.list_parts, **upload) == (404, "NoSuchUpload"))


def opened(request):
    """(status, body) of the answer."""
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def presigned(port, signed):
    """URLs of both versions: boto3 makes those of version 2 unless it is told otherwise."""
    for version in ("s3v4", None):
        s3 = client(port, signature_version=version)
        with Comparison(f"s3 presigned {version or 'as boto3 does'}") as check:
            url = s3.generate_presigned_url("put_object", {"Bucket": "photos", "Key": "pre/\u00fc x"}, ExpiresIn=60)
            check.check("version", ("X-Amz-Signature" if version else "AWSAccessKeyId") in url, url)
            check.check("put", opened(urllib.request.Request(url, data=b"hello", method="PUT",
                                                             headers={"Content-Type": ""}))[0] == 200)
            url = s3.generate_presigned_url("get_object", {"Bucket": "photos", "Key": "pre/\u00fc x",
                                                           "ResponseContentType": "a/b"}, ExpiresIn=60)
            with urllib.request.urlopen(url) as answer:
                check.check("get", (answer.read(), answer.headers["Content-Type"]) == (b"hello", "a/b"))
            late = s3.generate_presigned_url("get_object", {"Bucket": "photos", "Key": "pre/\u00fc x"},
                                             ExpiresIn=0 if version else -1)
            time.sleep(1.1)
            check.check("late", opened(late)[0] == 403, late)
            if not signed:
                continue
            longer = ("X-Amz-Expires=60", "X-Amz-Expires=6000") if version else ("Expires=1", "Expires=2")
            statuses = [opened(changed)[0] for changed in (
                url.replace("response-content-type=a", "response-content-type=b"), url.replace("pre/", "pra/"),
                url.split("?")[0], url.replace(*longer), urllib.request.Request(url, headers={"x-amz-acl": "private"}),
                urllib.request.Request(url, method="DELETE"))]
            check.check("changed", statuses == [403] * 6, repr(statuses))
            wrong = client(port, secret="wrong", signature_version=version)
            check.check("wrong secret, presigned",
                        opened(wrong.generate_presigned_url("get_object",
                                                            {"Bucket": "photos", "Key": "pre/x"}))[0] == 403)
            check.check("wrong secret", refusal(wrong.list_objects_v2,
                                                Bucket="photos") == (403, "SignatureDoesNotMatch"))


def keys_of(s3, method, **words):
    found, prefixes = [], []
    for page in s3.get_paginator(method).paginate(Bucket="lists", **words):
        found += [entry["Key"] for entry in page.get("Contents", [])]
        prefixes += [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
    return found, prefixes


def listings(s3, peer):
    names = ["a-b", "a.txt", "a/1", "a/2/x", "a/2/y", "a0", "b/c/d", "caf\u00e9/1", "z&<>", "\U0001d11e", "x y/+%/~"]
    with Comparison("s3 listings") as check:
        for each in filter(None, (s3, peer)):
            each.create_bucket(Bucket="lists")
            for name in names:
                each.put_object(Bucket="lists", Key=name, Body=name.encode())
        expected = sorted(names, key=str.encode)
        for method in ("list_objects", "list_objects_v2"):
            for size in (1, 2, 3, 1000):
                for prefix in ("", "a", "a/", "a/2", "x", "nobody"):
                    for delimiter in ("", "/", "2"):
                        words = {"Prefix": prefix, "Delimiter": delimiter, "PaginationConfig": {"PageSize": size}}
                        ours = keys_of(s3, method, **words)
                        name = f"{method} {size} {prefix!r} {delimiter!r}"
                        if not delimiter:
                            check.check(name, ours == ([n for n in expected if n.startswith(prefix)], []), repr(ours))
                        if peer and size == 1000:
                            theirs = keys_of(peer, method, **words)
                            check.check(f"{name} as moto",
                                        (ours[0], ours[1]) == (sorted(theirs[0], key=str.encode),
                                                               sorted(theirs[1], key=str.encode)), f"{ours} {theirs}")
        page = s3.list_objects_v2(Bucket="lists", StartAfter="a/2/x", MaxKeys=2, FetchOwner=True)
        check.check("start after", ([e["Key"] for e in page["Contents"]], page["KeyCount"],
                                    page["IsTruncated"]) == (["a/2/y", "a0"], 2, True))
        check.check("owner", "Owner" in page["Contents"][0])
        check.check("nothing", "Contents" not in s3.list_objects(Bucket="lists", Prefix="nobody"))
        check.check("bad token", refusal(s3.list_objects_v2, Bucket="lists",
                                         ContinuationToken="!") == (400, "InvalidArgument"))
        for name in names:
            check.check(f"get {name}", s3.get_object(Bucket="lists", Key=name)["Body"].read() == name.encode())
        if peer:
            for call, words in [("get_object", {"Bucket": "lists", "Key": "no"}),
                                ("list_objects_v2", {"Bucket": "no-bucket"}),
                                ("delete_object", {"Bucket": "lists", "Key": "no"}),
                                ("delete_bucket", {"Bucket": "lists"}),
                                ("get_object", {"Bucket": "lists", "Key": "a-b", "Range": "bytes=9-"}),
                                ("abort_multipart_upload", {"Bucket": "lists", "Key": "k", "UploadId": "no"})]:
                ours, theirs = refusal(getattr(s3, call), **words), refusal(getattr(peer, call), **words)
                check.check(f"{call} {words} as moto", ours == theirs, f"{ours} {theirs}")


def hostile(s3, root, count):
    """Every key is put and read back, or refused with a clear error; nothing appears outside the bucket."""
    draw = random.Random(3)
    alphabet = list("ab./\\ %?#&+=:;,@$!*'\"()<>|~^`[]{}\u00e9\u0301\u65e5\U0001f600\ufeff\u202e\u2028\x01\x7f\t\n\r")
    keys = list(UNSTORABLE) + ["../../etc/passwd", "....//x", "%2e%2e/x", "a/..", "con", "-rf", "~root", "$(x)",
                               ".imrec/x",
                               ".hidden", "a\\b", "x/" * 400 + "y", "\u00e9" * 127, "\ufffe", "\u0000", "a\u0000b"]
    keys += ["".join(draw.choice(alphabet) for _ in range(draw.randrange(1, 20))) for _ in range(count - len(keys))]
    s3.create_bucket(Bucket="hostile")
    before = sorted(path.name for path in root.iterdir())
    with Comparison("s3 hostile keys") as check:
        held, refused = {}, 0
        for number, key in enumerate(keys):
            body = str(number).encode()
            try:
                s3.put_object(Bucket="hostile", Key=key, Body=body)
                held[key] = body
            except ClientError as error:
                status, code = error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
                refused += 1
                codes = ("InvalidArgument", "KeyTooLongError", "InvalidRequest")
                check.check(f"refusal of {key!r}", status == 400 and code in codes, f"{status} {code}")
        for key, body in held.items():
            check.check(f"body of {key!r}", s3.get_object(Bucket="hostile", Key=key)["Body"].read() == body)
        listed = [e["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="hostile")
                  for e in page.get("Contents", [])]
        check.check("listed", listed == sorted(held, key=str.encode), f"{len(listed)} {len(held)}")
        for key in UNSTORABLE:
            check.check(f"{key!r} is refused", key not in held)
            check.check(f"{key!r} is nobody's", refusal(s3.head_object, Bucket="hostile", Key=key)[0] == 404)
        check.check("nothing outside", sorted(path.name for path in root.iterdir()) == before)
        print(f"  {len(held)} keys held, {refused} refused", file=sys.stderr)


def command_line(port, scratch):
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
                   "AWS_DEFAULT_REGION": "us-east-1",
                   "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_CONFIG_FILE": os.devnull, "AWS_PAGER": ""}

    def aws(*words):
        return subprocess.run(["aws", "s3", *map(str, words)], env=environment, capture_output=True, text=True)

    with Comparison("s3 command line") as check:
        if not shutil.which("aws"):
            check.check("aws is not installed: skipped", True)
            return
        tree, back = scratch / "tree", scratch / "tree-back"
        for name in ("a.txt", "d/b c.txt", "d/e/f.txt", "g_large"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(random.Random(name).randbytes(9 * MEBIBYTE if name == "g_large" else 1000))
        same = lambda one, two: subprocess.run(["diff", "-r", one, two]).returncode == 0
        check.check("mb", aws("mb", "s3://cli").returncode == 0)
        check.check("cp", aws("cp", tree / "g_large", "s3://cli/one").returncode == 0)
        check.check("cp back", aws("cp", "s3://cli/one", scratch / "one").returncode == 0)
        check.bytes("cp content", (scratch / "one").read_bytes(), (tree / "g_large").read_bytes())
        check.check("sync", aws("sync", tree, "s3://cli/tree").returncode == 0)
        again = aws("sync", tree, "s3://cli/tree")
        check.check("sync again", again.returncode == 0 and "upload" not in again.stdout, again.stdout)
        check.check("sync back", aws("sync", "s3://cli/tree", back).returncode == 0 and same(tree, back))
        listed = aws("ls", "s3://cli/tree/")
        names = [line.split(None, 3)[-1].strip() for line in listed.stdout.splitlines()]
        check.check("ls", names == ["PRE d/", "a.txt", "g_large"] or
                    "PRE d/" in listed.stdout and "a.txt" in listed.stdout, listed.stdout)
        check.check("cp inside", aws("cp", "--recursive", "s3://cli/tree", "s3://cli/copy").returncode == 0)
        check.check("mv", aws("mv", "s3://cli/one", "s3://cli/two").returncode == 0)
        check.check("rm", aws("rm", "--recursive", "s3://cli/tree").returncode == 0)
        check.check("left", aws("ls", "--recursive", "s3://cli").stdout.count("copy/") == 4)
        check.check("rb", aws("rb", "--force", "s3://cli").returncode == 0)


def main():
    found = parse()
    # The commands of this Python's environment first.
    os.environ["PATH"] = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shutil.rmtree(found.scratch, ignore_errors=True)
    found.scratch.mkdir(parents=True)
    with moto() as peer_port:
        for signed in (True, False):
            root = found.scratch / f"root-{signed}"
            with served(found.serve, root, *(["--sign", KEY, SECRET] if signed else [])) as port:
                s3 = client(port, signature_version="s3v4")
                objects(s3, root)
                presigned(port, signed)
                checksums(s3, port)
                if signed:
                    listings(s3, client(peer_port) if peer_port else None)
                    transfers(s3, found.scratch)
                    hostile(s3, root, 100 if found.quick else 1000)
                    if not found.quick:
                        command_line(port, found.scratch)
    sys.exit(1 if Comparison.differing else 0)


if __name__ == "__main__":
    main()
