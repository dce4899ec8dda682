import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GuardedStanding, Standing } from "../../../../src/core/askers/standing.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { Container } from "../../../../src/core/model/topology.ts";
import { ForeignInterfaces } from "../../../../src/data/sandboxes/foreign-interfaces.ts";

const card = { index: 3, name: "eth9", kind: undefined, peerNamespace: undefined };
const own = { index: 2, name: "eth0", kind: "veth", peerNamespace: 0 };
const web = { id: "web", name: "web", labels: {} } as unknown as Container;
const accepting: Container = { ...web, labels: { "dockerwall.accept": "foreign-interface" } };

function guarded(mode: "enforce" | "audit"): Standing {
  return { kind: "guarded", memberships: [{ labels: { mode } }] } as unknown as GuardedStanding;
}

function watch() {
  const engine = { listedAtMs: 0, container: web as Container | undefined, bridge: "br-app" };
  let nowMs = 10;
  let told: readonly string[] = [];
  const foreign = new ForeignInterfaces({
    engine: {
      indexNow: () =>
        ({
          networkOn: (bridge: string) => (bridge === engine.bridge ? {} : undefined),
          givenTo: () => undefined,
        }) as never,
      whoIs: () => engine.container,
      mayMakeInterfaces: () => false,
      listedAtMs: () => engine.listedAtMs,
    },
    found: { hasOwnUsers: () => false },
    nowMs: () => nowMs++,
    onChange: (sentences) => {
      told = sentences;
    },
  });
  const judge = (standing: Standing, ...interfaces: readonly (typeof card | typeof own)[]): boolean =>
    foreign.judge({
      asker: { sandbox: "5a4d", sinceMs: 0, addresses: [] },
      standing,
      found: { addresses: [{ address: "198.19.1.2" as IpAddress, index: 2 }], linkLocal: [], interfaces },
      its: [{ index: 7, name: "veth7", bridge: "br-app", peer: 2 }],
    });
  const closed = (): readonly string[] | undefined => foreign.closedIn("5a4d")?.map(({ name }) => name);
  return { engine, judge, closed, told: () => told, gone: () => foreign.gone("5a4d") };
}

describe("foreign interfaces of a sandbox", () => {
  it("are closed at once, and told once the engine has listed its networks since", () => {
    const { engine, judge, closed, told } = watch();
    assert.equal(judge(guarded("enforce"), own, card), true);
    assert.deepEqual([closed(), told()], [["eth9"], []]);
    engine.listedAtMs = 1000;
    assert.equal(judge(guarded("enforce"), own, card), false);
    assert.deepEqual(closed(), ["eth9"]);
    assert.match(told().join(), /"web" .*, eth9 \(hardware\): nothing leaves by it/);
    assert.equal(judge(guarded("enforce"), own), false);
    assert.deepEqual([closed(), told()], [[], []]);
  });

  it("stay as they are until the engine has told whose the sandbox is, and while that is unknown", () => {
    const { engine, judge, closed } = watch();
    engine.container = undefined;
    assert.equal(judge(guarded("enforce"), own, card), false);
    assert.equal(closed(), undefined);
    engine.container = web;
    judge(guarded("enforce"), own, card);
    judge({ kind: "unknown" }, own, card);
    assert.deepEqual(closed(), ["eth9"]);
  });

  it("are open on networks in audit mode, and told", () => {
    const { engine, judge, closed, told } = watch();
    engine.listedAtMs = 1000;
    judge(guarded("audit"), own, card);
    assert.deepEqual(closed(), []);
    assert.match(told().join(), /neither judged nor recorded/);
  });

  it("are open and not told where the label accepts them, at once", () => {
    const { engine, judge, closed, told } = watch();
    engine.container = accepting;
    assert.equal(judge(guarded("enforce"), own, card), false);
    assert.deepEqual([closed(), told()], [[], []]);
  });

  it("are nobody's matter on open networks, and when the sandbox is gone", () => {
    const { engine, judge, closed, told, gone } = watch();
    engine.listedAtMs = 1000;
    for (const end of [() => judge({ kind: "open" }, own, card), gone]) {
      judge(guarded("enforce"), own, card);
      assert.equal(told().length, 1);
      end();
      assert.deepEqual([closed(), told()], [undefined, []]);
    }
  });

  it("are those on bridges that are not the engine's", () => {
    const { engine, judge, closed } = watch();
    engine.bridge = "br-other";
    judge(guarded("enforce"), own);
    assert.deepEqual(closed(), ["eth0"]);
  });
});
