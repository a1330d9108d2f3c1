#!/usr/bin/env python3
"""Lists what a build of imrec and im2rec is made of: an SPDX document, and Debian's copyright file.

    linked.py ROOT SCRATCH PROGRAM... --unstripped PROGRAM... --version 0.2.0 --commit REVISION
              --spdx FILE --copyright FILE --notices FILE

ROOT is the project's folder and SCRATCH the folder that `swift build` wrote. PROGRAM are the files that are shipped,
and --unstripped the same with their symbols. SOURCE_DATE_EPOCH is the documents' time. The file of notices has what
the linked packages want to be passed on with them.

Three kinds of parts are listed: Swift packages (each object file that was linked leads to its source, and the source to
its package), the parts of Swift's toolchain whose symbols are in the programs, and the shared libraries that the
programs ask for, with the Debian packages that they are in. A licence that is not recognised is an error, not a gap.
"""
import argparse
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

SWIFT_LICENCE = "Apache-2.0 WITH Swift-exception"
SWIFT_AUTHORS = "Apple Inc. and the Swift project authors"
# Parts of the toolchain: name, licence, copyright, home, a pattern of its symbols.
TOOLCHAIN = [
    ("swift-runtime", SWIFT_LICENCE, SWIFT_AUTHORS, "https://github.com/swiftlang/swift", r" swift_retain$"),
    ("swift-corelibs-libdispatch", SWIFT_LICENCE, SWIFT_AUTHORS, "https://github.com/swiftlang/swift-corelibs-libdispatch",
     r" _dispatch_"),
    ("swift-foundation", SWIFT_LICENCE, SWIFT_AUTHORS, "https://github.com/swiftlang/swift-foundation",
     r" \$s20FoundationEssentials"),
    ("swift-corelibs-foundation", SWIFT_LICENCE, SWIFT_AUTHORS, "https://github.com/swiftlang/swift-corelibs-foundation",
     r" \$s10Foundation\d"),
    ("swift-foundation-icu", "Unicode-3.0", "Unicode, Inc. and others", "https://github.com/swiftlang/swift-foundation-icu",
     r" icudt\d+_dat$"),
]
# Code that a Swift package took from elsewhere: module, name, licence, the licence's file in the package.
TAKEN = {"CNIOLLHTTP": ("llhttp", "MIT", "Sources/CNIOLLHTTP/LICENSE")}
# The licences of the code of shared libraries, as their Debian copyright files have them.
LIBRARIES = {
    "libc6": "LGPL-2.1-or-later", "libstdc++6": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libgcc-s1": "GPL-3.0-or-later WITH GCC-exception-3.1", "libjpeg62-turbo": "IJG AND BSD-3-Clause AND Zlib",
    "libpng16-16": "libpng-2.0", "zlib1g": "Zlib", "libarchive13": "BSD-2-Clause", "libsqlite3-0": "blessing",
    "libopenblas0-pthread": "BSD-3-Clause", "libssl3": "Apache-2.0", "libcurl4": "curl",
}


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def fail(sentence):
    sys.exit(f"tools/packaging/linked.py: {sentence}")


# ---- Swift packages

def linked_modules(release):
    """The modules whose objects the linker took: name and one source."""
    modules = {}
    for listing in sorted(release.glob("im*rec.product/Objects.LinkFileList")):
        for line in listing.read_text().splitlines():
            found = re.fullmatch(r"(.*/([^/]+)\.build)/.*\.o", line.strip().strip("'\""))
            if found:
                modules.setdefault(found.group(2), release / f"{found.group(2)}.build")
    return modules


def sources_of(build):
    """The paths that a module was compiled from, in the build's own view of the file system."""
    if (build / "sources").exists():
        return (build / "sources").read_text().split("\n")
    words = (word for file in sorted(build.rglob("*.d")) for word in file.read_text().split())
    return [word for word in words if word.endswith((".c", ".cpp"))]


def licence_of(text, what):
    """The SPDX name of a licence's text."""
    if "Apache License" in text and "Version 2.0" in text:
        return SWIFT_LICENCE if "Runtime Library Exception" in text else "Apache-2.0"
    if "Permission is hereby granted, free of charge, to any person obtaining" in " ".join(text.split()):
        return "MIT"
    if "Redistribution and use in source and binary forms" in text:
        return "BSD-3-Clause" if "endorse or promote" in text else "BSD-2-Clause"
    return fail(f"the licence of {what} is none of those known here: add it to licence_of")


def copyright_in(text):
    line = r"^[\s/*#]*Copyright (?:\(c\) |\(C\) |© )?(?!notice|license|owner|holder|\[)(.+)$"
    found = re.search(line, text, re.MULTILINE)
    return found.group(1).strip().rstrip(".") if found else None


def first(folder, *patterns):
    return next((file for pattern in patterns for file in sorted(folder.glob(pattern))), None)


