"""What must hold of a page in a browser. Each check returns sentences about what does not."""
import json
import re
import time
from base64 import b64decode

from axe_selenium_python import Axe
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys


class Verdicts:
    """Tells what is wrong with which page, and counts."""

    def __init__(self, area=""):
        self.area, self.count, self.failures = area, 0, 0

    def __call__(self, page, view, name, wrong):
        self.count += 1
        self.failures += bool(wrong)
        for sentence in wrong:
            told = f"FAILED  {self.area}{page} ({view}), {name}: {sentence}"
            print(told.encode("ascii", "backslashreplace").decode())


def decimal(value, places):
    """As the report writes numbers: halves away from 0, commas between thousands, a real minus."""
    scaled = abs(value) * 10**places
    digits = int(scaled + 0.5)
    text = f"{digits // 10**places:,}" + (f".{digits % 10**places:0{places}d}" if places else "")
    return ("\u2212" if value < 0 and digits else "") + text


def percent(value, places=2):
    return decimal(100 * value, places) + "\u00a0%"


def interval(estimate, places=2):
    return f"{decimal(100 * estimate['low'], places)} to {percent(estimate['high'], places)}"


def quiet(browser, page):
    """Nothing asked for, nothing complained about, nothing run that a name brought in."""
    wrong = [f"asks for {address[:200]}" for address in browser.requests() if address != page.resolve().as_uri()]
    wrong += [f"complains: {message[:300]}" for message in browser.complaints()]
    found = browser.run("""
        const count = what => document.querySelectorAll(what).length;
        const handlers = [...document.querySelectorAll('*')].filter(
            e => [...e.attributes].some(a => a.name.startsWith('on')));
        return {pwn: typeof window.pwn !== 'undefined', scripts: document.scripts.length, styles: count('style'),
            handlers: handlers.length,
            foreign: count('img,iframe,object,embed,base,link,form,math,template,noscript,textarea'),
            title: document.title, body: document.body.lastElementChild.tagName}""")
    expected = {"pwn": False, "scripts": 2, "styles": 1, "handlers": 0, "foreign": 0, "body": "SCRIPT"}
    wrong += [f"{name} is {found[name]}, not {value}" for name, value in expected.items() if found[name] != value]
    return wrong


