"""Builds .rec files as InsightFace's face sets have them.

Images have the ids 1...N and two labels, [class, aligned]. Record 0 has no image: its labels are [N + 1, N + 1 + C],
the ids of C range records that stand at the end, one a class, with the labels [first id, last id + 1] and no image
either. In sets written by face2rec2.py record 0 follows the images; in sets that were shuffled afterwards it comes
first.
"""
import mxnet as mx


def build(prefix, images, head_first):
    """Writes PREFIX.rec and PREFIX.idx. `images`: (file bytes, class), classes in one run each.

    Returns {id: (class, file bytes)} of the images, and the number of all records.
    """
    writer = mx.recordio.MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "w")

    def write(number, labels, content=b""):
        writer.write_idx(number, mx.recordio.pack(mx.recordio.IRHeader(0, labels, number, 0), content))

    end = len(images) + 1
    ranges = []
    for number, (_, label) in enumerate(images, start=1):
        if ranges and ranges[-1][0] == label:
            ranges[-1][2] = number + 1
        else:
            ranges.append([label, number, number + 1])
    if head_first:
        write(0, [end, end + len(ranges)])
    for number, (content, label) in enumerate(images, start=1):
        write(number, [label, 1], content)
    if not head_first:
        write(0, [end, end + len(ranges)])
    for number, (_, first, last) in enumerate(ranges, start=end):
        write(number, [first, last])
    writer.close()
    found = {number: (float(label), content) for number, (content, label) in enumerate(images, start=1)}
    return found, len(images) + 1 + len(ranges)
