// A guarded container with a second network that is not guarded, its default route through that one, while the daemon is
// late: it is stopped as a whole, which is as late as a busy host can make it, and goes on when all has been sent. Nothing
// of the container may have left, and nothing of one that is on the open network only may be lost.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen, long, printRow } from "../../support/chosen.ts";
import { deploy, enforcing, network, run } from "../../support/dockerwall.ts";
import { denied } from "../../support/flood.ts";
import type { Capture } from "../../support/lab/capture.ts";
import { pause, until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { type Lab, startLab } from "../../support/lab/lab.ts";
import { denied6, leaks } from "./leaker.ts";

const engines = chosen(["e20", "e26", "e28"] as const);
const rounds = long ? 24 : 4;
/** Datagrams of each container by each family. */
const datagrams = 20;
/** The daemon is passed by when it has not said for this long that it is awake. */
const hangsMs = 31_000;
/** A machine so busy that a round takes longer tells nothing of what the daemon holds. */
const countsMs = 28_000;

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

/** Sends from its first instruction on, says so when it has, and stays. */
const sender = `for to in ${denied} ${denied6}; do
  until exec 3<>/dev/udp/$to/9000; do :; done 2>/dev/null
  for (( i = 0; i < ${datagrams}; i++ )); do until echo $HOSTNAME $i >&3; do :; done; done 2>/dev/null
done
echo sent; sleep 300`;

describe("a second network while the daemon is late", { concurrency: 1 }, () => {
  for (const name of engines) describe(name, { concurrency: 1 }, () => isLate(name));
});

function isLate(name: string): void {
  let engine: Engine;
  let capture: Capture;
  // The engine leads the default route through the network whose name sorts first, or by priority.
  const plain = "aplain";
  const subnet6 = (index: number): string => engine.link.prefix6.replace("00::/40", `0${index}::/64`);
  const seen = async (): Promise<number> => (await capture.packets()).length;

  before(async () => {
    engine = lab.engine(name);
    await network(engine, "app", "www.example.com", "--ipv6", "--subnet", subnet6(1));
    await network(engine, plain, undefined, "--ipv6", "--subnet", subnet6(2));
    capture = await lab.capture(name, leaks);
  });

  async function create(container: string, ...on: readonly string[]): Promise<void> {
    const [first = plain, ...others] = on;
    const entry = ["client:lab", "bash", "-c", sender];
    await run(engine, "create", "--name", container, "--network", first, ...entry);
    for (const other of others) await run(engine, "network", "connect", other, container);
  }

  const hasSent = (container: string): Promise<true> =>
    until(`${name}: ${container} to have sent`, 20_000, async () =>
      (await run(engine, "logs", container)).includes("sent") ? true : undefined,
    );

  async function start(container: string): Promise<void> {
    await run(engine, "start", container);
    await hasSent(container);
  }

  async function whileStopped(work: () => Promise<void>): Promise<number> {
    const since = performance.now();
    await run(engine, "kill", "-s", "STOP", "dockerwall");
    try {
      await work();
    } finally {
      await run(engine, "kill", "-s", "CONT", "dockerwall");
    }
    return Math.round(performance.now() - since);
  }

  /** What waits is decided on by then. */
  async function settles(): Promise<void> {
    await enforcing(engine);
    await pause(4_000);
  }

  it("lets everything out while nobody guards", async () => {
    await create("control", "app", plain);
    await start("control");
    await until(`${name}: packets of both families`, 10_000, async () => {
      const to = new Set((await capture.packets()).map(({ dst }) => dst));
      return to.has(denied) && to.has(denied6) ? true : undefined;
    });
    await run(engine, "rm", "-f", "control");
  });

  it("has no window for containers that start meanwhile", async () => {
    await deploy(engine);
    const late: number[] = [];
    let packets = 0;
    for (let round = 0; late.length < rounds && round < 3 * rounds; round++) {
      const before = await seen();
      await create("both", ...(round % 2 === 0 ? ["app", plain] : [plain, "app"]));
      const lateMs = await whileStopped(() => start("both"));
      await settles();
      await run(engine, "rm", "-f", "both");
      if (lateMs >= countsMs) continue;
      late.push(lateMs);
      packets += (await seen()) - before;
    }
    const lateness = `daemon late by ${Math.min(...late)} to ${Math.max(...late)} ms`;
    printRow(name, `${late.length} starts`, lateness, `${packets} packets`);
    assert.equal(late.length, rounds);
    assert.equal(packets, 0);
  });

  /** What was sent arrives, each datagram at least once: a sender that gets an error sends one again. */
  async function arrives(what: string, since: number): Promise<void> {
    let last = 0;
    await until(
      `${name}: ${what}`,
      10_000,
      async () => {
        const packets = (await capture.packets()).slice(since).filter(({ dport }) => dport === 9000);
        const lines = packets.flatMap(({ dst, payload }) =>
          (String(payload).match(/^\w+ \d+$/gm) ?? []).map((line) => `${dst} ${line}`),
        );
        last = new Set(lines).size;
        return last === 2 * datagrams ? true : undefined;
      },
      () => `${last} of ${2 * datagrams}`,
    );
  }

  it("loses nothing of one on the open network only", async () => {
    const before = await seen();
    await create("free", plain);
    const lateMs = await whileStopped(async () => {
      await start("free");
      assert.equal(await seen(), before);
    });
    await arrives("what was held", before);
    await run(engine, "rm", "-f", "free");
    const then = await seen();
    await create("free", plain);
    await start("free");
    await arrives("what another sends", then);
    await run(engine, "rm", "-f", "free");
    printRow(name, "on the open network only", `daemon late by ${lateMs} ms`, "nothing lost");
  });

  it("is open, as without a daemon, when that has hung for long", async () => {
    const before = await seen();
    await create("hung", "app", plain);
    await whileStopped(async () => {
      await pause(hangsMs);
      await start("hung");
      await until(`${name}: packets past a daemon that hangs`, 10_000, async () =>
        (await seen()) > before ? true : undefined,
      );
    });
    await run(engine, "rm", "-f", "hung");
    await enforcing(engine);
  });
}
