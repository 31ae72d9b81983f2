# Decodes and encodes many property lists with plistlib in one process. Reads requests from standard input, each a
# length (4 bytes, big-endian), an operation (1 byte) and a payload; answers each with a length and a result.
#   D  document -> canonical JSON, or '!' and the error
#   X  canonical JSON -> XML document
#   B  canonical JSON -> binary document
import datetime
import json
import plistlib
import struct
import sys

EPOCH = datetime.datetime(1970, 1, 1)
MILLISECOND = datetime.timedelta(milliseconds=1)


def canonical(value):
    if isinstance(value, bool):
        return ["b", value]
    if isinstance(value, str):
        return ["s", value]
    if isinstance(value, int):
        return ["i", str(value)]
    if isinstance(value, float):
        return ["r", "nan" if value != value else struct.pack(">d", value).hex()]
    if isinstance(value, datetime.datetime):
        return ["d", round((value - EPOCH) / MILLISECOND)]
    if isinstance(value, bytes):
        return ["x", value.hex()]
    if isinstance(value, plistlib.UID):
        return ["u", str(value.data)]
    if isinstance(value, list):
        return ["a", [canonical(each) for each in value]]
    if list(value) == ["CF$UID"] and type(value["CF$UID"]) is int and value["CF$UID"] >= 0:
        return ["u", str(value["CF$UID"])]
    return ["o", [[key, canonical(each)] for key, each in value.items()]]


def build(form, xml):
    kind, content = form
    if kind == "i":
        return int(content)
    if kind == "r":
        return float("nan") if content == "nan" else struct.unpack(">d", bytes.fromhex(content))[0]
    if kind == "d":
        return EPOCH + content * MILLISECOND
    if kind == "x":
        return bytes.fromhex(content)
    if kind == "u":
        return {"CF$UID": int(content)} if xml else plistlib.UID(int(content))
    if kind == "a":
        return [build(each, xml) for each in content]
    if kind == "o":
        return {key: build(each, xml) for key, each in content}
    return content


def answer(operation, payload):
    if operation == b"D":
        try:
            return json.dumps(canonical(plistlib.loads(payload)), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        except Exception as error:
            return ("!" + type(error).__name__ + ": " + str(error)).encode()
    xml = operation == b"X"
    value = build(json.loads(payload), xml)
    return plistlib.dumps(value, fmt=plistlib.FMT_XML if xml else plistlib.FMT_BINARY, sort_keys=False)


source, sink = sys.stdin.buffer, sys.stdout.buffer
while True:
    head = source.read(4)
    if len(head) < 4:
        break
    (length,) = struct.unpack(">I", head)
    operation = source.read(1)
    result = answer(operation, source.read(length))
    sink.write(struct.pack(">I", len(result)))
    sink.write(result)
