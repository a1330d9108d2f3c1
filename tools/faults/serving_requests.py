"""Requests that no client sends: each gets an answer or a closed connection, and nothing of them is left."""
import collections
import concurrent.futures
import contextlib
import json
import socket
import time

from service import BUCKET, deployed, serving
from trial import Tally

SECRET = b"secret-that-no-answer-holds"
# Seconds until a request must have its answer, or its connection its end; of one that stops in the middle and stays,
# too.
BOUND, SILENT_BOUND = 15, 75
# Bytes that the server may grow by.
GROWTH = 300 << 20


def request(method, target, headers=(), body=b"", length=True):
    lines = [f"{method} {target} HTTP/1.1".encode("utf-8", "surrogateescape"), b"Host: 127.0.0.1"]
    lines += [name.encode() + b": " + (value if isinstance(value, bytes) else value.encode())
              for name, value in headers]
    if length and (body or method in ("POST", "PUT")):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class Odd:
    """Makes the requests. Each is its bytes, and how it ends: "whole", or "cut", where the client stops in the middle
    of it and leaves, or "silent", where it stops and stays."""

    def __init__(self, numbers, operations, endpoint, picture, forms):
        self.numbers, self.operations, self.endpoint = numbers, operations, endpoint
        self.picture, self.forms = picture, forms
        self.kinds = [self.mutated, self.mutated, self.lengths, self.chunks, self.huge, self.bytes_of_heads,
                      self.escapes, self.paths,
                      self.operation, self.operation, self.operation, self.form, self.cut, self.cut, self.pipelined,
                      self.aws_chunks,
                      self.documents, self.queries, self.invocation]

    def make(self):
        kind = self.numbers.choice(self.kinds)
        made = kind()
        return kind.__name__, *(made if isinstance(made, tuple) else (made, "whole"))

    def rubbish(self, most=200):
        return self.numbers.randbytes(self.numbers.randrange(1, most))

    def valid(self):
        choose = self.numbers.choice
        return choose([
            lambda: request("GET", choose([
                "/", "/ping", "/metrics", "/-/models", "/-/training-jobs/x", f"/-/s3/{BUCKET}", "/-/endpoints"])),
            lambda: request("PUT", "/odd/key", [("Content-Type", "text/plain"), ("x-amz-meta-a", "b")], b"body"),
            lambda: request("GET", "/odd/key", [("Range", "bytes=0-2")]),
            lambda: request("GET", "/odd?list-type=2&prefix=k&max-keys=10"),
            lambda: request("POST", "/odd/parts?uploads"),
            lambda: request("POST", "/odd?delete", [], b"<Delete><Object><Key>none</Key></Object></Delete>"),
            lambda: self.asked("DescribeTrainingJob", b'{"TrainingJobName": "none"}'),
            lambda: self.asked("ListModels", b'{"MaxResults": 5}'),
            lambda: request("POST", f"/endpoints/{self.endpoint}/invocations",
                            [("Content-Type", "application/x-image")], self.picture),
        ])()

    def asked(self, operation, body):
        return request("POST", "/", [("X-Amz-Target", f"SageMaker.{operation}"),
                                     ("Content-Type", "application/x-amz-json-1.1")], body)

    def mutated(self):
        found = bytearray(self.valid())
        head = found.index(b"\r\n\r\n")
        for _ in range(self.numbers.randrange(1, 6)):
            place, way = self.numbers.randrange(head), self.numbers.randrange(4)
            if way == 0:
                found[place] = self.numbers.randrange(256)
            elif way == 1:
                found[place:place] = self.rubbish(8)
            elif way == 2:
                del found[place:place + self.numbers.randrange(1, 5)]
            else:
                found[place:place] = found[place:place + self.numbers.randrange(1, 40)]
            head = max(1, found.find(b"\r\n\r\n"))
        # It may promise more than it sends by now.
        return bytes(found), "cut"

    def lengths(self):
        length = self.numbers.choice(["-1", "99999999999999999999", "9223372036854775807", "9223372036854775808", "abc",
                                      "", "0x10", "5, 5",
                                      "5\r\nContent-Length: 6", "4\r\nTransfer-Encoding: chunked", " 4 4", "+4", "4.0",
                                      "1e3"])
        body = self.numbers.choice([b"", b"body", b"5\r\nhello\r\n0\r\n\r\n"])
        target = self.numbers.choice(["/odd/length", "/", f"/endpoints/{self.endpoint}/invocations"])
        return request(self.numbers.choice(["PUT", "POST", "GET"]), target, [("Content-Length", length)],
                       length=False) + body, "cut"

    def chunks(self):
        size = self.numbers.choice([b"zz", b"ffffffffffffffffff", b"-1", b"", b"5;" + b"x" * 5000, b"7fffffffffffffff",
                                    b"5 ", b"0x5", b"\0"])
        body = b"4\r\nbody\r\n" * self.numbers.randrange(3) + size + b"\r\nhello\r\n"
        body += self.numbers.choice([b"0\r\n\r\n", b"", b"0\r\nx: y\r\n\r\n"])
        target = self.numbers.choice(["/odd/chunked", "/", f"/endpoints/{self.endpoint}/invocations", *self.forms])
        headers = [("Transfer-Encoding", self.numbers.choice(["chunked", "gzip, chunked", "chunked, chunked",
                                                              "xchunked", "CHUNKED"]))]
        if target == "/":
            headers.append(("X-Amz-Target", "SageMaker.CreateModel"))
        elif target in self.forms:
            headers += [("Content-Type", "multipart/form-data; boundary=b"), ("Sec-Fetch-Site", "same-origin")]
        return request("PUT" if target == "/odd/chunked" else "POST", target, headers, length=False) + body, "cut"

    def huge(self):
        return self.numbers.choice([
            lambda: request("GET", "/", [("x-large", "y" * 100_000)]),
            lambda: request("GET", "/", [(f"x-{number}", "y") for number in range(5000)]),
            lambda: request("GET", "/" + "a" * 100_000),
            lambda: request("M" * 50_000, "/"),
            lambda: request("PUT", "/odd/" + "k" * 1025, [], b"x"),
            lambda: request("PUT", "/odd/" + "/".join(["d"] * 500), [], b"x"),
            lambda: request("PUT", "/odd/meta", [(f"x-amz-meta-{number}", "y" * 500) for number in range(20)], b"x"),
            lambda: request("GET", "/odd?prefix=" + "p" * 20_000),
            lambda: self.asked("ListModels", b'{"NameContains": "' + b"x" * 900_000 + b'"}'),
            lambda: self.asked("ListModels", b" " * (2 << 20)),
        ])(), "cut"

    def bytes_of_heads(self):
        odd = self.numbers.choice([b"\0", b"\r", b"\n", b"\x7f", b"\xff\xfe", "ü".encode(), b"\x0b", b"\x1b[31m"])
        return self.numbers.choice([
            b"GET /" + odd + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nx" + odd
            + b": y\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nx: y" + odd + b"z\r\n\r\n",
            b"G" + odd + b"T / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"GET / HTTP/1.1" + odd + b"\r\nHost: 127.0.0.1\r\n\r\n", b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
            b"GET /\r\n\r\n", odd * 100,
            b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n folded: y\r\n\r\n",
            b"GET  / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + self.rubbish(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            request("PUT", "/odd/h", [("x-amz-meta-a", b"x" + odd)], b"x"),
            request("POST", "/", [("X-Amz-Target", b"SageMaker." + odd)]),
            request("PUT", "/odd/h", [("Content-MD5", odd)], b"x"),
            request("GET", "/odd/key", [("Range", b"bytes=" + odd)])]), "cut"

    def escapes(self):
        bad = self.numbers.choice(["%", "%z", "%zz", "%0", "%00", "%c3%28", "%ff", "%ed%a0%80", "%f8%88%80%80%80",
                                   "%u0041", "%%%", "%2", "%25%32%65"])
        place = self.numbers.choice([f"/odd/{bad}", f"/{bad}", f"/{bad}/key", f"/-/{bad}", f"/-/s3/{bad}",
                                     f"/odd?prefix={bad}", f"/odd?{bad}={bad}",
                                     f"/-/object/odd?key={bad}", f"/endpoints/{bad}/invocations",
                                     f"/-/training-jobs/{bad}/events"])
        return request(self.numbers.choice(["GET", "PUT", "POST", "DELETE", "HEAD"]), place, [], b"")

    def paths(self):
        up = self.numbers.choice(["..", "%2e%2e", "..%2f..", "%2e%2e%2f", "....//..", "..\\..", ".%2e", "..;",
                                  "%252e%252e"])
        deep = "/".join([up] * self.numbers.randrange(1, 8))
        end = self.numbers.choice(["outside", "etc/passwd", "imrec.sqlite", ".imrec/objects", ""])
        place = self.numbers.choice([f"/odd/{deep}/{end}", f"/{deep}/{end}", f"//{end}", f"/odd//{end}",
                                     f"/.imrec/{end}", f"/-/assets/{deep}/{end}",
                                     f"/-/object/odd?key={deep}/{end}", f"/-/s3/{deep}",
                                     f"/-/training-jobs/{deep}/report", f"/-/s3/odd?prefix={deep}",
                                     f"/-/transform-jobs/{deep}", f"/odd/a/{deep}/{end}"])
        headers = [("x-amz-copy-source", f"/{deep}/{end}")] if self.numbers.random() < 0.2 else []
        return request(self.numbers.choice(["GET", "PUT", "DELETE", "HEAD", "POST"]), place, headers,
                       b"outside" if "?" not in place else b"")

    def value(self, depth=0):
        choose = self.numbers.choice
        if depth < 3 and self.numbers.random() < 0.4:
            return {choose(["Name", "S3Uri", "MaxResults", "TrainingJobName", "Tags", "\0",
                            "é"]): self.value(depth + 1) for _ in range(3)} \
                if self.numbers.random() < 0.6 else [self.value(depth + 1) for _ in range(self.numbers.randrange(4))]
        return choose([None, True, -1, 0, 10**30, 1e308, 0.5, "", "x" * 300, "a", "s3://x/y", "../x", "\0", "\ud800",
                       "1"])

    def operation(self):
        name = self.numbers.choice(sorted(self.operations))
        members = self.operations[name]
        fitting = {member: self.value() for member in members if self.numbers.random() < 0.7}
        body = self.numbers.choice([
            lambda: json.dumps(fitting).encode(), lambda: json.dumps(fitting).encode(),
            lambda: json.dumps(self.value()).encode(),
            lambda: b"[" * 100_000, lambda: b'{"a":' * 50_000 + b"1" + b"}" * 50_000, lambda: b'{"a": "\xff\xfe"}',
            lambda: b'{"a": 1e99999}',
            lambda: b'{"a": 1, "a": 2}', lambda: b"", lambda: b"null", lambda: b"NaN", lambda: b'{"a": "\\ud800"}',
            lambda: b'"' + b"\\" * 1000,
            lambda: json.dumps(fitting).encode()[:-1], lambda: b"\xef\xbb\xbf{}",
            lambda: json.dumps(fitting).encode("utf-16"), self.rubbish,
            lambda: b"-", lambda: b"1" * 100_000, lambda: b'{"TrainingJobName": ' + b"[" * 600 + b"]" * 600 + b"}",
        ])()
        if self.numbers.random() < 0.1:
            name = self.numbers.choice(["", "..", name.lower(), "Create", name + "\t", "x" * 5000])
        return self.asked(name, body)

    def form(self):
        boundary = self.numbers.choice(["b", "b" * 71, "", '"b"', "b\0", "--"])
        line = f"--{boundary}\r\n".encode()
        head = b'Content-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        whole = line + head + self.picture + b"\r\n" + line[:-2] + b"--\r\n"
        body = self.numbers.choice([whole, whole[:self.numbers.randrange(len(whole))], line * 100, b"", line,
                                    self.rubbish(), whole.replace(b"\r\n", b"\n"),
                                    line + b"Content-Disposition: form-data\r\n\r\nx\r\n" + line,
                                    whole.replace(b"form-data", b"\xff\xff"),
                                    line + b"\r\n\r\n\r\n" + line[:-2] + b"--",
                                    whole.replace(b'name="image"', b'name="image')])
        is_same = self.numbers.random() < 0.9
        origin = [("Sec-Fetch-Site", "same-origin") if is_same else ("Origin", "http://elsewhere")]
        return request("POST", self.numbers.choice(self.forms),
                       [("Content-Type", f"multipart/form-data; boundary={boundary}"),
                        *origin], body)

    def cut(self):
        body = self.numbers.randbytes(20_000)
        whole = self.numbers.choice([
            request("PUT", "/odd/cut", [("Expect", "100-continue")] if self.numbers.random() < 0.3 else [], body),
            self.valid(), self.asked("CreateModel", b'{"ModelName": "cut"}' + b" " * 1000),
            request("POST", f"/endpoints/{self.endpoint}/invocations", [("Content-Type", "application/x-image")],
                    body)])
        return whole[:self.numbers.randrange(1, len(whole))], "silent" if self.numbers.random() < 0.03 else "cut"

    def pipelined(self):
        return b"".join(self.numbers.choice([self.valid, self.valid, self.rubbish])()
                        for _ in range(self.numbers.randrange(2,
30))), "cut"

    def aws_chunks(self):
        signature = self.numbers.choice([b"", b";chunk-signature=" + b"0" * 64, b";chunk-signature=", b";x=y",
                                         b";chunk-signature=" + b"g" * 100_000])
        size = self.numbers.choice([b"4", b"zz", b"", b"ffffffffffffffff", b"10000000000000000", b"-4", b"3", b"5",
                                    b"00000000000000000000000004"])
        body = size + signature + b"\r\nbody\r\n0" + signature + b"\r\n" + self.numbers.choice(
            [b"\r\n", b"", b"x-amz-checksum-crc32:AAAA\r\n\r\n", b"x-amz-checksum-crc32:" + b"=" * 9000 + b"\r\n\r\n",
             self.rubbish()])
        digest = self.numbers.choice(["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                                      "STREAMING-X", "0" * 64, "UNSIGNED-PAYLOAD",
                                      "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"])
        length = self.numbers.choice(["4", "-1", "x", "99999999999999999999", "5000000000000", "3"])
        return request("PUT", "/odd/aws-chunked", [
            ("Content-Encoding", "aws-chunked"), ("x-amz-content-sha256", digest),
            ("x-amz-decoded-content-length", length),
            ("x-amz-trailer", self.numbers.choice(["x-amz-checksum-crc32", "x-amz-checksum-md9", ""]))], body)

    def documents(self):
        lol = (b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
               b"<Delete><Object><Key>&b;</Key></Object></Delete>")
        file = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&a;</Key></Object></Delete>'
        body = self.numbers.choice([
            lol, file, b"<a>" * 50_000, b"<", b"", b"<Delete>", b"<Delete></Delet>", b"\xff\xfe<\0", self.rubbish(),
            b"<Delete><Object><Key>" + b"../" * 300 +
            b"x</Key></Object></Delete>", b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>",
            b"<Delete><Object><Key>&#0;</Key></Object></Delete>",
            b"<Delete><Object><Key>&#xd800;</Key></Object></Delete>",
            b"<CompleteMultipartUpload><Part><PartNumber>99999999999999999999</PartNumber><ETag>x</ETag>"
            b"</Part></CompleteMultipartUpload>",
            b"<CompleteMultipartUpload><Part><PartNumber>-1</PartNumber></Part></CompleteMultipartUpload>",
            b"<a " + b"b='c' " * 9000])
        target = self.numbers.choice(["/odd?delete", "/odd/parts?uploadId="
                                      + self.numbers.choice(["0" * 32, "..", "%2e%2e",
""]), "/odd"])
        return request("PUT" if target == "/odd" else "POST", target, [], body)

    def queries(self):
        odd = self.numbers.choice(["-1", "99999999999999999999", "x", "", "%00", "1.5", "%ff", "0", "10001", "../..",
                                   "0" * 32])
        name = self.numbers.choice(["max-keys", "continuation-token", "start-after", "partNumber", "uploadId",
                                    "encoding-type", "list-type", "delimiter", "versions",
                                    "max-uploads", "part-number-marker", "acl", "marker", "page", "status", "after"])
        place = self.numbers.choice(["/odd", "/odd/key", "/", "/-/models", "/-/s3/odd"])
        method = self.numbers.choice(["GET", "PUT", "HEAD"])
        headers = [(self.numbers.choice(["Range", "If-Match", "If-Modified-Since", "x-amz-copy-source",
                                         "x-amz-copy-source-range", "If-None-Match"]), self.numbers.choice(
            ["bytes=5-1", "bytes=99999999999999999999-", "bytes=-99999999999999999999", "bytes=0-0,2-3", "*", "odd/key",
             "Thu, 99 Foo 2026", "/", "bytes=-"]))]
        return request(method, f"{place}?{name}={odd}&list-type=2", headers, b"")

    def invocation(self):
        kind = self.numbers.choice(["application/x-image", "image/jpeg", "application/json", "text/csv", "",
                                    "application/x-recordio", "x" * 3000, "image/png; \0"])
        body = self.numbers.choice([b"", self.rubbish(), self.picture[:self.numbers.randrange(len(self.picture))],
                                    b"\xff\xd8" * 1000, b"{" * 5000, b"\x89PNG\r\n\x1a\n" + self.rubbish(),
                                    b"\x0a\x23\xd7\xce\xff\xff\xff\xff", b'{"instances": [' + b"1," * 5000, b"<svg/>"])
        headers = [("Content-Type", kind.replace("\0", "")),
                   ("Accept", self.numbers.choice(["application/json", "x/y", "*/*",
"", ";;;", "application/jsonlines"])),
                   ("X-Amzn-SageMaker-Target-Variant", self.numbers.choice(["all", "none", "..", ""]))]
        return request("POST", self.numbers.choice([f"/endpoints/{self.endpoint}/invocations",
                                                    "/endpoints/none/invocations", "/endpoints//invocations",
                                                    f"/endpoints/{self.endpoint}/invocations/x"]), headers, body)


