import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  foreignAmong,
  foreignSentence,
  type KnownInterfaces,
  type SandboxInterface,
} from "../../../../src/core/askers/foreign-interfaces.ts";

const engines = 2;
const toHost = 3;
const inside = undefined;
const elsewhere = 0;

interface Case {
  readonly what: string;
  readonly kind: string | undefined;
  readonly leads?: number | undefined;
  readonly index?: number;
  readonly addressed?: boolean;
  /** Whether it is foreign in a container that may make interfaces, and in one that may not. */
  readonly foreign: readonly [able: boolean, unable: boolean];
}

const always = [true, true] as const;
const never = [false, false] as const;
const unlessMade = [false, true] as const;

const cases: readonly Case[] = [
  { what: "the engine's own", kind: "veth", leads: elsewhere, index: engines, foreign: never },
  {
    what: "the engine's own, of another kind",
    kind: "macvlan",
    leads: elsewhere,
    index: engines,
    foreign: never,
  },
  { what: "a card", kind: undefined, foreign: always },
  { what: "a card without an address", kind: undefined, addressed: false, foreign: always },
  { what: "a macvlan on what is inside", kind: "macvlan", leads: inside, foreign: never },
  { what: "a macvlan on what is elsewhere", kind: "macvlan", leads: elsewhere, foreign: always },
  {
    what: "a macvlan without an address",
    kind: "macvlan",
    leads: elsewhere,
    addressed: false,
    foreign: always,
  },
  { what: "a VLAN of a card that is elsewhere", kind: "vlan", leads: elsewhere, foreign: always },
  { what: "a tunnel that sends elsewhere", kind: "gre", leads: elsewhere, foreign: always },
  { what: "a tunnel that every namespace has", kind: "sit", leads: inside, foreign: never },
  { what: "a pair inside", kind: "veth", leads: inside, foreign: never },
  { what: "a pair to the host", kind: "veth", leads: elsewhere, index: toHost, foreign: always },
  { what: "a pair to another namespace", kind: "veth", leads: elsewhere, foreign: unlessMade },
  { what: "a netkit to another namespace", kind: "netkit", leads: elsewhere, foreign: unlessMade },
  { what: "a tun", kind: "tun", foreign: unlessMade },
  { what: "a wireguard", kind: "wireguard", foreign: unlessMade },
  { what: "the tap of a virtual machine", kind: "tun", addressed: false, foreign: never },
  { what: "a bridge", kind: "bridge", foreign: never },
];

const around = (addressed: boolean, able: boolean): KnownInterfaces => ({
  engines: new Set([engines]),
  toHost: new Set([engines, toHost]),
  addressed: new Set(addressed ? [engines, toHost, 4] : []),
  mayMake: () => able,
});

describe("an interface is foreign unless the engine or the container has made it", () => {
  for (const { what, kind, leads, index = 4, addressed = true, foreign } of cases)
    it(what, () => {
      const its: SandboxInterface = { index, name: "eth9", kind, peerNamespace: leads };
      const is = [true, false].map((able) => foreignAmong([its], around(addressed, able)).length === 1);
      assert.deepEqual(is, foreign);
    });
});

it("the sentence names the first of them, and says what to do", () => {
  const all = ["eth1", "wg0", "mv0", "mv1", "mv2"].map((name, at) => ({
    ...{ index: at + 2, name, peerNamespace: undefined },
    kind: [undefined, "wireguard"][at] ?? (at === 0 ? undefined : "macvlan"),
  }));
  assert.equal(
    foreignSentence("web", all, true),
    'container "web" has an interface that is on no network of the engine, eth1 (hardware), wg0 (wireguard), mv0 (macvlan), 2 more: nothing leaves by it; to let everything leave by it, give the container the label dockerwall.accept=foreign-interface, or else take the interface out of it',
  );
  assert.match(
    foreignSentence("web", all.slice(0, 1), false),
    /eth1 \(hardware\): what leaves by it is neither judged/,
  );
});
