"""Looks at the dashboard: every page, on desktop and phone, light and dark, with and without script, with naughty
names."""
import struct
import subprocess
import sys
import time
import urllib.parse
import zlib

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import checks
from browser import PHONE, WIDE

JOB = "DEMO-imageclassification--2026-09-"
NAUGHTY = "\"><img src=x onerror='pwn=1'></script><script>pwn=1</script>{{x}}\u202egpj&amp;" + "long" * 12


def pages(odd):
    """Names and addresses, `odd` behind the names of jobs and endpoints."""
    def at(kind, name):
        return f"/-/{kind}/" + urllib.parse.quote(name + odd, safe="")
    return {
        "overview": "/", "kind": "/?kind=tuning", "training": at("training-jobs", JOB + "3"),
        "live": at("training-jobs", JOB + "0"), "tuning": at("tuning-jobs", JOB + "1"),
        "transform": at("transform-jobs", JOB + "2"), "models": "/-/models", "endpoints": "/-/endpoints",
        "endpoint": at("endpoints", "demo"), "failed-endpoint": at("endpoints", "broken"), "s3": "/-/s3",
        "objects": "/-/s3/demo-bucket?prefix=" + urllib.parse.quote("a/b" + odd + "/", safe=""), "lost": "/-/lost",
    }


def png(side=32):
    """A picture of noise."""
    rows = b"".join(b"\0" + bytes((x * y * 7 + x) % 256 for x in range(side * 3)) for y in range(side))
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Server:
    def __init__(self, program, *options):
        self.process = subprocess.Popen([program, "--model", "resnet-20", "--shadow", "--quiet", *options],
                                        stdout=subprocess.PIPE)
        port = self.process.stdout.readline().strip()
        if not port:
            raise SystemExit("tools/pages: sample-server does not start")
        self.address = f"http://127.0.0.1:{int(port)}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=60)


def quiet(browser, address, status=200):
    """Nothing asked of others, nothing complained about, nothing run that a name brought in."""
    wrong = [f"asks for {found[:200]}" for found in browser.requests() if not found.startswith(address + "/")]
    wrong += [f"complains: {message[:300]}" for message in browser.complaints() if status == 200
              or str(status) not in message]
    found = browser.run("""
        return {pwn: typeof window.pwn !== 'undefined', scripts: document.scripts.length,
            handlers: [...document.querySelectorAll('*')].filter(
                e => [...e.attributes].some(a => a.name.startsWith('on'))).length,
            foreign: document.querySelectorAll('iframe,object,embed,base,math,template,img:not(.preview)').length,
            main: document.querySelectorAll('main h1').length,
            now: document.querySelectorAll('nav a[aria-current]').length}""")
    expected = {"pwn": False, "scripts": 2, "handlers": 0, "foreign": 0, "main": 1, "now": 1 if status == 200 else 0}
    return wrong + [f"{name} is {found[name]}, not {value}" for name, value in expected.items() if found[name] != value]


def keyboard(browser):
    """The first key leads to the content; every link and field can be reached, and is seen when it is."""
    body = browser.driver.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    first = browser.run("return document.activeElement.className")
    wrong = [] if first == "skip" else [f"the first stop is {first!r}, not the way to the content"]
    hidden = browser.run("""
        const used = 'main a, main input, main select, main button, main summary';
        return [...document.querySelectorAll(used)].filter(e => {
            e.focus(); const box = e.getBoundingClientRect();
            return document.activeElement !== e || box.width < 1 || box.height < 1;}).length""")
    return wrong + ([f"{hidden} controls cannot be reached"] if hidden else [])


def try_out(browser, folder):
    """A picture that is chosen, and one that is dropped, are classified."""
    picture = folder / "noise.png"
    picture.write_bytes(png())
    browser.driver.find_element(By.CSS_SELECTOR, "#try-form input[type=file]").send_keys(str(picture))
    browser.driver.find_element(By.CSS_SELECTOR, "#try-form button").click()
    wrong = []
    for _ in range(100):
        rows = browser.driver.find_elements(By.CSS_SELECTOR, "#answer-table tbody tr")
        if rows:
            break
        time.sleep(0.1)
    if len(rows) != 5:
        wrong.append(f"{len(rows)} classes are shown, not 5")
    if not browser.run("const p = document.querySelector('.preview'); return p && p.naturalWidth === 32"):
        wrong.append("the picture is not shown")
    browser.run("""
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(arguments[0])], "dropped.png", {type: "image/png"}));
        const drop = new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
        document.querySelector(".drop").dispatchEvent(drop);""",
                list(png(16)))
    for _ in range(100):
        if browser.run("const p = document.querySelector('.preview'); return p && p.naturalWidth === 16"):
            return wrong
        time.sleep(0.1)
    return wrong + ["what is dropped is not classified"]


def live(browser):
    """Lines come into the log without the page being loaded again."""
    for _ in range(100):
        if "Epoch[12] Train-accuracy" in browser.run("return document.querySelector('#log').textContent"):
            return []
        time.sleep(0.1)
    return ["no new line comes into the log"]


def look(browser, program, folder, pictures):
    """Returns how many checks failed."""
    tell = checks.Verdicts("dashboard, ")
    begun = time.monotonic()
    for odd in ("", NAUGHTY):
        with Server(program, *(["--odd", odd] if odd else []), "--outputs", str(folder)) as server:
            for name, path in pages(odd).items():
                page, status = name + (" of naughty names" if odd else ""), 404 if name == "lost" else 200
                views = [("desktop", WIDE, False), ("phone", PHONE, False)]
                if not odd:
                    views += [("desktop, dark", WIDE, True), ("phone, dark", PHONE, True)]
                for view, size, dark in views:
                    browser.open(server.address + path, size, dark)
                    tell(page, view, "quiet", quiet(browser, server.address, status))
                    tell(page, view, "fits", checks.fits(browser))
                    if not odd:
                        tell(page, view, "accessible", checks.accessible(browser))
                    if pictures and not odd:
                        pictures.mkdir(parents=True, exist_ok=True)
                        browser.picture(pictures / f"{name}-{view.replace(', ', '-')}.png")
                if odd:
                    continue
                browser.open(server.address + path, WIDE)
                tell(page, "desktop", "keyboard", keyboard(browser))
                browser.open(server.address + path, WIDE, script=False)
                text = checks.page_text(browser)
                tell(page, "without script", "complete", [] if len(text) > 150 or status == 404
                     else ["there is hardly any text"])
            if not odd:
                browser.open(server.address + pages(odd)["endpoint"], WIDE)
                tell("endpoint", "desktop", "tries a picture", try_out(browser, folder))
                if pictures:
                    browser.picture(pictures / "answer-desktop.png")
                browser.open(server.address + pages(odd)["live"], WIDE)
                tell("live", "desktop", "log", live(browser))
    print(f"dashboard: {tell.count} checks, {tell.failures} failed")
    print(f"== dashboard took {time.monotonic() - begun:.1f} s", file=sys.stderr)
    return tell.failures
