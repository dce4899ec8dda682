// Which addresses a sandbox may send from, beside others that have them or claim them.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Asker } from "../../../../src/core/askers/knowledge.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { Senders, type SendersOptions } from "../../../../src/data/sandboxes/senders.ts";

const own = "192.0.2.1" as IpAddress;
const shared = "192.0.2.2" as IpAddress;
const linkLocal = "fe80::1" as IpAddress;
const inner = "fe80::2" as IpAddress;
const box = { sandbox: "box" } as unknown as Asker & { readonly sandbox: string };
const other = { ...box, sandbox: "other" };
const found = {
  addresses: [own, shared].map((address) => ({ address, index: 2 })),
  linkLocal: [
    { address: linkLocal, index: 2 },
    { address: inner, index: 3 },
  ],
};
const nothing = { addresses: [], linkLocal: [] };

/** Its end is the first interface. */
const port = [{ bridge: "br-1", peer: 2 }];

interface World {
  /** Whom the engine gave `shared` to. */
  readonly givenTo?: string;
  /** Who has a port on the network of `shared`. */
  readonly onBridge?: readonly string[];
  /** Whether the engine has told of nothing yet. */
  readonly isBlank?: boolean;
  /** Who has it on. */
  readonly holders?: readonly string[];
  /** Whose it was in an earlier run. */
  readonly ownerBefore?: string;
  /** Whose the link-local one was then. */
  readonly linkLocalBefore?: readonly (string | undefined)[];
  readonly isThere?: boolean;
  /** One that wants no address, whatever it may have. */
  readonly wantsNothing?: string;
  /** Whether the addresses of `other` were read. */
  readonly isRead?: boolean;
  /** Whether the host has `shared`. */
  readonly isHosts?: boolean;
}

function start(world: World = {}): Senders {
  const {
    givenTo,
    holders = ["box", "other"],
    ownerBefore,
    isThere = true,
    linkLocalBefore = [],
    onBridge = [],
  } = world;
  const index = {
    sendersOf: ({ sandbox }: typeof box, _bridges: unknown, mayClaim: (address: IpAddress) => boolean) =>
      sandbox === world.wantsNothing ? [] : [own, shared].filter(mayClaim),
    isBlank: world.isBlank === true,
    givenTo: (address: IpAddress) => (address === shared ? { sandbox: givenTo, bridge: "br-1" } : undefined),
  } as unknown as ReturnType<SendersOptions["indexNow"]>;
  return new Senders({
    indexNow: () => index,
    portsOf: (sandbox) => (onBridge.includes(sandbox) ? port : []),
    holdersOf: (address) => new Set(address === shared ? holders : ["box"]),
    ownerOf: (address) => (address === shared ? ownerBefore : undefined),
    linkLocalBefore: () => linkLocalBefore,
    mayBeThere: (sandbox) => (sandbox === undefined ? world.isThere === true : isThere),
    isRead: (sandbox) => sandbox === "box" || (world.isRead ?? true),
    isHosts: (address) => address === shared && world.isHosts === true,
  });
}

/** Whether it may send from `shared`. */
const sharesIn = (senders: Senders, asker: typeof box, having = found): boolean =>
  sendersOf(senders, asker, having).includes(shared);

const sendersOf = (senders: Senders, asker: typeof box, having = found): readonly IpAddress[] =>
  senders.claim(asker, port, having).senders;

test("what others only have on is who claims it first, until that one is gone", () => {
  const senders = start();
  assert.deepEqual(sendersOf(senders, box), [own, shared]);
  assert.deepEqual(sendersOf(senders, other), []);
  assert.deepEqual(senders.gone("box"), { released: [own, shared], heirs: new Set(["other"]) });
  assert.deepEqual(sendersOf(senders, other), [own, shared]);
});

