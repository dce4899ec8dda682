// A second reading of services: a bit for each packet that they can tell apart. Short enough to be seen to be right;
// nothing of it is taken from the code that it is compared with.

import fc from "fast-check";
import type { Service } from "../../src/core/model/service.ts";

/** Packets as bits: those to ports of TCP from 0 on, those to ports of UDP behind, and one bit for every other protocol. */
export type PacketBits = bigint;

const udpAt = 65_536;
const otherAt = 2 * udpAt;

/** The packets that any of the services is about. */
export function bitsOf(services: readonly Service[]): PacketBits {
  return services.reduce((bits, service) => bits | bitsOfOne(service), 0n);
}

function bitsOfOne({ protocol, ports }: Service): PacketBits {
  const { from, to } = ports === "any" ? { from: 1, to: 65_535 } : ports;
  const its = ((1n << BigInt(to - from + 1)) - 1n) << BigInt(from);
  const tcp = protocol === "tcp" || protocol === "any" ? its : 0n;
  const udp = protocol === "udp" || protocol === "any" ? its << BigInt(udpAt) : 0n;
  const isOther = protocol === "other" || (protocol === "any" && ports === "any");
  return tcp | udp | (isOther ? 1n << BigInt(otherAt) : 0n);
}

/** One packet, for a port of TCP (6) or UDP (17); for any other protocol, whatever the port. */
export function bitOf(ipProtocol: number, port: number | undefined): PacketBits {
  if (port === undefined || (ipProtocol !== 6 && ipProtocol !== 17)) return 1n << BigInt(otherAt);
  return 1n << BigInt((ipProtocol === 17 ? udpAt : 0) + port);
}

/** Packets to port 53. */
export const lookupBits: PacketBits = bitOf(6, 53) | bitOf(17, 53);

/** Both ends, the ports that mean something by themselves, their neighbours, and now and then any other. */
export const portNumbers: fc.Arbitrary<number> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(1, 2, 52, 53, 54, 79, 80, 81, 442, 443, 444, 65_534, 65_535) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 65_535 }) },
);
const ranges = fc
  .oneof(
    fc.tuple(portNumbers, portNumbers),
    portNumbers.map((only) => [only, only] as const),
  )
  .map(([one, other]) => ({ from: Math.min(one, other), to: Math.max(one, other) }));

/** Services as they can be written. */
export const writableServices: fc.Arbitrary<Service> = fc.record(
  {
    protocol: fc.constantFrom("tcp", "udp", "any"),
    ports: fc.oneof(
      { weight: 5, arbitrary: ranges },
      { weight: 1, arbitrary: fc.constantFrom("any" as const, { from: 1, to: 65_535 }) },
    ),
  },
  { noNullPrototype: true },
);

/** Those, and what is left where both protocols that have ports were taken away. */
export const everyService: fc.Arbitrary<Service> = fc.oneof(
  { weight: 9, arbitrary: writableServices },
  { weight: 1, arbitrary: fc.constant<Service>({ protocol: "other", ports: "any" }) },
);
