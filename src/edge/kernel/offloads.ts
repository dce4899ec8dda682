// What of the work on packets is left to the device of an interface, or done for many of them at once.
// @see netdevice(7), include/uapi/linux/ethtool.h (struct ethtool_value), linux/if.h (struct ifreq)

import koffi from "koffi";
import * as libc from "./libc.ts";
import { littleEndian } from "./netlink/message.ts";

const SIOCETHTOOL = 0x8946;
/** ETHTOOL_GTXCSUM and ETHTOOL_STXCSUM, ETHTOOL_GGRO and ETHTOOL_SGRO. */
const commands = {
  "transmit-checksums": { get: 0x16, set: 0x17 },
  "generic-receive": { get: 0x2b, set: 0x2c },
} as const;
/** Bytes of a name, with its end. */
const IFNAMSIZ = 16;
const IFREQ_BYTES = 40;
const VALUE_BYTES = 8;
/** Offsets in a struct ifreq, and in a struct ethtool_value that is put behind it. */
const offsets = { data: IFNAMSIZ, command: IFREQ_BYTES, value: IFREQ_BYTES + 4 } as const;

/**
 * `transmit-checksums`: its device fills in those of what an interface sends, not the kernel before the device gets it.
 * `generic-receive`: segments of one flow that come in together are merged, and go on as one packet.
 */
export type Offload = keyof typeof commands;

/** Asks and changes them, for interfaces of the namespace that it was made in; for as long as `work` takes. */
export function withOffloads<T>(work: (offloads: Offloads) => T): T {
  const fd = libc.socket(libc.AF_INET, libc.SOCK_DGRAM, 0, "the offloads of interfaces");
  try {
    return work(new Offloads(fd));
  } finally {
    libc.close(fd);
  }
}

export type { Offloads };

class Offloads {
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

  /** Of checksums: whether the device may fill any of them in. @throws SystemCallError, ENODEV without that interface */
  isOn(name: string, offload: Offload): boolean {
    this.#call(name, offload, commands[offload].get, 0);
    return this.#view.getUint32(offsets.value, littleEndian) !== 0;
  }

  /** @throws SystemCallError, EOPNOTSUPP where its driver cannot change that */
  set(name: string, offload: Offload, on: boolean): void {
    this.#call(name, offload, commands[offload].set, on ? 1 : 0);
  }

  #call(name: string, offload: Offload, command: number, value: number): void {
    this.#bytes.fill(0);
    this.#bytes.set(Buffer.from(name).subarray(0, IFNAMSIZ - 1));
    this.#view.setBigUint64(offsets.data, this.#address + BigInt(IFREQ_BYTES), littleEndian);
    this.#view.setUint32(offsets.command, command, littleEndian);
    this.#view.setUint32(offsets.value, value, littleEndian);
    libc.ioctl(this.#fd, SIOCETHTOOL, this.#address, `${offload} of ${name}`);
  }
}