def statuses(said):
    """The status of each answer, as far as it can be told."""
    return [int(line.split(b" ")[1]) for line in said.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")
            and line[9:12].isdigit()]


def is_answered(said):
    """Whether there is a whole answer."""
    while said.startswith(b"HTTP/1.1 100"):
        said = said.partition(b"\r\n\r\n")[2]
    head, end, body = said.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line[15:])
    return b"transfer-encoding" not in head.lower() or body.endswith(b"0\r\n\r\n")


def send(port, content, end):
    """What was answered, whether the connection came to an end or the answer was whole, and the seconds until then."""
    begun, said, is_over = time.monotonic(), b"", False
    bound = SILENT_BOUND if end == "silent" else BOUND
    with socket.create_connection(("127.0.0.1", port), timeout=bound) as connection:
        try:
            connection.sendall(content)
            if end == "cut":
                # What is an answer to all of it comes at once.
                connection.settimeout(0.03)
                with contextlib.suppress(TimeoutError):
                    while part := connection.recv(1 << 16):
                        said += part
                connection.shutdown(socket.SHUT_WR)
            while time.monotonic() < begun + bound:
                connection.settimeout(max(0.1, begun + bound - time.monotonic()))
                part = connection.recv(1 << 16)
                said += part
                is_over = not part or end == "whole" and (is_answered(said) or content.startswith(b"HEAD")
                                                          and b"\r\n\r\n" in said)
                if is_over:
                    break
        except TimeoutError:
            pass
        except OSError:
            is_over = True  # refused before all of it was sent
    return said, is_over, time.monotonic() - begun


