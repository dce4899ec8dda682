// The addresses of the host itself, on every interface.

import { networkInterfaces } from "node:os";
import { type IpAddress, parseAddress } from "../../core/model/address.ts";

export function listHostAddresses(): readonly IpAddress[] {
  return Object.values(networkInterfaces()).flatMap((entries = []) =>
    entries.flatMap(({ address }) => parseAddress(address) ?? []),
  );
}
