#!/usr/bin/env python3
"""Writes the manual pages of imrec, of each of its verbs and of im2rec from what the programs say of themselves.

    manual_pages.py IMREC IM2REC FOLDER --version 0.2.0 --date 2026-12-01

imrec describes its verbs as JSON (`--experimental-dump-help` of swift-argument-parser); im2rec has only its help text.
The pages have names such as imrec-convert.1, so that `man imrec convert` finds them. swift-argument-parser has a plugin
for such pages; it builds every product of the package once more, and calls the pages imrec.convert.1.
"""
import argparse
import json
import re
import subprocess
from pathlib import Path


def escaped(text):
    """Text that roff prints as it stands; a hyphen stays the hyphen that options are written with."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def bold(text):
    return f"\\fB{escaped(text)}\\fR"


def italic(text):
    return f"\\fI{escaped(text)}\\fR"


def verbatim(lines):
    return [".PP", ".EX", *(escaped(line) for line in lines), ".EE"]


def heading(name, version, date):
    program = name.split("-")[0]
    return ['.\\" Made by tools/package.', f'.TH "{name.upper()}" "1" "{date}" "{program} {version}" "User Commands"']


def without_stop(text):
    return text[:-1] if text.endswith(".") else text


def discussion_blocks(text):
    """The paragraphs of a discussion and its examples: what follows EXAMPLE: and the lines that belong to it."""
    paragraphs, examples, usage = [[]], [], False
    for line in text.splitlines():
        continues = usage and (line[:1] in (" ", "\t") or examples[-1].endswith("\\") or line.startswith("then: "))
        if line.startswith("EXAMPLE: "):
            usage = True
            examples.append(line.removeprefix("EXAMPLE: "))
        elif continues:
            examples.append(line.removeprefix("then: ").strip() if line.startswith("then: ") else "    " + line.strip())
        elif line.startswith(("USAGE: ", "EXIT STATUS: ")):
            usage = False
        elif line.strip():
            usage = False
            paragraphs[-1].append(line.strip())
        else:
            usage = False
            paragraphs.append([])
    return [" ".join(lines) for lines in paragraphs if lines], examples


def exit_statuses(text):
    """The pairs of EXIT STATUS: 0 done, 1 failed, ..., which a middle dot stands between."""
    found = re.search(r"EXIT STATUS: ((?:.+\n?)+)", text)
    words = " ".join(found.group(1).split()) if found else ""
    return [part.strip().split(" ", 1) for part in words.split("·") if part.strip()]


def argument_title(argument):
    value = argument.get("valueName", "")
    if argument["kind"] == "positional":
        return italic(value) + (" ..." if argument["isRepeating"] else "")
    names = sorted(argument["names"], key=lambda name: name["kind"] != "short")
    spelt = ", ".join(bold(("--" if name["kind"] == "long" else "-") + name["name"]) for name in names)
    return f"{spelt} {italic(value)}" if argument["kind"] == "option" else spelt


def argument_text(argument):
    text = argument.get("abstract", "")
    values = [value for value in argument.get("allValues", []) if value not in text]
    if values:
        text += f" One of {', '.join(argument['allValues'])}."
    default = argument.get("defaultValue")
    if default not in (None, "") and "(default" not in text:
        text += f" (default: {default})"
    return text.strip() or "See the description."


def synopsis(path, command):
    line = [bold(" ".join(path))]
    if any(shown(verb) for verb in command.get("subcommands", [])):
        line.append(italic("verb") + " ...")
    arguments = [argument for argument in command.get("arguments", []) if argument["shouldDisplay"]]
    if any(argument["kind"] != "positional" and argument["isOptional"] for argument in arguments):
        line.append("[" + italic("option") + " ...]")
    for argument in arguments:
        title = argument_title(argument)
        if argument["kind"] == "positional":
            line.append(f"[{title}]" if argument["isOptional"] else title)
        elif not argument["isOptional"]:
            line.append(title)
    return " ".join(line)


def shown(command):
    return command.get("shouldDisplay", True) and command["commandName"] != "help"


def page_of_verb(path, command, statuses, version, date, see_also):
    name = "-".join(path)
    page = heading(name, version, date)
    page += [".SH NAME", f"{escaped(name)} \\- {escaped(without_stop(command.get('abstract', '')))}"]
    page += [".SH SYNOPSIS", synopsis(path, command)]
    paragraphs, examples = discussion_blocks(command.get("discussion", ""))
    if paragraphs:
        page.append(".SH DESCRIPTION")
        for paragraph in paragraphs:
            page += [".PP", escaped(paragraph)]
    verbs = [verb for verb in command.get("subcommands", []) if shown(verb)]
    if verbs:
        page.append(".SH VERBS")
        for verb in verbs:
            page += [".TP", f"{bold('-'.join([*path, verb['commandName']]))}(1)", escaped(verb.get("abstract", ""))]
    # Those of no group come first, as in the help.
    groups = {"": []}
    for argument in command.get("arguments", []):
        if argument["shouldDisplay"] and argument["kind"] != "positional":
            groups.setdefault(argument.get("sectionTitle", ""), []).append(argument)
    positional = [argument for argument in command.get("arguments", []) if argument["kind"] == "positional"]
    for title, arguments in [("ARGUMENTS", positional), ("OPTIONS", groups.pop(""))]:
        if arguments or title == "OPTIONS" and groups:
            page += [f".SH {title}", *entries(arguments)]
    for title, arguments in groups.items():
        page += [f'.SS "{escaped(title)}"', *entries(arguments)]
    page += status_section(statuses)
    if examples:
        page += [".SH EXAMPLES", *verbatim(examples)]
    page.append(".SH SEE ALSO")
    page.append(", ".join(f"{bold(other)}(1)" for other in see_also if other != name))
    return name, page


def entries(arguments):
    lines = []
    for argument in arguments:
        lines += [".TP", argument_title(argument), escaped(argument_text(argument))]
    return lines


def status_section(statuses):
    section = [".SH EXIT STATUS"] if statuses else []
    for status, meaning in statuses:
        section += [".TP", bold(status), escaped(meaning[:1].upper() + meaning[1:] + ".")]
    return section


def pages_of_imrec(description, version, date):
    root = description["command"]
    statuses = exit_statuses(root.get("discussion", ""))

    def walk(path, command):
        verbs = [verb for verb in command.get("subcommands", []) if shown(verb)]
        names = ["-".join([*path, verb["commandName"]]) for verb in verbs]
        parent = "-".join(path[:-1])
        others = [*([parent] if parent else []), *names, "im2rec"]
        yield page_of_verb(path, command, statuses, version, date, others)
        for verb in verbs:
            yield from walk([*path, verb["commandName"]], verb)

    yield from walk([root["commandName"]], root)


def page_of_im2rec(help_text, version, date):
    """Its help: paragraphs that begin with a word in capitals, lists of options that a line in capitals heads."""
    page = heading("im2rec", version, date)
    blocks = [block.splitlines() for block in re.split(r"\n{2,}", help_text.strip("\n"))]
    statuses = exit_statuses(help_text)
    overview = " ".join(blocks[0]).removeprefix("OVERVIEW: ")
    abstract, _, rest = overview.partition(". ")
    page += [".SH NAME", f"im2rec \\- {escaped(without_stop(abstract))}"]
    usage = next(block for block in blocks if block[0].startswith("USAGE: "))
    page.append(".SH SYNOPSIS")
    for line in usage:
        page += [".nf" if line is usage[0] else ".br", escaped(line.removeprefix("USAGE: ").strip())]
    page += [".fi", ".SH DESCRIPTION", escaped(rest)]
    examples = []
    for block in blocks[1:]:
        if block is usage or block[0].startswith("EXIT STATUS: "):
            continue
        if block[0].startswith("EXAMPLE: "):
            examples = [line.removeprefix("EXAMPLE: ").strip() for line in block]
            continue
        if re.fullmatch(r"[A-Z0-9 .,-]+", block[0]):
            page.append(f'.SH "{escaped(block[0])}"')
            block = block[1:]
        elif block[0].startswith(" "):
            page.append(".SH ARGUMENTS")
        if not block[0].startswith(" "):
            page += [".PP", escaped(" ".join(line.strip() for line in block))]
            continue
        for line in block:
            # A long option leaves one space before its text, others two or more.
            entry = re.fullmatch(r" {1,4}(\S.*?)(?: {2,}|(?<=>) (?!\.\.\. ))(\S.*)", line)
            if line.startswith(" " * 12) or not entry:
                page.append(escaped(line.strip()))
            else:
                page += [".TP", bold(entry.group(1)), escaped(entry.group(2))]
    page += status_section(statuses)
    if examples:
        page += [".SH EXAMPLES", *verbatim(examples)]
    page += [".SH SEE ALSO", f"{bold('imrec')}(1), {bold('imrec-pack')}(1), {bold('imrec-list')}(1)"]
    return "im2rec", page


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("imrec")
    parser.add_argument("im2rec")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--version", required=True)
    parser.add_argument("--date", required=True)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    description = json.loads(output_of(given.imrec, "--experimental-dump-help"))
    pages = [*pages_of_imrec(description, given.version, given.date)]
    pages.append(page_of_im2rec(output_of(given.im2rec, "--help"), given.version, given.date))
    for name, page in pages:
        (given.folder / f"{name}.1").write_text("\n".join(page) + "\n")
    print(f"{len(pages)} manual pages")


if __name__ == "__main__":
    main()
