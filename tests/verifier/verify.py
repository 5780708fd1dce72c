#!/usr/bin/env python3
"""Verifies an audit log of Tributary. Shares no code with it: Python's standard library alone.

    verify.py DIR [--key KEY]... [--witness-key KEY]... [--witnesses-needed N] [--unwitnessed-secs N]
              [--checkpoint FILE]... [--head SEQ]
    verify.py --batch [the same options] < list of directories, one a line; prints code and directory

Exit code: 0 ok, 2 tampered, 3 truncated, 4 too few cosignatures, 5 unreadable.
What is checked is written in crates/audit/README.md.
"""

import argparse
import base64
import datetime
import hashlib
import json
import os
import re
import struct
import sys

OK, TAMPERED, TRUNCATED, UNWITNESSED, UNREADABLE = 0, 2, 3, 4, 5
# Worst last.
ORDER = [OK, UNWITNESSED, TRUNCATED, TAMPERED, UNREADABLE]
MAX_RECORD = 1 << 20
BLOCK = 4096
KINDS = {
    "intent", "disclosure", "denied", "trace", "delivery", "security", "break_glass", "anomaly", "audit_read",
    "peer_checkpoint", "config", "lifecycle", "closed_unknown",
}
HEX = re.compile(r"[0-9a-f]{64}\Z")
TILE = re.compile(r"([0-9]+)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]+))?\Z")


