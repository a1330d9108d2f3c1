"""Writes what botocore signs, for the tests of Signatures: signatures.py [FOLDER] (Tests/S3Tests/Goldens).

The first cases are the requests of Amazon's public test suite for Signature Version 4, in a table of our own; then
seeded random requests of S3's rules and of the general ones, presigned URLs (of version 2 as well), and bodies in
signed chunks. Python package: botocore.
"""
import base64
import datetime
import hashlib
import hmac
import json
import pathlib
import random
import sys
from unittest import mock
from urllib.parse import quote, urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
HOST, TIME = "example.amazonaws.com", "20150830T123600Z"
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FORM = "application/x-www-form-urlencoded"
# Name, method, target, headers, body (None: not signed), and whether the path is kept as it is.
SUITE = [
    ("header key duplicate", "GET", "/", [("My-Header1", v) for v in ("value2", "value2", "value1")], None, False),
    ("header value order", "GET", "/", [("My-Header1", f"value{v}") for v in (4, 1, 3, 2)], None, False),
    ("header value trim", "GET", "/", [("My-Header1", " value1"), ("My-Header2", ' "a   b   c"')], None, False),
    ("relative", "GET", "/example/..", [], None, False),
    ("relative kept", "GET", "/example/..", [], None, True),
    ("relative relative", "GET", "/example1/example2/../..", [], None, False),
    ("relative relative kept", "GET", "/example1/example2/../..", [], None, True),
    ("slash dot slash", "GET", "/./", [], None, False),
    ("slash dot slash kept", "GET", "/./", [], None, True),
    ("slash", "GET", "//", [], None, False),
    ("slash kept", "GET", "//", [], None, True),
    ("slash pointless dot", "GET", "/./example", [], None, False),
    ("slash pointless dot kept", "GET", "/./example", [], None, True),
    ("slashes", "GET", "//example//", [], None, False),
    ("slashes kept", "GET", "//example//", [], None, True),
    ("space", "GET", "/example space/", [], None, False),
    ("space kept", "GET", "/example space/", [], None, True),
    ("unreserved", "GET", f"/-._~{LETTERS}", [], None, False),
    ("utf8", "GET", "/\u1234", [], None, False),
    ("vanilla", "GET", "/", [], None, False),
    ("empty query key", "GET", "/?Param1=value1", [], None, False),
    ("query order encoded", "GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", [], None, False),
    ("query order key case", "GET", "/?Param2=value2&Param1=value1", [], None, False),
    ("query unreserved", "GET", f"/?-._~{LETTERS}=-._~{LETTERS}", [], None, False),
    ("utf8 query", "GET", "/?\u1234=bar", [], None, False),
    ("session token", "GET", "/", [("X-Amz-Security-Token", TOKEN)], None, False),
    ("post", "POST", "/", [], None, False),
    ("post header key sort", "POST", "/", [("My-Header1", "value1")], None, False),
    ("post header value case", "POST", "/", [("My-Header1", "VALUE1")], None, False),
    ("post query", "POST", "/?Param1=value1", [], None, False),
    ("post form", "POST", "/", [("Content-Type", FORM), ("Content-Length", "13")], "Param1=value1", False),
    ("post form parameters", "POST", "/",
     [("Content-Type", f"{FORM}; charset=utf-8"), ("Content-Length", "13")], "Param1=value1", False),
]


class Kept(botocore.auth.SigV4Auth):
    """Signs the path as it is, encoded once."""

    def _normalize_url_path(self, path):
        return quote(path, safe="/~")


def moment(text):
    return datetime.datetime.strptime(text, "%Y%m%dT%H%M%SZ")


def request_of(method, target, headers, body, time):
    path, _, query = target.partition("?")
    url = f"http://{HOST}{path}" + (f"?{quote(query, safe='=&%-_.~')}" if query else "")
    request = AWSRequest(method=method, url=url, data=body or b"")
    request.headers = HTTPHeaders()
    for name, value in headers:
        request.headers[name] = value
    request.context["timestamp"] = time
    return request


def suite_case(name, method, target, headers, body, kept):
    auth = (Kept if kept else botocore.auth.SigV4Auth)(Credentials(KEY, SECRET), "service", "us-east-1")
    headers = headers + [("X-Amz-Date", TIME)]
    if body is not None:
        headers.append(("X-Amz-Content-SHA256", hashlib.sha256(body.encode()).hexdigest()))
    request = request_of(method, target, headers, (body or "").encode(), TIME)
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return {"name": name, "method": method, "target": target, "headers": headers, "body": body or "", "kept": kept,
            "signature": signature}


def word(draw, alphabet, least=0):
    return "".join(draw.choice(alphabet) for _ in range(draw.randrange(least, 12)))


def random_request(draw):
    alphabet = "abcXYZ019-._~ +&=%/?#\u00e9\u00df\u65e5\U0001d11e()'!*"
    path = "/" + "/".join(quote(word(draw, alphabet.replace("/", ""), 1), safe="~")
                          for _ in range(draw.randrange(1, 4)))
    query = [(word(draw, alphabet, 1), word(draw, alphabet)) for _ in range(draw.randrange(4))]
    target = path + ("?" + "&".join(f"{quote(n, safe='~')}={quote(v, safe='~')}" for n, v in query) if query else "")
    headers = [(draw.choice(["X-Amz-Meta-One", "My-Header", "Content-Type", "Range"]),
                word(draw, "abc 019/=;\"") or "empty") for _ in range(draw.randrange(4))]
    return draw.choice(["GET", "PUT", "POST", "DELETE", "HEAD"]), target, headers, word(draw, alphabet).encode()


