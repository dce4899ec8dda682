// A grant, and the entries that make it true in the kernel.

import { type Family, familyOf, type IpAddress } from "../model/address.ts";
import { type Protocol, protocolNumbers, type Service, serviceGrants } from "../model/service.ts";
import { readableDomain, renderComment } from "./comment.ts";

export interface Grant {
  readonly asker: IpAddress;
  readonly destination: IpAddress;
  /** The name whose answer this is, for those who inspect the sets. */
  readonly domain: string;
  readonly service: Service;
  /** Seconds from now, at least 1. */
  readonly leaseSeconds: number;
  /** When what allows it ends, ms; undefined is never. */
  readonly endsAtMs?: number;
  /** When the address last stood in an answer, ms; undefined is now. */
  readonly answeredAtMs?: number;
}

/** One entry for the kernel. `ask` entries have no asker, protocol and port of their own (0 there). */
export interface GrantEntry {
  readonly set: "grant" | "pair" | "ask";
  readonly family: Family;
  readonly destination: IpAddress;
  readonly asker: IpAddress;
  /** IP protocol number. */
  readonly protocol: number;
  /** Port, or for ICMP type * 256 + code; 0 in `pair` entries for every port. */
  readonly port: number;
  readonly timeoutSeconds: number;
  readonly comment: string;
}

/** Ranges up to this width become one entry a port; wider ones are asked for packet by packet, once each. */
const widestListedRange = 16;

/** Opened at once with a right to every port, so that the common first packet needs no question. */
const commonPorts = [80, 443] as const;

/** Stands in a `pair` entry for every protocol but TCP and UDP; reserved, so no packet has it (IANA protocol numbers). */
const otherProtocols = 255;

/** True for a service of so many ports that the kernel asks for each packet's. */
export function isAsked(service: Service): boolean {
  return service.ports === "any" || service.ports.to - service.ports.from >= widestListedRange;
}

/** What of an entry follows from the service alone. */
interface Shape {
  readonly set: "grant" | "pair";
  readonly protocol: number;
  readonly port: number;
}

/** Services are those of entries of allowlists: few, and asked for with each grant. */
const shapes = new WeakMap<Service, readonly Shape[]>();

/** The entries of a grant, but for the one that has the kernel ask. */
export function entriesOf(grant: Grant, timeoutSeconds: number): GrantEntry[] {
  const { service, domain } = grant;
  const readable = readableDomain(domain);
  return shapesOf(service).map(({ set, protocol, port }) => ({
    ...placeOf(grant),
    set,
    protocol,
    port,
    timeoutSeconds,
    comment: set === "pair" ? renderComment(service, domain) : readable,
  }));
}

/** Whether the kernel asks for packets to what a grant of the service opens. */
export function hasPair(service: Service): boolean {
  return shapesOf(service).some(({ set }) => set === "pair");
}

function shapesOf(service: Service): readonly Shape[] {
  let its = shapes.get(service);
  if (its === undefined) {
    its = findShapes(service);
    shapes.set(service, its);
  }
  return its;
}

function findShapes(service: Service): readonly Shape[] {
  const shape = (set: "grant" | "pair", protocol: Protocol | "other", port: number): Shape => ({
    set,
    protocol: protocol === "other" ? otherProtocols : protocolNumbers[protocol],
    port,
  });
  if (service.protocol === "other") return [shape("pair", "other", 0)];
  const protocols: readonly Protocol[] = service.protocol === "any" ? ["tcp", "udp"] : [service.protocol];
  if (service.ports === "any") {
    // tcp:0 is every protocol; protocol:1 is the range from 1 to 65535 of one.
    const pairs =
      service.protocol === "any" ? [shape("pair", "tcp", 0)] : [shape("pair", service.protocol, 1)];
    const listed = protocols.some((protocol) => protocol === "tcp") ? commonPorts : [];
    return [...pairs, ...listed.map((port) => shape("grant", "tcp", port))];
  }
  const { from, to } = service.ports;
  if (isAsked(service)) return protocols.map((protocol) => shape("pair", protocol, from));
  const ports = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  return protocols.flatMap((protocol) =>
    ports
      .filter((port) => serviceGrants(service, protocolNumbers[protocol], port))
      .map((port) => shape("grant", protocol, port)),
  );
}

/** Has the kernel ask for first packets to the destination. */
export function askEntry(grant: Grant, timeoutSeconds: number): GrantEntry {
  const comment = readableDomain(grant.domain);
  return { ...placeOf(grant), set: "ask", protocol: 0, port: 0, timeoutSeconds, comment };
}

function placeOf(grant: Grant): Pick<GrantEntry, "family" | "destination" | "asker"> {
  return { family: familyOf(grant.destination), destination: grant.destination, asker: grant.asker };
}
