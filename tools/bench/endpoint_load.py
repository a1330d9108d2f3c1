"""Clients of an endpoint for tools/bench/endpoint: a process of boto3 clients, and a process of idle and slow
connections.

  endpoint_load.py invoke URL ENDPOINT IMAGE CLIENTS SECONDS    threads of one boto3 client each; JSON on stdout
  endpoint_load.py hold URL IDLE SLOW                           connections that are held until stdin ends
  endpoint_load.py flood URL ENDPOINT IMAGE CONNECTIONS SECONDS connections that ask again at once, whatever is said
"""
import asyncio
import collections
import contextlib
import json
import pathlib
import resource
import selectors
import socket
import sys
import threading
import time
import urllib.parse


def invoke(url, endpoint, path, clients, seconds):
    import boto3
    from botocore.config import Config

    image = pathlib.Path(path).read_bytes()
    latencies, errors, lock = [], [], threading.Lock()
    ready, end = threading.Barrier(int(clients) + 1), [0.0]

    def work():
        client = boto3.session.Session().client(
            "sagemaker-runtime", endpoint_url=url, region_name="us-east-1", aws_access_key_id="local",
            aws_secret_access_key="local", config=Config(retries={"max_attempts": 0}))
        mine, wrong = [], []
        try:
            client.invoke_endpoint(EndpointName=endpoint, ContentType="application/x-image", Body=image)["Body"].read()
        except Exception as error:
            wrong.append(str(error))
        ready.wait()
        while time.monotonic() < end[0]:
            begun = time.monotonic()
            try:
                client.invoke_endpoint(EndpointName=endpoint, ContentType="application/x-image",
                                       Body=image)["Body"].read()
                mine.append(time.monotonic() - begun)
            except Exception as error:
                wrong.append(str(error))
        with lock:
            latencies.extend(mine)
            errors.extend(wrong)

    threads = [threading.Thread(target=work) for _ in range(int(clients))]
    for thread in threads:
        thread.start()
    end[0] = time.monotonic() + 3600
    while ready.n_waiting < int(clients):
        time.sleep(0.01)
    begun, used = time.monotonic(), processor_seconds()
    end[0] = begun + float(seconds)
    ready.wait()
    for thread in threads:
        thread.join()
    took, used = time.monotonic() - begun, processor_seconds() - used
    latencies.sort()
    at = lambda share: 1000 * latencies[min(len(latencies) - 1, int(share * len(latencies)))] if latencies else 0
    print(json.dumps({"requests": len(latencies), "seconds": took, "errors": len(errors), "first_error": errors[0]
                      if errors else None, "p50_ms": at(0.5), "p99_ms": at(0.99), "client_processor_seconds": used}))


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def flood(url, endpoint, path, connections, seconds):
    address, image = urllib.parse.urlparse(url), pathlib.Path(path).read_bytes()
    request = (f"POST /endpoints/{endpoint}/invocations HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: "
               f"image/jpeg\r\nContent-Length: {len(image)}\r\n\r\n").encode() + image
    statuses, refusals, end = collections.Counter(), [], time.monotonic() + float(seconds)

    async def ask(reader, writer):
        begun = time.monotonic()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
        await reader.readexactly(int(fields["content-length"]))
        statuses[head[9:12].decode()] += 1
        if head[9:12] != b"200":
            refusals.append(time.monotonic() - begun)
        return fields.get("connection") != "close"

    async def work():
        while time.monotonic() < end:
            try:
                reader, writer = await asyncio.open_connection(address.hostname, address.port)
                try:
                    while time.monotonic() < end and await ask(reader, writer):
                        pass
                finally:
                    writer.close()
            except (OSError, asyncio.IncompleteReadError) as error:
                statuses[type(error).__name__] += 1
                await asyncio.sleep(0.1)

    async def all_of_them():
        await asyncio.gather(*(work() for _ in range(int(connections))))

    begun = time.monotonic()
    asyncio.run(all_of_them())
    refusals.sort()
    print(json.dumps({"statuses": dict(statuses), "seconds": time.monotonic() - begun,
                      "refusal_p50_ms": 1000 * refusals[len(refusals) // 2] if refusals else None,
                      "refusal_p99_ms": 1000 * refusals[len(refusals) * 99 // 100] if refusals else None}))


def hold(url, idle, slow):
    """Idle ones send nothing, and may be closed by the server; slow ones send a byte of a body now and then, and are
    opened again where the server closes them."""
    address = (urllib.parse.urlparse(url).hostname, urllib.parse.urlparse(url).port)
    head = (b"POST /endpoints/demo/invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
            b"Content-Length: 100000\r\n\r\n")
    connections, reopened = [], 0

    def opened(is_slow):
        connection = socket.create_connection(address, timeout=60)
        connection.setblocking(False)
        if is_slow:
            with contextlib.suppress(OSError):  # Closed already: the next byte finds it so.
                connection.send(head)
        return connection

    for index in range(int(idle) + int(slow)):
        connections.append(opened(index >= int(idle)))
    print("ready", flush=True)
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ)
    while not selector.select(timeout=1):
        for index in range(int(idle), len(connections)):
            try:
                connections[index].send(b"x")
            except OSError:
                connections[index].close()
                connections[index], reopened = opened(True), reopened + 1
    alive = 0
    for connection in connections[:int(idle)]:
        try:
            alive += connection.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            alive += 1
        except OSError:
            pass
    print(json.dumps({"idle_still_open": alive, "slow_cut_off": reopened}), flush=True)


if __name__ == "__main__":
    {"invoke": invoke, "hold": hold, "flood": flood}[sys.argv[1]](*sys.argv[2:])
