// Who fills in the checksums of what an interface sends: its device, or the kernel before the device gets a packet.
// @see netdevice(7), include/uapi/linux/ethtool.h (struct ethtool_value), linux/if.h (struct ifreq)

import koffi from "koffi";
import * as libc from "./libc.ts";
import { littleEndian } from "./netlink/message.ts";

const SIOCETHTOOL = 0x8946;
const ETHTOOL_GTXCSUM = 0x16;
const ETHTOOL_STXCSUM = 0x17;
/** Bytes of a name, with its end. */
const IFNAMSIZ = 16;
const IFREQ_BYTES = 40;
const VALUE_BYTES = 8;
/** Offsets in a struct ifreq, and in a struct ethtool_value that is put behind it. */
const offsets = { data: IFNAMSIZ, command: IFREQ_BYTES, value: IFREQ_BYTES + 4 } as const;

/** Asks and changes that, for interfaces of the namespace that it was made in; for as long as `work` takes. */
export function withChecksums<T>(work: (checksums: TransmitChecksums) => T): T {
  const fd = libc.socket(libc.AF_INET, libc.SOCK_DGRAM, 0, "the checksums of interfaces");
  try {
    return work(new TransmitChecksums(fd));
  } finally {
    libc.close(fd);
  }
}

export type { TransmitChecksums };

class TransmitChecksums {
  readonly #fd: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #address: bigint;

  constructor(fd: number) {
    this.#fd = fd;
    const pointer = koffi.alloc("uint8_t", IFREQ_BYTES + VALUE_BYTES);
    this.#bytes = new Uint8Array(koffi.view(pointer, IFREQ_BYTES + VALUE_BYTES));
    this.#view = new DataView(this.#bytes.buffer);
    this.#address = koffi.address(pointer);
  }

  /** Whether the device of an interface may fill any of them in. @throws SystemCallError, ENODEV without that interface */
  areOffloaded(name: string): boolean {
    this.#call(name, ETHTOOL_GTXCSUM, 0);
    return this.#view.getUint32(offsets.value, littleEndian) !== 0;
  }

  /** Lets the device do it, or no longer. @throws SystemCallError, EOPNOTSUPP where its driver cannot change that */
  offload(name: string, on: boolean): void {
    this.#call(name, ETHTOOL_STXCSUM, on ? 1 : 0);
  }

  #call(name: string, command: number, value: number): void {
    this.#bytes.fill(0);
    this.#bytes.set(Buffer.from(name).subarray(0, IFNAMSIZ - 1));
    this.#view.setBigUint64(offsets.data, this.#address + BigInt(IFREQ_BYTES), littleEndian);
    this.#view.setUint32(offsets.command, command, littleEndian);
    this.#view.setUint32(offsets.value, value, littleEndian);
    libc.ioctl(this.#fd, SIOCETHTOOL, this.#address, `the checksums of ${name}`);
  }
}