def swift_packages(scratch, release):
    """Every package with a linked module, and what such a package took from elsewhere."""
    state = json.loads((scratch / "workspace-state.json").read_text())
    known = {dependency["subpath"]: dependency for dependency in state["object"]["dependencies"]}
    modules_of, parts = {}, []
    for module, build in linked_modules(release).items():
        for source in sources_of(build):
            found = re.search(r"/checkouts/([^/]+)/", source)
            if found:
                modules_of.setdefault(found.group(1), []).append(module)
                break
    for name in sorted(modules_of, key=str.lower):
        folder, dependency = scratch / "checkouts" / name, known[name]
        checkout = dependency["state"]["checkoutState"]
        licence = first(folder, "LICENSE*") or fail(f"{name} has no licence file")
        notice = first(folder, "NOTICE*")
        text = licence.read_text()
        holder = (copyright_in(notice.read_text()) if notice else None) or copyright_in(text)
        if not holder:
            holders = (copyright_in(file.read_text()[:2000]) for file in sorted(folder.glob("Sources/**/*.swift")))
            holder = next((holder for holder in holders if holder), None) or fail(f"{name} names no copyright holder")
        version = checkout.get("version") or checkout["revision"]
        parts.append({
            "name": name, "version": version, "licence": licence_of(text, name), "copyright": holder,
            "place": f"git+{dependency['packageRef']['location']}@{checkout['revision']}",
            "text": text, "notice": notice.read_text() if notice else "", "link": "STATIC_LINK",
            "comment": f"Modules: {', '.join(sorted(modules_of[name]))}",
        })
        for module in sorted(modules_of[name]):
            if module in TAKEN:
                taken, taken_licence, file = TAKEN[module]
                text = (folder / file).read_text()
                parts.append({
                    "name": taken, "version": None, "licence": taken_licence, "copyright": copyright_in(text),
                    "place": None, "text": text, "notice": "", "link": "STATIC_LINK",
                    "comment": f"Taken over by {name} {version}, module {module}",
                })
    return parts


# ---- the toolchain, the system

def toolchain_parts(programs):
    version = re.search(r"Swift version (\S+)", output_of("swift", "--version")).group(1)
    symbols = "".join(output_of("nm", "--defined-only", str(program)) for program in programs)
    return [{
        "name": name, "version": version, "licence": licence, "copyright": holder,
        "place": f"git+{home}@swift-{version}-RELEASE", "text": "", "notice": "", "link": "STATIC_LINK",
        "comment": "Of the Swift toolchain",
    } for name, licence, holder, home, pattern in TOOLCHAIN if re.search(pattern, symbols, re.MULTILINE)]


def shared_libraries(programs):
    parts, seen = [], set()
    for program in programs:
        wanted = re.findall(r"\(NEEDED\).*\[(.+)\]", output_of("readelf", "--dynamic", "--wide", str(program)))
        found = dict(re.findall(r"^\s*(\S+) => (/\S+)", output_of("ldd", str(program)), re.MULTILINE))
        for library in wanted:
            if library.startswith("ld-linux"):
                continue
            package = debian_package(found[library])
            if package in seen:
                continue
            seen.add(package)
            version = output_of("dpkg-query", "--showformat=${Version}", "--show", package).strip()
            name = package.split(":")[0]
            parts.append({
                "name": name, "version": version, "licence": LIBRARIES.get(name, "NOASSERTION"), "copyright": None,
                "place": None, "text": "", "notice": "", "link": "DYNAMIC_LINK", "comment": f"{library} of Debian",
            })
    return sorted(parts, key=lambda part: part["name"])


def debian_package(path):
    """The package of a library; its path is one of several where /lib is a link to /usr/lib."""
    real = os.path.realpath(path)
    for name in (path, real, real.removeprefix("/usr"), "/usr" + path):
        answer = subprocess.run(["dpkg-query", "--search", name], capture_output=True, text=True)
        if answer.returncode == 0:
            return answer.stdout.split(": ")[0]
    return fail(f"{path} belongs to no Debian package")


# ---- the documents

def project_licence(root):
    file = first(root, "LICENSE*", "COPYING*")
    return (licence_of(file.read_text(), "imrec"), file.read_text()) if file else ("NONE", "")


