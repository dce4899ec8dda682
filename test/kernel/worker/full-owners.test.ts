// The set that says whose an address is, full: who comes then has no address to send from, and is held up in nothing else;
// nor is anyone else.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, test } from "node:test";
import { setNames } from "../../../src/core/firewall/names.ts";
import { ownersAtMost } from "../../../src/core/firewall/sets.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { isSetFull } from "../../../src/edge/kernel/ipset/error.ts";
import { askInSandbox } from "../../../src/edge/sandbox/lookups/relay.ts";
import { plainName, rawMessage, rawQuestion } from "../../support/dns-bytes.ts";
import { Wire } from "../../support/frames.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, type TestNamespace } from "../../support/namespace.ts";
import {
  app,
  containerOf,
  join,
  makeBridges,
  plain,
  post,
  raiseWall,
  startPlane,
} from "../../support/sandbox-plane.ts";
import { watchSenders } from "../../support/seen-senders.ts";

enterNamespaces(import.meta.url);

makeBridges();
const wall = await raiseWall();
const seen = watchSenders();
after(async () => {
  seen.close();
  await wall.remove();
});

/** What of these addresses its port lets in, as its own. */
function lets(box: TestNamespace, ...addresses: string[]): string[] {
  const wire = new Wire(box, "eth0");
  const passed = addresses.filter((address) => seen.passes(wire, address));
  wire.close();
  return passed;
}

const comesToLetIn = (box: TestNamespace, address: string): Promise<true> =>
  until(`${address} of ${box.name}`, 5_000, () => (lets(box, address).length > 0 ? true : undefined));

function boxOf(name: string, ...addresses: string[]): TestNamespace {
  const box = createNamespace(name);
  join(box, "eth0", ...addresses);
  return box;
}

/** Each region of the set's hash has its own share of the places: with a third more than there are, all are full. */
function fill(): void {
  for (let index = 0; index < (ownersAtMost * 4) / 3; index++) {
    const address = `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}` as IpAddress;
    const key = { kind: "net", prefix: { address, length: 32 } } as const;
    try {
      wall.sets.add(setNames.owner4, [{ key, comment: "earlier" }]);
    } catch (error) {
      if (!isSetFull(error)) throw error;
    }
  }
}

/** So many that each region has places again. */
function makeRoom(): void {
  const first = Array.from(
    { length: 4_096 },
    (_, index) => `del ${setNames.owner4} 10.0.${index >> 8}.${index & 255}`,
  );
  execFileSync("ipset", ["-exist", "restore"], { input: first.join("\n") });
}

test("who comes when it is full is closed by that address alone, and told of", async (t) => {
  const { plane, problems } = await startPlane(t, { expectsProblems: true });
  const known = boxOf("known", "198.19.1.2/24");
  await post(plane, [containerOf("known", "known", [app, "198.19.1.2"])]);
  await comesToLetIn(known, "198.19.1.2");
  fill();
  const late = boxOf("late", "198.19.1.3/24", "2001:db8:1::3/64");
  const open = boxOf("open", "198.19.3.4/24");
  const told = [
    containerOf("known", "known", [app, "198.19.1.2"]),
    containerOf("late", "late", [app, "198.19.1.3"]),
    containerOf("open", "open", [plain, "198.19.3.4"]),
  ];
  await post(plane, told);
  await comesToLetIn(late, "2001:db8:1::3");
  assert.deepEqual(lets(late, "198.19.1.3"), []);
  // It is on no guarded network, and is given back.
  await until("its release", 5_000, () =>
    open.run("nft", "list", "tables").includes("dockerwall") ? undefined : true,
  );
  assert.deepEqual(lets(known, "198.19.1.2"), ["198.19.1.2"]);
  const question = rawMessage({ body: [rawQuestion(plainName("www.example.org"))] });
  assert.ok((await askInSandbox(late.fd, question)).length > 0, "an answer");
  // Quarantine takes nothing from the set.
  await post(plane, told, "late");
  assert.equal(await plane.cutOf("late".repeat(16)), "whole");
  await post(plane, told);
  const said = (address: string): string[] => problems.filter((problem) => problem.includes(address));
  assert.match(said("198.19.1.3")[0] ?? "", /^the set of owners is full: .*198\.19\.1\.3 \(sandbox late\)/);
  assert.deepEqual([said("198.19.1.3").length, said("198.19.3.4").length, problems.length], [1, 1, 2]);
  // As soon as there is a place it has it.
  makeRoom();
  await post(plane, told);
  await comesToLetIn(late, "198.19.1.3");
  const its = { kind: "net", prefix: { address: "198.19.1.3" as IpAddress, length: 32 } } as const;
  assert.equal(wall.sets.has(setNames.owner4, its), true);
});
