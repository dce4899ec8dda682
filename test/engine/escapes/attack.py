# Runs attempts to get out, inside a container, all at once. Reads {"facts": {name: value}, "attempts": [{"token",
# "sport", "to", "to6", "code"}]} from stdin. Each attempt is a line of Python over the words below; what becomes of
# it is seen elsewhere, by its token in the payload or by its source port. Prints one line for each that raised.

import base64, fcntl, json, os, random, socket, struct, subprocess, sys, threading, time

QUICK = 1.5


class Attempt:
    """The words that an attempt may use; every one of them sends and forgets."""

    def __init__(self, facts, given):
        self.facts = facts
        self.token = given["token"].encode()
        self.sport = given["sport"]
        self.to = given["to"]
        self.to6 = given["to6"]
        # A MAC, and a prefix of IPv6, that nobody else uses.
        self.mark_mac = given["mac"]
        self.mark_prefix = given["prefix"]

    # Sockets of the kernel's own.

    def tcp(self, to, port, sport=None, src=""):
        """Connects, says the token, waits for a word."""
        with socket.socket(family(to), socket.SOCK_STREAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((src, self.sport if sport is None else sport))
            s.settimeout(QUICK)
            quietly(lambda: (s.connect(scoped(to, port)), s.sendall(self.token), s.recv(1)))

    def udp(self, to, port, sport=None, ttl=None, group=False, data=None, src=""):
        with socket.socket(family(to), socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            if ttl is not None:
                s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            if group:
                s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 8)
            if sport is not None or src:
                s.bind((src, sport or 0))
            for _ in range(2):
                quietly(lambda: s.sendto(self.token if data is None else data, scoped(to, port)))
                time.sleep(0.05)

    def ping(self, to):
        with socket.socket(family(to), socket.SOCK_RAW, 58 if ":" in to else 1) as s:
            for n in range(2):
                quietly(lambda: s.sendto(self.echo(to, n), scoped(to, 0)))
                time.sleep(0.05)

    def echo(self, to, n=1, kind=None):
        return echo_request(to, self.sport, n, kind, self.token)

    # Packets by hand: from the IP header on, the kernel routes them.

    def raw(self, proto, to, payload=None, **header):
        """An IPv4 packet; `header` may forge what it likes."""
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
            packet = ip4(header.pop("src", self.own()), to, proto, self.token if payload is None else payload, **header)
            for _ in range(2):
                unless_dropped(lambda: s.sendto(packet, (to, 0)))
                time.sleep(0.002)

    def raw_any(self, proto, to, payload, src):
        """A packet of either family."""
        self.raw6(proto, to, payload) if ":" in to else self.raw(proto, to, payload, src=src)

    def error_about(self, owner, to, proto="udp", kind=None, code=1, port=None, opened=False):
        """
        An ICMP error to one end of a flow that flows.py holds, about a packet of it to the other, `owner`; `opened` says that
        the receiver opened the flow, `port` is another flow's. What it quotes carries the token.
        """
        quoted = of_flow(port or int(self.facts["flow"]), to, owner, proto, opened, self.token)
        if ":" in to:
            self.raw6(58, to, struct.pack("!BBHI", kind or 1, code, 0, 0) + ip(to, owner, *quoted))
        else:
            self.raw(1, to, icmp4(kind or 3, code, bytes(4) + ip(to, owner, *quoted)))

    def raw6(self, proto, to, payload=None):
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, proto) as s:
            for _ in range(2):
                unless_dropped(lambda: s.sendto(self.token if payload is None else payload, scoped(to, 0)))

    # Frames by hand: nothing of this kernel's IP is asked.

    def frame(self, kind, payload, dst=None, src=None, device="eth0"):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
            s.bind((device, 0))
            head = mac(dst or self.facts["gwmac"]) + (mac(src) if src else own_mac(device)) + struct.pack("!H", kind)
            for _ in range(2):
                s.send(head + payload)
                time.sleep(0.002)

    def frame4(self, src, to, proto=17, payload=None, dst=None, src_mac=None, device="eth0", **header):
        body = self.udp_segment(src, to) if payload is None else payload
        self.frame(0x0800, ip4(src, to, proto, body, **header), dst, src_mac, device)

    def frame6(self, src, to, next_header=17, payload=None, dst=None, src_mac=None, hops=64, device="eth0"):
        body = self.udp_segment(src, to) if payload is None else payload
        self.frame(0x86DD, ip6(src, to, next_header, body, hops), dst, src_mac, device)

    def filled_in(self, judged, to):
        """A datagram in fragments to one address, of which two bytes are left to be filled in with those of another."""
        at = 18 if packed(judged)[:2] == packed(to)[:2] else 16
        word = int.from_bytes(packed(to)[at - 16:at - 14], "big")
        head = struct.pack("!HHHH", self.sport, 9000, 3000, 0) + self.token.ljust(2990, b"\0")
        rest = checksum(packed(judged)[at - 16:] + head)
        data = head + struct.pack("!H", (2 * 0xFFFF - word - (0xFFFF - rest)) % 0xFFFF)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
            # PACKET_VNET_HDR: before each frame stands where a sum begins, and where from there it is written.
            s.setsockopt(263, 15, 1)
            s.bind(("eth0", 0))
            for part in fragments4(self.own(), judged, data, 1400):
                unfilled = struct.pack("<BBHHHH", 1, 0, 0, 0, 14 + at, 0)
                s.send(unfilled + mac(self.facts["gwmac"]) + own_mac("eth0") + struct.pack("!H", 0x0800) + part)

    def arp(self, src, to, dst="ff:ff:ff:ff:ff:ff", src_mac=None, device="eth0"):
        """Asks for an address, and so says that `src` is at a MAC, the row's own where absent."""
        claim = mac(src_mac or self.mark_mac) + packed(src)
        self.frame(0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + claim + bytes(6) + packed(to), dst, device=device)

    def arp_reply(self, to, src=None, device="eth0"):
        """Asks by ARP who has an address; a reply is a reply."""
        with sniffer(device, 0x0806) as s:
            self.arp(src or own_address(device), to, src_mac=own_mac(device).hex(":"), device=device)
            if heard(s, lambda frame: frame[20:22] == b"\0\2" and frame[28:32] == packed(to)):
                self.reply()

    def solicitation_reply(self, to, src=None):
        """The same by neighbour discovery."""
        with sniffer("eth0", 0x86DD) as s:
            self.discover(135, to, src or self.link6(), "33:33:ff:" + packed(to)[13:].hex(":"), solicited_node(to), own_mac().hex(":"))
            if heard(s, lambda frame: frame[20] == 58 and frame[54] == 136 and frame[62:78] == packed(to)):
                self.reply()

    def discover(self, kind, target, src, dst, to, claimed=None):
        """A neighbour solicitation or advertisement that claims a MAC, the row's own where absent."""
        option = bytes([1 if kind == 135 else 2, 1]) + mac(claimed or self.mark_mac)
        flags = bytes(4) if kind == 135 else bytes([0x20, 0, 0, 0])
        self.frame6(src, to, 58, icmp6(src, to, kind, flags + packed(target) + option), dst=dst, hops=255)

    def advertisement(self, to, src=None):
        """A router advertisement of the row's own prefix. Who takes it has one more address, and no other route or source."""
        option = struct.pack("!BBBBIII", 3, 4, 64, 0x40, 20, 0, 0) + packed(self.mark_prefix + "::")
        head = struct.pack("!BBHII", 64, 0, 0, 0, 0)
        return ip6(src or self.link6(), to, 58, icmp6(src or self.link6(), to, 134, head + option), 255)

    # With an accomplice in the internet, who may be asked.

    def far(self, *packets, order=b"", pause=0.005):
        """Has the accomplice send packets from there. What asks for them must not be taken for them."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for packet in packets * 2:
                quietly(lambda: s.sendto(order + b" " + base64.b64encode(packet), (self.facts["ally"], 7000)))
                time.sleep(pause)

    def comes(self, *packets):
        """The same; one that gets here with the token is a reply."""
        with sniffer("eth0", 0x86DD if packets[0][0] >> 4 == 6 else 0x0800) as s:
            for _ in range(3):
                self.far(*packets)
                if heard(s, lambda frame: self.token in frame, 0.7):
                    return self.reply()

    def far_error(self, to, owner, server, proto):
        """A time exceeded from the internet, about a packet of a flow that flows.py holds; `owner` as the far side sees it."""
        body = bytes(4) + ip(owner, server, *of_flow(int(self.facts["flow"]), owner, server, proto, True, self.token))
        v6 = ":" in to
        src = self.facts["far6"] if v6 else self.facts["far_address"]
        return ip(src, to, 58, icmp6(src, to, 3, body)) if v6 else ip(src, to, 1, icmp4(11, 0, body))

    def seen6(self):
        """As which the internet sees this container by IPv6."""
        return self.facts["natted6"] or self.own6()

    def rebind(self, address):
        """Looks a name up until it has an address that it had not at first; whether an answer gives it."""
        for _ in range(4):
            found = self.lookup(self.rebound(address)) or []
            if any(packed(each[4][0]) == packed(address) for each in found):
                return True
        return False

    def rebound(self, address):
        """A name that nobody else asks for, and that leads to another address at first; questions must not be taken for more."""
        asker = f"{self.facts['host'].replace('.', '-')}-{self.sport}"
        kind = base64.b32encode(packed(address)).decode().rstrip("=").lower()
        return f"{asker}.{kind}.rebind.tunnel.example.net"

    # By devices of its own.

    def vxlan(self, own, remote):
        """Frames in VXLAN, by a device of this namespace (NET_ADMIN)."""
        device = f"vx{self.sport}"
        self.sh(f"ip link add {device} type vxlan id {self.sport} dstport 4789 local {own} remote {remote} dev eth0; ip link set {device} up")
        for _ in range(3):
            time.sleep(0.3)
            self.frame4("10.98.0.1", "10.98.0.2", dst="02:00:00:00:00:02", device=device)

    def beyond_window(self, own, to):
        """A segment of a flow of its own, from a port by which nothing is known, far beyond what the receiver awaits."""
        port, v6 = self.sport + 8000, ":" in to
        at = 54 if v6 else 34
        with sniffer("eth0", 0x86DD if v6 else 0x0800) as wire, socket.socket(family(to), socket.SOCK_STREAM) as s:
            s.bind(("", port))
            s.settimeout(QUICK)
            quietly(lambda: s.connect((to, 9000)))
            accepted = answered(wire, lambda frame: frame[at:at + 4] == struct.pack("!HH", 9000, port) and frame[at + 13] == 18)
            if accepted:
                awaited = struct.unpack("!I", accepted[at + 8:at + 12])[0]
                segment = tcp_at(own, to, port, 9000, (awaited + (1 << 29)) % (1 << 32), self.token)
                (self.frame6 if v6 else self.frame4)(own, to, 6, segment)

    def macvlan(self, mode):
        """A device with a MAC of its own on eth0 (NET_ADMIN)."""
        device = f"mv{self.sport}"
        self.sh(f"ip link add {device} link eth0 type macvlan mode {mode}; ip link set {device} up")
        return device

    def gretap(self, src, to):
        """A frame in GRE (RFC 1701, ethertype of transparent bridging)."""
        inside = mac("020000000002") + mac("020000000001") + b"\x08\0" + ip4("10.98.0.1", "10.98.0.2", 17, self.udp_segment("10.98.0.1", "10.98.0.2"))
        return struct.pack("!HH", 0, 0x6558) + inside

    def under_mac(self, address, src_mac):
        """Sends under the MAC of another for a while, and listens for what is meant for it: by sockets that see every frame."""
        with sniffer("eth0", 0x0800) as s:
            until = time.monotonic() + 2
            while time.monotonic() < until:
                self.frame4(self.own(), self.own(), src_mac=src_mac, dst="02:00:00:00:00:01")
                if heard(s, lambda frame: frame[:6] == mac(src_mac) and frame[30:34] == packed(address), 0.01):
                    return self.reply()

    def udp_segment(self, src, to, dport=9000, sport=None, data=None):
        return udp_segment(src, to, sport or self.sport, dport, self.token if data is None else data)

    def gre(self, src, to):
        """A datagram in GRE (RFC 2784)."""
        return struct.pack("!HH", 0, 0x0800) + ip4(src, to, 17, self.udp_segment(src, to))

    def tcp_segment(self, src, to, flags, dport=80, sport=None):
        return tcp_segment(src, to, sport or self.sport, dport, flags, self.token)

    def tcp_between(self, src, to, sport, dport, flags):
        return tcp_segment(src, to, sport, dport, flags, self.token)

    def icmp6(self, src, to, kind, body=b"\0\0\0\0"):
        return icmp6(src, to, kind, body + self.token)

    # Programs.

    def sh(self, command, seconds=10):
        env = {**os.environ, "token": self.token.decode(), "to": self.to, "to6": self.to6, **texts(self.facts)}
        subprocess.run(["timeout", "-k", "1", str(seconds), "sh", "-c", command], env=env,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, server, port=53, kind=1, name=None):
        """A DNS question for a name that nobody else asks, by UDP and by TCP."""
        message = dns_question((name or self.token.decode() + ".example.org"), kind)
        with socket.socket(family(server), socket.SOCK_DGRAM) as s:
            s.settimeout(QUICK)
            quietly(lambda: (s.sendto(message, scoped(server, port)), s.recv(512)))
        with socket.socket(family(server), socket.SOCK_STREAM) as s:
            s.settimeout(QUICK)
            quietly(lambda: (s.connect(scoped(server, port)), s.sendall(struct.pack("!H", len(message)) + message), s.recv(2)))

    def lookup(self, name):
        return quietly(lambda: socket.getaddrinfo(name, 1))

    def every_port(self, to, step=64):
        """One SYN and one datagram to each port of a sample, or of all; not to 53, where lookups are answered."""
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
            own = self.own()
            for port in [*range(1, 53), *range(54, 1025), *range(1025, 65536, step)]:
                s.sendto(ip4(own, to, 6, tcp_segment(own, to, self.sport, port, 2)), (to, 0))
                s.sendto(ip4(own, to, 17, self.udp_segment(own, to, dport=port)), (to, 0))
                # Slowly, or the capture on the uplink loses some.
                if port % 16 == 1:
                    time.sleep(0.02)

    # What NET_ADMIN can do to its own sandbox.

    def unix_sockets(self):
        """Every unix socket, by path or abstract, that lets this container in."""
        paths = subprocess.run(["find", "/", "-xdev", "-type", "s"], capture_output=True, text=True).stdout.split()
        with open("/proc/net/unix") as f:
            abstract = [line.split()[-1] for line in f if "@" in line]
        found = []
        for path in [*paths, *["\0" + name[1:] for name in abstract], "/run/dockerwall/control.sock", "/var/run/docker.sock"]:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                if s.connect_ex(path) == 0:
                    found.append(path)
        return found

    def reply(self):
        print("reply", self.token.decode(), flush=True)

    def mangle_ports(self):
        """Three ways to what Docker's resolver really listens on: before our chains, after them, and as another address."""
        for port in resolver_ports():
            rules = f"""
table ip evil
delete table ip evil
table ip evil {{
  chain early {{ type nat hook output priority -300; ip daddr 127.0.0.11 udp dport 5301 dnat to 127.0.0.11:{port}; }}
  chain late {{ type filter hook input priority 2147483647;
    ip daddr 127.0.0.1 udp dport 5303 ip daddr set 127.0.0.11 udp dport set {port};
    ip daddr 127.0.0.11 ip saddr 127.0.0.2 udp dport set {port}; }}
}}"""
            subprocess.run(["nft", "-f", "-"], input=rules.encode(), stderr=subprocess.DEVNULL)
            message = dns_question(self.token.decode() + ".example.org")
            for source, to in (("127.0.0.1", ("127.0.0.11", 5301)), ("127.0.0.2", ("127.0.0.11", 53)), ("127.0.0.1", ("127.0.0.1", 5303))):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.settimeout(0.3)
                    s.bind((source, 0))
                    quietly(lambda: (s.sendto(message, to), s.recv(512)))

    def afloat(self, end):
        """An address of its subnet by its last number."""
        return self.facts["unused"].rpartition(".")[0] + end

    def float(self, address):
        """Takes an address beside its own, and waits until that is known."""
        self.sh(f"ip address add {address}/{64 if ':' in address else 24} dev eth0 {'nodad' if ':' in address else ''}")
        time.sleep(1)

    def move_to(self, address, gateway):
        """Takes another address instead of its own, and waits until that is known."""
        self.sh(f"ip address flush dev eth0; ip address add {address}/24 dev eth0; ip route replace default via {gateway}")
        time.sleep(1)

    # What it knows of itself.

    def own(self):
        return own_address("eth0")

    def own6(self, device="eth0"):
        return next((a for a in own_addresses6(device) if not a.startswith("fe80")), "::")

    def link6(self, device="eth0"):
        return next((a for a in own_addresses6(device) if a.startswith("fe80")), "fe80::dead")


