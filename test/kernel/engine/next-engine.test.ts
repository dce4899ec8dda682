// What a daemon does while an engine starts that came after a crash, and leaves when that engine ends it: only that
// engine's questions are held, and not for ever. The engine is a shell here, in a group of cgroup v2 as systemd makes one for a service.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  createNextEngine,
  type NextEngine,
  type NextEngineOptions,
} from "../../../src/control/next-engine.ts";
import { ToldProblems } from "../../../src/control/reporter/told-problems.ts";
import { engineHoldTables, renderEngineHold } from "../../../src/core/firewall/engine-hold.ts";
import type { DaemonState } from "../../../src/core/model/state.ts";
import type { EngineProcessId } from "../../../src/edge/engine/dockerd.ts";
import { stayAwake } from "../../../src/edge/kernel/flows/engine-queue.ts";
import { createSets, destroySets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../../../src/edge/kernel/iptables/firewall.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { toolsOf } from "../../../src/edge/kernel/iptables/tools.ts";
import { until } from "../../support/lab/command.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

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

type Given = Partial<NextEngineOptions> & { readonly state?: DaemonState };

const first: EngineProcessId = { pid: 1, startedAt: "0" };
const idOf = ({ pid = 0 }: Pick<Asker, "pid">): EngineProcessId => ({ pid, startedAt: "1" });

for (const backend of ["nft", "legacy"] as const)
  describe(`the questions of the next engine (${backend})`, () => {
    const sets = openKernelSets();
    const [table = ""] = engineHoldTables(backend);
    let engine: Asker;
    let other: Asker;
    let found: readonly EngineProcessId[] = [];
    /** What is told of problems. */
    const told: string[] = [];
    let lost: NextEngine | undefined;
    before(() => {
      run("mkdir", "-p", groups);
      run("mount", "-t", "cgroup2", "none", groups);
      createSets(sets);
      startEngine();
      run("mkdir", "-p", `${groups}/${otherGroup}`);
      other = new Asker();
    });
    after(async () => {
      lost?.[Symbol.dispose]();
      await engine.end();
      await other.end();
      run("rmdir", group, `${groups}/${otherGroup}`);
      run("umount", groups);
      await clean();
      destroySets(sets);
      sets.close();
    });

    /** Of a daemon that has lost its engine, and finds these. */
    function lostTo(next: Asker | readonly EngineProcessId[], options: Given = {}): NextEngine {
      const watch = nextEngine(options);
      found = next instanceof Asker ? [idOf(next)] : next;
      watch.isAwaited();
      return watch;
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
    /** The daemon is gone, and its time is over. */
    function letGo(): void {
      lost?.[Symbol.dispose]();
      flush();
    }
    const both = async (): Promise<readonly string[]> => [await engine.asks(), await other.asks()];
    function nextEngine({ state = "enforcing", ...given }: Given = {}): NextEngine {
      lost?.[Symbol.dispose]();
      found = [first];
      told.length = 0;
      const problems = new ToldProblems(({ kind, sentence }) => told.push(`${kind}: ${sentence}`));
      lost = createNextEngine({
        firewall: createFirewall(backend),
        sets,
        find: () => found,
        keepsContainers: () => false,
        captures: true,
        lifecycle: { state },
        reporter: {
          onProblem: (place, problem) => problems.note(place, problem),
          clearProblem: (place) => problems.clear(place),
        },
        nowMs: () => performance.now(),
        ...given,
      });
      return lost;
    }
    const untilHeld = (): Promise<true> =>
      until("the engine's questions to be held", 10_000, async () =>
        (await engine.asks()) === "held" ? true : undefined,
      );

    it("leave when nobody has lost an engine, when it is the same, or when the wall is gone", async () => {
      const running = nextEngine();
      found = [idOf(engine)];
      assert.equal(await running.hold(), false);
      const known = nextEngine();
      found = [idOf(engine)];
      known.isAwaited();
      known.isKnown();
      known.isAwaited();
      assert.equal(await known.hold(), false);
      assert.equal(await lostTo(engine, { state: "uninstalled" }).hold(), false);
      assert.deepEqual(await both(), ["left", "left"]);
    });

    it("leave when the engine is in a group that others may be in", async () => {
      assert.equal(await lostTo([idOf(process)]).hold(), false);
      assert.deepEqual(await both(), ["left", "left"]);
    });

    it("are held also when such a one is found first, or has been found before", async () => {
      assert.equal(await lostTo([idOf(process), idOf(engine)]).hold(), false);
      assert.equal(await lost?.hold(), true);
      assert.deepEqual(await both(), ["held", "left"]);
      letGo();
    });

    it("are held as soon as it is there, and for as long, until it is known", async () => {
      const watch = lostTo([first]);
      assert.deepEqual(await both(), ["left", "left"]);
      found = [first, idOf(engine)];
      await untilHeld();
      flush();
      await untilHeld();
      assert.deepEqual(await both(), ["held", "left"]);
      watch.isKnown();
      assert.deepEqual(await both(), ["left", "left"]);
      assert.deepEqual(sets.list("dockerwall-held4"), []);
      assert.equal(await watch.hold(), false);
      assert.deepEqual(told, []);
    });

    it("are held where it has the number of the one that was lost", async () => {
      const watch = nextEngine();
      found = [{ ...idOf(engine), startedAt: "1" }];
      watch.isKnown();
      found = [{ ...idOf(engine), startedAt: "2" }];
      watch.isAwaited();
      await untilHeld();
      watch.isKnown();
    });

    it("are held when the next one has ended, too, and another one comes", async () => {
      const watch = lostTo(engine);
      await untilHeld();
      const third = new Asker(`echo $$ >${groups}/${otherGroup}/cgroup.procs;`);
      await third.asks();
      found = [idOf(third)];
      assert.equal(await watch.hold(), true);
      assert.deepEqual([await third.asks(), ...(await both())], ["held", "left", "left"]);
      await third.end();
      watch.isKnown();
    });

    it("leave until we must end, where containers live on without their engine", async () => {
      const watch = lostTo(engine, { keepsContainers: () => true });
      await sleep(600);
      assert.deepEqual(await both(), ["left", "left"]);
      assert.equal(await watch.hold(), true);
      assert.deepEqual(await both(), ["held", "left"]);
      letGo();
    });

    it("leave when it is known before they are held, and when nobody looks any more", async () => {
      const watch = lostTo(engine);
      const holding = watch.hold();
      watch.isKnown();
      await holding;
      assert.deepEqual(await both(), ["left", "left"]);
      lostTo(engine)[Symbol.dispose]();
      await sleep(600);
      assert.deepEqual(await both(), ["left", "left"]);
    });

    it("are tried to be held again when that has failed: said once, and once that it is solved", async () => {
      await clean();
      destroySets(sets);
      lostTo(engine);
      await until("a problem", 10_000, () => (told.length > 0 ? true : undefined));
      await sleep(2_500);
      createSets(sets);
      await untilHeld();
      await until("its end", 1_000, () => (told.length > 1 ? true : undefined));
      assert.match(told.join("\n"), /^problem: .*held4.*; it is tried again\nsolved: .*$/);
      lost?.isKnown();
    });

    it("are not held by one who has failed, and need not any more: no problem is left", async () => {
      await clean();
      destroySets(sets);
      const watch = lostTo(engine);
      await until("a problem", 10_000, () => (told.length > 0 ? true : undefined));
      const holding = watch.hold();
      watch.isKnown();
      assert.equal(await holding, false);
      assert.match(told.join("\n"), /^problem: .*\nsolved: .*$/);
      createSets(sets);
    });

    it("are held, and no other program's, until no daemon comes to read it", async () => {
      assert.equal(await lostTo(engine).hold(), true);
      lost?.[Symbol.dispose]();
      // The data plane says on and on that it is awake, for a shorter time.
      stayAwake(sets);
      assert.deepEqual(await both(), ["held", "left"]);
      const [entry] = sets.list("dockerwall-held4");
      assert.ok((entry?.timeoutSeconds ?? 0) > 60, JSON.stringify(entry));
      // Its end, without the wait.
      letGo();
      assert.deepEqual(await both(), ["left", "left"]);
    });

    for (const place of [0, 1])
      it(`are held, also when ${["the variant that is used", "the other variant"][place]} cannot be read`, async () => {
        await clean();
        const save = (): Promise<string> => Promise.reject(new Error("there is no such table"));
        const firewall = createFirewall(backend, (variant) => {
          const tools = toolsOf(variant);
          return createIptables(
            variant,
            (variant === backend) === (place === 0) ? { ...tools, save } : tools,
          );
        });
        assert.equal(await lostTo(engine, { firewall }).hold(), true);
        assert.deepEqual(await both(), ["held", "left"]);
        letGo();
      });

    it("are held anew by who finds rules that hold nothing any more", async () => {
      const finds: readonly [what: string, change: () => unknown][] = [
        ["their time is over", letGo],
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
        lost?.[Symbol.dispose]();
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
        letGo();
        assert.deepEqual(await both(), ["held", "left"]);
      }
    });
  });
