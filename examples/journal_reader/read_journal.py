#!/usr/bin/env python3
"""Reads a folder of journal segments, from docs/internals/journal.md alone, and checks every checksum and hash.

    read_journal.py FOLDER        one line a row; status 1 and a sentence if something is not what was written

Python's standard library is enough. It is slow, and only reads: use it to look, or as a start for a reader of your own.
"""
import hashlib
import os
import struct
import sys

BLOCK = 4096
MASK = 2**64 - 1
P1, P2, P3, P4, P5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)


def rotate(x, n):
    return ((x << n) | (x >> (64 - n))) & MASK


def step(lane, word):
    return rotate((lane + word * P2) & MASK, 31) * P1 & MASK


def xxh64(data, seed):
    at, size = 0, len(data)
    if size >= 32:
        lanes = [(seed + P1 + P2) & MASK, (seed + P2) & MASK, seed, (seed - P1) & MASK]
        while size - at >= 32:
            lanes = [step(lane, word) for lane, word in zip(lanes, struct.unpack_from("<4Q", data, at))]
            at += 32
        h = sum(rotate(lane, n) for lane, n in zip(lanes, (1, 7, 12, 18))) & MASK
        for lane in lanes:
            h = ((h ^ step(0, lane)) * P1 + P4) & MASK
    else:
        h = (seed + P5) & MASK
    h = (h + size) & MASK
    while size - at >= 8:
        h = (rotate(h ^ step(0, struct.unpack_from("<Q", data, at)[0]), 27) * P1 + P4) & MASK
        at += 8
    if size - at >= 4:
        h = (rotate(h ^ struct.unpack_from("<I", data, at)[0] * P1 & MASK, 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        h = rotate(h ^ byte * P5 & MASK, 11) * P1 & MASK
    h = (h ^ h >> 33) * P2 & MASK
    h = (h ^ h >> 29) * P3 & MASK
    return h ^ h >> 32


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def unvarint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def frame_at(data, block, salt):
    """The frame's header and its records, or None if no whole frame begins here."""
    head = data[block * BLOCK : block * BLOCK + 80]
    if len(head) < 80:
        return None
    checksum, magic, length, place, kind, number, position = struct.unpack_from("<Q4sIIIQq", head)
    rows, before = struct.unpack_from("<II", head, 72)
    frame = data[block * BLOCK : block * BLOCK + length]
    if magic != b"HfRd" or place != block or len(frame) != length or length < 80 or xxh64(frame[8:], salt) != checksum:
        return None
    return {"kind": kind, "round": number, "position": position, "hash": head[40:72], "rows": rows, "length": length}, frame[80:]


def read_rows(records, head):
    """Yields (position, event, first_seq, changes, at, body) and moves `head`, a list of position and hash, along the chain."""
    at = 0
    while at < len(records):
        kind, at = varint(records, at)
        size, at = varint(records, at)
        record, at = records[at : at + size], at + size
        if kind != 1:   # a note
            continue
        event, i = varint(record, 32)
        first_seq, i = varint(record, i)
        changes, i = varint(record, i)
        _, end = varint(record, i)
        zigzag = varint(record, i)[0]
        head[0] += 1
        numbers = unvarint(head[0]) + record[32:end]
        head[1] = hashlib.sha256(head[1] + numbers + record[end:]).digest()
        if head[1] != record[:32]:
            raise ValueError(f"row {head[0]} does not fit the chain of hashes")
        yield head[0], event, first_seq, changes, zigzag >> 1 ^ -(zigzag & 1), record[end:]


def read_journal(folder):
    head, number = None, None
    for name in sorted(name for name in os.listdir(folder) if name.endswith(".segment")):
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        checksum, magic, version, block_size, segment, size, _, salt = struct.unpack_from("<Q8sIIQQ16sQ", data)
        if magic != b"HfSegmnt" or xxh64(data[8:64], 0) != checksum:
            raise ValueError(f"{name}: its header is not that of a segment")
        if version != 1 or block_size != BLOCK or size != len(data) or int(name.split(".")[0]) != segment:
            raise ValueError(f"{name}: its header does not fit")
        block = 1
        while found := frame_at(data, block, salt):
            frame, records = found
            if head is None:   # the journal's first frame
                head, number = [frame["position"], frame["hash"]], frame["round"]
            if [frame["position"], frame["hash"]] != head or frame["round"] != number + (frame["kind"] == 2):
                raise ValueError(f"{name}, byte {block * BLOCK}: round {frame['round']} does not follow on round {number}")
            number = frame["round"]
            for row in read_rows(records, head):
                yield (number, *row)
            block += -(-frame["length"] // BLOCK)
        for behind in range(block, size // BLOCK):
            if frame_at(data, behind, salt):
                raise ValueError(f"{name}, byte {block * BLOCK}: damaged, and a whole frame is behind it, at byte {behind * BLOCK}")


def main():
    try:
        for number, position, event, first_seq, changes, at, body in read_journal(sys.argv[1]):
            print(f"round {number} row {position} event {event} first_seq {first_seq} changes {changes} at {at} body {len(body)} {body[:16].hex()}")
    except (ValueError, IndexError, struct.error) as error:
        sys.exit(f"the journal is not what was written: {error}")


if __name__ == "__main__":
    main()
