# Sends one frame by AF_XDP (Linux 6.8 and later), of which two bytes are left to be filled in with a checksum.
# @see Documentation/networking/xsk-tx-metadata.rst, include/uapi/linux/if_xdp.h
import ctypes, mmap, os, socket, struct

AF_XDP, SOL_XDP = 44, 283
MMAP_OFFSETS, TX_RING, UMEM_REG, FILL_RING, COMPLETION_RING = 1, 3, 4, 5, 6
TX_METADATA_LEN, TX_METADATA, CHECKSUM, COPY = 4, 2, 2, 2
CHUNK, METADATA, SLOTS = 4096, 16, 4
libc = ctypes.CDLL(None, use_errno=True)


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def send(device, frame, start, offset):
    fd = checked(libc.socket(AF_XDP, socket.SOCK_RAW, 0))
    memory = mmap.mmap(-1, SLOTS * CHUNK)
    at = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    umem = struct.pack("=QQIIII", at, SLOTS * CHUNK, CHUNK, 0, TX_METADATA_LEN, METADATA)
    rings = [(ring, struct.pack("=I", SLOTS)) for ring in (FILL_RING, COMPLETION_RING, TX_RING)]
    for name, value in [(UMEM_REG, umem), *rings]:
        checked(libc.setsockopt(fd, SOL_XDP, name, value, len(value)))
    offsets, length = ctypes.create_string_buffer(128), ctypes.c_int(128)
    checked(libc.getsockopt(fd, SOL_XDP, MMAP_OFFSETS, offsets, ctypes.byref(length)))
    producer, _, descriptors = struct.unpack_from("=3Q", offsets.raw, 32)
    ring = mmap.mmap(fd, descriptors + SLOTS * 16, offset=0x80000000)
    address = struct.pack("=HHIII", AF_XDP, COPY, socket.if_nametoindex(device), 0, 0)
    checked(libc.bind(fd, address, len(address)))
    memory[:METADATA] = struct.pack("=QHHI", CHECKSUM, start, offset, 0)
    memory[METADATA : METADATA + len(frame)] = frame
    ring[descriptors : descriptors + 16] = struct.pack("=QII", METADATA, len(frame), TX_METADATA)
    ring[producer : producer + 4] = struct.pack("=I", 1)
    checked(libc.sendto(fd, None, 0, socket.MSG_DONTWAIT, None, 0))