test("what the engine gave to one is its own when it has it on, even if another claimed it before", () => {
  const senders = start({ givenTo: "other", holders: ["box"] });
  // The engine tells late that one is gone, and that it has left an address.
  assert.deepEqual(sendersOf(senders, box), [own, shared]);
  assert.deepEqual(sendersOf(senders, other, nothing), []);
  const { senders: its, losers } = senders.claim(other, port, found);
  assert.deepEqual([its, losers], [[shared], new Set(["box"])]);
  assert.deepEqual(sendersOf(start({ givenTo: "other" }), box), [own]);
});

test("what the engine gave to one is its own as long as that one is on the network, whoever has it on", () => {
  const onBridge = ["other"];
  const senders = start({ givenTo: "other", holders: ["box"], onBridge });
  for (let round = 0; round < 2; round++) {
    assert.equal(sharesIn(senders, box), false);
    assert.equal(sharesIn(senders, other, nothing), true);
  }
  const gone = start({ givenTo: "other", holders: ["box"], onBridge, isThere: false });
  assert.equal(sharesIn(gone, box), true);
  onBridge.pop();
  assert.equal(sharesIn(senders, other, nothing), false);
  assert.equal(sharesIn(senders, box), true);
});

test("of one that is not on the network it is another's that has it on, as soon as that one has it on no more", () => {
  for (const settlesBefore of [true, false]) {
    const holders = ["other"];
    const senders = start({ givenTo: "other", holders });
    const its = { ...found, addresses: [{ address: shared, index: 2 }] };
    assert.equal(sharesIn(senders, other, its), true);
    holders.pop();
    // As long as nobody has it on it stays with whom the engine gave it to.
    assert.equal(senders.claim(other, port, nothing).released.includes(shared), false);
    holders.push("box");
    if (settlesBefore) assert.equal(senders.claim(other, port, nothing).released.includes(shared), true);
    const taken = senders.claim(box, port, its);
    assert.deepEqual(
      [taken.senders.includes(shared), [...taken.losers]],
      [true, settlesBefore ? [] : ["other"]],
    );
    assert.equal(sharesIn(senders, other, nothing), false);
    holders.push("other");
    const back = senders.claim(other, port, its);
    assert.deepEqual([back.senders.includes(shared), [...back.losers]], [true, ["box"]]);
    assert.equal(sharesIn(senders, box, its), false);
  }
});

test("what the host has is nobody's but whom the engine gave it to, until the host has given it up", () => {
  const world = { holders: ["box"], isHosts: true };
  const senders = start(world);
  assert.equal(sharesIn(senders, box), false);
  assert.equal(sharesIn(start({ ...world, givenTo: "box" }), box), true);
  world.isHosts = false;
  assert.equal(sharesIn(senders, box), true);
  world.isHosts = true;
  assert.deepEqual(senders.claim(box, port, found).released, [shared]);
});

test("one whose addresses were not read yet keeps what the engine gave to it, and what it was known by", () => {
  const given = start({ givenTo: "other", holders: ["box"], isRead: false });
  assert.equal(sharesIn(given, other, nothing), true);
  assert.equal(sharesIn(given, box), false);
  const known = start({ holders: ["box"], ownerBefore: "other", isRead: false });
  // What it is without is given up, and yet not read.
  known.claim(other, port, nothing);
  assert.equal(sharesIn(known, box), false);
});

test("what an earlier run knew to be another's is kept for it until it was looked at", () => {
  const senders = start({ ownerBefore: "other" });
  assert.deepEqual(sendersOf(senders, box), [own]);
  sendersOf(senders, other);
  senders.gone("other");
  assert.deepEqual(sendersOf(start({ ownerBefore: "other", isThere: false }), box), [own, shared]);
  const looked = start({ ownerBefore: "other", givenTo: "box", holders: ["box"] });
  assert.deepEqual(sendersOf(looked, box), [own, shared]);
});

