// Socket addresses as the system calls take them. @see ip(7), ipv6(7)

import { AF_INET, AF_INET6 } from "../kernel/libc.ts";

/** struct sockaddr_in for 4 bytes, sockaddr_in6 for 16. @param port 0 has the kernel choose */
export function socketAddress(address: Uint8Array, port: number): Uint8Array {
  const isVersion4 = address.length === 4;
  const result = new Uint8Array(isVersion4 ? 16 : 28);
  result.set(new Uint8Array(Uint16Array.of(isVersion4 ? AF_INET : AF_INET6).buffer));
  result.set([port >> 8, port & 0xff], 2);
  result.set(address, isVersion4 ? 4 : 8);
  return result;
}
