// The kernel under a sequence of steps: rules of both variants, sets, and the table of guarded ports. What a daemon does
// there goes by a hand that can be cut off, between any two writes, as when its process is killed.

import { ownPrefix } from "../../../src/core/firewall/rules/observed.ts";
import { setSpecs } from "../../../src/core/firewall/sets.ts";
import type { Family } from "../../../src/core/model/address.ts";
import type { Firewall } from "../../../src/edge/kernel/firewall.ts";
import type { KernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../../../src/edge/kernel/iptables/firewall.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import type { Backend, RuleTools } from "../../../src/edge/kernel/iptables/tools.ts";
import { createFakeRules, type FakeRules } from "../fake-rules.ts";
import { createFakeSets, type FakeSets } from "../fake-sets.ts";
import type { WalkedKernel } from "./walk.ts";

export const families = [4, 6] as const;

/** What one daemon writes with. */
export interface Hand {
  readonly sets: KernelSets;
  readonly firewall: Firewall;
  /** Nothing that it does reaches the kernel from now on. */
  cutOff(): void;
  readonly isCutOff: () => boolean;
}

export interface SequenceKernel extends WalkedKernel {
  readonly sets: FakeSets;
  readonly rules: FakeRules;
  readonly others: FakeRules;
  /** Whether some data plane guards ports. */
  portTable: boolean;
  /** Called after each write of a daemon's. */
  onWrite: (written: "rules" | "sets") => void;
  /** Writes that the daemon may still do before it is killed. */
  writesLeft: number;
  newHand(): Hand;
  /** Other software does something. */
  byOthers(work: () => void): void;
  /** Whether anything of ours is there. */
  readonly isClean: () => boolean;
}

class Killed extends Error {}

export function createKernel(nowMs: () => number): SequenceKernel {
  let hand: { alive: boolean } | undefined;
  const afterWrite = (written: "rules" | "sets"): void => {
    if (hand === undefined) return;
    kernel.onWrite(written);
    if (--kernel.writesLeft > 0) return;
    hand.alive = false;
    throw new Killed();
  };
  const hasSet = (name: string): boolean => sets.names().includes(name);
  const isNamed = (name: string): boolean =>
    families.some((family) => [rules, others].some((each) => each.text(family).includes(`-set ${name} `)));
  const sets = createFakeSets(nowMs, { isNamed, onWrite: () => afterWrite("sets") });
  const rules = createFakeRules({ hasSet, onWrite: () => afterWrite("rules") });
  const others = createFakeRules({ hasSet, onWrite: () => afterWrite("rules") });

  /** Does a daemon's work; one that is gone gets nothing done. */
  function doFor<T>(own: { alive: boolean }, idle: T, work: () => T): T {
    if (!own.alive) return idle;
    const before = hand;
    hand = own;
    try {
      return work();
    } catch (error) {
      if (error instanceof Killed) return idle;
      throw error;
    } finally {
      hand = before;
    }
  }

  function newHand(): Hand {
    const own = { alive: true };
    const never = new Promise<never>(() => undefined);
    const tools = (of: FakeRules): RuleTools => ({
      save: (family) => doFor<Promise<string>>(own, never, () => of.save(family)),
      restore: (family, input) =>
        doFor<Promise<unknown>>(own, never, () => of.restore(family, input).catch(ofOne(own, never))),
      test: (family, input) => doFor<Promise<unknown>>(own, never, () => of.test(family, input)),
      mayHoldOurs: (family) => doFor(own, true, () => of.mayHoldOurs(family)),
    });
    return {
      sets: {
        create: (spec) => doFor(own, undefined, () => sets.create(spec)),
        destroy: (name) => doFor(own, undefined, () => sets.destroy(name)),
        add: (name, entries) => doFor(own, undefined, () => sets.add(name, entries)),
        addAll: (changes) => doFor(own, undefined, () => sets.addAll(changes)),
        del: (name, keys) => doFor(own, undefined, () => sets.del(name, keys)),
        has: (name, key) => doFor(own, true, () => sets.has(name, key)),
        list: (name) => doFor(own, [], () => sets.list(name)),
        async *portions(name) {
          yield doFor(own, [], () => sets.list(name));
        },
        names: () => doFor(own, setSpecs().map(nameOf), () => sets.names()),
        close: () => undefined,
      },
      // Neither variant is read by netlink.
      firewall: createFirewall("legacy", (backend: Backend) =>
        createIptables("legacy", tools(backend === "nft" ? others : rules)),
      ),
      cutOff() {
        own.alive = false;
      },
      isCutOff: () => !own.alive,
    };
  }

  const kernel: SequenceKernel = {
    sets,
    rules,
    others,
    portTable: false,
    onWrite: () => undefined,
    writesLeft: Number.POSITIVE_INFINITY,
    chain: rules.chain,
    newHand,
    byOthers(work) {
      hand = undefined;
      work();
    },
    isClean: () =>
      !kernel.portTable &&
      !sets.names().some((name) => name.startsWith("dockerwall-")) &&
      families.every((family) => [rules, others].every((each) => !each.text(family).includes(ownPrefix))),
  };
  return kernel;
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}

/** A killed one learns nothing of how it ended. */
function ofOne(own: { readonly alive: boolean }, never: Promise<never>): (error: unknown) => Promise<never> {
  return (error) => (own.alive ? Promise.reject(error) : never);
}

/** A kernel with the rules of others that there are in this one, and nothing else. */
export async function withoutOurs(kernel: SequenceKernel, nowMs: () => number): Promise<SequenceKernel> {
  const bare = createKernel(nowMs);
  for (const family of families) {
    await bare.rules.restore(family, foreignPart(kernel.rules.text(family)));
    await bare.others.restore(family, foreignPart(kernel.others.text(family)));
  }
  return bare;
}

function foreignPart(text: string): string {
  return text
    .split("\n")
    .filter((line) => !line.includes(ownPrefix))
    .join("\n");
}

/** Rules as text and members of sets, without what depends on their history: timeouts, numbers, places in chunks. */
export function renderKernel({ rules, others, sets, portTable }: SequenceKernel): readonly string[] {
  const chunks = /^dockerwall-(?:open|closed|link)\d-\d+$/;
  const names = sets.names().filter((name) => !chunks.test(name));
  const members = (name: string): string[] =>
    sets.list(name).flatMap(({ key, comment = "" }) => {
      if (key.kind === "set") return members(key.name);
      // Rules by command are numbered as they come.
      const shown = name === "dockerwall-rules" ? "" : JSON.stringify(key);
      return [`${shown} ${comment}`];
    });
  return [
    ...families.flatMap((family: Family) =>
      [rules, others].flatMap((each) => each.text(family).split("\n")).map((line) => `IPv${family} ${line}`),
    ),
    ...names
      .toSorted()
      .flatMap((name) => ["", ...members(name).toSorted()].map((member) => `${name} ${member}`)),
    `ports ${portTable ? "guarded" : "not guarded"}`,
  ];
}
