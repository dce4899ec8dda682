// Sets of services, for `!` entries (what is left after taking something away) and for presets that are narrowed to
// ports. A set consists of port ranges for each protocol, and of whether every other protocol is in it.

import { anyService, isDnsService, type Protocol, type Service } from "./service.ts";

/** Inclusive. */
interface Range {
  readonly from: number;
  readonly to: number;
}

interface ServiceSet {
  /** In order, apart from each other. */
  readonly tcp: readonly Range[];
  readonly udp: readonly Range[];
  /** Every protocol but TCP and UDP. */
  readonly other: boolean;
}

const everyPort: Range = { from: 1, to: 65_535 };

/** What is left of `services` when `taken` is taken away; the same packets are always said by the same services. */
export function subtractServices(
  services: readonly Service[],
  taken: readonly Service[],
): readonly Service[] {
  const from = setOf(services);
  const away = setOf(taken);
  return servicesOf({
    tcp: subtract(from.tcp, away.tcp),
    udp: subtract(from.udp, away.udp),
    other: from.other && !away.other,
  });
}

/** What both have in common. */
export function intersectServices(a: readonly Service[], b: readonly Service[]): readonly Service[] {
  return subtractServices(a, subtractServices([anyService], b));
}

/**
 * What a cut leaves of what entries grant, but port 53 that stood among others before: only who writes it alone names a
 * resolver past the policy.
 */
export function withoutNewResolvers(
  before: readonly Service[],
  left: readonly Service[],
): readonly Service[] {
  return before.some(isDnsService) ? left : left.filter((service) => !isDnsService(service));
}

function setOf(services: readonly Service[]): ServiceSet {
  const rangesOf = (protocol: Protocol): Range[] =>
    union(
      services.flatMap((service) => {
        if (service.protocol !== protocol && service.protocol !== "any") return [];
        return [service.ports === "any" ? everyPort : service.ports];
      }),
    );
  const other = services.some(
    ({ protocol, ports }) => protocol === "other" || (protocol === "any" && ports === "any"),
  );
  return { tcp: rangesOf("tcp"), udp: rangesOf("udp"), other };
}

function servicesOf({ tcp, udp, other }: ServiceSet): readonly Service[] {
  const same = tcp.length === udp.length && tcp.every((range, index) => isSame(range, udp[index]));
  if (same && other && isSame(tcp[0], everyPort)) return [anyService];
  const rest: readonly Service[] = other ? [{ protocol: "other", ports: "any" }] : [];
  if (same) return [...tcp.map((ports): Service => ({ protocol: "any", ports })), ...rest];
  const ofProtocol = (protocol: Protocol, ranges: readonly Range[]): Service[] =>
    ranges.map((ports) => ({ protocol, ports: isSame(ports, everyPort) ? "any" : ports }));
  return [...ofProtocol("tcp", tcp), ...ofProtocol("udp", udp), ...rest];
}

function isSame(a: Range | undefined, b: Range | undefined): boolean {
  return a !== undefined && b !== undefined && a.from === b.from && a.to === b.to;
}

function union(ranges: readonly Range[]): Range[] {
  const joined: Range[] = [];
  for (const range of ranges.toSorted((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    if (last === undefined || range.from > last.to + 1) joined.push(range);
    else joined[joined.length - 1] = { from: last.from, to: Math.max(last.to, range.to) };
  }
  return joined;
}

function subtract(ranges: readonly Range[], taken: readonly Range[]): Range[] {
  let left = [...ranges];
  for (const { from, to } of taken) {
    left = left.flatMap((range) => {
      if (to < range.from || from > range.to) return [range];
      const before = range.from < from ? [{ from: range.from, to: from - 1 }] : [];
      const after = range.to > to ? [{ from: to + 1, to: range.to }] : [];
      return [...before, ...after];
    });
  }
  return left;
}
