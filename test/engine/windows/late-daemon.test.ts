// However late the daemon is: it is stopped as a whole while guarded containers start and ask, which is as late as a
// busy host can make it, and goes on when they have asked. Nothing that they asked may have left by the engine's own
// resolver, and what others ask meanwhile is answered then. The engines here ask from the host's namespace.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen, printRow } from "../../support/chosen.ts";
import { client, deploy, enforcing, inside, network, run, succeeds } from "../../support/dockerwall.ts";
import { until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { type Lab, startLab } from "../../support/lab/lab.ts";

const engines = chosen([
  { kind: "e20", name: "e20", resolver: "stub" },
  { kind: "e26", name: "e26", resolver: "stub" },
  { kind: "e28", name: "e28" },
  { kind: "e28", name: "e28l", iptables: "legacy" },
] as const);

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

describe("a daemon that is late", { concurrency: 1 }, () => {
  for (const { name } of engines) describe(name, { concurrency: 1 }, () => isLate(name));
});

/** Looks a name up once, and says nothing of what comes. */
const ask = (name: string, transport: "udp" | "tcp" = "udp"): string[] =>
  transport === "udp"
    ? ["bash", "-c", `( : <>/dev/udp/${name}/9 ) 2>/dev/null; exit 0`]
    : ["bash", "-c", `dig +tcp +tries=1 +timeout=3 ${name} >/dev/null; exit 0`];

function isLate(name: string): void {
  let engine: Engine;

  const asked = async (about: string): Promise<number> =>
    (await lab.internet.queries()).filter((query) => query.name === about).length;

  /** How many packets of the host's own are held for the daemon. */
  async function held(): Promise<number> {
    const { stdout } = await engine.exec("cat", "/proc/net/netfilter/nfnetlink_queue");
    return stdout
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .reduce((sum, [, , total = "0"]) => sum + Number(total), 0);
  }

  /** A question has come as far as it comes without the daemon: to the internet, or before it. */
  const underWay = (about: string): Promise<true> =>
    until(`${name}: a question for ${about}`, 20_000, async () =>
      (await asked(about)) + (await held()) > 0 ? true : undefined,
    );

  /** Who is not guarded is answered by the engine again: until then it cannot be told whose question is whose. */
  async function othersAreAnswered(): Promise<number> {
    const since = performance.now();
    await until(`${name}: others to be answered`, 20_000, async () => {
      const { exitCode } = await inside(engine, "free", "getent", "ahostsv4", "www.example.org");
      return exitCode === 0 ? true : undefined;
    });
    return Math.round(performance.now() - since);
  }

  async function whileStopped(what: string, work: () => Promise<void>): Promise<void> {
    await run(engine, "kill", "-s", "STOP", "dockerwall");
    try {
      await work();
    } finally {
      await run(engine, "kill", "-s", "CONT", "dockerwall");
    }
    const answeredMs = await othersAreAnswered();
    await enforcing(engine);
    await until(`${name}: nothing to be held`, 10_000, async () => ((await held()) === 0 ? true : undefined));
    printRow(name, what, `others are answered after ${answeredMs} ms`);
  }

  before(async () => {
    engine = lab.engine(name);
    await network(engine, "app", "*.example.com");
    await network(engine, "plain");
    await deploy(engine);
    await client(engine, "free", "plain");
  });

  it("would be late for a container that is not guarded", async () => {
    await run(engine, "run", "--rm", "--network", "plain", "client:lab", ...ask("control.example.org"));
    assert.ok((await asked("control.example.org")) > 0);
  });

  for (const transport of ["udp", "tcp"] as const)
    it(`lets nothing past that a container asked by ${transport} which is there still`, async () => {
      const about = `there-${transport}.example.org`;
      await whileStopped(`a container asks by ${transport}`, async () => {
        const on = ["--name", `there-${transport}`, "--network", "app"];
        await run(engine, "run", "-d", ...on, "client:lab", ...ask(about, transport));
        await underWay(about);
      });
      await run(engine, "wait", `there-${transport}`);
      printRow(name, `asked by ${transport} while the daemon was stopped`, `${await asked(about)} past`);
      assert.equal(await asked(about), 0);
    });

  it("lets nothing past that a container asked which is gone by then", async () => {
    const about = "gone.example.org";
    await whileStopped("a container asks and goes", async () => {
      const on = ["--rm", "--network", "app", "-e", "RES_OPTIONS=timeout:1 attempts:1"];
      await run(engine, "run", ...on, "client:lab", ...ask(about));
      await underWay(about);
    });
    printRow(name, "asked and gone while the daemon was stopped", `${await asked(about)} past`);
    assert.equal(await asked(about), 0);
  });

  it("answers others when it is back, what they asked meanwhile too", async () => {
    let meanwhile: Promise<unknown> | undefined;
    await whileStopped("others ask", async () => {
      meanwhile = succeeds(engine, "free", "dig", "+short", "+timeout=10", "held.example.org");
      await underWay("held.example.org");
    });
    await meanwhile;
    assert.ok((await asked("held.example.org")) > 0);
    await until(`${name}: a new container to look up`, 10_000, async () => {
      const on = ["--rm", "--network", "plain", "client:lab"];
      const { exitCode } = await engine.docker("run", ...on, "getent", "hosts", "www.example.org");
      return exitCode === 0 ? true : undefined;
    });
    assert.equal((await inside(engine, "free", "getent", "hosts", "www.example.org")).exitCode, 0);
  });
}
