// A second reading of entries, without any table: slow, and short enough to be seen to be right.

import { type IpAddress, prefixContains } from "../../src/core/model/address.ts";
import { type Service, serviceCovers } from "../../src/core/model/service.ts";
import type { Entry } from "../../src/core/policy/entry.ts";

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
  return (
    labels.length === wanted.length &&
    wanted.every((pattern, index) => oracle(pattern).test(labels[index] ?? ""))
  );
}

/** Whether a packet passes to an address that this name led to. */
export function passesByName(entries: readonly Entry[], name: string, packet: NaivePacket): boolean {
  const matching = entries.filter((entry) => namesName(entry, name) && covers(entry, packet));
  return matching.length > 0 && matching.every(({ negated }) => !negated);
}

/** Whether a packet passes to the address; the names are those that led there. */
export function passes(
  entries: readonly Entry[],
  destination: IpAddress,
  names: readonly string[],
  packet: NaivePacket,
): boolean {
  const here = entries.filter(
    (entry) => entry.kind === "prefix" && prefixContains(entry.prefix, destination) && covers(entry, packet),
  );
  if (here.some(({ negated }) => negated)) return false;
  const isPrivate = /^(10\.|fd)/.test(destination);
  const leads = (entry: Entry): boolean =>
    entry.kind === "domain" &&
    (entry.negated || (entry.within === undefined ? !isPrivate : prefixContains(entry.within, destination)));
  return here.length > 0 || names.some((name) => passesByName(entries.filter(leads), name, packet));
}

function covers(entry: Entry, { ipProtocol, port }: NaivePacket): boolean {
  const service: Service =
    entry.kind === "host"
      ? { protocol: entry.protocol, ports: { from: entry.from, to: entry.to } }
      : entry.service;
  return serviceCovers(service, ipProtocol, port);
}

function labelsOf(name: string): string[] {
  return [...name.matchAll(/(?:\\.|[^.\\])+/g)].map(([label]) => label);
}
