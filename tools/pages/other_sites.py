"""Pages of other sites in Chromium, which try to use imrec serve: what they send must change nothing and tell them
nothing."""
import http.server
import pathlib
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib

import checks
from browser import REBOUND, WIDE

KEYS = ("kept.txt", "picture.png", "page.html")
DELETION = "<Delete>" + "".join(f"<Object><Key>{key}</Key></Object>" for key in KEYS) + "</Delete>"
# Runs where a browser takes an object for a page of the server.
PAGE = """<!doctype html><title>still</title><p>stored</p><script>
document.title = "ran";
fetch("/-/s3/bkt").then(reply => reply.text()).then(text => { document.title = "read " + text.length });
</script>"""
# What any page may send without being asked whether it may.
ATTACK = """
const address = arguments[0], deletion = arguments[1], done = arguments[2], seen = [];
const picture = new Image(), frame = document.createElement("iframe"), form = document.createElement("form");
const ended = [
  new Promise(end => { picture.onload = () => { seen.push("the picture is shown"); end() }; picture.onerror = end; }),
  fetch(address + "/bkt?delete",
    {method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body: deletion}),
  fetch(address + "/other", {method: "POST", mode: "no-cors", body: "x"}),
  fetch(address + "/", {method: "POST", mode: "no-cors", body: "Action=GetCallerIdentity"}),
  fetch(address + "/bkt/kept.txt", {mode: "no-cors"}),
  fetch(address + "/bkt/kept.txt").then(reply => reply.text()).then(text => seen.push("reads " + text)),
  fetch(address + "/bkt/kept.txt", {method: "DELETE"}),
  fetch(address + "/-/s3/bkt").then(reply => reply.text()).then(text => seen.push("reads the dashboard")),
  new Promise(end => { frame.onload = () => setTimeout(end, 300) }),
];
navigator.sendBeacon(address + "/bkt?delete", deletion);
picture.src = address + "/bkt/picture.png";
frame.name = "hidden";
document.body.append(frame);
form.method = "post"; form.enctype = "text/plain"; form.target = "hidden"; form.action = address + "/bkt?delete";
const field = document.createElement("input");
field.name = "<Delete><!--"; field.value = "-->" + deletion.slice(8);
form.append(field); document.body.append(form); form.submit();
Promise.allSettled(ended).then(() => done(seen));
"""


def picture():
    """A PNG of one pixel."""
    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    head = (1).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")


def ask(address, method, path, body=None, headers=None):
    """A program's request: its status and body."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address + path, body, headers or {}, method=method),
                                    timeout=30) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def start(program, folder, *options):
    """imrec serve, and its port."""
    log = folder / "other-sites.log"
    with log.open("wb") as errors:
        server = subprocess.Popen(
            [program, "serve", "--root", folder / "other-sites", "--port", "0", "--quiet", *options],
            stdin=subprocess.DEVNULL, stderr=errors)
    for _ in range(600):
        found = re.search(r"http://127\.0\.0\.1:(\d+): export", log.read_text())
        if found:
            return server, int(found[1])
        if server.poll() is not None:
            break
        time.sleep(0.1)
    server.kill()
    raise SystemExit(f"tools/pages: imrec serve does not start: {log.read_text()}")


class Site(http.server.BaseHTTPRequestHandler):
    """Another site: a page with a link."""

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        target = query.get("to", ["/"])[0]
        body = f"<!doctype html><title>other</title><body><a href='{target}'>there</a>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def look(browser, program, folder):
    """Returns how many checks failed."""
    tell, begun = checks.Verdicts("other sites, "), time.monotonic()
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    server, port = start(program, pathlib.Path(folder))
    try:
        address = f"http://127.0.0.1:{port}"
        for host in ("localhost", "127.0.0.1", REBOUND):
            fill(address)
            browser.open(f"http://{host}:{site.server_port}/", WIDE)
            seen = browser.driver.execute_async_script(ATTACK, address, DELETION)
            tell(host, "page", "sees nothing", seen)
            tell(host, "page", "changes nothing", changes(address))
            fill(address)
            browser.open(f"http://{host}:{site.server_port}/", WIDE)
            browser.run("""
                const form = document.createElement("form"), field = document.createElement("input");
                form.method = "post"; form.enctype = "text/plain"; form.action = arguments[0];
                field.name = "<Delete><!--"; field.value = "-->" + arguments[1].slice(8);
                form.append(field); document.body.append(form); form.submit();""", address + "/bkt?delete", DELETION)
            time.sleep(0.5)
            tell(host, "form", "changes nothing", changes(address))
            fill(address)
            link = urllib.parse.quote(address + "/-/s3/bkt")
            browser.open(f"http://{host}:{site.server_port}/?to={link}", WIDE)
            browser.run("document.querySelector('a').click()")
            time.sleep(0.5)
            tell(host, "link", "leads to the dashboard", [] if "kept.txt" in checks.page_text(browser)
                 else ["it does not"])
        fill(address)
        for path in ("/", "/-/s3/bkt", "/bkt", "/bkt/kept.txt", "/metrics"):
            browser.open(f"http://{REBOUND}:{port}{path}", WIDE)
            text = browser.run("return document.documentElement.textContent")
            tell(path, "rebound name", "tells nothing", [f"says {text[:100]!r}"] if not text
                 or re.search(r"secret|picture\.png|imrec_http", text) else [])
        browser.open(address + "/bkt/page.html", WIDE)
        time.sleep(0.5)
        title = browser.run("return document.title")
        wrong = [] if title == "still" else [f"its title is {title!r}"]
        tell("page.html", "stored", "runs nothing",
             wrong + [f"asks for {found}" for found in browser.requests() if "/-/" in found])
    finally:
        server.terminate()
        server.wait(timeout=60)
        site.shutdown()
    print(f"other sites: {tell.count} checks, {tell.failures} failed")
    print(f"== other sites took {time.monotonic() - begun:.1f} s", file=sys.stderr)
    return tell.failures


def fill(address):
    """What other sites would like to have."""
    ask(address, "PUT", "/bkt")
    for key, body, kind in zip(KEYS, (b"secret", picture(), PAGE.encode()), ("text/plain", "image/png", "text/html")):
        ask(address, "PUT", f"/bkt/{key}", body, {"Content-Type": kind})


def changes(address):
    """What is not as it was."""
    wrong = [f"{key} is gone" for key in KEYS if ask(address, "GET", f"/bkt/{key}")[0] != 200]
    buckets = set(re.findall(rb"/-/s3/([^\"?]+)", ask(address, "GET", "/-/s3")[1])) - {b"bkt"}
    return wrong + [f"there is a bucket {name!r}" for name in sorted(buckets)]
