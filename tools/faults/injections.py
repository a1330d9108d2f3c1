"""A system call of every kind fails, or kills the program, at every place where it touches an output."""
import os
import shutil

from pictures import draw_classes
from trial import Tally, digests, run, scratch

ERRORS = {
    "openat": ["EIO", "EMFILE", "ENOSPC"], "pwrite64": ["ENOSPC", "EIO", "EINTR"], "fsync": ["EIO", "ENOSPC"],
    "rename": ["EIO", "ENOSPC"], "ftruncate": ["EIO"], "flock": ["EINTR", "ENOLCK"], "fstat": ["EIO"],
    "newfstatat": ["EIO"], "unlink": ["EIO"], "pread64": ["EIO", "EINTR"], "mkdir": ["ENOSPC"], "close": ["EIO"],
}


class Job:
    """A command with outputs: what lies in the folder before, what after."""

    def __init__(self, name, folder, *arguments, resumes=False):
        self.name, self.arguments, self.resumes = name, arguments, resumes
        self.base, self.work = os.path.join(folder, name + "-before"), os.path.join(folder, "out")
        shutil.rmtree(self.base, ignore_errors=True)
        os.makedirs(self.base)
        self.reset()
        self.reference = run(*arguments, cwd=self.work)
        assert self.reference.status in (0, 2), self.reference
        self.after = digests(self.work)
        # Former outputs that differ from the new ones, but for a folder that has to be empty.
        if name != "extract":
            for path in self.after:
                target = os.path.join(self.base, path)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with open(target, "w") as out:
                    out.write("former\n")
        self.before = digests(self.base)
        self.names = sorted({*self.after, *self.before})

    def reset(self):
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.base, self.work)

    def paths(self):
        """strace's filters: the outputs under both names, and the folder itself."""
        names = [self.work]
        for name in self.names + [name + ".journal" for name in self.names if name.endswith(".rec")]:
            path = os.path.join(self.work, name)
            names += [path, path + ".partial"]
        return [part for name in names for part in ("-P", name)]

    def is_old_or_new(self):
        """The name of a file that is neither the former one nor the new one; None where all are."""
        for name, digest in digests(self.work).items():
            if digest not in (self.before.get(name), self.after.get(name)):
                return name
        missing = [name for name in self.before if not os.path.exists(os.path.join(self.work, name))]
        return missing[0] if missing else None


def jobs(folder):
    photos = os.path.join(folder, "photos")
    draw_classes(photos, 2, 25, broken=1)
    run("convert", photos, os.path.join(folder, "in"), "--per-class", 20)
    rec, lst = (os.path.join(folder, "in-20-train" + suffix) for suffix in (".rec", ".lst"))
    other = os.path.join(folder, "in-20-val.rec")
    return [
        Job("convert", folder, "convert", photos, "c", "--per-class", 20, "--jobs", 2, resumes=True),
        Job("pack", folder, "pack", lst, photos, "-o", "p.rec", "--jobs", 2, resumes=True),
        Job("list", folder, "list", photos, "l", "--folds", 3),
        Job("merge", folder, "merge", "m.rec", rec, other, "--renumber"),
        Job("tensors", folder, "tensors", other, "-o", "t.npy", "--shape", "3,16,16"),
        Job("verify", folder, "verify", rec, "--salvage", "s.rec"),
        Job("extract", folder, "extract", other, "images"),
    ]


def inject(job, call, fault, number):
    job.reset()
    # One thread takes all results, so that the number counts the same calls in each run.
    before = ["strace", "-f", "-qq", "-o", "trace", *job.paths(), "-e", f"trace={call}",
              "-e", f"inject={call}:{fault}:when={number}"]
    result = run(*job.arguments, before=before, cwd=job.work)
    with open(os.path.join(job.work, "trace")) as trace:
        text = trace.read()
    os.unlink(os.path.join(job.work, "trace"))
    return result, "(INJECTED)" in text or "killed by SIGKILL" in text


def again(job):
    """A run without faults after one with: it has to end as if nothing had been."""
    if job.name == "extract":
        return run(*job.arguments, "--overwrite", cwd=job.work)
    return run(*job.arguments, *(["--resume"] if job.resumes else []), cwd=job.work)


def main(most):
    errors = Tally("an input or output error is reported, and each file is the old one or the new one")
    kills = Tally("killed at any system call on an output, each file is the old one or the new one")
    reruns = Tally("the run after a fault ends with the same bytes as an undisturbed one")
    with scratch() as folder:
        for job in jobs(folder):
            for call, faults in ERRORS.items():
                for fault in [f"error={name}" for name in faults] + ["signal=SIGKILL"]:
                    misses = 0
                    for number in range(1, most + 1):
                        result, happened = inject(job, call, fault, number)
                        if not happened:
                            # Calls are counted by thread: the next number may still be reached in another run.
                            misses += 1
                            if misses == 2:
                                break
                            continue
                        check(job, result, f"{job.name}: {call} {fault} at {number}",
                              kills if "KILL" in fault else errors)
                        rerun = again(job)
                        same = digests(job.work) == job.after
                        reruns.check(rerun.status == job.reference.status and same,
                                     f"{job.name}: {call} {fault} at {number}:", rerun)
    for tally in (errors, kills, reruns):
        tally.close()


def check(job, result, what, tally):
    odd = job.is_old_or_new()
    if "KILL" in what:
        tally.check(odd is None, what, "leaves", odd)
        return
    # Some faults do no harm: an interrupted call is made again, a failed close or unlink loses nothing.
    fine = result.status in (job.reference.status, 1) and odd is None
    if result.status == 1:
        fine = fine and "imrec: " in result.err
    elif fine:
        fine = digests(job.work) == job.after
    tally.check(fine, what, "leaves", odd, result)


if __name__ == "__main__":
    import sys

    from trial import HAS_STRACE, finish
    if not HAS_STRACE:
        sys.exit("strace is not installed: apt-get install strace")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
    finish()