test("who waited for one that an earlier run knew is judged anew as soon as that one was read, and not before", () => {
  const world = { holders: ["box"], ownerBefore: "other", linkLocalBefore: ["other"] };
  const known = { ...world, wantsNothing: "other", isRead: false };
  const senders = start(known);
  const heirs = (): readonly string[] => [...senders.claim(other, port, nothing).heirs];
  const gotten = (): unknown => {
    const { senders: addresses, linkLocal: locals } = senders.claim(box, port, found);
    return [addresses, locals.get("br-1")];
  };
  // Before anything of it was read.
  assert.deepEqual([gotten(), heirs(), gotten(), heirs()], [[[own], []], ["box"], [[own], []], []]);
  known.isRead = true;
  assert.deepEqual(heirs(), ["box"]);
  assert.deepEqual(gotten(), [[own, shared], [linkLocal]]);
  assert.deepEqual(heirs(), []);
});

test("and until the engine has told of something, as long as it is on a network", () => {
  const world = { ownerBefore: "other", isBlank: true, holders: ["box"] };
  const senders = [["other"], []].map((onBridge) => start({ ...world, onBridge }));
  for (const each of senders) each.claim(other, port, nothing);
  assert.deepEqual(
    senders.map((each) => sharesIn(each, box)),
    [false, true],
  );
});

test("link-local addresses are those of interfaces by which it is known, until it is gone", () => {
  const senders = start();
  const beside = { ...found, addresses: [{ address: "192.0.2.3" as IpAddress, index: 2 }] };
  const first = senders.claim(box, port, found);
  assert.deepEqual(first.linkLocal, new Map([["br-1", [linkLocal]]]));
  assert.deepEqual(senders.claim(other, port, beside).linkLocal, new Map([["br-1", []]]));
  senders.gone("box");
  assert.deepEqual(senders.claim(other, port, found).linkLocal, first.linkLocal);
});

test("a link-local address that an earlier run has let in is kept for its owner until that one was looked at", () => {
  const linkLocalOf = (senders: Senders, asker = box, having = found): readonly IpAddress[] | undefined =>
    senders.claim(asker, port, having).linkLocal.get("br-1");
  const world = { holders: ["box"], linkLocalBefore: ["box", "other"] };
  const senders = start(world);
  assert.deepEqual(linkLocalOf(senders), []);
  const its = { ...found, addresses: [{ address: own, index: 2 }] };
  assert.deepEqual(linkLocalOf(senders, other, nothing), []);
  assert.deepEqual(linkLocalOf(senders, box, its), [linkLocal]);
  assert.deepEqual(linkLocalOf(start({ ...world, isThere: false })), [linkLocal]);
  // Whose it was is not known while sandboxes are listed.
  assert.deepEqual(linkLocalOf(start({ linkLocalBefore: [undefined], isThere: true })), []);
  assert.deepEqual(linkLocalOf(start({ linkLocalBefore: [undefined] })), [linkLocal]);
});

test("a link-local address counts on the network of the interface that has it, and of what is above any on all", () => {
  const two = [
    { bridge: "br-1", peer: 2 },
    { bridge: "br-2", peer: 3 },
    { bridge: undefined, peer: 4 },
  ];
  const having = {
    addresses: [2, 3, 4, 5].map((index) => ({ address: own, index })),
    linkLocal: [2, 3, 4, 5].map((index) => ({ address: `fe80::${index}` as IpAddress, index })),
  };
  assert.deepEqual(
    start().claim(box, two, having).linkLocal,
    new Map([
      ["br-1", ["fe80::2", "fe80::5"]],
      ["br-2", ["fe80::3", "fe80::5"]],
    ]),
  );
  // Where the kernel does not tell which interface is behind a port, it may be any.
  assert.deepEqual(
    start().claim(box, [{ bridge: "br-1" }], having).linkLocal,
    new Map([["br-1", ["fe80::2", "fe80::3", "fe80::4", "fe80::5"]]]),
  );
});

test("what one has on that another gives up is to be judged anew", () => {
  const senders = start();
  senders.claim(box, port, found);
  const beside = { addresses: [{ address: own, index: 2 }], linkLocal: [{ address: linkLocal, index: 2 }] };
  senders.claim(other, port, beside);
  assert.deepEqual(senders.gone("box").heirs, new Set(["other"]));
});
