"""Opens the reports in Chromium and checks what people, readers of the screen and printers get."""
import argparse
import json
import pathlib
import sys
import tempfile
import time

import checks
import live_checks
import material
import other_sites
import site_checks
from browser import DESKTOP, PHONE, Browser


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imrec", required=True)
    parser.add_argument("--chromium", required=True)
    parser.add_argument("--chromedriver", required=True)
    parser.add_argument("--sample-server", help="the dashboard with jobs that never were; none: it is not looked at")
    parser.add_argument("--jobs-python",
                        help="a Python with boto3, which runs jobs for the dashboard of imrec serve; none: it is not "
                             "looked at")
    parser.add_argument("--only-site", action="store_true", help="the dashboard alone")
    parser.add_argument("--pictures", type=pathlib.Path, help="a folder for pictures of the dashboard's pages")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imrec-pages.") as scratch:
        folder = pathlib.Path(scratch)
        if not options.only_site:
            material.make(options.imrec, folder)
        browser = Browser(options.chromium, options.chromedriver)
        try:
            failures = 0 if options.only_site else look(browser, folder)
            if options.sample_server:
                failures += site_checks.look(browser, options.sample_server, folder, options.pictures)
            failures += other_sites.look(browser, options.imrec, folder)
            if options.jobs_python:
                failures += live_checks.look(browser, options.imrec, options.jobs_python, folder, options.pictures)
        finally:
            browser.quit()
    sys.exit(1 if failures else 0)


def look(browser, folder):
    """Returns how many checks failed."""
    tell = checks.Verdicts()
    for name in ("drawn", "compare", "naughty", "naughty-compare", "hard", "lost", *material.TRAININGS,
                 *material.TUNINGS):
        page, begun = folder / f"{name}.html", time.monotonic()
        for view, size, dark in (("desktop", DESKTOP, False), ("desktop, dark", DESKTOP, True),
                                 ("phone", PHONE, False)):
            browser.open(page, size, dark)
            tell(name, view, "quiet", checks.quiet(browser, page))
            tell(name, view, "fits", checks.fits(browser))
            # Names change no structure: with naughty ones, which make long pages, one look is enough.
            if not name.startswith("naughty") or (name, view) == ("naughty", "desktop"):
                tell(name, view, "accessible", checks.accessible(browser))
        data = folder / f"{name}.json"
        if data.exists():
            score = json.loads(data.read_text())
            browser.open(page)
            tell(name, "desktop", "charts", checks.charts(browser, score) if score["scored"] else [])
            if score["scored"]:
                tell(name, "desktop", "keyboard", checks.keyboard(browser, score))
                tell(name, "desktop", "tables", checks.tables(browser, score))
                tell(name, "desktop", "quiet after use", checks.quiet(browser, page))
            browser.open(page, script=False)
            tell(name, "without script", "complete", checks.complete(browser, score))
            tell(name, "without script", "still", checks.still(browser) if score["scored"] else [])
        if name in material.TRAININGS:
            epochs = [json.loads(line) for line in (folder / name / "metrics.jsonl").read_text().splitlines()]
            browser.open(page)
            tell(name, "desktop", "drawings", checks.drawings(browser))
            tell(name, "desktop", "keyboard", checks.headers(browser))
            tell(name, "desktop", "quiet after use", checks.quiet(browser, page))
            browser.open(page, script=False)
            tell(name, "without script", "complete", checks.curves(browser, epochs))
        if name in material.TUNINGS:
            found = json.loads((folder / name / "tuning.json").read_text())
            browser.open(page)
            tell(name, "desktop", "drawings", checks.drawings(browser))
            tell(name, "desktop", "keyboard", checks.headers(browser, "jobs-table"))
            tell(name, "desktop", "quiet after use", checks.quiet(browser, page))
            browser.open(page, script=False)
            tell(name, "without script", "complete", checks.tuning(browser, found))
        if name in ("drawn", "compare", "training", "tuning"):
            tell(name, "paper", "prints", checks.prints(browser))
        print(f"== {name} took {time.monotonic() - begun:.1f} s", file=sys.stderr)
    print(f"pages: {tell.count} checks, {tell.failures} failed")
    return tell.failures


if __name__ == "__main__":
    main()
