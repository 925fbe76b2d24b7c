#!/usr/bin/env python3
"""Reads a folder of journal segments, from docs/internals/journal.md alone, and checks every checksum and hash, that nothing is missing in
between, and that the journal reaches as far as the file `reach` knows.

    read_journal.py FOLDER        one line a row; status 1 and a sentence if something is not what was written

Rows that were printed before the sentence are as they were written. Nobody may write to the folder meanwhile.
Python's standard library is enough. It is slow, and only reads: use it to look, or as a start for a reader of your own.
"""
import hashlib
import os
import re
import struct
import sys

BLOCK = 4096
FILE_HEADER = 128   # of a segment, and each slot of the file reach
FRAME_HEADER = 96
OPENING, ROUND = 1, 2   # kinds of frames
ROW, NOTE = 1, 2   # types of records
KEPT_FROM = 1   # kind of a note
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
    head = data[block * BLOCK : block * BLOCK + FRAME_HEADER]
    if len(head) < FRAME_HEADER:
        return None
    checksum, magic, length, place, kind, number, position = struct.unpack_from("<Q4sIIIQq", head)
    rows, before, _, incompatible = struct.unpack_from("<IIII", head, 72)   # before: the block of the frame before
    frame = data[block * BLOCK : block * BLOCK + length]
    if magic != b"HfRd" or place != block or len(frame) != length or length < FRAME_HEADER or xxh64(frame[8:], salt) != checksum:
        return None
    if incompatible:
        raise ValueError(f"block {block}: a frame with incompatible features {incompatible:x}, which format version 1 does not have")
    found = {"block": block, "kind": kind, "round": number, "position": position, "hash": head[40:72], "rows": rows, "before": before}
    return found | {"blocks": -(-length // BLOCK)}, frame[FRAME_HEADER:]


def read_records(records):
    """Yields (type, content)."""
    at = 0
    while at < len(records):
        kind, at = varint(records, at)
        size, at = varint(records, at)
        if at + size > len(records):
            raise ValueError("a record is longer than its frame")
        if kind in (ROW, NOTE):
            yield kind, records[at : at + size]
        elif kind < 128:   # others may be skipped
            raise ValueError(f"a record of type {kind}, which format version 1 does not have")
        at += size


def read_row(record, head):
    """(position, event, first_seq, changes, at, body). Moves `head`, a list of position and hash, along the chain."""
    event, i = varint(record, 32)
    first_seq, i = varint(record, i)
    changes, i = varint(record, i)
    zigzag, end = varint(record, i)
    head[0] += 1
    head[1] = hashlib.sha256(head[1] + unvarint(head[0]) + record[32:end] + record[end:]).digest()
    if head[1] != record[:32]:
        raise ValueError(f"row {head[0]} does not fit the chain of hashes")
    return head[0], event, first_seq, changes, zigzag >> 1 ^ -(zigzag & 1), record[end:]


def check_begin(where, header, letters):
    """Checks what the header of a segment and a slot of the file reach begin with. False if it is not as it was written."""
    if len(header) < FILE_HEADER:
        return False
    checksum, found, version, _, incompatible = struct.unpack_from("<Q8sIII", header)
    if found != letters or xxh64(header[8:FILE_HEADER], 0) != checksum:
        return False
    if version != 1 or incompatible:
        raise ValueError(f"{where}: format version {version} with incompatible features {incompatible:x}; this program reads version 1 without")
    return True


def read_reach(folder):
    """How far the journal is known to reach: the newer one of the slots that are whole."""
    with open(os.path.join(folder, "reach"), "rb") as file:
        data = file.read()
    slots = []
    for slot in (data[:FILE_HEADER], data[BLOCK : BLOCK + FILE_HEADER]):
        if check_begin("reach", slot, b"HfMarker"):
            state, ordinal, _, number, position, row_hash, journal = struct.unpack_from("<IQQQq32s16s", slot, 28)
            slots.append((ordinal, {"round": number, "head": [position, row_hash], "id": journal, "state": state}))
    if not slots:
        raise ValueError("reach: neither slot can be read")
    reach = max(slots, key=lambda slot: slot[0])[1]
    if reach["state"] == 0:
        raise ValueError("reach: the journal was not created to the end")
    return reach


class Journal:
    """Reads the frames of all segments in order."""

    def __init__(self, folder):
        self.folder = folder
        self.reach = read_reach(folder)
        names = [name for name in os.listdir(folder) if re.fullmatch(r"[0-9]{10,}\.segment", name)]
        self.segments = sorted(int(name.split(".")[0]) for name in names)
        self.head = None      # position and hash of the last row
        self.round = None     # number of the last round
        self.last = None      # block of the last frame
        self.prepared = None  # the first segment that has nothing yet
        self.kept = 1         # the first segment that is kept

    def rows(self):
        for i, number in enumerate(self.segments):
            if number != self.segments[0] + i:
                raise ValueError(f"segment {self.segments[0] + i} is missing")
            yield from self.rows_of(number)
        if self.head is None:
            raise ValueError("no segment has anything")
        if self.segments[0] > self.kept:
            raise ValueError(f"segment {self.kept} is missing")
        if self.round < self.reach["round"]:
            raise ValueError(f"it ends with round {self.round}, and reach knows round {self.reach['round']}")

    def rows_of(self, number):
        name = f"{number:010}.segment"
        with open(os.path.join(self.folder, name), "rb") as file:
            data = file.read()
        salt = self.check_header(name, number, data)
        block = 1
        while found := frame_at(data, block, salt):
            frame, records = found
            where = f"{name}, byte {block * BLOCK}"
            if self.prepared is not None:
                raise ValueError(f"{where}: a whole frame, and segment {self.prepared} before it has none")
            self.follow(where, frame, number)
            yield from self.rows_in(where, frame, records)
            block += frame["blocks"]
        if block == 1 and self.prepared is None:
            self.prepared = number
        for behind in range(block, len(data) // BLOCK):
            if frame_at(data, behind, salt):
                raise ValueError(f"{name}, byte {block * BLOCK}: damaged, and a whole frame is behind it, at byte {behind * BLOCK}")

    def check_header(self, name, number, data):
        if not check_begin(name, data[:FILE_HEADER], b"HfSegmnt"):
            raise ValueError(f"{name}: its header is not that of a segment")
        block_size, segment, size, journal, salt = struct.unpack_from("<IQQ16sQ", data, 28)
        if block_size != BLOCK or size != len(data) or segment != number:
            raise ValueError(f"{name}: its header does not fit")
        if journal != self.reach["id"]:
            raise ValueError(f"{name}: it is of another journal than reach")
        return salt

    def follow(self, where, frame, number):
        """Checks that the frame follows on the one before."""
        is_opening = frame["block"] == 1
        if frame["kind"] != (OPENING if is_opening else ROUND):
            raise ValueError(f"{where}: a frame of kind {frame['kind']}; a segment begins with its opening, and all others are rounds")
        if self.head is None:   # the journal's first frame
            if number == 1 and (frame["round"], frame["before"]) != (0, 0):   # it may go on after rows of another one
                raise ValueError(f"{where}: the journal does not begin with its first round")
            self.head, self.round, self.last = [frame["position"], frame["hash"]], frame["round"], frame["before"]
        if [frame["position"], frame["hash"]] != self.head or frame["round"] != self.round + (not is_opening):
            raise ValueError(f"{where}: round {frame['round']} does not follow on round {self.round}")
        if frame["before"] != self.last:
            raise ValueError(f"{where}: the frame before it is not at block {frame['before']}")
        self.round, self.last = frame["round"], frame["block"]

    def rows_in(self, where, frame, records):
        rows = 0
        for kind, content in read_records(records):
            if kind == ROW:
                rows += 1
                yield (self.round, *read_row(content, self.head))
                continue
            note, at = varint(content, 0)
            if note == KEPT_FROM:
                self.kept = varint(content, at)[0] if at < len(content) else 1
        if rows != frame["rows"]:
            raise ValueError(f"{where}: the frame says that it has {frame['rows']} rows, and has {rows}")
        if self.round == self.reach["round"] and self.head != self.reach["head"]:
            raise ValueError(f"{where}: after round {self.round} the journal is not at the row that reach knows")


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} FOLDER")
    try:
        for number, position, event, first_seq, changes, at, body in Journal(sys.argv[1]).rows():
            print(f"round {number} row {position} event {event} first_seq {first_seq} changes {changes} at {at} body {len(body)} {body[:16].hex()}")
    except OSError as error:
        sys.exit(f"the journal cannot be read: {error}")
    except (ValueError, IndexError, struct.error) as error:
        sys.exit(f"the journal is not what was written: {error}")


if __name__ == "__main__":
    main()
