"""Runs one program and writes its figures as JSON: launch.py FIGURES PROGRAM ARGUMENT...

A process keeps the largest memory of the one it was forked from. This small launcher stands between the bench and
the program, so that what is told is the program's: nothing above some 10 MB comes from here.
"""
import os
import sys
import time

begun = time.monotonic()
child = os.fork()
if child == 0:
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    except OSError as error:
        os.write(2, f"{sys.argv[2]}: {error}\n".encode())
        os._exit(127)
_, status, used = os.wait4(child, 0)
seconds = time.monotonic() - begun
with open(sys.argv[1], "w") as figures:
    figures.write(f'{{"status": {os.waitstatus_to_exitcode(status)}, "seconds": {seconds}, '
                  f'"cpu_seconds": {used.ru_utime + used.ru_stime}, "peak_bytes": {used.ru_maxrss * 1024}}}')
