# Opens flows and keeps them busy until the end, whatever happens to them. argv: tcp:ADDRESS, udp:ADDRESS or ping:ADDRESS
# for each; tcp-again or udp-again for flows that are opened anew all the time.

import socket, struct, sys, time


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def open_flow(kind, to):
    """A function that sends a few bytes on the flow."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    if kind.endswith("-again"):
        return lambda: open_once(kind.removesuffix("-again"), family, to)
    if kind == "tcp":
        s = socket.create_connection((to, 9000), timeout=3)
        s.setblocking(False)
        return lambda: s.send(b"held")
    if kind == "udp":
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.connect((to, 9000))
        return lambda: s.send(b"held")
    v6 = family == socket.AF_INET6
    s = socket.socket(family, socket.SOCK_RAW, 58 if v6 else 1)
    body = struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, 77, 1) + b"held"
    # The kernel sums ICMPv6 itself.
    echo = body if v6 else body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    return lambda: s.sendto(echo, (to, 0))


def open_once(kind, family, to):
    with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as s:
        s.setblocking(False)
        try:
            s.connect((to, 9000))
        except BlockingIOError:
            time.sleep(0.05)
        s.send(b"held")


flows = [open_flow(*text.split(":", 1)) for text in sys.argv[1:]]
# The test waits for this file.
open("/tmp/holding", "w").close()
while True:
    for send in flows:
        try:
            send()
        except OSError:
            pass
    time.sleep(0.2)