def fits(browser):
    """The page itself never scrolls sideways, and no text of a control is cut."""
    wide = browser.run("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    return [] if wide[0] <= wide[1] else [f"is {wide[0]} wide on a screen of {wide[1]}"]


def accessible(browser):
    axe = Axe(browser.driver)
    axe.inject()
    # Without preloading it asks for no style sheet, which the page's policy would refuse.
    found = browser.driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document, {preload: false, resultTypes: ['violations']}).then(done, e => done({violations: [{id: "
        "String(e), impact: 'critical', nodes: []}]}));")
    wrong = []
    for violation in found["violations"]:
        if violation["impact"] in ("serious", "critical"):
            places = "; ".join(node["html"][:160] + " " + (node.get("failureSummary") or "")[:160]
                               for node in violation["nodes"][:3])
            wrong.append(f"axe: {violation['id']} ({violation['impact']}, {len(violation['nodes'])} places): {places}")
    return wrong


def page_text(browser):
    """All text, that of closed parts too; not that of script and style."""
    return browser.run("""
        const copy = document.body.cloneNode(true);
        copy.querySelectorAll('script,style,.matrix-live,.sprite').forEach(e => e.remove());
        return copy.textContent""")


def complete(browser, score):
    """Every figure of the JSON is a text of the page. Asked with scripts of the page switched off."""
    text = page_text(browser)
    wanted = [f"{score['images']:,} images = {score['scored']:,} scored + {len(score['invalid']):,} invalid + "
              f"{len(score['missing']):,} missing"]
    for key in ("top1", "top2", "top3", "top5", "top10"):
        if score[key]:
            wanted += [percent(score[key]["value"]), interval(score[key], 1)]
    for average in ("macro", "micro", "weighted"):
        wanted += [percent(value) for value in (score[average] or {}).values() if value is not None]
    wanted += [decimal(score[key], 4) for key in ("kappa", "mcc", "log_loss", "brier") if score[key] is not None]
    for item in score["classes"]:
        if item["support"]:
            wanted += [percent(item["recall"]["value"]), interval(item["recall"], 1), percent(item["f1"])]
        if item["support"] and item["predicted"]:
            wanted += [percent(item["precision"]), interval(item["precision_interval"], 1)]
    wanted += [percent(pair["cumulative"]) for pair in score["pairs"][:300]]
    wanted += [percent(item["top1"]["value"]) for item in score["slices"] if item["n"]][:200]
    for bin in (score["calibration"] or {}).get("equal_width", []):
        if bin["count"]:
            wanted += [percent(bin["confidence"]), percent(bin["accuracy"]["value"])]
    wanted += [percent(point["accuracy"]["value"]) for point in score["coverage"] or []]
    wanted += [f"{item['count']:,}" for item in score["pairs"][:300]]
    wanted += [gate["gate"] for gate in score["gates"]] + [item["metric"] for item in score["omitted"]]
    missing = [figure for figure in dict.fromkeys(wanted) if figure not in text]
    return [f"does not say {figure!r}" for figure in missing[:8]]


def charts(browser, score):
    """What is written into the drawings is what the JSON says."""
    texts = lambda chart, kind: browser.run("return [...document.querySelectorAll(arguments[0])].map(e => "
                                            "e.textContent)", f"#{chart} .{kind}")
    described = browser.run("return Object.fromEntries([...document.querySelectorAll('main svg.drawing[id]')].map(s => "
                            "[s.id, [s.querySelector('title').textContent, s.querySelector('desc').textContent]]))")
    wrong = [f"the drawing {name} has no description" for name, words in described.items() if not all(words)]
    bootstrap = score["bootstrap"] or {}
    estimates = [score[key] for key in ("top1", "top2", "top3", "top5", "top10") if score[key]]
    estimates += [bootstrap[key] for key in ("macro_precision", "macro_recall", "macro_f1", "balanced_accuracy")
                  if key in bootstrap]
    if texts("intervals", "value") != [percent(e["value"]) for e in estimates]:
        wrong.append(f"intervals: {texts('intervals', 'value')}")
    pairs = [f"{pair['count']:,}" for pair in score["pairs"][:12]]
    if pairs and texts("top-pairs", "value") != pairs:
        wrong.append(f"top-pairs: {texts('top-pairs', 'value')} for {pairs}")
    weak = sorted((c["recall"]["value"], c["label"]) for c in score["classes"] if c["support"])[:10]
    if len(weak) > 1 and texts("weak-classes", "value") != [percent(value, 1) for value, _ in weak]:
        wrong.append(f"weak-classes: {texts('weak-classes', 'value')}")
    if score["calibration"]:
        said = "; ".join(f"{percent(b['confidence'], 0)} claimed, {percent(b['accuracy']['value'], 0)} right"
                         for b in score["calibration"]["equal_width"] if b["count"])
        if not described.get("reliability", ["", ""])[1].startswith(said):
            wrong.append(f"reliability: {described.get('reliability')} for {said}")
        bins = browser.run("return document.querySelectorAll('#reliability .dot-right').length")
        if bins != sum(b["count"] > 0 for b in score["calibration"]["equal_width"]):
            wrong.append(f"reliability has {bins} points")
    return wrong


def keyboard(browser, score):
    """The cursor of the matrix goes by arrows, is told of, and Enter shows the images of its cell."""
    canvas = browser.driver.find_element(By.CSS_SELECTOR, ".matrix-live canvas")
    live = lambda: browser.run("return document.getElementById('matrix-live').textContent")
    order = score["orders"]["seriated"] or score["orders"]["support"]
    names = json.loads(browser.run("return document.getElementById('data').textContent"))["classes"]
    counts = {(t, p): n for t, p, n in score["confusion"]}
    browser.run("arguments[0].scrollIntoView({block: 'center'}); arguments[0].focus()", canvas)
    wrong, row, column = [], 0, 0
    for key, down, right in [(None, 0, 0), (Keys.ARROW_DOWN, 1, 0), (Keys.ARROW_RIGHT, 0, 1), (Keys.ARROW_RIGHT, 0, 1),
                             (Keys.ARROW_UP, -1, 0), (Keys.ARROW_LEFT, 0, -1)]:
        if key:
            canvas.send_keys(key)
        row, column = row + down, column + right
        t, p = order[row], order[column]
        count = counts.get((t, p), 0)
        start = names[t] + (" recognised: " if t == p else f" mistaken for {names[p]}: ") + f"{count} image"
        if not live().startswith(start):
            wrong.append(f"the live line says {live()[:120]!r}, not {start[:120]!r}")
    canvas.send_keys(Keys.PAGE_DOWN)
    canvas.send_keys(Keys.ENTER)
    time.sleep(0.1)
    shown = browser.run("const box = document.getElementById('cell-images'); return [box.hidden, "
                        "box.querySelectorAll('li').length, document.activeElement.tagName]")
    told = re.search(r"of ([\d,]+) image", live())
    if shown[0] or not told or shown[1] != min(24, int(told.group(1).replace(",", ""))) or shown[2] != "H3":
        wrong.append(f"Enter shows {shown}; told {live()[:120]!r}")
    zoomed = browser.run("const c = arguments[0]; const before = c.toDataURL(); c.dispatchEvent(new "
                         "KeyboardEvent('keydown', {key: '+', bubbles: true})); return c.toDataURL() !== before",
                         canvas)
    if not zoomed and len(names) > 6:
        wrong.append("plus does not zoom")
    for select in range(2):
        browser.run("const s = document.querySelectorAll('.tools select')[arguments[0]]; for (const o of s.options) { "
                    "s.value = o.value; s.dispatchEvent(new Event('change')); }", select)
    return wrong


def tables(browser, score):
    """Headers sort, both ways; the field filters."""
    wrong = []
    header = browser.run("return [...document.querySelectorAll('#classes-table thead th')].findIndex(h => "
                         "h.textContent.trim() === 'F1')")
    column = lambda: browser.run("return [...document.querySelectorAll('#classes-table tbody tr')].map(r => "
                                 "r.cells[arguments[0]].textContent.trim())", header)
    expected = sorted((c["f1"] for c in score["classes"] if c["support"]), reverse=True)
    for way, values in (("descending", expected), ("ascending", expected[::-1])):
        browser.run("document.querySelectorAll('#classes-table thead "
                    "th')[arguments[0]].querySelector('button').click()", header)
        state = browser.run("return document.querySelectorAll('#classes-table thead "
                            "th')[arguments[0]].getAttribute('aria-sort')", header)
        if state != way or column() != [percent(value) for value in values]:
            wrong.append(f"sorting {way}: {state}, {column()[:4]}")
    name = next((c["name"] for c in score["classes"] if c["support"] and re.fullmatch(r"[a-z]{3,}", c["name"])), None)
    if name and browser.run("return !!document.getElementById('classes-table-search')"):
        shown = browser.run("""
            const field = document.getElementById('classes-table-search');
            field.value = arguments[0];
            field.dispatchEvent(new Event('input'));
            const rows = [...document.querySelectorAll('#classes-table tbody tr')];
            return rows.filter(r => !r.hidden).map(r => r.textContent)""", name)
        total = sum(1 for c in score["classes"] if c["support"])
        if not shown or len(shown) >= total or any(name not in text.lower() for text in shown):
            wrong.append(f"filtering by {name!r} shows {len(shown)} of {total}")
    return wrong


def curves(browser, epochs):
    """Every epoch's figures are texts of the page, and the ends of each curve are in its description."""
    text, wrong = page_text(browser), []
    best = max(epochs, key=lambda epoch: (epoch["validation_accuracy"], -epoch["epoch"]))
    wanted = [decimal(100 * best["validation_accuracy"], 1), f"{best['epoch']} (best)"]
    for epoch in epochs:
        wanted += [percent(epoch[key]) for key in ("train_accuracy", "validation_accuracy", "validation_top_accuracy")
                   if key in epoch]
        wanted += [decimal(epoch[key], 4) for key in ("train_loss", "validation_loss")]
    wrong += [f"does not say {figure!r}" for figure in dict.fromkeys(wanted) if figure not in text][:8]
    said = browser.run("return document.querySelector('#accuracy desc').textContent")
    for key in ("train_accuracy", "validation_accuracy"):
        ends = f"from {percent(epochs[0][key], 1)} to {percent(epochs[-1][key], 1)}"
        if ends not in said:
            wrong.append(f"the curve says {said!r}, not {ends!r}")
    return wrong


def drawings(browser):
    """Each drawing is described, and nothing of it lies outside or on a word of another."""
    return browser.run("""
        const wrong = [];
        for (const svg of document.querySelectorAll('main svg[id]')) {
            const frame = svg.getBoundingClientRect();
            if (!svg.querySelector('title') || !svg.querySelector('desc')) wrong.push(`${svg.id} has no description`);
            const texts = [...svg.querySelectorAll('text')].filter(t => t.textContent);
            const words = texts.map(t => [t.textContent, t.getBoundingClientRect()]);
            for (const [text, box] of words)
                if (box.left < frame.left - 1 || box.right > frame.right + 1
                    || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
                    wrong.push(`${svg.id}: ${text} lies outside`);
            words.forEach(([text, box], i) => words.slice(i + 1).forEach(([other, place]) => {
                if (box.left + 1 < place.right && place.left + 1 < box.right
                    && box.top + 3 < place.bottom && place.top + 3 < box.bottom)
                    wrong.push(`${svg.id}: ${text} lies on ${other}`);
            }));
        }
        return wrong.slice(0, 8);""")


def tuning(browser, found):
    """Every job's number, status and objective are texts of the page, and the best one's in the drawing's
    description."""
    text, wrong = page_text(browser), []
    jobs = found["TrainingJobs"]
    best = found["BestTrainingJob"]
    number = next(i for i, job in enumerate(jobs, 1) if job["TrainingJobName"] == best["TrainingJobName"])
    wanted = [f"{number} (best)", decimal(100 * best["FinalObjective"], 1)]
    for job in jobs:
        wanted.append(job["TrainingJobStatus"])
        if "FinalObjective" in job:
            wanted.append(percent(job["FinalObjective"]))
    wrong += [f"does not say {figure!r}" for figure in dict.fromkeys(wanted) if figure not in text][:8]
    said = browser.run("return document.querySelector('#history desc').textContent")
    if f"job {number} with {percent(best['FinalObjective'])}" not in said:
        wrong.append(f"the drawing says {said!r}")
    marks = browser.run("return document.querySelectorAll('#history circle').length")
    if marks != sum("FinalObjective" in job for job in jobs):
        wrong.append(f"the drawing has {marks} marks")
    return wrong


def headers(browser, table="epochs-table"):
    """A table of epochs or jobs sorts by the keyboard, both ways."""
    rows = lambda: browser.run("return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].map(r => "
                               "parseInt(r.cells[0].textContent))", table)
    buttons = browser.driver.find_elements(By.CSS_SELECTOR, f"#{table} thead th button")
    if not buttons:
        return [] if len(rows()) < 3 else [f"the table {table} has nothing to sort by"]
    wrong, orders = [], []
    for _ in range(2):
        buttons[0].send_keys(Keys.ENTER)
        orders.append(rows())
    if sorted(orders[0]) not in orders or sorted(orders[0], reverse=True) not in orders:
        wrong.append(f"sorting {table} gives {orders}")
    return wrong


def still(browser):
    """Without script the picture of the matrix has its place, and the parts that are closed open."""
    found = browser.run("""
        const image = [...document.querySelectorAll('#matrix image')].find(i => getComputedStyle(i).display !== 'none');
        const box = image ? image.getBoundingClientRect() : {width: 0};
        return [box.width, document.querySelectorAll('.sort, .tools, canvas').length,
            document.documentElement.className]""")
    return [] if found[0] > 150 and found[1] == 0 and not found[2] else [f"without script: {found}"]


def prints(browser):
    paper = b64decode(browser.command("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])
    return [] if paper.startswith(b"%PDF") and len(paper) > 20_000 else ["does not print"]
