// The sockets of one sandbox together, as tests of the kernel's part need them.

import { openAddressSocket, openDnsSocket } from "../../src/edge/sandbox/sockets.ts";

export interface SandboxSockets {
  readonly udpFd: number;
  readonly tcpFd: number;
  readonly udpPort: number;
  readonly tcpPort: number;
  readonly addressFd: number;
}

export function openSandboxSockets(namespaceFd: number): SandboxSockets {
  const addressFd = openAddressSocket(namespaceFd);
  const [udp, tcp] = [openDnsSocket(namespaceFd, "udp"), openDnsSocket(namespaceFd, "tcp")];
  return { addressFd, udpFd: udp.fd, tcpFd: tcp.fd, udpPort: udp.port, tcpPort: tcp.port };
}
