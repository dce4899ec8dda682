# Holds flows to a server for a while, one of each protocol, from ports that are known: the flows that others speak of.
# argv: first port, seconds, then the server by IPv4 and by IPv6. Which port is whose, and what has none, attack.py says.

import socket, struct, sys, time
from attack import of_flow, quietly

base, seconds = int(sys.argv[1]), float(sys.argv[2])


def opened(kind, family, port, to):
    s = socket.socket(family, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Ended by a reset, so that the port is free at once.
    if kind == socket.SOCK_STREAM:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.bind(("", port))
    s.settimeout(10)
    quietly(lambda: s.connect((to, 9000)))
    s.setblocking(False)
    return s


def flows_to(to):
    v6 = ":" in to
    family = socket.AF_INET6 if v6 else socket.AF_INET
    yield opened(socket.SOCK_DGRAM, family, base, to).send, b"held"
    yield opened(socket.SOCK_STREAM, family, base + 1, to).send, b"held"
    for proto in "echo", "sctp", "udplite", "dccp", "gre", "99":
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.connect((to, 9000))
            own = s.getsockname()[0]
        number, data = of_flow(base, own, to, proto, True, b"held")
        s = socket.socket(family, socket.SOCK_RAW, number)
        s.connect((to, 0))
        yield s.send, data


until = time.monotonic() + seconds
flows = [flow for to in sys.argv[3:] for flow in flows_to(to)]
while time.monotonic() < until:
    for send, data in flows:
        quietly(lambda: send(data))
    time.sleep(0.3)
