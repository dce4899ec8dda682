# Writes down every IP packet that reaches a socket here, one JSON line each: of every protocol, by raw sockets, which
# are served after the host's whole firewall, unlike a capture on an interface. Joins multicast groups on every
# interface, and answers TCP and UDP on a few ports, so that what comes by a proxy comes whole.
# argv: `frames` in a container, to see those that are no IP packets as well (on the host that would be ahead of its
# firewall); `unread`, to have a TCP port whose connections stay open, unread; then ports to answer on.

import ctypes, json, os, selectors, socket, struct, sys, threading, time

GROUPS4 = ["224.0.0.251", "239.1.2.3"]
GROUPS6 = ["ff02::fb", "ff05::123", "ff02::1:2"]
out = os.fdopen(1, "w", buffering=1)


def tell(proto, src, dst, segment):
    ports = struct.unpack("!HH", segment[:4]) if proto in (6, 17, 132, 136) and len(segment) >= 4 else (0, 0)
    kind = segment[0] if proto in (1, 58) and segment else 0
    text = segment[-400:].decode("latin-1")
    out.write(json.dumps({"proto": proto, "src": src, "dst": dst, "sport": ports[0], "dport": ports[1], "type": kind, "text": text}) + "\n")


def raw4(s, proto):
    data = s.recv(65535)
    tell(proto, socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20]), data[(data[0] & 15) * 4:])


def raw6(s, proto):
    data, ancillary, _, peer = s.recvmsg(65535, 256)
    to = next((socket.inet_ntop(socket.AF_INET6, d[:16]) for level, kind, d in ancillary if kind == socket.IPV6_PKTINFO), "")
    tell(proto, peer[0].split("%")[0], to, data)


def frames(s, _):
    tell(0, "", "", s.recv(2048)[14:])


def watch_frames(selector):
    # Of an ethertype for experiments (IEEE 802).
    other = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5))
    selector.register(other, selectors.EVENT_READ, (frames, 0))
    # Whatever has a VLAN's tag: ancillary data 48 of a socket filter says whether there is one (linux/filter.h).
    vlan = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    program = b"".join(struct.pack("HBBI", *step) for step in ((0x28, 0, 0, 0xFFFFF030), (0x15, 1, 0, 0), (0x06, 0, 0, 0x40000), (0x06, 0, 0, 0)))
    buffer = ctypes.create_string_buffer(program)
    vlan.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HP", 4, ctypes.addressof(buffer)))
    selector.register(vlan, selectors.EVENT_READ, (frames, 0))


def join_groups(member4, member6, done):
    for index, name in socket.if_nameindex():
        if name in done:
            continue
        done.add(name)
        for group in GROUPS4:
            try:
                member4.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + b"\0\0\0\0" + struct.pack("i", index))
            except OSError:
                pass
        for group in GROUPS6:
            try:
                member6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, group) + struct.pack("i", index))
            except OSError:
                pass


def answer_tcp(server):
    while True:
        peer, _ = server.accept()
        threading.Thread(target=answer_one, args=(peer,), daemon=True).start()


def answer_one(peer):
    try:
        peer.settimeout(3)
        data = peer.recv(400)
        out.write(json.dumps({"proto": 6, "src": "", "dst": "", "sport": 0, "dport": 0, "type": 0, "text": data.decode("latin-1")}) + "\n")
        peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")
    except OSError:
        pass
    finally:
        peer.close()


def answer_udp(server):
    while True:
        data, peer = server.recvfrom(2048)
        server.sendto(data, peer)


def main():
    selector = selectors.DefaultSelector()
    for proto in range(1, 255):
        for family, read in ((socket.AF_INET, raw4), (socket.AF_INET6, raw6)):
            try:
                s = socket.socket(family, socket.SOCK_RAW, proto)
            except OSError:
                continue
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            selector.register(s, selectors.EVENT_READ, (read, proto))
    if "frames" in sys.argv:
        watch_frames(selector)
    if "unread" in sys.argv:
        # Nobody accepts: the kernel opens connections all the same, and nothing ends them.
        unread = socket.create_server(("", 9000), family=socket.AF_INET6, backlog=1024, dualstack_ipv6=True)
    for port in (int(text) for text in sys.argv[1:] if text.isdigit()):
        for family, kind, serve in ((socket.AF_INET6, socket.SOCK_STREAM, answer_tcp), (socket.AF_INET6, socket.SOCK_DGRAM, answer_udp)):
            server = socket.socket(family, kind)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("::", port))
            if kind == socket.SOCK_STREAM:
                server.listen(64)
            threading.Thread(target=serve, args=(server,), daemon=True).start()
    member4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    member6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    done = set()
    join_groups(member4, member6, done)
    out.write('{"ready": true}\n')
    last = time.monotonic()
    while True:
        for key, _ in selector.select(0.5):
            read, proto = key.data
            try:
                read(key.fileobj, proto)
            except OSError:
                pass
        if time.monotonic() - last > 0.5:
            join_groups(member4, member6, done)
            last = time.monotonic()


main()