def frozen(time):
    return mock.patch("botocore.auth.get_current_datetime", lambda *_, **__: moment(time))


def signed_case(draw, rules):
    method, target, headers, body = random_request(draw)
    token = TOKEN if draw.random() < 0.3 else None
    region, service = draw.choice(["us-east-1", "eu-central-1"]), "s3" if rules == "s3" else "sagemaker"
    kind = botocore.auth.S3SigV4Auth if rules == "s3" else botocore.auth.SigV4Auth
    request = request_of(method, target, headers, body, TIME)
    with frozen(TIME):
        kind(Credentials(KEY, SECRET, token), service, region).add_auth(request)
    return {"rules": rules, "method": method, "target": target, "headers": headers, "token": token, "region": region,
            "service": service, "body": base64.b64encode(body).decode(),
            "signed": [[name, value] for name, value in request.headers.items()]}


def presigned_case(draw):
    method, target, headers, _ = random_request(draw)
    token, expires = (TOKEN if draw.random() < 0.3 else None), draw.randrange(1, 604800)
    request = request_of(method, target, headers, b"", TIME)
    with frozen(TIME):
        botocore.auth.S3SigV4QueryAuth(Credentials(KEY, SECRET, token), "s3", "us-east-1",
                                       expires=expires).add_auth(request)
    parts = urlsplit(request.url)
    return {"method": method, "headers": headers, "token": token, "expires": expires,
            "original": target, "target": f"{parts.path}?{parts.query}"}


def older_case(draw):
    """A URL presigned with version 2; what was signed of the headers is in its query."""
    class Frozen(botocore.auth.HmacV1QueryAuth):
        def _get_date(self):
            return str(int(moment(TIME).replace(tzinfo=datetime.UTC).timestamp()) + self._expires)

    method, target, headers, _ = random_request(draw)
    path, _, query = target.partition("?")
    of_interest = draw.choice(["", "uploads", "uploadId=a%2Bb", "partNumber=2&uploadId=x",
                               "response-content-type=a%2Fb"])
    target = path + "?" + "&".join(filter(None, (of_interest, query)))
    token = TOKEN if draw.random() < 0.3 else None
    request = AWSRequest(method=method, url=f"http://{HOST}{target.rstrip('?')}")
    request.headers = HTTPHeaders()
    for name, value in dict(headers).items():
        request.headers[name] = value
    Frozen(Credentials(KEY, SECRET, token), 600).add_auth(request)
    parts = urlsplit(request.url)
    return {"method": method, "token": token, "target": f"{parts.path}?{parts.query}"}


def chunked_case(draw, with_trailer):
    """A body in signed chunks, by the words of Amazon's documentation and botocore's key."""
    mode = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if with_trailer else "")
    auth = botocore.auth.SigV4Auth(Credentials(KEY, SECRET), "s3", "us-east-1")
    chunks = [draw.randbytes(draw.randrange(1, 300)) for _ in range(draw.randrange(4))]
    headers = [("X-Amz-Date", TIME), ("X-Amz-Content-SHA256", mode), ("Content-Encoding", "aws-chunked"),
               ("X-Amz-Decoded-Content-Length", str(sum(map(len, chunks))))]
    request = request_of("PUT", "/bucket/key", headers, b"", TIME)
    seed = previous = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    key = f"AWS4{SECRET}".encode()
    for part in (TIME[:8], "us-east-1", "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    scope, empty, body = f"{TIME[:8]}/us-east-1/s3/aws4_request", hashlib.sha256().hexdigest(), b""
    for chunk in chunks + [b""]:
        text = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", TIME, scope, previous, empty, hashlib.sha256(chunk).hexdigest()])
        previous = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        body += f"{len(chunk):x};chunk-signature={previous}\r\n".encode() + chunk + (b"\r\n" if chunk else b"")
    if with_trailer:
        trailer = "x-amz-checksum-crc32:AAAAAA==\n"
        text = "\n".join(["AWS4-HMAC-SHA256-TRAILER", TIME, scope, previous,
                          hashlib.sha256(trailer.encode()).hexdigest()])
        body += trailer.strip().encode() + b"\r\nx-amz-trailer-signature:"
        body += hmac.new(key, text.encode(), hashlib.sha256).hexdigest().encode() + b"\r\n"
    names = ";".join(sorted(["host"] + [name.lower() for name, _ in headers]))
    headers.append(("Authorization",
                    f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={seed}"))
    return {"headers": headers, "body": base64.b64encode(body + b"\r\n").decode(),
            "data": base64.b64encode(b"".join(chunks)).decode(), "trailer": with_trailer}


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                          pathlib.Path(__file__).resolve().parents[3] / "Tests/S3Tests/Goldens")
    draw = random.Random(7)
    document = {
        "suite": [suite_case(*case) for case in SUITE],
        "signed": [signed_case(draw, rules) for rules in ("s3", "general") for _ in range(60)],
        "presigned": [presigned_case(draw) for _ in range(40)],
        "chunked": [chunked_case(draw, trailer) for trailer in (False, True) for _ in range(10)],
        "older": [older_case(draw) for _ in range(40)],
    }
    lines = [f'"{name}": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]"
             for name, cases in document.items()]
    (folder / "signatures.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