def spdx_document(given, parts, created, licence):
    def identifier(name):
        return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)

    files, digests = [], []
    for program in given.programs:
        data = program.read_bytes()
        digests.append(hashlib.sha256(data).hexdigest())
        files.append({
            "SPDXID": identifier(f"File-{program.name}"), "fileName": f"./usr/bin/{program.name}",
            "fileTypes": ["BINARY"],
            "checksums": [{"algorithm": "SHA1", "checksumValue": hashlib.sha1(data).hexdigest()},
                          {"algorithm": "SHA256", "checksumValue": digests[-1]}],
            "licenseConcluded": "NOASSERTION", "licenseInfoInFiles": ["NOASSERTION"], "copyrightText": "NOASSERTION",
        })
    own = {"name": "imrec", "version": given.version, "licence": licence, "copyright": None, "place": None,
           "comment": ""}
    packages, relations = [], []
    for part in [own, *parts]:
        package = {
            "SPDXID": identifier(f"Package-{part['name']}"), "name": part["name"], "filesAnalyzed": False,
            "downloadLocation": part["place"] or "NOASSERTION", "licenseDeclared": part["licence"],
            "licenseConcluded": part["licence"] if part is not own else "NOASSERTION",
            "copyrightText": f"Copyright {part['copyright']}" if part["copyright"] else "NOASSERTION",
        }
        if part["version"]:
            package["versionInfo"] = part["version"]
        if part["comment"]:
            package["comment"] = part["comment"]
        packages.append(package)
        if part is not own:
            relations.append((identifier("Package-imrec"), part["link"], package["SPDXID"]))
    relations += [(identifier("Package-imrec"), "CONTAINS", file["SPDXID"]) for file in files]
    packages[0]["sourceInfo"] = f"commit {given.commit}"
    unique = uuid.uuid5(uuid.NAMESPACE_OID, given.version + given.commit + "".join(digests))
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"imrec-{given.version}", "documentNamespace": f"urn:uuid:{unique}",
        "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": [f"Tool: imrec-tools-package-{given.version}"]},
        "documentDescribes": [identifier("Package-imrec")], "packages": packages, "files": files,
        "relationships": [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b}
                          for a, kind, b in relations],
    }


def debian_name(licence):
    """The same licence as Debian's copyright files name it."""
    return {SWIFT_LICENCE: "Apache-2.0 with Swift-exception", "MIT": "Expat"}.get(licence, licence)


def indented(text):
    return "\n".join(f" {line.rstrip()}" if line.strip() else " ." for line in text.strip("\n").splitlines())


def copyright_file(parts, year, licence, licence_text):
    head = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: imrec
Comment:
 The programs of this package have the Swift packages and the parts of Swift's
 toolchain that are listed here linked into them; /usr/share/doc/imrec/imrec.spdx.json
 has their versions and places."""
    own = f"Files: *\nCopyright: {year} the authors of imrec\n"
    if licence == "NONE":
        own += """License: none-stated
 The source of imrec has no licence file: its authors have granted no licence to
 copy, change or distribute it."""
    else:
        own += f"License: {debian_name(licence)}" + (f"\n{indented(licence_text)}" if "Apache" not in licence else "")
    paragraphs, texts, notices = [head, own], {}, []
    for part in parts:
        if part["link"] != "STATIC_LINK":
            continue
        name = debian_name(part["licence"])
        paragraph = f"Files: {part['name']}/*\nCopyright: {part['copyright']}\nLicense: {name}"
        if part["licence"] in ("MIT", "BSD-2-Clause", "BSD-3-Clause"):
            paragraph += f"\n{indented(part['text'])}"
        else:
            texts[name] = part["text"] or texts.get(name, "")
        if part["notice"]:
            notices.append((part["name"], part["notice"]))
        paragraphs.append(paragraph)
    apache = "On Debian systems its text is in /usr/share/common-licenses/Apache-2.0."
    for name, text in sorted(texts.items()):
        if name == "Apache-2.0":
            words = f"Version 2.0 of the Apache License. {apache}"
        elif name.startswith("Apache-2.0 with"):
            exception = re.sub(r"^ +", "", text[text.index("As an exception"):], flags=re.MULTILINE)
            words = f"Version 2.0 of the Apache License, with the exception below. {apache}\n\n{exception}"
        else:
            words = (Path(__file__).parent / f"{name}.txt").read_text()
        paragraphs.append(f"License: {name}\n{indented(words)}")
    return "\n\n".join(paragraphs) + "\n", notices


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("programs", type=Path, nargs="+")
    parser.add_argument("--unstripped", type=Path, nargs="+", required=True)
    for name in ("--spdx", "--copyright", "--notices"):
        parser.add_argument(name, type=Path, required=True)
    for name in ("--version", "--commit"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    created = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.UTC)
    licence, licence_text = project_licence(given.root)
    linked = swift_packages(given.scratch, (given.scratch / "release").resolve())
    linked += toolchain_parts(given.unstripped)
    parts = linked + shared_libraries(given.programs)
    document = spdx_document(given, parts, created, licence)
    given.spdx.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    text, notices = copyright_file(parts, created.year, licence, licence_text)
    given.copyright.write_text(text)
    given.notices.write_text("\n\n".join(f"{name}\n{'=' * 72}\n{notice.strip()}" for name, notice in notices) + "\n")
    print(f"{len(linked)} parts are linked in, {len(parts) - len(linked)} packages of Debian are asked for")


if __name__ == "__main__":
    main()