def scoped(to, port):
    """A destination; one on a link may name the device behind a %."""
    if ":" not in to:
        return (to, port)
    address, _, device = to.partition("%")
    local = address.lower().startswith(("fe80", "ff"))
    return (address, port, 0, socket.if_nametoindex(device or "eth0") if local else 0)


def family(to):
    return socket.AF_INET6 if ":" in to else socket.AF_INET


def quietly(work):
    try:
        return work()
    except OSError:
        return None


def unless_dropped(work):
    """What a rule of the sandbox drops is tried all the same, and its sender is told (EPERM)."""
    try:
        return work()
    except PermissionError:
        return None


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def own_mac(device="eth0"):
    with open(f"/sys/class/net/{device}/address") as f:
        return mac(f.read().strip())


def sniffer(device, kind):
    """Sees every frame of an ethertype that reaches a device, for whomever it is meant."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind))
    s.bind((device, kind))
    return s


def heard(s, wanted, seconds=1):
    """Whether a wanted frame comes within that time."""
    return answered(s, wanted, seconds) is not None


def answered(s, wanted, seconds=1):
    """A wanted frame that comes within that time."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        s.settimeout(left)
        frame = quietly(lambda: s.recv(2048))
        if frame is not None and len(frame) >= 34 and wanted(frame + bytes(78)):
            return frame
    return None


