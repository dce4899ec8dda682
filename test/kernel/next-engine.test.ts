// What a daemon leaves when an engine that came after a crash ends it: only that engine's questions are held,
// and not for ever. The engine is a shell here, in a group of cgroup v2 as systemd makes one for a service.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { createNextEngine, type NextEngine } from "../../src/control/next-engine.ts";
import { engineHoldTables, renderEngineHold } from "../../src/core/firewall/engine-hold.ts";
import type { DaemonState } from "../../src/core/model/state.ts";
import { stayAwake } from "../../src/edge/kernel/flows/engine-queue.ts";
import { createSets, destroySets } from "../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../src/edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../../src/edge/kernel/iptables/firewall.ts";
import { createIptables } from "../../src/edge/kernel/iptables/iptables.ts";
import { enterNamespaces, run } from "../support/namespace.ts";

enterNamespaces(import.meta.url);

const groups = "/run/groups";
const group = `${groups}/dockerwall-next-${process.pid}.service`;
const otherGroup = `dockerwall-other-${process.pid}.service`;
const jump = "OUTPUT -j DOCKERWALL-ENGINE";
const ask = `if echo x 2>/dev/null >/dev/udp/127.0.0.1/53; then echo left; else echo held; fi`;

/** A shell that asks a resolver on loopback on demand. */
class Asker {
  readonly #shell: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  constructor(enter = "") {
    const script = `${enter} while read -r _; do ${ask}; done`;
    this.#shell = spawn("bash", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
    if (this.#shell.stdout === null) throw new Error("no output");
    this.#lines = createInterface({ input: this.#shell.stdout })[Symbol.asyncIterator]();
  }
  get pid(): number | undefined {
    return this.#shell.pid;
  }
  async asks(): Promise<string> {
    this.#shell.stdin?.write("\n");
    return (await this.#lines.next()).value;
  }
  async end(): Promise<void> {
    this.#shell.stdin?.end();
    await once(this.#shell, "exit");
  }
}

for (const backend of ["nft", "legacy"] as const)
  describe(`the questions of the next engine (${backend})`, () => {
    const sets = openKernelSets();
    const [table = ""] = engineHoldTables(backend);
    let engine: Asker;
    let other: Asker;
    let found: number | undefined;
    before(() => {
      run("mkdir", "-p", groups);
      run("mount", "-t", "cgroup2", "none", groups);
      createSets(sets);
      startEngine();
      run("mkdir", "-p", `${groups}/${otherGroup}`);
      other = new Asker();
    });
    after(async () => {
      await engine.end();
      await other.end();
      run("rmdir", group, `${groups}/${otherGroup}`);
      run("umount", groups);
      await clean();
      destroySets(sets);
      sets.close();
    });

    function lostTo(next: Asker): NextEngine {
      const lost = nextEngine();
      found = next.pid;
      lost.isAwaited();
      return lost;
    }
    /** An engine that systemd has started anew: its group was gone in the meantime. */
    async function startAnew(): Promise<void> {
      await engine.end();
      run("rmdir", group);
      startEngine();
      // Once it answers, it is in there.
      await engine.asks();
    }
    function startEngine(): void {
      run("mkdir", group);
      engine = new Asker(`echo $$ >${group}/cgroup.procs;`);
    }
    /** Puts chains in, and what leads to them, as the boot guard's unit does. */
    function install(chains: readonly string[]): void {
      const input = `${chains.join("\n")}\n`;
      execFileSync(`iptables-${backend}-restore`, ["--noflush"], { input });
      for (const each of engineHoldTables(backend))
        execFileSync("sh", [
          "-c",
          `"$0" -t ${each} -C ${jump} 2>/dev/null || "$0" -t ${each} -I ${jump}`,
          `iptables-${backend}`,
        ]);
    }
    async function clean(): Promise<void> {
      for (const family of [4, 6] as const) await createIptables(backend).apply(family, []);
    }
    function flush(): void {
      for (const family of ["4", "6"]) run("ipset", "flush", `dockerwall-held${family}`);
    }
    const both = async (): Promise<readonly string[]> => [await engine.asks(), await other.asks()];
    function nextEngine(state: DaemonState = "enforcing", firewall = createFirewall(backend)): NextEngine {
      found = 1;
      return createNextEngine({
        backend,
        firewall,
        sets,
        find: () => found,
        captures: true,
        lifecycle: { state },
      });
    }

    it("leave when nobody has lost an engine, when it is the same, or when the wall is gone", async () => {
      const running = nextEngine();
      found = engine.pid;
      assert.equal(await running.hold(), false);
      const known = nextEngine();
      found = engine.pid;
      known.isAwaited();
      known.isKnown();
      known.isAwaited();
      assert.equal(await known.hold(), false);
      const gone = nextEngine("uninstalled");
      found = engine.pid;
      gone.isAwaited();
      assert.equal(await gone.hold(), false);
      assert.deepEqual(await both(), ["left", "left"]);
    });

    it("leave when the engine is in a group that others may be in", async () => {
      const lost = nextEngine();
      found = process.pid;
      lost.isAwaited();
      assert.equal(await lost.hold(), false);
      assert.deepEqual(await both(), ["left", "left"]);
    });

    it("are held, and no other program's, until no daemon comes to read it", async () => {
      const lost = nextEngine();
      found = engine.pid;
      lost.isAwaited();
      assert.equal(await lost.hold(), true);
      // The data plane says on and on that it is awake, for a shorter time.
      stayAwake(sets);
      assert.deepEqual(await both(), ["held", "left"]);
      const [entry] = sets.list("dockerwall-held4");
      assert.ok((entry?.timeoutSeconds ?? 0) > 60, JSON.stringify(entry));
      // Its end, without the wait.
      flush();
      assert.deepEqual(await both(), ["left", "left"]);
    });

    for (const place of [0, 1])
      it(`are held, also when ${["the variant that is used", "the other variant"][place]} cannot be read`, async () => {
        await clean();
        const firewall = createFirewall(backend);
        const refused = (): Promise<string> => Promise.reject(new Error("there is no such table"));
        const lost = nextEngine("enforcing", {
          ...firewall,
          saves: (family) => firewall.saves(family).with(place, refused()),
        });
        found = engine.pid;
        lost.isAwaited();
        assert.equal(await lost.hold(), true);
        assert.deepEqual(await both(), ["held", "left"]);
        flush();
      });

    it("are held anew by who finds rules that hold nothing any more", async () => {
      const finds: readonly [what: string, change: () => unknown][] = [
        ["their time is over", flush],
        ["the group of their engine is gone, and another one has its name", startAnew],
        [
          "they are another engine's",
          () => install(renderEngineHold(backend, otherGroup, "dockerwall-held4")),
        ],
        ["nothing leads to them", () => run(`iptables-${backend}`, "-t", table, "-F", "OUTPUT")],
      ];
      for (const [what, change] of finds) {
        await clean();
        assert.equal(await lostTo(engine).hold(), true);
        assert.deepEqual(await both(), ["held", "left"]);
        await change();
        assert.deepEqual(await both(), ["left", "left"], what);
        assert.equal(await lostTo(engine).hold(), true);
        assert.deepEqual(await both(), ["held", "left"], what);
      }
    });

    it("stay held without an end where the boot guard's unit holds them", async () => {
      for (const change of [() => undefined, startAnew]) {
        await clean();
        install(renderEngineHold(backend, basename(group)));
        await change();
        assert.equal(await lostTo(engine).hold(), true);
        flush();
        assert.deepEqual(await both(), ["held", "left"]);
      }
    });
  });
