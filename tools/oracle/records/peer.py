"""Runs MXNet's own im2rec.py, unchanged. Loading MXNet takes over a second, so each run is a fork of this process.

Nothing here may use OpenCV before a fork: its threads would not be there in the child.
"""
import gc
import os
import pathlib
import runpy
import sys
import traceback

import mxnet

SCRIPT = pathlib.Path(mxnet.__file__).parent / "tools" / "im2rec.py"


def im2rec_py(*words, folder):
    """Runs im2rec.py with these arguments in `folder`: its exit status, and the bytes of stdout and stderr."""
    outputs = [pathlib.Path(folder) / f".peer-{name}" for name in ("stdout", "stderr")]
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for number, path in zip((1, 2), outputs):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
            os.chdir(folder)
            sys.argv = [str(SCRIPT), *map(os.fspath, words)]
            runpy.run_path(str(SCRIPT), run_name="__main__")
            status = 0
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            gc.collect()  # without workers im2rec.py leaves its .rec to be closed by the end of the interpreter
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said = [path.read_bytes() for path in outputs]
    for path in outputs:
        path.unlink()
    return status, *said