def operations(service):
    """SageMaker's operations, and the members of their requests."""
    model = service.client("sagemaker").meta.service_model
    known = [name for name in model.operation_names if any(kind in name for kind in (
        "TrainingJob", "TransformJob", "HyperParameterTuningJob", "Model", "Endpoint", "Tags"))]
    return {name: list(model.operation_model(name).input_shape.members) for name in known
            if model.operation_model(name).input_shape}


def main(root, records, numbers, count):
    (root.parent / "outside").write_bytes(SECRET)
    with serving(root) as service:
        desk, model, endpoint, probabilities = deployed(service, records)
        (root / "outside").write_bytes(SECRET)
        desk.s3.create_bucket(Bucket="odd")
        kept = {entry["Key"]: entry["ETag"] for entry in desk.s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
        jobs = desk.describe(("training", "training-1"))
        forms = [f"/-/endpoints/{endpoint[1]}/try", "/-/endpoints/none/try", "/-/transform-jobs/none/score", "/-/x/y",
                 "/-/"]
        odd = Odd(numbers, operations(service), endpoint[1], desk.pictures[0].read_bytes(), forms)
        answered = Tally("a malformed request gets an answer or a closed connection, in time")
        reasons = Tally("no answer to a malformed request is a fault of the server, or tells what it should not")
        after = Tally("after malformed requests all is as it was")
        seen, slowest, start, peak = collections.Counter(), 0.0, service.memory(), 0

        def judge(kind, content, end, said, is_over, seconds):
            answered.check(is_over, kind, end, f"{seconds:.1f} s", content[:200], said[:200])
            found = statuses(said)
            seen.update(found or ["closed"])
            fault = [status for status in found if status >= 500 and status not in (501, 503, 505)]
            reasons.check(not fault and SECRET not in said and b"root:x:0" not in said, kind, content[:300],
                          said[-400:])

        with concurrent.futures.ThreadPoolExecutor(4) as pool, concurrent.futures.ThreadPoolExecutor(64) as patient:
            silent = []
            for begin in range(0, count, 100):
                made = [odd.make() for _ in range(min(100, count - begin))]
                quick = [one for one in made if one[2] != "silent"]
                silent += [(one, patient.submit(send, service.port, *one[1:])) for one in made if one[2] == "silent"]
                for one, result in zip(quick, pool.map(lambda one: send(service.port, *one[1:]), quick)):
                    judge(*one, *result)
                    slowest = max(slowest, result[2])
                if service.process.poll() is not None:
                    after.check(False, "the server ended with", service.process.returncode, "at one of", made)
                    service.tell()
                    break
                peak = max(peak, service.memory())
            for one, result in silent:
                judge(*one, *result.result())
        if service.process.poll() is None:
            after.check(peak < start + GROWTH, f"{start >> 20} MB became {peak >> 20} MB")
            now = {entry["Key"]: entry["ETag"] for entry in desk.s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
            after.check(now == kept, set(now.items()) ^ set(kept.items()))
            after.check(desk.describe(("training", "training-1")) == jobs)
            after.check(desk.invoke(endpoint[1]) == probabilities)
            for path in (root / "outside", root.parent / "outside"):
                after.check(path.read_bytes() == SECRET, path)
            staged = list((root / "s3/.imrec/staging").iterdir())
            after.check(not staged, staged)
            files = len(list((service.root.parent.parent).glob("outside")))
            after.check(files == 0, "a file outside of the root")
        for tally in (answered, reasons, after):
            tally.close()
        print(f"  (answers: {', '.join(f'{status} {count}' for status, count in sorted(seen.items(), key=str))}; the "
              f"slowest took {slowest:.2f} s, {len(silent)} stopped in the middle and stayed; {start >> 20} MB in use "
              f"before, {peak >> 20} at most)")
