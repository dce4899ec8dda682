// The daemon is replaced while a thousand connections are at work: none of them notices, and nothing else gets out.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen, printRow } from "../support/chosen.ts";
import { client, deploy, enforcing, inside, network, run } from "../support/dockerwall.ts";
import { denied, flooder } from "../support/flood.ts";
import { until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const engines = chosen(["e20", "e28"] as const);
const flows = 1000;

/** Every connection is answered at least once in each round; a round is written down when all were. */
const talkers = `
import asyncio, json
async def main():
    state = {"open": 0, "lost": 0, "rounds": 0}
    pairs = []
    for _ in range(${flows}):
        pairs.append(await asyncio.open_connection("www.example.com", 9000))
        state["open"] += 1
    async def once(reader, writer):
        try:
            writer.write(b"x")
            if await asyncio.wait_for(reader.readexactly(1), 20) != b"x": raise ValueError
        except Exception:
            state["lost"] += 1
    while True:
        await asyncio.gather(*[once(*pair) for pair in pairs])
        state["rounds"] += 1
        open("/tmp/state", "w").write(json.dumps(state))
        await asyncio.sleep(0.2)
asyncio.run(main())
`;

interface State {
  readonly open: number;
  readonly lost: number;
  readonly rounds: number;
}

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

describe("upgrade", () => {
  for (const name of engines) {
    it(`${name}: ${flows} flows outlive the daemon's container, and nothing opens`, async () => {
      const engine = lab.engine(name);
      await deploy(engine);
      await network(engine, "app", "www.example.com");
      await client(engine, "web", "app", "--ulimit", "nofile=4096");
      await flooder(engine, "flood", "app");
      const state = async (): Promise<State | undefined> => {
        const { stdout, exitCode } = await inside(engine, "web", "cat", "/tmp/state");
        return exitCode === 0 && stdout.endsWith("}") ? (JSON.parse(stdout) as State) : undefined;
      };
      const rounds = async (count: number): Promise<State> => {
        const from = (await state())?.rounds ?? 0;
        return until(`${name}: ${count} rounds`, 60_000, async () => {
          const now = await state();
          return now !== undefined && now.rounds >= from + count ? now : undefined;
        });
      };
      await run(engine, "exec", "-d", "web", "python3", "-c", talkers);
      await rounds(2);
      const capture = await lab.capture(name, `dst host ${denied}`);
      await run(engine, "rm", "-f", "dockerwall");
      await rounds(2);
      // Another flag is to the engine what a newer image is: another container.
      await deploy(engine, "--stats-ttl", "1h");
      await enforcing(engine);
      const end = await rounds(3);
      const packets = await capture.stop();
      printRow(name, `${end.open} flows`, `${end.lost} lost`, `${packets.length} denied packets out`);
      assert.deepEqual(
        { open: end.open, lost: end.lost, out: packets.length },
        { open: flows, lost: 0, out: 0 },
      );
    });
  }
});
