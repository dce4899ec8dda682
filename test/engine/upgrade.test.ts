// The daemon is replaced by Compose while a thousand connections are at work, once with another command and once with a
// newer image under the same name: no flow notices, and nothing else gets out.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { bothBackends, chosen, printRow } from "../support/chosen.ts";
import { client, enforcing, inside, network, run } from "../support/dockerwall.ts";
import { denied, flooder } from "../support/flood.ts";
import { until } from "../support/lab/command.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { repository } from "../support/lab/repository.ts";

const engines = chosen(bothBackends);
const flows = { tcp: 1000, udp: 100 } as const;

/** Every flow is answered at least once in each round; a round is written down when all were. A datagram may be sent again. */
const talkers = `
import asyncio, json, socket
state = {"tcp": 0, "udp": 0, "lost": 0, "rounds": 0}
class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport): self.transport, self.answer = transport, None
    def datagram_received(self, data, peer):
        if self.answer and not self.answer.done(): self.answer.set_result(data)
async def stream(reader, writer):
    writer.write(b"x")
    if await asyncio.wait_for(reader.readexactly(1), 20) != b"x": raise ValueError
async def datagrams(echo):
    for attempt in range(10):
        echo.answer = asyncio.get_running_loop().create_future()
        echo.transport.sendto(b"x")
        try: return await asyncio.wait_for(echo.answer, 2)
        except asyncio.TimeoutError: pass
    raise TimeoutError
async def once(work):
    try: await work
    except Exception: state["lost"] += 1
async def main():
    loop = asyncio.get_running_loop()
    streams, echoes = [], []
    for _ in range(${flows.tcp}):
        streams.append(await asyncio.open_connection("www.example.com", 9000))
        state["tcp"] += 1
    for _ in range(${flows.udp}):
        _, echo = await loop.create_datagram_endpoint(Echo, remote_addr=("www.example.com", 9000), family=socket.AF_INET)
        echoes.append(echo)
        state["udp"] += 1
    while True:
        await asyncio.gather(*[once(stream(*pair)) for pair in streams], *[once(datagrams(echo)) for echo in echoes])
        state["rounds"] += 1
        open("/tmp/state", "w").write(json.dumps(state))
        await asyncio.sleep(0.2)
asyncio.run(main())
`;

interface State {
  readonly tcp: number;
  readonly udp: number;
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

/** The service of compose.example.yml, with the lab's image and a command, brought up. */
async function composeUp(engine: Engine, command: readonly string[]): Promise<void> {
  const example = await readFile(join(repository, "compose.example.yml"), "utf8");
  const service = /^ {2}dockerwall:\n(?: {4}.*\n)+/m.exec(example)?.[0] ?? "";
  const ours = service.replace(/^ *build: .*\n/m, "").replace(/image: dockerwall$/m, "image: dockerwall:lab");
  const file = `${lab.shared}/${engine.name}-upgrade.yml`;
  await writeFile(file, `services:\n${ours}    command: ${JSON.stringify(command)}\n`);
  const up = await engine.compose(file, "-p", "wall", "up", "--detach");
  assert.equal(up.exitCode, 0, up.stderr);
  await enforcing(engine);
}

/** Gives the image's name to another image, as a pull of a newer one does. */
async function retag(engine: Engine): Promise<void> {
  const id = await run(engine, "create", "dockerwall:lab");
  await run(engine, "commit", "--change", "LABEL newer=yes", id, "dockerwall:lab");
  await run(engine, "rm", id);
}

describe("upgrade by Compose", () => {
  for (const { name } of engines) {
    it(`${name}: ${flows.tcp} TCP and ${flows.udp} UDP flows outlive the container, twice, and nothing opens`, async () => {
      const engine = lab.engine(name);
      const containerId = (): Promise<string> => run(engine, "inspect", "-f", "{{.Id}}", "dockerwall");
      await composeUp(engine, ["daemon"]);
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
      const first = await containerId();
      await composeUp(engine, ["daemon", "--stats-ttl", "1h"]);
      await rounds(2);
      const second = await containerId();
      await retag(engine);
      await composeUp(engine, ["daemon", "--stats-ttl", "1h"]);
      const { rounds: _, ...end } = await rounds(3);
      const ids = new Set([first, second, await containerId()]);
      const label = await run(engine, "inspect", "-f", "{{.Config.Labels.newer}}", "dockerwall");
      const out = (await capture.stop()).length;
      printRow(name, `${end.tcp} TCP, ${end.udp} UDP flows`, `${end.lost} lost`, `${out} denied packets out`);
      assert.deepEqual({ containers: ids.size, newer: label }, { containers: 3, newer: "yes" });
      assert.deepEqual({ ...end, out }, { ...flows, lost: 0, out: 0 });
    });
  }
});
