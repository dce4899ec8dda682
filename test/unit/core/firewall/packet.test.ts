import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  isIcmpError,
  isOwnError,
  type PacketHead,
  parsePacket,
} from "../../../../src/core/firewall/packet.ts";
import { addressBytes, parseAddress } from "../../../../src/core/model/address.ts";

function bytesOf(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return addressBytes(address);
}

const source4 = bytesOf("198.51.100.7");
const destination4 = bytesOf("203.0.113.9");
const source6 = bytesOf("2001:db8::7");
const destination6 = bytesOf("2001:db8::9");

interface Parts {
  readonly protocol: number;
  readonly rest: readonly number[];
  /** In units of 8 bytes. */
  readonly fragmentOffset?: number;
  readonly options?: number;
}

function version4({ protocol, rest, fragmentOffset = 0, options = 0 }: Parts): Uint8Array {
  const header = [
    0x45 + options,
    0,
    0,
    0,
    0,
    0,
    fragmentOffset >> 8,
    fragmentOffset & 0xff,
    64,
    protocol,
    0,
    0,
  ];
  return Uint8Array.of(
    ...header,
    ...source4,
    ...destination4,
    ...new Array<number>(Math.max(0, options) * 4).fill(1),
    ...rest,
  );
}

function version6({ protocol, rest }: Parts): Uint8Array {
  return Uint8Array.of(0x60, 0, 0, 0, 0, rest.length, protocol, 64, ...source6, ...destination6, ...rest);
}

const ports = [0x30, 0x39, 0x01, 0xbb];
const pad6 = [0, 0, 0, 0, 0, 0];

type Seen = Pick<PacketHead, "ipProtocol" | "destinationPort" | "icmp" | "quoted">;
const none = { destinationPort: undefined, icmp: undefined, quoted: undefined };

const cases: readonly {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly seen: Seen | undefined;
}[] = [
  {
    name: "TCP over IPv4",
    bytes: version4({ protocol: 6, rest: ports }),
    seen: { ...none, ipProtocol: 6, destinationPort: 443 },
  },
  {
    name: "UDP behind IPv4 options",
    bytes: version4({ protocol: 17, rest: ports, options: 3 }),
    seen: { ...none, ipProtocol: 17, destinationPort: 443 },
  },
  {
    name: "ICMP over IPv4",
    bytes: version4({ protocol: 1, rest: [8, 0, 1, 2] }),
    seen: { ...none, ipProtocol: 1, icmp: { type: 8, code: 0 } },
  },
  { name: "GRE", bytes: version4({ protocol: 47, rest: ports }), seen: { ...none, ipProtocol: 47 } },
  {
    name: "a later IPv4 fragment",
    bytes: version4({ protocol: 6, rest: ports, fragmentOffset: 1 }),
    seen: { ...none, ipProtocol: 6 },
  },
  {
    name: "TCP cut before its ports",
    bytes: version4({ protocol: 6, rest: [1, 2, 3] }),
    seen: { ...none, ipProtocol: 6 },
  },
  {
    name: "TCP over IPv6",
    bytes: version6({ protocol: 6, rest: ports }),
    seen: { ...none, ipProtocol: 6, destinationPort: 443 },
  },
  {
    name: "TCP behind hop-by-hop, destination options and authentication",
    bytes: version6({
      protocol: 0,
      rest: [60, 0, ...pad6, 51, 1, ...pad6, ...pad6, 0, 0, 6, 1, ...pad6, 0, 0, 0, 0, ...ports],
    }),
    seen: { ...none, ipProtocol: 6, destinationPort: 443 },
  },
  {
    name: "the first IPv6 fragment",
    bytes: version6({ protocol: 44, rest: [17, 0, 0, 1, 0, 0, 0, 9, ...ports] }),
    seen: { ...none, ipProtocol: 17, destinationPort: 443 },
  },
  {
    name: "a later IPv6 fragment",
    bytes: version6({ protocol: 44, rest: [17, 0, 0, 9, 0, 0, 0, 9, ...ports] }),
    seen: { ...none, ipProtocol: 17 },
  },
  {
    name: "a later IPv6 fragment that begins in extension headers",
    bytes: version6({ protocol: 44, rest: [60, 0, 0, 9, 0, 0, 0, 9, ...ports, ...ports] }),
    seen: undefined,
  },
  {
    name: "ICMPv6",
    bytes: version6({ protocol: 58, rest: [128, 0] }),
    seen: { ...none, ipProtocol: 58, icmp: { type: 128, code: 0 } },
  },
  {
    name: "ICMP of IPv4 inside IPv6",
    bytes: version6({ protocol: 1, rest: [8, 0] }),
    seen: { ...none, ipProtocol: 1 },
  },
  {
    name: "an IPv6 extension header that is cut",
    bytes: version6({ protocol: 43, rest: [6, 0, 0, 0] }),
    seen: undefined,
  },
  {
    name: "an IPv6 extension header longer than the packet",
    bytes: version6({ protocol: 43, rest: [6, 200, ...pad6] }),
    seen: { ...none, ipProtocol: 6 },
  },
  { name: "nothing", bytes: new Uint8Array(), seen: undefined },
  {
    name: "an IPv4 header that is cut",
    bytes: version4({ protocol: 6, rest: [] }).subarray(0, 19),
    seen: undefined,
  },
  {
    name: "an IPv4 header of 16 bytes",
    bytes: version4({ protocol: 6, rest: ports, options: -1 }),
    seen: undefined,
  },
  { name: "an ARP packet", bytes: Uint8Array.of(0, 1, 8, 0, 6, 4, 0, 1), seen: undefined },
];

