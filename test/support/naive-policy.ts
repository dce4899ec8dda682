// A second reading of entries, without any table: slow, and short enough to be seen to be right.

import { type IpAddress, prefixContains } from "../../src/core/model/address.ts";
import { type Service, serviceCovers, serviceGrants } from "../../src/core/model/service.ts";
import { type Entry, isSingle } from "../../src/core/policy/entry.ts";

export interface NaivePacket {
  readonly ipProtocol: number;
  readonly port: number | undefined;
}

/** True when the entry names this name. */
export function namesName(entry: Entry, name: string): boolean {
  if (entry.kind !== "domain") return false;
  if (entry.scope === "exact") return entry.domain === name;
  const labels = labelsOf(name);
  const wanted = entry.domain.split(".");
  if (entry.scope === "subtree") {
    return labels.length >= wanted.length && labels.slice(-wanted.length).join("\n") === wanted.join("\n");
  }
  const oracle = (pattern: string): RegExp => new RegExp(`^${pattern.replaceAll("*", ".*")}$`);
  // Whatever is escaped is a byte that no entry can have in it.
  const bytes = labels.map((label) => label.replaceAll(/\\(?:\d{3}|.)/g, "?"));
  return (
    bytes.length === wanted.length &&
    wanted.every((pattern, index) => oracle(pattern).test(bytes[index] ?? ""))
  );
}

/** Whether a packet passes to an address that this name led to. */
export function passesByName(entries: readonly Entry[], name: string, packet: NaivePacket): boolean {
  const matching = entries.filter((entry) => namesName(entry, name) && covers(entry, packet));
  return matching.some((entry) => opens(entry, packet)) && matching.every(({ negated }) => !negated);
}

/** Whether a packet passes to the address; the names are those that led there. */
export function passes(
  entries: readonly Entry[],
  destination: IpAddress,
  names: readonly string[],
  packet: NaivePacket,
): boolean {
  const here = entries
    .filter((entry) => entry.kind === "prefix")
    .filter((entry) => prefixContains(entry.prefix, destination) && covers(entry, packet));
  if (here.some(({ negated }) => negated)) return false;
  const isLookup = packet.port === 53 && packet.ipProtocol !== 1;
  // Port 53 is open where one address is named with it; a range with it says so of names that lead there.
  if (here.some((entry) => opens(entry, packet) && (!isLookup || isSingle(entry.prefix)))) return true;
  const isPrivate = /^(10\.|fd)/.test(destination);
  const leads = (entry: Entry): boolean =>
    entry.kind === "domain" &&
    (entry.negated || (entry.within === undefined ? !isPrivate : prefixContains(entry.within, destination)));
  const byBoth = (name: string): boolean =>
    isPrivate &&
    here.length > 0 &&
    (passesByName(entries.filter(isAnywhere), name, packet) ||
      (here.some((entry) => opens(entry, packet)) && coversByName(entries.filter(isAnywhere), name, packet)));
  return names.some((name) => passesByName(entries.filter(leads), name, packet) || byBoth(name));
}

const isAnywhere = (entry: Entry): boolean => entry.kind === "domain" && entry.within === undefined;

/** Whether entries that are about the name cover the packet, and none takes it away. */
function coversByName(entries: readonly Entry[], name: string, packet: NaivePacket): boolean {
  const matching = entries.filter((entry) => namesName(entry, name) && covers(entry, packet));
  return matching.length > 0 && matching.every(({ negated }) => !negated);
}

function covers(entry: Entry, { ipProtocol, port }: NaivePacket): boolean {
  return serviceCovers(serviceOf(entry), ipProtocol, port);
}

/** The same of an entry that grants: port 53 only where it is written alone. */
function opens(entry: Entry, { ipProtocol, port }: NaivePacket): boolean {
  return !entry.negated && serviceGrants(serviceOf(entry), ipProtocol, port);
}

function serviceOf(entry: Entry): Service {
  if (entry.kind !== "host") return entry.service;
  return { protocol: entry.protocol, ports: { from: entry.from, to: entry.to } };
}

function labelsOf(name: string): string[] {
  return [...name.matchAll(/(?:\\.|[^.\\])+/g)].map(([label]) => label);
}
