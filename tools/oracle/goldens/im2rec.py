"""Writes Tests/CommandTests/Goldens/im2rec-lists.txt: what MXNet 1.9.1's im2rec.py --list makes of one tree.

Run with a Python that has mxnet 1.9.1 (numpy 1.23.5, opencv-python-headless below 4.9); no arguments.
The file holds the tree, then each case: its arguments, the standard output and every list, as they are.
Lines of the cases start with '|', so that nothing in them can be taken for a heading.
"""
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile

TREE = """
root.jpg
zebra.PNG
10/b.jpg
10/a.jpg
2/x.jpeg
2/y.gif
B/one.jpg
a/two.JPeG
a/one.jpg
a/sub/deep.png
a/sub/deeper/very.jpg
a-b/dash.jpg
b/.hidden.jpg
b/.jpg
b/noextension
b/two.dots.png
empty/
only-text/readme.txt
only-text/inner/found.jpg
\u00e9t\u00e9/plage.jpg
e\u0301te\u0301/plage.jpg
\U0001d11e/clef.png
\uffee/wide.png
z/1.jpg
z/2.jpg
z/3.jpg
z/4.jpg
z/with space.jpg
""".split("\n")[1:-1]

CASES = [
    "",
    "--no-shuffle",
    "--recursive",
    "--recursive --no-shuffle",
    "--recursive --chunks 3",
    "--recursive --chunks 30",
    "--recursive --train-ratio 0.6 --test-ratio 0.2",
    "--recursive --train-ratio 0.7 --test-ratio 0.3",
    "--recursive --train-ratio 0.5",
    "--recursive --train-ratio 0",
    "--recursive --train-ratio 0.9 --test-ratio 0.1 --chunks 2",
    "--recursive --train-ratio 0.8 --test-ratio 0.1 --chunks 4 --no-shuffle",
    "--recursive --train-ratio 0.9 --test-ratio 0.4",
    "--recursive --test-ratio 0.5",
    "--recursive --exts .gif .txt",
    "--rec --train 0.35 --test=0.65",
]


def main():
    tool = os.path.join(os.path.dirname(importlib.util.find_spec("mxnet").origin), "tools", "im2rec.py")
    target = pathlib.Path(__file__).resolve().parents[3] / "Tests/CommandTests/Goldens/im2rec-lists.txt"
    with tempfile.TemporaryDirectory() as scratch, open(target, "w", encoding="utf-8") as out:
        root = os.path.join(scratch, "tree")
        out.write("tree\n")
        for path in TREE:
            out.write(f"|{path}\n")
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            if not path.endswith("/"):
                open(os.path.join(root, path), "w").close()
        for number, case in enumerate(CASES):
            lists = os.path.join(scratch, str(number))
            os.mkdir(lists)
            # Options stand after the positionals, where --exts cannot take them.
            command = [sys.executable, tool, os.path.join(lists, "p"), root, "--list"] + case.split()
            done = subprocess.run(command, check=True, capture_output=True, env=dict(os.environ, PYTHONUTF8="1"))
            out.write(f"case {case}\n")
            write(out, "stdout", done.stdout.decode())
            for name in sorted(os.listdir(lists)):
                with open(os.path.join(lists, name), encoding="utf-8") as file:
                    write(out, name, file.read())


def write(out, title, text):
    out.write(f"file {title}\n")
    for line in text.split("\n")[:-1]:
        out.write(f"|{line}\n")


if __name__ == "__main__":
    main()
