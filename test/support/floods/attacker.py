# Floods a table from the addresses of its container, or in the name of others.
import ctypes, random, resource, socket, struct, sys, time

mode, family, count, gateway, granted, denied, far, *sources = sys.argv[1:]
family, count = int(family), int(count)
kind = socket.AF_INET if family == 4 else socket.AF_INET6
# In as many parts, so that the others have their turns meanwhile.
parts, rest = 20, 0.04


def question(name):
    body = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    return struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + body + struct.pack("!2H", 1 if family == 4 else 28, 1)


def padded(plain, size):
    # One more record, EDNS, with the option of padding.
    left = size - len(plain) - 15
    return plain[:10] + b"\0\1" + plain[12:] + struct.pack("!BHHIHHH", 0, 41, 1232, 0, 4 + left, 12, left) + bytes(left)


def bound(source, port=0, type=socket.SOCK_DGRAM):
    s = socket.socket(kind, type)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((source, port))
    return s


def put(s, message, to):
    try:
        s.sendto(message, to)
    except OSError:
        pass


def looks_up(source, name, size=0):
    with bound(source) as s:
        # What it has flooded before may still lie in the socket of its own network.
        s.settimeout(1)
        for attempt in range(60):
            s.sendto(padded(question(name), size) if size else question(name), (gateway, 53))
            try:
                if s.recv(4096)[3] & 15 == 0:
                    return
            except TimeoutError:
                pass
        raise SystemExit("no grant for " + source)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF or 0xFFFF


def forged(source, to, port, message):
    message += b"\0" * (len(message) % 2)
    ends = socket.inet_pton(kind, source) + socket.inet_pton(kind, to)
    length = 8 + len(message)
    head = struct.pack("!4H", random.randrange(1024, 65536), port, length, 0)
    pseudo = ends + struct.pack("!HH" if family == 4 else "!II", *((17, length) if family == 4 else (length, 17)))
    head = head[:6] + struct.pack("!H", checksum(pseudo + head + message))
    if family == 4:
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, 17, 0) + ends + head + message
    return struct.pack("!IHBB", 6 << 28, length, 17, 64) + ends + head + message


def headed(source, to, protocol, message):
    ends = socket.inet_pton(kind, source) + socket.inet_pton(kind, to)
    if family == 4:
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(message), 0, 0, 64, protocol, 0) + ends + message
    return struct.pack("!IHBB", 6 << 28, len(message), protocol, 255) + ends + message


def syn(source, port):
    ends = socket.inet_pton(kind, source) + socket.inet_pton(kind, gateway)
    pseudo = ends + struct.pack("!HH" if family == 4 else "!II", *((6, 20) if family == 4 else (20, 6)))
    head = struct.pack("!HHIIBBH", port, 53, random.getrandbits(32), 0, 5 << 4, 2, 8192)
    return headed(source, gateway, 6, head + struct.pack("!HH", checksum(pseudo + head + bytes(4)), 0))


def put_all(messages):
    # By sendmmsg(2): one call for all of them, so that they go as fast as the kernel takes them.
    place = (struct.pack("=HH", kind, 0) + socket.inet_pton(kind, gateway)).ljust(16, b"\0")
    if family == 6:
        place = struct.pack("=HHI", kind, 0, 0) + socket.inet_pton(kind, gateway) + bytes(4)
    places = ctypes.create_string_buffer(place, len(place))
    bodies = [ctypes.create_string_buffer(message, len(message)) for message in messages]
    pieces = (ctypes.c_size_t * (2 * len(bodies)))()
    heads = (ctypes.c_size_t * (8 * len(bodies)))()
    for index, body in enumerate(bodies):
        pieces[2 * index], pieces[2 * index + 1] = ctypes.addressof(body), len(body)
        head = ctypes.addressof(places), len(place), ctypes.addressof(pieces) + 16 * index, 1, 0, 0, 0, 0
        heads[8 * index : 8 * index + 8] = head
    sent = 0
    while sent < len(bodies):
        more = libc.sendmmsg(raw.fileno(), ctypes.byref(heads, 64 * sent), len(bodies) - sent, 0)
        sent += max(1, more)


def icmp(source, to, message):
    ends = socket.inet_pton(kind, source) + socket.inet_pton(kind, to)
    pseudo = b"" if family == 4 else ends + struct.pack("!II", len(message), 58)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    return headed(source, to, 1 if family == 4 else 58, message)


def solicitation(source, target):
    # With a MAC of its own: who is asked keeps it.
    mac = b"\2" + random.randbytes(5)
    return icmp(source, gateway, b"\x87\0" + bytes(6) + socket.inet_pton(kind, target) + b"\1\1" + mac)


def error(source, quoted):
    # Of a port that cannot be reached, about what the far end has sent.
    head = b"\3\3" if family == 4 else b"\1\4"
    return icmp(source, far, head + bytes(6) + quoted)


def opens(source):
    with bound(source, 5000) as s:
        s.settimeout(8)
        s.sendto(b"open", (far, 5000))
        s.recv(100)
    return headed(far, source, 17, struct.pack("!4H", 5000, 5000, 12, 0) + b"open")


