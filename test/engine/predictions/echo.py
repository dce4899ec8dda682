"""Echoes by TCP and UDP on some ports, in both families, with its name before what it got; argv: name, ports."""
import socket, sys, threading

name, ports = sys.argv[1].encode(), [int(each) for each in sys.argv[2:]]
# By it a question is known to have come here.
bait = socket.inet_aton("203.0.113.67")


def serve(connection):
    with connection:
        data = connection.recv(512)
        if data:
            connection.sendall(name + b" " + data + bait)


def by_tcp(port):
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::", port))
    listener.listen(512)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


def by_udp(port):
    # Answers come from the address that was asked only if the socket knows which one that was.
    listener = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    listener.bind(("::", port))
    while True:
        data, ancillary, _, sender = listener.recvmsg(512, 512)
        info = [(level, kind, value) for level, kind, value in ancillary if kind == socket.IPV6_PKTINFO]
        listener.sendmsg([name + b" " + data + bait], info, 0, sender)


for port in ports:
    threading.Thread(target=by_tcp, args=(port,)).start()
    threading.Thread(target=by_udp, args=(port,)).start()
