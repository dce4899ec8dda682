# Opens flows and keeps them busy until the end, whatever happens to them. argv: address of the TCP echo server, of the
# UDP one, and of one to ping.

import os, socket, struct, sys, time

tcp_to, udp_to, ping_to = sys.argv[1:]


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


tcp = socket.create_connection((tcp_to, 9000), timeout=3)
tcp.setblocking(False)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.connect((udp_to, 9000))
icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
body = struct.pack("!BBHHH", 8, 0, 0, 77, 1) + b"held"
echo = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
while True:
    for send in (lambda: tcp.send(b"held"), lambda: udp.send(b"held"), lambda: icmp.sendto(echo, (ping_to, 0))):
        try:
            send()
        except OSError:
            pass
    time.sleep(0.2)
