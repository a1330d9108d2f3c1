"""imrec serve in trouble: kill -9, full disk, locked database, damaged objects, malformed requests. Nothing is lost,
nothing hangs, and /ping always answers."""
import os
import pathlib
import random
import sys

from trial import PROGRAM, Tally, finish, scratch


def main(kills, requests):
    try:
        import boto3  # noqa: F401
    except ImportError:
        return print("  (left out: boto3 is not installed; tools/oracle/requirements/s3.txt)")
    # They need boto3.
    import service
    import serving_kills
    import serving_limits
    import serving_requests
    seed = int(os.environ.get("IMREC_SEED", "7"))
    print(f"  (seed {seed}; IMREC_SEED chooses another one)")
    with scratch() as folder:
        records = service.local_server.Records(PROGRAM, pathlib.Path(folder))
        parts = {
            "kills": lambda: serving_kills.main(pathlib.Path(folder, "kills"), records, random.Random(seed), kills),
            "disk": lambda: serving_limits.small_disk(pathlib.Path(folder, "disk"), records),
            "lock": lambda: serving_limits.locked_database(pathlib.Path(folder, "lock"), records),
            "objects": lambda: serving_limits.damaged_objects(pathlib.Path(folder, "objects"), records,
                                                              random.Random(seed)),
            "requests": lambda: serving_requests.main(pathlib.Path(folder, "requests"), records, random.Random(seed),
                                                      requests)}
        for name in sys.argv[3:] or parts:
            parts[name]()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
    if Tally.all:
        finish()
