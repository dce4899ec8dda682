// Which bridges of a host `boot-guard` names in the unit that it prints, and what that unit does there.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { after, it } from "node:test";
import { command } from "../../../src/cli/commands/boot-guard.ts";
import { findDockerd } from "../../../src/edge/engine/dockerd.ts";
import { startUnit } from "../../support/boot-unit.ts";
import { mountSys } from "../../support/daemon-process.ts";
import { until } from "../../support/lab/command.ts";
import { createLan, createOther, reachability } from "../../support/lan.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();

const open = { out: [true, true], in: [true, true] };
const held = { out: [true, true], in: [false, false] };

let engine: ChildProcess | undefined;
after(() => engine?.kill());

const printed = async (): Promise<string> => {
  const pieces: string[] = [];
  const output = { styled: false, write: (piece: string) => void pieces.push(piece) };
  assert.equal(await command.run({ options: {}, operands: [], environment: {}, output }), 0);
  return pieces.join("");
};
const named = (unit: string): string[] => unit.split("\n").filter((line) => line.startsWith("# Not held: "));
const plugIn = (bridge: string, port: string, ...kind: string[]): void => {
  run("ip", ...kind);
  run("ip", "link", "set", port, "master", bridge);
};

it("elsewhere than beside an engine nothing is printed: these may not be the host's bridges", async () => {
  await assert.rejects(printed(), {
    code: "ENGINE_UNREACHABLE",
    message: /docker exec dockerwall boot-guard/,
  });
  engine = spawn("bash", ["-c", "echo -n dockerd >/proc/$$/comm; read"], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  await until("the engine", 5_000, () => findDockerd());
});

it("a host without such a bridge has none named, whatever its others have", async () => {
  run("ip", "link", "add", "virbr0", "up", "type", "bridge");
  plugIn("virbr0", "tap0", "tuntap", "add", "tap0", "mode", "tap");
  assert.match(await printed(), /^# No such bridge was the host's own way out/m);
});

it("the host's way out, and bridges of others, are named and stay open; Docker's are held", async () => {
  // Two of the engine's: by its own name for a link, and by one that was chosen.
  const [docker, chosen, nic, way, others] = [
    "br-0123456789ab",
    "br-chosen",
    "br-nic",
    "br-way",
    "br-others",
  ].map(createLan);
  assert.ok(docker && chosen && nic && way && others);
  for (const change of ["port1 down", "port1 name veth0123456", "veth0123456 up"])
    run("ip", "link", "set", ...change.split(" "));
  plugIn("br-nic", "eth9", "tuntap", "add", "eth9", "mode", "tap");
  run("ip", "route", "add", "default", "via", way.far[0], "dev", "br-way");

  // Where the engine's folder cannot be read, a link is taken for a container's.
  assert.deepEqual(named(await printed()), [
    "# Not held: br-nic, which has eth9 (tun).",
    "# Not held: br-way, which has the host's default route.",
  ]);

  run("mkdir", "-p", "/run/docker/netns");
  for (const { box } of [docker, chosen]) {
    run("touch", `/run/docker/netns/${box.name}`);
    run("mount", "--bind", box.path, `/run/docker/netns/${box.name}`);
  }
  const unit = await printed();
  const stranger = (port: string): string => `${port} (a link that leads to no container)`;
  const vlan = createOther("br-nic.10");
  assert.ok(named(await printed()).includes("# Not held: br-nic.10, which is no bridge (veth)."));
  // That one came after the unit was printed, and is there at boot.
  assert.deepEqual(named(unit).sort(), [
    `# Not held: br-nic, which has eth9 (tun), ${stranger("port3")}.`,
    `# Not held: br-others, which has ${stranger("port5")}.`,
    `# Not held: br-way, which has ${stranger("port4")}, the host's default route.`,
  ]);

  for (const lan of [docker, chosen, nic, way, others, vlan]) assert.deepEqual(reachability(lan), open);
  startUnit(unit);
  for (const lan of [docker, chosen]) assert.deepEqual(reachability(lan), held);
  for (const lan of [nic, way, others, vlan]) assert.deepEqual(reachability(lan), open);
});
