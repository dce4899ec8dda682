// The host's resolv.conf (resolv.conf(5)), as far as it names resolvers.

import { type IpAddress, parseAddress } from "../model/address.ts";

export interface Nameserver {
  readonly address: IpAddress;
  readonly port: number;
}

export interface ResolvConf {
  readonly nameservers: readonly Nameserver[];
  /** Lines that name a server which cannot be used, each one sentence. */
  readonly problems: readonly string[];
}

/** Reads the nameserver lines in order, repetitions left out. Without any, glibc asks this host; so do we. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers = new Map<IpAddress, Nameserver>();
  const problems: string[] = [];
  text.split("\n").forEach((line, index) => {
    const match = /^[ \t]*nameserver[ \t]+([^\s#;]+)/.exec(line);
    const value = match?.[1];
    if (value === undefined) return;
    const address = parseAddress(value);
    if (address !== undefined) nameservers.set(address, { address, port: 53 });
    else
      problems.push(
        `line ${index + 1}: nameserver ${JSON.stringify(value.slice(0, 80))} ${problemOf(value)}`,
      );
  });
  if (nameservers.size === 0 && problems.length === 0) {
    const address = "127.0.0.1" as IpAddress;
    return {
      nameservers: [{ address, port: 53 }],
      problems: ["it names no server; Dockerwall asks 127.0.0.1 instead"],
    };
  }
  return { nameservers: [...nameservers.values()], problems };
}

function problemOf(value: string): string {
  const bare = value.replace(/%.*$/, "");
  return bare !== value && parseAddress(bare) !== undefined
    ? "is a link-local address with a zone, which is not supported; it is left out"
    : "is not an address; it is left out";
}