for (const { name, bytes, seen } of cases) {
  test(name, () => {
    const parsed = parsePacket(bytes);
    if (seen === undefined) {
      assert.equal(parsed, undefined);
      return;
    }
    const version = (bytes[0] ?? 0) >> 4;
    assert.deepEqual(parsed, {
      source: version === 4 ? "198.51.100.7" : "2001:db8::7",
      destination: version === 4 ? "203.0.113.9" : "2001:db8::9",
      ...seen,
    });
  });
}

const error = (type: number, quoted: Uint8Array): Uint8Array =>
  version4({ protocol: 1, rest: [type, 0, ...pad6, ...quoted] });
const error6 = (type: number, quoted: Uint8Array): Uint8Array =>
  version6({ protocol: 58, rest: [type, 0, ...pad6, ...quoted] });
/** The packet that went the other way. */
const received = Uint8Array.of(0x45, ...new Array<number>(11).fill(0), ...destination4, ...source4, ...ports);
const received6 = Uint8Array.of(0x60, ...new Array<number>(7).fill(0), ...destination6, ...source6, ...ports);
const sent = Uint8Array.of(0x45, ...new Array<number>(11).fill(0), ...source4, ...destination4, ...ports);
const neighbours = Uint8Array.from(received, (byte, at) => (at === 19 ? byte + 1 : byte));
const neighbours6 = Uint8Array.from(received6, (byte, at) => (at === 39 ? byte + 1 : byte));
const others = Uint8Array.from(received, (byte, at) => (at === 15 ? byte + 1 : byte));

const errors: readonly (readonly [name: string, bytes: Uint8Array, isError: boolean, isOwn: boolean])[] = [
  ["about what came in, port unreachable", error(3, received), true, true],
  ["about what came in, time exceeded", error(11, received), true, true],
  ["about what came in, parameter problem", error(12, received), true, true],
  ["about what came in to a neighbour", error(3, neighbours), true, false],
  ["about what came in from another host", error(3, others), true, false],
  ["about what was sent", error(3, sent), true, false],
  ["a redirect", error(5, received), true, false],
  ["a source quench", error(4, received), true, false],
  ["cut in the quoted addresses", error(3, received.subarray(0, 19)), true, false],
  ["that quotes nothing", error(3, new Uint8Array()), true, false],
  ["that quotes the other version", error(3, received6), true, false],
  ["an echo that holds a packet", error(8, received), false, false],
  ["an echo reply that holds a packet", error(0, received), false, false],
  ["of IPv6, about what came in", error6(1, received6), true, true],
  ["of IPv6, packet too big", error6(2, received6), true, true],
  ["of IPv6, about what came in to a neighbour", error6(2, neighbours6), true, false],
  ["of IPv6, that quotes the other version", error6(1, received), true, false],
  ["of IPv6, an echo that holds a packet", error6(128, received6), false, false],
  ["of the other version", version6({ protocol: 1, rest: [3, 0, ...pad6, ...received] }), false, false],
];

for (const [name, bytes, isError, isOwn] of errors)
  test(`an error ${name}`, () => {
    const head = parsePacket(bytes) ?? assert.fail();
    assert.deepEqual([isIcmpError(head), isOwnError(head)], [isError, isOwn]);
  });

test("any bytes are read without a throw, and a cut never invents a port", () => {
  const whole = fc.constantFrom(...cases.map(({ bytes }) => bytes));
  const changed = fc
    .tuple(whole, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }), fc.nat(80))
    .map(([bytes, edits, length]) => {
      const copy = Uint8Array.from(bytes);
      for (const [at, value] of edits) if (copy.length > 0) copy[at % copy.length] = value;
      return copy.subarray(0, length);
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 120 }), changed), (bytes) => {
      const head = parsePacket(bytes);
      if (head !== undefined && isOwnError(head))
        assert.deepEqual(head.quoted, { source: head.destination, destination: head.source });
    }),
    { numRuns: 20_000 },
  );
  fc.assert(
    fc.property(whole, fc.nat(80), (bytes, length) => {
      const cut = parsePacket(bytes.subarray(0, length))?.destinationPort;
      assert.ok(cut === undefined || cut === parsePacket(bytes)?.destinationPort);
    }),
  );
});