def solicited_node(address):
    return socket.inet_ntop(socket.AF_INET6, packed("ff02::1:ff00:0")[:13] + packed(address)[13:])


def tagged(kind, payload, tags=1):
    """What follows the ethertype 0x8100: as many tags of priority only (VLAN 0), then the packet."""
    return b"\0\0\x81\0" * (tags - 1) + b"\0\0" + struct.pack("!H", kind) + payload


def own_address(device):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            return socket.inet_ntoa(fcntl.ioctl(s, 0x8915, struct.pack("256s", device.encode()))[20:24])
        except OSError:
            return "0.0.0.0"


def own_addresses6(device="eth0"):
    with open("/proc/net/if_inet6") as f:
        rows = [line.split() for line in f]
    return [socket.inet_ntop(socket.AF_INET6, bytes.fromhex(row[0])) for row in rows if row[5] == device]


def resolver_ports():
    """Where Docker's own resolver (or anything else) really listens at 127.0.0.11."""
    found = set()
    for table in ("udp", "tcp"):
        with open("/proc/net/" + table) as f:
            for row in list(f)[1:]:
                address, port = row.split()[1].split(":")
                if address == "0B00007F":
                    found.add(int(port, 16))
    return sorted(found)


def packed(address):
    return socket.inet_pton(family(address), address)