def stranger(index):
    # The neighbour's own; any of the attacker's network; any of the neighbour's network; any at all.
    return [
        sources[0],
        sources[1] + (str(11 + index % 240) if family == 4 else f"{index:x}"),
        sources[2] + (str(3 + index % 240) if family == 4 else f"{index:x}"),
        f"10.1.{index >> 8 & 255}.{index & 255}" if family == 4 else f"2001:db8:77::{index:x}",
    ][index % 4]


def part(first, last):
    if mode == "syns":
        return put_all(syns[first:last])
    if mode == "forged":
        for index in range(first, last):
            for to, port, message in (
                (gateway, 53, question(f"x{index}.flood.example.com")),
                (granted, 1000 + index % 60000, b"first"),
                (denied, 1000 + index % 60000, b"denied"),
            ):
                put(raw, forged(stranger(index), to, port, message), (to, 0))
        return
    for index in range(first, last):
        if mode == "link":
            source = f"fe80::dead:{index >> 16:x}:{index & 65535:x}"
            put(raw, forged(source, gateway, 1000 + index % 60000, b"denied"), (gateway, 0))
            put(raw, solicitation(source, gateway), (gateway, 0))
            continue
        if mode == "errors":
            source = sources[index % len(sources)]
            put(raw, error(source, flows[source]), (far, 0))
            put(raw, error(others[index % len(others)], flows[source]), (far, 0))
            continue
        if mode == "pool":
            fresh = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            fresh.settimeout(8)
            fresh.connect(("127.0.0.11", 53))
            held.append(fresh)
            continue
        if mode == "questions":
            put(own[0], question(f"x{index}.example.org"), (far, 53))
            continue
        s = own[index % len(own)]
        if mode == "padded":
            looks_up(sources[0], f"p{index}.flood.example.com", 512)
        elif mode == "fragments":
            put(s, bytes(60_000), (denied, 68 if family == 4 else 546))
        elif mode in segments:
            name, each = segments[mode]
            first = index * each
            to = "127.0.0.11" if mode == "inner-segments" else gateway
            put(own[0], b"".join(question(name % (first + at)) for at in range(each)), (to, 53))
        elif mode == "lookups":
            put(s, question(f"x{index}.flood.example.com"), (gateway, 53))
        elif mode == "first":
            put(s, b"first", (granted, 1000 + index % 60000))
        elif mode == "denied":
            put(s, b"denied", (denied, 1000 + index % 60000))
        elif mode == "flows":
            with bound(sources[0], 1024 + index) as fresh:
                put(fresh, b"flow", (granted, 443))
        elif mode in ("tcp", "connections"):
            fresh = bound(sources[index % len(sources)], 0, socket.SOCK_STREAM)
            fresh.setblocking(False)
            fresh.connect_ex((gateway, 53))
            held.append(fresh)
            if mode == "connections" and len(held) > 800:
                held.pop(0).close()


# Names of one length, and how many of them are in one packet: as many as there may be, and as fit into a small packet.
many = "q%06d.example.org", 64
segments = {"segments": many, "inner-segments": many, "small-segments": ("q%05d", 24)}

held = []
if mode in ("forged", "link", "errors", "syns"):
    raw = socket.socket(kind, socket.SOCK_RAW, socket.IPPROTO_RAW)
if mode == "errors":
    # The last three are the neighbour's own, and what the addresses of two networks begin with.
    others = [sources[-3]] + [prefix + str(50 + index) for prefix in sources[-2:] for index in range(50)]
    sources = sources[:-3]
    for source in sources:
        looks_up(source, "a.example.com")
    flows = {source: opens(source) for source in sources}
elif mode == "pool":
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))
elif mode == "questions":
    own = [bound("", 0)]
    own[0].setsockopt(socket.SOL_SOCKET, 33, 1 << 24)
elif mode == "syns":
    libc = ctypes.CDLL(None)
    syns = [syn(sources[index % len(sources)], 1024 + index % 60000) for index in range(count)]
elif mode not in ("forged", "link"):
    own = [bound(source) for source in sources]
    if mode == "fragments":
        # Of DHCP's and DHCPv6's servers.
        own.append(bound(sources[0], 67 if family == 4 else 547))
        for s in own:
            if family == 4:
                # IP_MTU_DISCOVER, IP_PMTUDISC_DONT
                s.setsockopt(socket.IPPROTO_IP, 10, 0)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    elif mode in segments:
        if mode == "inner-segments":
            own = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
        # UDP_SEGMENT; SO_RCVBUFFORCE
        own[0].setsockopt(socket.IPPROTO_UDP, 103, len(question(segments[mode][0] % 0)))
        own[0].setsockopt(socket.SOL_SOCKET, 33, 1 << 26)
    if mode in ("first", "flows"):
        for source in sources:
            looks_up(source, "a.flood.example.com")
print("begins", flush=True)
begun = time.monotonic()
for index in range(parts):
    part(count * index // parts, count * (index + 1) // parts)
    time.sleep(rest)
print(f"{count / (time.monotonic() - begun):.0f} a second", flush=True)
if mode == "questions":
    # Each is sent back by the far end.
    own[0].settimeout(8)
    back = 0
    try:
        while back < count:
            own[0].recv(4096)
            back += 1
    except TimeoutError:
        pass
    print(f"{back} of {count} came back", flush=True)
if mode in segments:
    own[0].settimeout(1)
    answers = 0
    try:
        while own[0].recv(4096):
            answers += 1
    except TimeoutError:
        pass
    print(f"{answers} answers", flush=True)
print("done", flush=True)
sys.stdin.read()
