// Numbers as keys of a set of networks, for records that are kept in comments: a member of 0.0.0.0/8 stands for a number.

import { hostPrefix, type IpAddress } from "../../../core/model/address.ts";
import type { SetKey } from "./message.ts";

/** @param number 32 bits */
export function numberedKey(number: number): SetKey {
  const address = [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join(".") as IpAddress;
  return { kind: "net", prefix: hostPrefix(address) };
}

export function numberOfKey(address: IpAddress): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}
