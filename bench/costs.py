"""What a container waits for: lookups of Docker's resolver, and connections. Prints medians and 90th percentiles in µs."""

import json
import socket
import struct
import sys
import time


def question(number: int, name: str) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!HHHHHH", number & 0xFFFF, 0x100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def timed(work, times: int) -> list[float]:
    taken = []
    for index in range(times):
        start = time.perf_counter()
        work(index)
        taken.append((time.perf_counter() - start) * 1e6)
    return taken


def look_up(name_of, times: int) -> list[float]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(5)
        asker.connect(("127.0.0.11", 53))

        def ask(index: int) -> None:
            asker.send(question(index, name_of(index)))
            answer = asker.recv(4096)
            if answer[3] & 15 != 0:
                raise RuntimeError(f"{name_of(index)}: rcode {answer[3] & 15}")

        return timed(ask, times)


def connect_to(address: str, times: int) -> list[float]:
    def connect(_index: int) -> None:
        with socket.create_connection((address, 80), timeout=5) as connection:
            # No flow of the last round may still be there: it ends by a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return timed(connect, times)


def told(taken: list[float]) -> dict[str, float]:
    ordered = sorted(taken)
    return {"median": ordered[len(ordered) // 2], "p90": ordered[len(ordered) * 9 // 10]}


def main() -> None:
    run, address, resolves = sys.argv[1], sys.argv[2], sys.argv[3] == "resolves"
    result = {}
    if resolves:
        look_up(lambda _: "www.example.com", 1)
        result["cached name"] = told(look_up(lambda _: "www.example.com", 400))
        result["fresh name"] = told(look_up(lambda index: f"r{run}-{index}.wild.example.com", 150))
    result["connection"] = told(connect_to(address, 300))
    print(json.dumps(result))


main()
