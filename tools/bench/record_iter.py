#!/usr/bin/env python3
"""How fast MXNet's ImageRecordIter decodes: record_iter.py FILE.rec THREADS. One warm epoch, then one that counts.

The number of records must be a multiple of 32, else the iterator wraps round and drops batches between epochs.
"""
import json
import sys
import time

import mxnet as mx

BATCH = 32


def epoch(iterator):
    images = 0
    begun = time.monotonic()
    for batch in iterator:
        batch.data[0].wait_to_read()
        images += BATCH - batch.pad
    return images, time.monotonic() - begun


def main():
    path, threads = sys.argv[1], int(sys.argv[2])
    iterator = mx.io.ImageRecordIter(path_imgrec=path, data_shape=(3, 224, 224), batch_size=BATCH, resize=256,
                                     preprocess_threads=threads, verbose=False)
    epoch(iterator)
    iterator.reset()
    images, seconds = epoch(iterator)
    print(json.dumps({"images": images, "seconds": seconds, "images_per_second": images / seconds}))


if __name__ == "__main__":
    main()