def echo_request(to, ident, n, kind, data):
    v6 = ":" in to
    body = struct.pack("!BBHHH", kind if kind is not None else (128 if v6 else 8), 0, 0, ident, n) + data
    # The kernel sums ICMPv6 itself.
    return body if v6 else body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo(src, dst, proto, length):
    if ":" in dst:
        return packed(src) + packed(dst) + struct.pack("!II", length, proto)
    return packed(src) + packed(dst) + struct.pack("!BBH", 0, proto, length)


def ip4(src, dst, proto, payload, ttl=64, frag=0, more=False, ident=None, options=b""):
    words = 5 + len(options) // 4
    fields = (0x40 | words, 0, words * 4 + len(payload), ident or random.randrange(1, 65535),
              (0x2000 if more else 0) | frag, ttl, proto)
    head = struct.pack("!BBHHHBB", *fields) + b"\0\0" + packed(src) + packed(dst) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(src, dst, next_header, payload, hops=64):
    return struct.pack("!IHBB", 0x60000000, len(payload), next_header, hops) + packed(src) + packed(dst) + payload


def ip(src, dst, proto, payload):
    """A packet of the family that its addresses are of."""
    return (ip6 if ":" in dst else ip4)(src, dst, proto, payload)


def spoiled(segment, at):
    """The same with another checksum."""
    return segment[:at] + bytes([segment[at] ^ 0x55]) + segment[at + 1:]


