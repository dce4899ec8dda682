// A guarded container with a second network that is not guarded, its default route through that one: it is guarded
// there by its addresses, and it must be so before its first instruction, and before its first packet on a network
// that it is connected to while it runs.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen, long, printRow } from "../../support/chosen.ts";
import { client, curl, deploy, inside, network, run } from "../../support/dockerwall.ts";
import { denied } from "../../support/flood.ts";
import type { Capture } from "../../support/lab/capture.ts";
import { type CommandResult, pause, until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { type Lab, startLab } from "../../support/lab/lab.ts";
import type { Packet } from "../../support/lab/pcap.ts";

const engines = chosen(["e20", "e26", "e28"] as const);
const rounds = long ? 60 : 6;

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

/** As soon as it has a route: sends by bash itself, and says by which device. */
const leaker = `until exec 3<>/dev/udp/${denied}/9000; do :; done 2>/dev/null
for i in {1..200}; do echo x >&3; done 2>/dev/null
ip route get ${denied}`;

/** Sends on and on by a socket that it has had from the beginning, and by a new one each time. */
const sender = `
import socket, time
def fresh():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("${denied}", 9000)); return s
old = fresh()
while True:
    try:
        old.send(b"old"); s = fresh(); s.send(b"new"); s.close()
    except OSError: pass
    time.sleep(0.0005)
`;

describe("a second network that is not guarded", { concurrency: true }, () => {
  for (const name of engines) describe(name, { concurrency: 1 }, () => noWindow(name));
});

function noWindow(name: string): void {
  let engine: Engine;
  let capture: Capture;
  /** The engine leads the default route through the network whose name sorts first, or by priority. */
  const plain = "aplain";

  before(async () => {
    engine = lab.engine(name);
    capture = await lab.capture(name, `dst host ${denied}`);
  });

  /** Starts a container that is on both networks, `rounds` times; what it sent that was seen. */
  async function starts(first: string, second: string): Promise<readonly Packet[]> {
    const seen = (await capture.packets()).length;
    for (let index = 0; index < rounds; index++) {
      await run(engine, "create", "--name", "both", "--network", first, "client:lab", "bash", "-c", leaker);
      await run(engine, "network", "connect", second, "both");
      const said = await run(engine, "start", "-a", "both");
      const gateway = await run(
        engine,
        "network",
        "inspect",
        "-f",
        "{{(index .IPAM.Config 0).Gateway}}",
        plain,
      );
      assert.ok(said.includes(`via ${gateway} `), said);
      await run(engine, "rm", "both");
    }
    return (await capture.packets()).slice(seen);
  }

  it("lets everything out while nobody guards", async () => {
    await network(engine, "app", "www.example.com");
    await network(engine, plain);
    assert.ok((await starts("app", plain)).length >= 100);
  });

  it("has no window at a start", async () => {
    await deploy(engine);
    for (const order of [
      ["app", plain],
      [plain, "app"],
    ] as [string, string][]) {
      const packets = await starts(...order);
      printRow(name, `starts on ${order.join(" and ")}`, `${rounds} starts`, `${packets.length} packets`);
      assert.deepEqual(packets.slice(0, 3), []);
    }
  });

  it("leaves it to its neighbours on either network", async () => {
    await client(engine, "both", "app");
    await run(engine, "network", "connect", plain, "both");
    await run(engine, "exec", "-d", "both", "python3", "-m", "http.server", "8000");
    let last: CommandResult | undefined;
    for (const on of ["app", plain]) {
      await client(engine, `beside-${on}`, on);
      const address = await run(
        engine,
        "inspect",
        "-f",
        `{{.NetworkSettings.Networks.${on}.IPAddress}}`,
        "both",
      );
      await until(
        `${name}: a neighbour on ${on}`,
        10_000,
        async () => {
          last = await inside(engine, `beside-${on}`, ...curl(`http://${address}:8000/`));
          return last.exitCode === 0 ? true : undefined;
        },
        () => `${last?.stderr}`,
      );
    }
  });

  it("has no window when it is connected while it runs, for old sockets and new ones", async () => {
    await run(
      engine,
      "run",
      "-d",
      "--name",
      "sends",
      "--network",
      "app",
      "client:lab",
      "python3",
      "-c",
      sender,
    );
    const seen = (await capture.packets()).length;
    const routes = new Set<string>();
    for (let index = 0; index < rounds; index++) {
      await run(engine, "network", "connect", plain, "sends");
      routes.add((await run(engine, "exec", "sends", "ip", "route", "get", denied)).split("\n")[0] ?? "");
      await pause(300);
      await run(engine, "network", "disconnect", plain, "sends");
    }
    await run(engine, "rm", "-f", "sends");
    const packets = (await capture.packets()).slice(seen);
    printRow(
      name,
      "connected while it runs",
      `${rounds} times`,
      `${packets.length} packets`,
      [...routes].join("; "),
    );
    assert.deepEqual(packets.slice(0, 3), []);
  });
}
