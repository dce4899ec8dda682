# Sends a datagram, or segments, whose sender left two bytes of its destination to be filled in with a checksum: by
# PACKET_VNET_HDR, or by AF_XDP.
import random, socket, struct, sys
import xdp

shape, gateway_mac, own, judged, wanted, text = sys.argv[1:]
six = ":" in own
kind = socket.AF_INET6 if six else socket.AF_INET
packed = lambda address: socket.inet_pton(kind, address)
NEEDS_CSUM, GSO_NONE, GSO_UDP_L4 = 1, 0, 5
# Where the last two bytes of the destination stand, from the IP header on.
AT = 38 if six else 18
PART = 1000


def total(data):
    data += b"\0" * (len(data) % 2)
    found = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while found >> 16:
        found = (found & 0xFFFF) + (found >> 16)
    return found


def ip(length, proto, body, ident=0, at=0, more=False):
    if six:
        return struct.pack("!IHBB", 6 << 28, length, proto, 64) + packed(own) + packed(judged) + body
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, ident, more << 13 | at // 8, 64, proto)
    ends = packed(own) + packed(judged)
    return head + struct.pack("!H", ~total(head + ends) & 0xFFFF) + ends + body


def tuned(before, data):
    """The data, with its last two bytes such that the checksum over all of it is the wanted word."""
    rest = total(before + data[:-2])
    word = int.from_bytes(packed(wanted)[-2:], "big")
    return data[:-2] + struct.pack("!H", ((~word & 0xFFFF) - rest) % 65535)


def datagram(size):
    """A datagram whose data, of so many bytes, make its sum come out right from the destination's last word on."""
    head = struct.pack("!4H", 4000, 9000, 8 + size, 0)
    return head + tuned(packed(judged)[-2:] + head, text.encode().ljust(size, b"\0"))


def fragments():
    whole, ident = datagram(3000), random.randrange(1, 65536)
    for at in range(0, len(whole), PART):
        part, more = whole[at : at + PART], at + PART < len(whole)
        if six:
            head = struct.pack("!BBHI", 17, 0, at | more, ident)
            # Put together again, the header of a fragment is gone, and what stands before it moves.
            send(ip(8 + len(part), 44, head + part), AT + 8)
        else:
            send(ip(len(part), 17, part, ident, at, more), AT)


def whole(size):
    body = datagram(size)
    send(ip(len(body), 17, body), AT)


def stream(size, count=8):
    """Segments of one connection, one after the other."""
    for part in range(count):
        head = struct.pack("!2H2I4H", 4000, 9000, 1 + part * size, 1, 0x5010, 65535, 0, 0)
        body = head + tuned(packed(judged)[-2:] + head, text.encode().ljust(size, b"\0"))
        send(ip(len(body), 6, body, part), AT)


def segments(size, count=2):
    """Segments of so many bytes; of each, the kernel writes the length, and corrects the checksum by it."""
    start = AT - 6
    long, length = 8 + count * size, 8 + size
    check = total(struct.pack("!3H", ~long & 0xFFFF, length, 0))
    head = struct.pack("!4H", 4000, 9000, length, check)
    before = (packed(own) + packed(judged))[(start - (8 if six else 12)) :]
    data = tuned(before + head, text.encode().ljust(size, b"\0"))
    body = struct.pack("!4H", 4000, 9000, long, 0) + data * count
    send(ip(len(body), 17, body), start, 6, GSO_UDP_L4, size)


def send(packet, start, offset=0, gso=GSO_NONE, size=0):
    mac = bytes.fromhex(open("/sys/class/net/eth0/address").read().strip().replace(":", ""))
    frame = bytes.fromhex(gateway_mac.replace(":", "")) + mac + (b"\x86\xdd" if six else b"\x08\x00") + packet
    if shape == "xdp":
        xdp.send("eth0", frame, 14 + start, offset)
        return
    wire.send(struct.pack("=BBHHHH", NEEDS_CSUM, gso, 14 + (48 if six else 28), size, 14 + start, offset) + frame)


with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
    wire.setsockopt(263, 15, 1)
    wire.bind(("eth0", 0))
    try:
        {
            "fragments": fragments,
            "small": lambda: whole(100),
            "large": lambda: whole(1440),
            "xdp": lambda: whole(1440),
            "stream": lambda: stream(1440),
            "segments": lambda: segments(1440),
        }[shape]()
    except OSError as error:
        # Newer kernels cut nothing into segments whose checksum is elsewhere than in the header of their protocol.
        print("refused", error.strerror)