def udp_segment(src, dst, sport, dport, data):
    head = struct.pack("!HHHH", sport, dport, 8 + len(data), 0)
    value = checksum(pseudo(src, dst, 17, len(head + data)) + head + data) or 0xFFFF
    return head[:6] + struct.pack("!H", value) + data


def tcp_segment(src, dst, sport, dport, flags, data=b""):
    head = struct.pack("!HHIIBBHHH", sport, dport, 1000, 1000 if flags & 16 else 0, 0x50, flags, 8192, 0, 0)
    value = checksum(pseudo(src, dst, 6, len(head + data)) + head + data)
    return head[:16] + struct.pack("!H", value) + head[18:] + data


def tcp_at(src, dst, sport, dport, at, data):
    """A segment at some place of its stream."""
    segment = tcp_segment(src, dst, sport, dport, 16, data)
    moved = segment[:4] + struct.pack("!I", at) + segment[8:16] + b"\0\0" + segment[18:]
    return moved[:16] + struct.pack("!H", checksum(pseudo(src, dst, 6, len(moved)) + moved)) + moved[18:]


def icmp4(kind, code, body):
    data = struct.pack("!BBH", kind, code, 0) + body
    return data[:2] + struct.pack("!H", checksum(data)) + data[4:]


def icmp6(src, dst, kind, body):
    data = struct.pack("!BBH", kind, 0, 0) + body
    return data[:2] + struct.pack("!H", checksum(pseudo(src, dst, 58, len(data)) + data)) + data[4:]