# Ed25519 (RFC 8032), verification only.

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def recover_x(y, sign):
    if y >= P:
        return None
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if xx == 0:
        return None if sign else 0
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - xx) % P:
        return None
    return P - x if (x & 1) != sign else x


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recover_x(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def add(a, b):
    (ax, ay, az, at), (bx, by, bz, bt) = a, b
    e, f = (ay - ax) * (by - bx) % P, (ay + ax) * (by + bx) % P
    g, h = 2 * at * bt * D % P, 2 * az * bz % P
    i, j, k, m = f - e, h - g, h + g, f + e
    return (i * j % P, k * m % P, j * k % P, i * m % P)


def times(scalar, point):
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def point_of(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def is_signed(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r = point_of(public), point_of(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % Q
    (lx, ly, lz, _), (rx, ry, rz, _) = times(s, BASE), add(r, times(h, a))
    return (lx * rz - rx * lz) % P == 0 and (ly * rz - ry * lz) % P == 0


# Notes (C2SP signed-note, tlog-checkpoint, tlog-cosignature).


class Key:
    """A public key: name+id+base64."""

    def __init__(self, text):
        self.name, ident, data = text.strip().split("+", 2)
        data = base64.b64decode(data, validate=True)
        self.kind, self.public = data[0], data[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        self.seen = {}
        if self.id.hex() != ident or self.kind not in (1, 4) or len(self.public) != 32:
            raise ValueError("no key")

    def is_right(self, text, data):
        """Whether the bytes after the key's id are a signature of the text. Remembers, for the batch."""
        if (text, data) not in self.seen:
            self.seen[text, data] = self.look(text, data)
        return self.seen[text, data]

    def look(self, text, data):
        if self.kind == 1:
            return is_signed(self.public, text.encode(), data)
        time = int.from_bytes(data[:8], "big")
        return is_signed(self.public, f"cosignature/v1\ntime {time}\n{text}".encode(), data[8:])


def strict64(text):
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not as it is written")
    return data


def read_note(note):
    """Text, size, root and signatures of a checkpoint; raises ValueError."""
    if any(ord(char) < 32 and char != "\n" for char in note):
        raise ValueError("control character")
    text, found, rest = note.rpartition("\n\n")
    if not found:
        raise ValueError("no note")
    text += "\n"
    signatures = []
    for line in rest.splitlines(keepends=True) if rest else []:
        dash, name, data = line[:-1].split(" ")
        data = strict64(data)
        if dash != "\u2014" or not line.endswith("\n") or not name or "+" in name or len(data) < 4:
            raise ValueError("no signature")
        signatures.append((name, data[:4], data[4:]))
    lines = text[:-1].split("\n")
    origin, size, root = lines[:3]
    if not all(lines) or str(int(size)) != size or int(size) < 0:
        raise ValueError("no checkpoint")
    root = strict64(root)
    if len(root) != 32:
        raise ValueError("no root")
    return text, origin, int(size), root, signatures


# Records.


def table():
    rows = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        rows.append(byte)
    return rows


CRC = table()


def crc32c(data, crc=0xFFFFFFFF):
    rows = CRC
    for byte in data:
        crc = rows[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def leaf_hash(payload):
    return hashlib.sha256(b"\0" + payload).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def no_duplicates(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field twice")
    return found


def is_previous(told):
    """Whether this is how a first record tells of the segment before; nothing is right too."""
    if told is None:
        return True
    if not isinstance(told, dict) or told.get("state") not in ("whole", "suspect"):
        return False
    return all(isinstance(told.get(name), int) and told[name] >= 0 for name in ("segment", "bytes"))


def read_record(data, at, end, cache):
    """A record and where the next one begins; None where there is none."""
    if end - at < 8:
        return None
    length, crc = struct.unpack_from("<II", data, at)
    if length > MAX_RECORD or at + 8 + length > end:
        return None
    payload = bytes(data[at + 8 : at + 8 + length])
    key = (crc, payload)
    record = cache.get(key)
    if record is None:
        if crc32c(payload) != crc:
            return None
        try:
            fields = json.loads(payload.decode(), object_pairs_hook=no_duplicates)
            good = fields["v"] == 1 and fields["kind"] in KINDS and isinstance(fields["seq"], int)
            if not good or not isinstance(fields["prev"], str) or not isinstance(fields["at"], str):
                return None
            if not is_previous(fields.get("previous")) or not isinstance(fields.get("corr"), (int, type(None))):
                return None
        except (ValueError, KeyError, TypeError):
            return None
        record = (fields, leaf_hash(payload))
        if len(cache) < 100_000:
            cache[key] = record
    return record[0], record[1], at + 8 + length


def is_residue(rest):
    """Whether a crash can leave this: the beginning of one frame, then nothing, or zeros."""
    written = len(rest.rstrip(b"\0"))
    if len(rest) < 8:
        return True
    length, crc = struct.unpack_from("<II", rest)
    claimed = 8 + length if written else 0
    if length > MAX_RECORD or len(rest) - written > BLOCK + max(0, claimed - written):
        return False
    begun = rest[8:written]
    start = b'{"v":1,"kind":"'
    if begun[: len(start)] != start[: len(begun)] or b"\0" in begun:
        return False
    if not (len(rest) < claimed or written == 0 or written + 8 <= claimed):
        return False
    rolling, rows = 0xFFFFFFFF, CRC
    for byte in begun:
        rolling = rows[(rolling ^ byte) & 255] ^ (rolling >> 8)
        if byte == 0x7D and rolling ^ 0xFFFFFFFF == crc:
            return False
    return True


class Tree:
    """The right edge of the tree, and the unfinished tile of each level."""

    def __init__(self):
        self.size, self.peaks, self.rows = 0, [], [[] for _ in range(9)]

    def push(self, leaf, on_full):
        number, height, whole = self.size, 0, leaf
        self.row(0, leaf, on_full)
        while number & 1:
            whole = node_hash(self.peaks.pop(), whole)
            number, height = number >> 1, height + 1
            if height % 8 == 0:
                self.row(height // 8, whole, on_full)
        self.peaks.append(whole)
        self.size += 1

    def row(self, level, whole, on_full):
        row = self.rows[level]
        row.append(whole)
        if len(row) == 256:
            index = (self.size >> (8 * level)) // 256
            self.rows[level] = []
            on_full(level, index, row)

    def root(self):
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


class Log:
    def __init__(self, folder, options, cache):
        self.folder, self.options, self.cache = folder, options, cache
        self.found = []
        self.marks = {}
        self.tiles = {}
        self.cosigned = {}
        self.signed = 0
        self.tree = Tree()
        self.agreed = 0
        self.is_whole = True
        self.records = 0
        self.last_seq = 0
        self.last_at = None
        self.uncosigned_at = None
        self.open = set()

    def fault(self, code, what, seq=None):
        self.found.append((code, what, seq))

    def verify(self):
        try:
            self.checkpoints()
            self.list_tiles()
            self.segments()
            self.finish()
        except OSError as error:
            self.fault(UNREADABLE, error.strerror or "cannot be read")
        return max((code for code, _, _ in self.found), key=ORDER.index, default=OK)

    # Checkpoints, before any record: what they speak of is durable then.

    def checkpoints(self):
        tree = os.path.join(self.folder, "tree")
        newest = slurp(os.path.join(tree, "checkpoint"))
        history = slurp(os.path.join(tree, "checkpoints"))
        is_found, is_bad, entries = False, False, 0
        start = at = 0
        history = history if history is not None else b""
        while True:
            end = history.find(b"\n", at)
            if end < 0:
                break
            line, at = history[at : end + 1], end + 1
            if not line.startswith(b"= "):
                if at - start > 20_000:
                    is_bad = True
                    break
                continue
            note = history[start : at - len(line)]
            try:
                if line != b"= %08x\n" % crc32c_cached(note, self.cache):
                    raise ValueError("checksum")
                self.entry(note.decode())
            except ValueError:
                is_bad = True
                break
            entries += 1
            is_found |= note == newest
            start = at
        if is_bad or len(history) - start > 20_000:
            self.fault(TAMPERED, "an entry of the checkpoints is none")
        elif newest is not None and not is_found:
            try:
                read_note(newest.decode())
                self.fault(TRUNCATED, "the newest checkpoint is not among the others")
            except ValueError:
                self.fault(TAMPERED, "the newest checkpoint is none")
        elif newest is None and entries > 1:
            self.fault(TRUNCATED, "the newest checkpoint is missing")
        for file in self.options.checkpoint:
            try:
                _, _, size, root, _ = read_note(slurp(file).decode())
                self.marks.setdefault(size, set()).add(root)
            except (ValueError, AttributeError):
                self.fault(TAMPERED, "a checkpoint that was given is none")
        if self.options.key and not self.signed:
            self.fault(TRUNCATED, "no checkpoint is signed by the keys given")

    def entry(self, note):
        text, origin, size, root, signatures = read_note(note)
        self.marks.setdefault(size, set()).add(root)
        is_signed_here = False
        for name, ident, data in signatures:
            for key in self.options.key:
                if (key.name, key.id) == (name, ident):
                    if key.is_right(text, data):
                        is_signed_here |= origin == key.name
                    else:
                        self.fault(TAMPERED, "a wrong signature")
            for key in self.options.witness_key:
                if (key.name, key.id) == (name, ident):
                    if key.is_right(text, data):
                        self.cosigned[key.id] = max(size, self.cosigned.get(key.id, 0))
                    else:
                        self.fault(TAMPERED, "a wrong cosignature")
        self.signed += is_signed_here

    def cosigned_size(self):
        sizes = sorted(self.cosigned.values(), reverse=True)
        needed = max(1, self.options.witnesses_needed)
        return sizes[needed - 1] if len(sizes) >= needed else None

    # Tiles.

    def list_tiles(self):
        top = os.path.join(self.folder, "tree", "tile")
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                match = TILE.match(os.path.relpath(path, top))
                if not match:
                    continue
                level, groups, width = match.groups()
                index = int(groups.replace("/", "").replace("x", ""))
                width = int(width) if width else 256
                if 1 <= width <= 256 and int(level) < 9:
                    self.tiles[int(level), index, width] = path
        if not self.marks:
            if self.tiles:
                self.fault(TRUNCATED, "there are tiles and no checkpoints")
            return
        longest = max(self.marks)
        for level in range(8):
            for index in range((longest >> (8 * level)) // 256):
                self.demand(level, index, 256)
        for size in self.marks:
            for level in range(8):
                index, width = divmod(size >> (8 * level), 256)
                if width:
                    self.demand(level, index, width)

    def demand(self, level, index, width):
        if (level, index, width) not in self.tiles and (level, index, 256) not in self.tiles:
            self.fault(TRUNCATED, "a tile is missing", (index * 256 << (8 * level)) + 1)

    def compare(self, level, index, row):
        for width in range(1, 257):
            path = self.tiles.pop((level, index, width), None)
            if path is None:
                continue
            data = slurp(path)
            if data is None:
                continue
            first = (index * 256 << (8 * level)) + 1
            if len(data) != 32 * width:
                self.fault(TAMPERED, "a tile of another length", first)
            elif data[: 32 * len(row)] != b"".join(row)[: len(data)]:
                self.fault(TAMPERED, "a tile of other hashes", first)
            elif width > len(row):
                self.fault(TRUNCATED, "a tile knows of more records", self.tree.size + 1)

    # Segments.

    def segments(self):
        names = sorted(name for name in os.listdir(self.folder) if re.fullmatch(r"[0-9]{8}\.log", name))
        files = [(int(name[:8]), slurp(os.path.join(self.folder, name)) or b"") for name in names]
        # Segments without even a first record, at the end: a crash came before the first sync.
        while files:
            data = files[-1][1]
            if read_record(data, 0, len(data), self.cache) or (data and not is_residue(data)):
                break
            files.pop()
        if not files:
            self.fault(UNREADABLE, "there is no audit log here")
        expected, link = 1, (1, "0" * 64)
        for place, (number, data) in enumerate(files):
            if number != expected:
                self.fault(TRUNCATED, f"segment {expected} is missing", link and link[0])
                link, self.is_whole = None, False
            follower = files[place + 1] if place + 1 < len(files) else None
            link = self.segment(number, data, follower, link)
            expected = number + 1

    def segment(self, number, data, follower, link):
        told = None
        if follower:
            first = read_record(follower[1], 0, len(follower[1]), self.cache)
            told = first and first[0].get("previous")
            told = told if told and told.get("segment") == number else None
        limit = min(told["bytes"], len(data)) if told else len(data)
        at = 0
        while at < limit:
            record = read_record(data, at, limit, self.cache)
            if record is None:
                is_torn = limit - at <= 8 + MAX_RECORD + BLOCK and is_residue(data[at:limit])
                if follower is None and is_torn:
                    return link
                is_cut = told and is_torn and told["bytes"] > len(data)
                self.fault(TRUNCATED if is_cut else TAMPERED, f"segment {number} at {at}", link and link[0])
                self.is_whole = False
                return None
            fields, leaf, at = record
            if link and (fields["seq"], fields["prev"]) != link:
                self.fault(TAMPERED, "a record that does not follow", fields["seq"])
                self.is_whole = False
                return None
            link = (fields["seq"] + 1, leaf.hex())
            self.record(fields, leaf)
        if told and at < told["bytes"]:
            self.fault(TRUNCATED, f"segment {number} ends early", link and link[0])
            self.is_whole = False
            return None
        if told and len(data) > told["bytes"] and told.get("state") != "suspect":
            self.fault(TAMPERED, f"segment {number} goes on after its end", link and link[0])
            self.is_whole = False
            return None
        return link

    def record(self, fields, leaf):
        self.records += 1
        self.last_seq, self.last_at = fields["seq"], fields["at"]
        cosigned = self.cosigned_size()
        if cosigned is not None and fields["seq"] == cosigned + 1:
            self.uncosigned_at = fields["at"]
        if fields["kind"] == "intent":
            self.open.add(fields["seq"])
        elif fields["kind"] in ("disclosure", "denied", "closed_unknown"):
            self.open.discard(fields.get("corr"))
        if not self.is_whole:
            return
        self.tree.push(leaf, self.compare)
        roots = self.marks.get(self.tree.size)
        if roots:
            if roots == {self.tree.root()}:
                self.agreed = self.tree.size
            else:
                self.fault(TAMPERED, "a checkpoint of other records", self.agreed + 1)
                self.is_whole = False

    def finish(self):
        if self.is_whole:
            for level, row in enumerate(self.tree.rows):
                self.compare(level, (self.tree.size >> (8 * level)) // 256, row)
            if self.marks and max(self.marks) > self.tree.size or self.tiles:
                self.fault(TRUNCATED, "checkpoints or tiles know of more records", self.tree.size + 1)
            if 0 in self.marks and self.marks[0] != {hashlib.sha256(b"").digest()}:
                self.fault(TAMPERED, "a checkpoint of other records", 1)
        if self.last_seq < self.options.head and self.records:
            self.fault(TRUNCATED, "the log ends before a record that is known", self.last_seq + 1)
        if self.options.witness_key:
            late = seconds(self.last_at) - seconds(self.uncosigned_at)
            is_late = self.uncosigned_at is not None and late > self.options.unwitnessed_secs
            if self.cosigned_size() is None or is_late:
                self.fault(UNWITNESSED, "too few cosignatures")


def crc32c_cached(data, cache):
    key = ("crc", data)
    if key not in cache:
        if len(cache) >= 100_000:
            return crc32c(data)
        cache[key] = crc32c(data)
    return cache[key]


def seconds(at):
    if not at:
        return 0
    try:
        return datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0


def slurp(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def main():
    parser = argparse.ArgumentParser(description="Verifies an audit log of Tributary.")
    parser.add_argument("dir", nargs="?")
    parser.add_argument("--key", type=Key, action="append", default=[])
    parser.add_argument("--witness-key", type=Key, action="append", default=[])
    parser.add_argument("--witnesses-needed", type=int, default=1)
    parser.add_argument("--unwitnessed-secs", type=int, default=14400)
    parser.add_argument("--checkpoint", action="append", default=[])
    parser.add_argument("--head", type=lambda text: int(text.removeprefix("local-")), default=0)
    parser.add_argument("--batch", action="store_true")
    options = parser.parse_args()
    if options.batch:
        cache = {}
        for line in sys.stdin:
            folder = line.rstrip("\n")
            print(Log(folder, options, cache).verify(), folder, flush=True)
        return OK
    if not options.dir:
        parser.error("a directory is needed")
    log = Log(options.dir, options, {})
    code = log.verify()
    words = {OK: "ok", TAMPERED: "tampered", TRUNCATED: "truncated", UNWITNESSED: "unwitnessed"}
    print(words.get(code, "unreadable"))
    print(f"  {log.records} records, the last with number {log.last_seq}, {len(log.open)} intents without an end")
    for _, what, seq in log.found:
        print(f"  {what}" + (f", record {seq}" if seq else ""))
    return code


if __name__ == "__main__":
    sys.exit(main())
