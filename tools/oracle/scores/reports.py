#!/usr/bin/env python3
"""Reads the reports of a score with hostile names by Python's csv and xml, and by GitHub's own Markdown parser.

    pip install -r tools/oracle/requirements/reports.txt
    tools/oracle/scores/reports.py .build/debug/imrec
"""
import csv
import json
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as tree
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options

NAMES = [
    "</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "=cmd()", "-1+1", "@octocat", "#1",
    "a|b", "a\\|b", "a\\\\|b", "|", "`", "``", "`a", "a`", "``a`", "`|`", "\\`", "\\", "back\\", "`\u0301",
    "https://example.com", "www.example.com", "me@example.com", "[link](https://example.com)", "![i](x)",
    "*bold* _it_ ~~no~~", "<!-- hidden", "<details>", "</details>", "</code>", "&amp;&#64;", "two\nlines",
    "two\r\nlines", "tab\there", "\u202e=gpj.exe", "nul\u0000byte", "\u001b[31mred", "line\u2028sep", "\ufffe",
    " blanks ", "   ", "e\u0301", "👩\u200d🔬", "＝1", "'=1", "\t=1", "]]>", "a\\`|`b", "$`|x`$", "long`|<" * 600,
]
# Attributes that junit-10.xsd of Jenkins' xunit plugin has; the required ones first.
SCHEMA = {
    "testsuites": ([], ["name", "time", "tests", "failures", "disabled", "errors"], ["testsuite"]),
    "testsuite": (
        ["name", "tests"],
        ["failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log",
         "url", "version"], ["properties", "testcase", "system-out", "system-err"]),
    "properties": ([], [], ["property"]),
    "property": (["name", "value"], [], []),
    "testcase": (
        ["name"], ["assertions", "time", "classname", "status", "class", "file", "line", "group"],
        ["skipped", "error", "failure", "system-out", "system-err"]),
    "failure": ([], ["type", "message"], []),
    "system-out": ([], [], []),
}
TAGS = {
    "h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "strong", "em", "details", "summary",
}


class Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.codes, self.comments, self.rows, self.open = set(), [], [], [], 0

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "code":
            self.codes.append("")
            self.open += 1
        if tag == "tr":
            self.rows.append(0)
        if tag in ("td", "th"):
            self.rows[-1] += 1

    def handle_endtag(self, tag):
        if tag == "code":
            self.open -= 1

    def handle_data(self, data):
        if self.open:
            self.codes[-1] += data

    def handle_comment(self, data):
        self.comments.append(data.strip())


def visible(name):
    """The name as its escape shows it; what is cut or has a bar behind a backslash is compared elsewhere."""
    pairs = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    hidden = lambda c: ord(c) < 32 or 0x2028 <= ord(c) <= 0x202E or ord(c) & 0xFFFE == 0xFFFE
    text = "".join(pairs.get(c, f"\\u{{{ord(c):x}}}" if hidden(c) else c) for c in name)
    return text.replace("\\|", "\\\\u{7c}")


def main(imrec):
    problems = []

    def check(is_right, what):
        if not is_right:
            problems.append(what)

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        lines, truth = [], []
        for place, name in enumerate(NAMES):
            lines.append(json.dumps({"path": name, "predicted_label": (place + place % 2) % len(NAMES)}))
            truth.append(json.dumps({"path": name, "label": place}))
        lines.append(json.dumps({"path": "</td>|`unexpected", "predicted_label": 0}))
        truth.append(json.dumps({"path": "missing`|</td>", "label": 0}))
        (folder / "o.jsonl").write_text("\n".join(lines))
        (folder / "t.jsonl").write_text("\n".join(truth))
        classes = [visible(name) for name in NAMES]
        classes = [name + " " * place if classes.index(name) != place else name for place, name in enumerate(classes)]
        (folder / "c.txt").write_text("\n".join(classes) + "\n")
        run = subprocess.run(
            [imrec, "score", "o.jsonl", "--truth", "t.jsonl", "--classes", "c.txt", "--csv", "csv", "--markdown",
             "r.md", "--junit", "j.xml", "-o", "s.json", "--quiet", "--fail-under", "top1=0.4,top1=0.9"],
            cwd=folder, capture_output=True, text=True)
        check(run.returncode == 3, f"exit {run.returncode}: {run.stderr[-500:]}")
        score = json.loads((folder / "s.json").read_text())

        text = (folder / "r.md").read_text()
        reader = Reader()
        reader.feed(cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE))
        check(reader.tags <= TAGS, f"Markdown has tags {reader.tags - TAGS}")
        check(reader.comments == ["imrec score"], f"Markdown has comments {reader.comments}")
        check(set(reader.rows) <= {2, 3, 4, 6}, f"Markdown has rows of {set(reader.rows)} cells")
        check(not set("\u202e\u0000\u001b\u2028\r") & set(text), "Markdown has characters that cannot be seen")
        shown = set(reader.codes)
        for item in score["classes"]:
            if len(item["name"]) <= 80 and item["support"]:
                name = item["name"].replace("\\|", "\\\\u{7c}")
                check(name in shown, f"Markdown does not show {name!r}")
        for name in ("</td>|`unexpected", "missing`|</td>"):
            check(name in shown, f"Markdown does not show {name!r}")
        print(f"markdown: {len(reader.codes)} names in code")

        cell_count = 0
        for file in sorted((folder / "csv").glob("*.csv")):
            with open(file, newline="", encoding="utf-8") as stream:
                rows = list(csv.reader(stream, strict=True))
            check(len({len(row) for row in rows}) == 1, f"{file.name} has rows of different length")
            for cell in (cell for row in rows for cell in row):
                cell_count += 1
                try:
                    float(cell)
                except ValueError:
                    check(not cell or cell[0] not in "=+-@\t\r\n＝＋－＠", f"{file.name}: {cell!r}")
        with open(folder / "csv/predictions.csv", newline="", encoding="utf-8") as stream:
            paths = [row["path"] for row in csv.DictReader(stream)]
        plain = lambda cell: cell[1:] if cell.startswith("'") else cell
        pictured = lambda name: "".join(
            chr(0x2400 + ord(c)) if ord(c) < 32 and c not in "\t\r\n" else c for c in name)
        check([plain(path) for path in paths] == [pictured(p) for p in score["predictions"]["path"]], "paths differ")
        print(f"csv: {cell_count} cells")

        root = tree.parse(folder / "j.xml").getroot()
        for element in root.iter():
            required, optional, children = SCHEMA.get(element.tag, (None, None, None))
            check(required is not None, f"JUnit has an element {element.tag}")
            if required is None:
                continue
            check(set(required) <= set(element.attrib) <= set(required + optional), f"{element.tag}: {element.attrib}")
            check({child.tag for child in element} <= set(children), f"{element.tag} has other children")
        suite = root.find("testsuite")
        check(suite.get("tests") == str(len(suite.findall("testcase"))) == "3", "JUnit counts tests wrongly")
        check(suite.get("failures") == str(len(suite.findall(".//failure"))) == "2", "JUnit counts failures wrongly")
        print(f"junit: {sum(1 for _ in root.iter())} elements")
    for problem in problems:
        print("differs:", problem)
    print(f"reports: 3 compared, {len(problems)} differ")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(str(pathlib.Path(sys.argv[1]).resolve())))
