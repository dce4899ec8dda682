# Who lives on another guarded network: looks up, connects and is denied all the time, until its input ends. Nothing is
# tried twice, so that one packet that is lost is one loss.
import json, os, select, socket, struct, sys, threading, time

family, gateway, far, denied, label = int(sys.argv[1]), *sys.argv[2:]
kind = socket.AF_INET if family == 4 else socket.AF_INET6
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
lost, names, ports = [], [], []
patience = 8


def question(name):
    body = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    return struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + body + struct.pack("!2H", 1 if family == 4 else 28, 1)


def tells(answer, place):
    if answer[2:] and answer[3] & 15 == 0 and answer.endswith(socket.inet_pton(kind, far)):
        return
    raise OSError("answered otherwise at " + place + ": " + answer.hex())


def udp(at, port, message):
    with socket.socket(socket.AF_INET if "." in at else kind, socket.SOCK_DGRAM) as s:
        s.settimeout(patience)
        s.connect((at, port))
        s.send(message)
        return s.recv(4096)


def tcp(at, message):
    with socket.socket(socket.AF_INET if "." in at else kind, socket.SOCK_STREAM) as s:
        s.settimeout(patience)
        s.connect((at, 53))
        s.sendall(struct.pack("!H", len(message)) + message)
        got = b""
        while len(got) < 2 or len(got) < 2 + struct.unpack("!H", got[:2])[0]:
            piece = s.recv(4096)
            if piece == b"":
                raise OSError("closed")
            got += piece
        # tcpi_total_retrans (linux/tcp.h): its kernel sends again what was lost, and the loss must not hide behind that.
        again = struct.unpack_from("=I", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 100)[0]
        if again > 0:
            raise OSError(f"{again} of its segments were sent again")
        return got[2:]


def attempt(what, work):
    try:
        work()
    except OSError as error:
        lost.append(f"{what}: {error}")


def connects():
    with socket.create_connection((far, 443), timeout=patience):
        pass


def echoes(port):
    if udp(far, port, b"there") != b"there":
        raise OSError("another echo")


def round_of(index):
    # So many only as the journal keeps of one asker, over all floods.
    name = f"n{index % 40}.{label}.example.com"
    if index < 40:
        names.append(name)
    attempt("lookup", lambda: tells(udp(gateway, 53, question(name)), "the host"))
    attempt("lookup within", lambda: tells(udp("127.0.0.11", 53, question(name)), "the sandbox"))
    attempt("first packet", lambda: echoes(10_000 + index))
    if index % 5 == 0:
        attempt("connection", connects)
        attempt("lookup by TCP", lambda: tells(tcp(gateway, question(name)), "the host by TCP"))
        attempt("lookup within by TCP", lambda: tells(tcp("127.0.0.11", question(name)), "the sandbox by TCP"))
    if index < 40:
        ports.append(20_000 + index)
        with socket.socket(kind, socket.SOCK_DGRAM) as s:
            attempt("denied", lambda: s.sendto(b"away", (denied, ports[-1])))


index = 0
while not ended.is_set() or index == 0:
    round_of(index)
    index += 1
    # An address may look up 300 times a second: who asks faster loses by that limit, and not by others.
    time.sleep(0.005)
    print(index, flush=True)
print(json.dumps({"rounds": index, "lost": lost, "names": names, "ports": ports}), flush=True)
os._exit(0)
