"""What tools/bench/infer, precision and train measure, a class for each way of running something."""
import json
import re
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

from measure import Case, Failed


class Steady(Case):
    """A program that is run anew for each figure: nothing is left to end."""

    def end(self):
        pass


class Bare(Steady):
    """imrec bench infer: the engine alone. Loading and a first run are not in the figure."""

    def __init__(self, name, words, batch):
        super().__init__(name, [str(word) for word in [*words, "--json", "--quiet"]], batch, self.speed)
        self.facts, self.difference = {}, None

    def speed(self, result):
        self.facts = json.loads(result["out"])
        return self.facts["images_per_second"]

    def record(self):
        return {**super().record(), "difference": self.difference}


class Loading(Bare):
    """The seconds from the file to a network that can run."""

    def once(self, scratch, keep):
        super().once(scratch, keep)
        if keep:
            self.runs[-1]["load_seconds"] = self.facts["batches"][0]["load_seconds"]


class Transformed(Steady):
    """imrec transform from its start to its end; the figure is its own, of images, without loading the model."""

    def __init__(self, name, words, count, before):
        words = [str(word) for word in [*words, "--json", "--quiet"]]
        super().__init__(name, words, count, lambda result: json.loads(result["out"])["images_per_second"],
                         before=before)


class Runtime:
    """A peer in a process that stays (infer_peer.py): a round is as many runs of a batch as take about a second."""

    def __init__(self, name, words, batch):
        self.name, self.words, self.images = name, [str(word) for word in words], batch
        self.runs, self.process, self.count, self.difference = [], None, 0, None

    def timed(self, count):
        """The seconds that some runs take together."""
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def once(self, _, keep):
        if self.process is None:
            self.process = subprocess.Popen(self.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.DEVNULL, text=True)
            found = re.fullmatch(r"ready (\S+)\n", self.process.stdout.readline())
            if not found:
                raise Failed(f"{' '.join(self.words)}: it failed, or its probabilities are not MXNet's")
            self.difference = float(found.group(1))
            self.count = max(1, round(2 / self.timed(2)))
        seconds = self.timed(self.count)
        if keep:
            self.runs.append({"seconds": seconds, "images_per_second": self.count * self.images / seconds})

    def end(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait(timeout=60)
            self.process = None

    def record(self):
        return {"name": self.name, "command": self.words, "images": self.images, "difference": self.difference,
                "runs": self.runs,
                "median": {what: statistics.median(run[what] for run in self.runs) for what in self.runs[0]}}


class Trained(Case):
    """One process that trains some steps and prints its figures as JSON; loading and the first steps are not in
    them."""

    def __init__(self, name, words, batch):
        super().__init__(name, [str(word) for word in words], batch, self.speed)
        self.facts = {}

    def speed(self, result):
        last = result["out"].strip().splitlines()[-1]
        self.facts = json.loads(last if last.startswith("{") else result["out"])
        return self.facts["images_per_second"]


class Hosted:
    """imrec host under wrk's clients, all sending one photograph; what /ping takes meanwhile is taken down, too."""

    def __init__(self, name, words, photograph, clients, seconds, scratch):
        self.name, self.words, self.images = name, [str(word) for word in words], 1
        self.clients, self.seconds, self.scratch, self.photograph = clients, seconds, scratch, photograph
        self.runs, self.process, self.address = [], None, ""

    def start(self):
        with open(self.scratch / "host.log", "wb") as log:
            self.process = subprocess.Popen([*self.words, "--port", "0"], stdout=log, stderr=log)
        for _ in range(300):
            found = re.search(r"http://\S+?:\d+", (self.scratch / "host.log").read_text(errors="replace"))
            if found:
                self.address = found.group()
                break
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            raise Failed("imrec host did not say where it listens")
        if not self.address:
            raise Failed(f"imrec host ended: {(self.scratch / 'host.log').read_text(errors='replace')[-300:]}")
        script = self.scratch / "post.lua"
        script.write_text(
            f'local file = io.open("{self.photograph}", "rb")\nwrk.method = "POST"\nwrk.body = '
            'file:read("*a")\nfile:close()\nwrk.headers["Content-Type"] = "image/jpeg"\n'
            'done = function(summary, latency)\n'
            '  io.write(string.format("RESULT %d %d %d %f %f\\n", summary.requests, summary.duration, '
            'summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout, '
            'latency:percentile(50), latency:percentile(99)))\nend\n')

    def pings(self, stop, times):
        while not stop.is_set():
            begun = time.perf_counter()
            with urllib.request.urlopen(f"{self.address}/ping", timeout=30) as answer:
                answer.read()
            times.append(time.perf_counter() - begun)
            stop.wait(0.1)

    def once(self, _, keep):
        if self.process is None:
            self.start()
        stop, times = threading.Event(), []
        pinging = threading.Thread(target=self.pings, args=(stop, times))
        pinging.start()
        done = subprocess.run(
            ["wrk", "-t", "1", "-c", str(self.clients), "-d", f"{self.seconds}s", "--timeout", "30s", "-s",
             self.scratch / "post.lua", f"{self.address}/invocations"], capture_output=True, text=True)
        stop.set()
        pinging.join()
        found = re.search(r"RESULT (\d+) (\d+) (\d+) (\S+) (\S+)", done.stdout)
        if done.returncode != 0 or not found:
            raise Failed(f"wrk failed: {done.stderr or done.stdout}")
        requests, duration, errors, median, slow = map(float, found.groups())
        if errors > 0:
            raise Failed(f"imrec host: {errors:.0f} of {requests:.0f} requests failed")
        if keep:
            self.runs.append({
                "seconds": duration / 1e6, "images_per_second": requests / duration * 1e6, "p50_ms": median / 1e3,
                "p99_ms": slow / 1e3, "ping_p50_ms": statistics.median(times) * 1e3, "ping_worst_ms": max(times) * 1e3})

    def end(self):
        if self.process is not None:
            self.process.terminate()
            if self.process.wait(timeout=60) != 0:
                print(f"  imrec host ended with {self.process.returncode}", file=sys.stderr)
            self.process = None

    def record(self):
        return {"name": self.name, "command": self.words, "images": self.images, "runs": self.runs,
                "median": {what: statistics.median(run[what] for run in self.runs) for what in self.runs[0]}}
