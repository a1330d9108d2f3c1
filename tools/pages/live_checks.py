"""Looks at the dashboard of imrec serve itself, with jobs that really ran: every page, and what happens on them."""
import json
import pathlib
import subprocess
import sys
import time

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import checks
import site_checks
from browser import PHONE, WIDE

PAGES = {
    "jobs": "/", "training": "/-/training-jobs/train-shapes", "live": "/-/training-jobs/train-long",
    "tuning": "/-/tuning-jobs/tune-shapes", "transform": "/-/transform-jobs/transform-shapes", "models": "/-/models",
    "endpoints": "/-/endpoints", "endpoint": "/-/endpoints/shapes", "buckets": "/-/s3", "objects": "/-/s3/photos",
    "folder": "/-/s3/photos?prefix=output%2F",
}
VIEWS = [("desktop", WIDE, False), ("phone", PHONE, False), ("desktop, dark", WIDE, True), ("phone, dark", PHONE, True)]


def come(condition, seconds=60):
    """Waits until something is as it should be; whether it came to be."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def live(browser):
    """Log and curve grow while the page stays the one that was opened."""
    state = lambda: browser.run("""
        return [window.opened === true, document.querySelector('#log').textContent.length,
            [...document.querySelectorAll('main svg.drawing path, main svg.drawing polyline')].map(
                e => e.getAttribute('d') || e.getAttribute('points')).join()]""")
    browser.run("window.opened = true")
    before = state()
    grown = come(lambda: state()[1] > before[1])
    drawn = come(lambda: state()[2] != before[2])
    wrong = [] if grown else ["no line comes into the log"]
    wrong += [] if drawn else ["the curve does not grow"]
    return wrong + ([] if state()[0] else ["the page was loaded again"])


def tuning(browser):
    """Every job is a line of the picture, and one of them is marked as the best."""
    text = checks.page_text(browser)
    wrong = [] if browser.run("return document.querySelectorAll('#parallel').length") == 1 else ["there is no picture"]
    if browser.run("return document.querySelectorAll('#parallel .strand-best').length") < 1:
        wrong.append("no line is marked as the best")
    return wrong + [f"does not say {word!r}" for word in ("learning_rate", "mini_batch_size", "optimizer", "Best job")
                    if word not in text]


def score(browser, told):
    """The form gives the accuracy report."""
    browser.driver.find_element(By.CSS_SELECTOR, "#score-form input[type=file]").send_keys(told["truth"])
    browser.driver.find_element(By.CSS_SELECTOR, "#score-form button").send_keys(Keys.ENTER)
    if not come(lambda: browser.run("return !!document.querySelector('#classes-table')")):
        return [f"there is no report: {browser.run('return document.body.innerText')[:300]!r}"]
    wanted = f"{told['pictures']:,} images = {told['pictures']:,} scored"
    return [] if wanted in checks.page_text(browser) else [f"the report does not say {wanted!r}"]


def try_out(browser, told):
    """A picture that is dropped is classified."""
    content = list(pathlib.Path(told["picture"]).read_bytes())
    browser.run("""
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(arguments[0])], "dropped.jpg", {type: "image/jpeg"}));
        const drop = new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
        document.querySelector(".drop").dispatchEvent(drop);""", content)
    rows = lambda: browser.driver.find_elements(By.CSS_SELECTOR, "#answer-table tbody tr")
    if not come(lambda: len(rows()) == told["classes"]):
        return [f"{len(rows())} classes are shown, not {told['classes']}"]
    shown = browser.run("const p = document.querySelector('.preview'); return p && p.naturalWidth > 0")
    return [] if shown else ["the picture is not shown"]


def look(browser, program, python, folder, pictures):
    """Returns how many checks failed."""
    tell, begun = checks.Verdicts("live dashboard, "), time.monotonic()
    process = subprocess.Popen(
        [python, pathlib.Path(__file__).with_name("live_jobs.py"), "--imrec", program, "--scratch", folder / "live"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        if not line.startswith("{"):
            raise SystemExit(f"tools/pages: the jobs do not run: {line}{process.stdout.read()}")
        told = json.loads(line)
        address = told["address"]
        browser.open(address + PAGES["live"], WIDE)
        tell("live", "desktop", "log and curve", live(browser))
        for name, path in PAGES.items():
            for view, size, dark in VIEWS:
                browser.open(address + path, size, dark)
                tell(name, view, "quiet", site_checks.quiet(browser, address))
                tell(name, view, "fits", checks.fits(browser))
                tell(name, view, "accessible", checks.accessible(browser))
                picture(browser, pictures, f"{name}-{view}")
            browser.open(address + path, WIDE)
            tell(name, "desktop", "keyboard", site_checks.keyboard(browser))
        browser.open(address + PAGES["tuning"], WIDE)
        tell("tuning", "desktop", "picture", tuning(browser))
        for view, size, dark in VIEWS:
            browser.open(address + PAGES["endpoint"], size, dark)
            tell("endpoint", view, "drop", try_out(browser, told))
            tell("answer", view, "fits", checks.fits(browser))
            picture(browser, pictures, f"answer-{view}")
            browser.open(address + PAGES["transform"], size, dark)
            tell("transform", view, "score", score(browser, told))
            tell("report", view, "fits", checks.fits(browser))
            picture(browser, pictures, f"report-{view}")
    finally:
        process.stdin.close()
        process.wait(timeout=120)
    print(f"live dashboard: {tell.count} checks, {tell.failures} failed")
    print(f"== live dashboard took {time.monotonic() - begun:.1f} s", file=sys.stderr)
    return tell.failures


def picture(browser, pictures, name):
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
        browser.picture(pictures / f"live-{name.replace(', ', '-')}.png")
