import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFirstDenials } from "../../../../src/core/journal/first-denials.ts";
import type { LookupEvent } from "../../../../src/core/journal/lookup-event.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";

const denied = (asker: string, domain: string, change: Partial<LookupEvent> = {}): LookupEvent => ({
  networkId: "n1",
  asker: asker as IpAddress,
  domain,
  allowed: false,
  atMs: 0,
  granted: [],
  ...change,
});
const byAddress = (asker: IpAddress): string => asker;
const minute = 60_000;

/** `ASKER DOMAIN` of each line. */
function lines(news: ReturnType<ReturnType<typeof createFirstDenials>>): readonly string[] {
  return news.first.map(({ asker, domain }) => `${asker} ${domain}`);
}

describe("first denials", () => {
  it("are reported once for each name and container", () => {
    const see = createFirstDenials();
    const batch = [denied("a", "x"), denied("a", "x"), denied("b", "x"), denied("a", "y")];
    assert.deepEqual(lines(see(batch, byAddress, 0)), ["a x", "b x", "a y"]);
    assert.deepEqual(lines(see(batch, byAddress, 5 * minute)), []);
  });
  it("are those of a container, whatever address it has", () => {
    const see = createFirstDenials();
    const web = (): string => "web";
    assert.deepEqual(lines(see([denied("a", "x")], web, 0)), ["a x"]);
    assert.deepEqual(lines(see([denied("b", "x")], web, 0)), []);
  });
  it("are none of what is allowed, or failed", () => {
    const see = createFirstDenials();
    const batch = [denied("a", "x", { allowed: true }), denied("a", "y", { trouble: "failed" })];
    assert.deepEqual(lines(see(batch, byAddress, 0)), []);
  });
  it("are five a minute of one container, the others counted later, and none of its neighbour lost", () => {
    const see = createFirstDenials();
    const flood = Array.from({ length: 1000 }, (_, n) => denied("a", `x${n}`));
    const news = see([...flood, denied("b", "y")], byAddress, 0);
    assert.deepEqual(lines(news), ["a x0", "a x1", "a x2", "a x3", "a x4", "b y"]);
    assert.equal(news.beyond, 0);
    const later = see([denied("a", "x5")], byAddress, minute);
    assert.deepEqual([lines(later), later.beyond], [["a x5"], 995]);
    assert.equal(see([], byAddress, 2 * minute).beyond, 0);
  });
  it("are thirty a minute in all", () => {
    const see = createFirstDenials();
    const many = Array.from({ length: 100 }, (_, n) => denied(`c${n}`, "x"));
    assert.equal(see(many, byAddress, 0).first.length, 30);
  });
  it("are remembered within bounds", () => {
    const see = createFirstDenials();
    for (let n = 0; n < 2_001; n += 1)
      for (let k = 0; k < 5; k += 1) see([denied("a", `x${n}.${k}`)], byAddress, n * minute);
    assert.deepEqual(lines(see([denied("a", "x0.0")], byAddress, 3_000 * minute)), ["a x0.0"]);
    assert.deepEqual(lines(see([denied("a", "x2000.4")], byAddress, 3_001 * minute)), []);
  });
});