def dns_question(name, kind=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", random.randrange(65536), 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def sip_invite(own, server, sport, rtp):
    """An INVITE that names an own port for what is said (RFC 3261, RFC 8866)."""
    family = "IP6" if ":" in own else "IP4"
    host, far = (f"[{own}]", f"[{server}]") if ":" in own else (own, server)
    spoken = ["v=0", f"o=- 1 1 IN {family} {own}", "s=-", f"c=IN {family} {own}", "t=0 0", f"m=audio {rtp} RTP/AVP 0"]
    body = "".join(line + "\r\n" for line in spoken)
    head = [f"INVITE sip:b@{far} SIP/2.0", f"Via: SIP/2.0/UDP {host}:{sport};branch=z9hG4bK{sport}", f"From: <sip:a@{host}>;tag=1",
            f"To: <sip:b@{far}>", f"Call-ID: {sport}@{host}", "CSeq: 1 INVITE", f"Contact: <sip:a@{host}:{sport}>",
            "Content-Type: application/sdp", f"Content-Length: {len(body)}"]
    return ("".join(line + "\r\n" for line in head) + "\r\n" + body).encode()


def sip_agreed(server, invitation, port):
    """200 to an INVITE, with a port of the server's own."""
    head, _, body = invitation.decode().partition("\r\n\r\n")
    kept = [line for line in head.split("\r\n")[1:] if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
    at = f"[{server}]" if ":" in server else server
    lines = body.split("\r\n")
    family = "IP6" if ":" in server else "IP4"
    lines[1], lines[3] = f"o=- 1 1 IN {family} {server}", f"c=IN {family} {server}"
    lines[5] = f"m=audio {port} RTP/AVP 0"
    spoken = "\r\n".join(lines)
    rest = [f"Contact: <sip:b@{at}:5060>", "Content-Type: application/sdp", f"Content-Length: {len(spoken)}"]
    return ("\r\n".join(["SIP/2.0 200 OK", *kept, *rest]) + "\r\n\r\n" + spoken).encode()


def sctp_init(sport, dport, data):
    """An SCTP packet with an INIT chunk, data in an unknown parameter (RFC 9260)."""
    parameter = struct.pack("!HH", 0xC000, 4 + len(data)) + data
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20 + len(parameter), 7, 65535, 1, 1, 7) + parameter
    return sctp_packet(sport, dport, 0, chunk)


def sctp_data(sport, dport, data):
    """One with a DATA chunk."""
    return sctp_packet(sport, dport, 7, struct.pack("!BBHIHHI", 0, 3, 16 + len(data), 1, 0, 0, 0) + data)


def sctp_packet(sport, dport, tag, chunk):
    """With the right checksum."""
    head = struct.pack("!HHI", sport, dport, tag)
    chunk += bytes(-len(chunk) % 4)
    crc = 0xFFFFFFFF
    for byte in head + b"\0\0\0\0" + chunk:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return head + struct.pack("<I", crc ^ 0xFFFFFFFF) + chunk


def dccp_request(src, dst, sport, dport, data):
    """What opens a DCCP connection (RFC 4340, section 5.1)."""
    head = struct.pack("!HHBBHBBHII", sport, dport, 5, 0, 0, 1, 0, 0, 1, 0)
    value = checksum(pseudo(src, dst, 33, len(head + data)) + head + data)
    return head[:6] + struct.pack("!H", value) + head[8:] + data


def of_flow(base, src, dst, proto, opened, data):
    """
    The protocol and the payload of a packet of a flow of flows.py, whose first port is `base`; `opened` says that its source
    opened the flow. To a kernel that does not track DCCP (6.18), it has no ports, as GRE. Of UDP-Lite connection tracking
    wants the checksum that UDP would have (udplite_error()), and calls what a receiver would take invalid.
    """
    v6 = ":" in dst
    ports = lambda n: (base + n, 9000) if opened else (9000, base + n)
    echo = struct.pack("!HH", base + 2, 1) + data
    return {
        "udp": lambda: (17, udp_segment(src, dst, *ports(0), data)),
        "tcp": lambda: (6, tcp_segment(src, dst, *ports(1), 16, data)),
        "echo": lambda: (58, icmp6(src, dst, 128 if opened else 129, echo)) if v6 else (1, icmp4(8 if opened else 0, 0, echo)),
        "sctp": lambda: (132, sctp_init(*ports(3), data)),
        "udplite": lambda: (136, udp_segment(src, dst, *ports(5), data)),
        "dccp": lambda: (33, dccp_request(src, dst, *ports(6), data)),
        "gre": lambda: (47, struct.pack("!HH", 0, 0x0800) + data),
        "99": lambda: (99, data),
    }[proto]()


def fragments4(src, dst, data, size):
    """A datagram in pieces of `size` bytes, a multiple of 8."""
    ident = random.randrange(1, 65535)
    starts = range(0, len(data), size)
    return [ip4(src, dst, 17, data[at:at + size], frag=at // 8, more=at + size < len(data), ident=ident) for at in starts]


def device_in(address):
    """The device on the /24 of an address."""
    near = address.rsplit(".", 1)[0]
    return next(name for _, name in socket.if_nameindex() if own_address(name).rsplit(".", 1)[0] == near)


def texts(facts):
    return {key: str(value) for key, value in facts.items()}


def run(facts, given):
    attempt = Attempt(facts, given)
    words = {name: getattr(attempt, name) for name in dir(attempt) if not name.startswith("_")}
    try:
        for again in range(given.get("times", 1)):
            if again:
                time.sleep(0.5)
            exec(given["code"], {**globals(), **facts, **words})
    except Exception as error:
        print("raised", given["token"], type(error).__name__, error, flush=True)


if __name__ == "__main__":
    job = json.load(sys.stdin)
    threads = [threading.Thread(target=run, args=(job["facts"], given)) for given in job["attempts"]]
    for thread in threads:
        thread.start()
        time.sleep(0.005)
    for thread in threads:
        thread.join()
