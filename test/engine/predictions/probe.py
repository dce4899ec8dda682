"""Sends to each target that stands on its input, one a line: protocol, host, port; writes whether it arrived, 1 or 0."""
import socket, struct, sys
from concurrent.futures import ThreadPoolExecutor

seconds = float(sys.argv[1])
targets = [line.split() for line in sys.stdin.read().splitlines()]
bait = (socket.inet_aton("203.0.113.67"), socket.inet_pton(socket.AF_INET6, "2001:db8:2::67"))
question = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + b"\x05other\x07example\x00" + struct.pack("!2H", 1, 1)
echoing = {"7", "9000"}


def by_tcp(address, port):
    with socket.create_connection((address, port), timeout=seconds) as connection:
        connection.settimeout(seconds)
        if port == 53:
            connection.sendall(struct.pack("!H", len(question)) + question)
            return any(each in connection.recv(512) for each in bait)
        if str(port) not in echoing and port < 18000:
            return True
        connection.sendall(b"ping")
        return b"ping" in connection.recv(512)


def by_udp(family, address, port):
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.settimeout(seconds / 3)
        probe.connect((address, port))
        for _ in range(3):
            try:
                probe.send(question if port == 53 else b"ping")
                answer = probe.recv(512)
                return any(each in answer for each in bait) if port == 53 else b"ping" in answer
            except TimeoutError:
                continue
    return False


def arrives(target):
    protocol, host, port = target
    try:
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        found = socket.getaddrinfo(host, int(port), type=kind)
    except OSError:
        return False
    for family, *_, place in found:
        try:
            if by_tcp(place[0], int(port)) if protocol == "tcp" else by_udp(family, place[0], int(port)):
                return True
        except OSError:
            continue
    return False


with ThreadPoolExecutor(48) as pool:
    print("".join("1" if each else "0" for each in pool.map(arrives, targets)))
