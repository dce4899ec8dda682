// The same questions to the daemon, from a guarded container, and to unbound out of Debian's package, from an unguarded
// one; both ask the same resolver of the fake internet. Twice, as the second answer comes out of a cache.

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import dnsPacket from "dns-packet";
import { type Asked, compare, essenceOf, questionOf } from "../support/compare-answers.ts";
import { endServer, spawnUnbound, unboundSettings } from "../support/debian-server.ts";
import { client, deploy, network } from "../support/dockerwall.ts";
import { zoneQuestions } from "../support/fake-zone.ts";
import { until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { askRaw } from "../support/raw-ask.ts";

/** Addresses of the fake internet that nothing else of it uses. */
const zone = "203.0.113.97";
const unboundAddress = "203.0.113.98";
const folder = mkdtempSync(join(tmpdir(), "dockerwall-differential-"));

let lab: Lab;
let unbound: ChildProcess | undefined;

before(async () => {
  lab = await startLab({ engines: ["e28"], product: true });
  const { box } = lab.internet;
  const script = join(import.meta.dirname, "../support/zone-server.ts");
  const server = box.background("zone-server", [process.execPath, script, zone]);
  const log = (): string => readFileSync(server.log, "utf8");
  await until("the zone server", 10_000, () => (log().includes("ready") ? true : undefined), log);
  unbound = await startUnbound();
  const engine = lab.engine("e28");
  await deploy(engine, "--upstream", zone);
  const v6 = (part: string): string[] => ["--ipv6", "--subnet", engine.link.prefix6.replace("00::/40", part)];
  await network(engine, "free-net", undefined, ...v6("01::/64"));
  await network(engine, "app", "*.example.org", ...v6("02::/64"), "--label", "dockerwall.types=TXT");
  await client(engine, "free", "free-net");
  await client(engine, "app", "app");
});
after(async () => {
  if (unbound !== undefined) await endServer(unbound);
  await lab?.down();
  rmSync(folder, { recursive: true });
});

async function startUnbound(): Promise<ChildProcess> {
  const { box, netns } = lab.internet;
  const conf = join(folder, "unbound.conf");
  writeFileSync(
    conf,
    `server:
  interface: ${unboundAddress}
  access-control: 0.0.0.0/0 allow
${unboundSettings(folder)}
  local-zone: "example.org." transparent
  edns-buffer-size: 1232
  max-udp-size: 1232
  minimal-responses: yes
forward-zone:
  name: "."
  forward-addr: ${zone}
remote-control:
  control-enable: no
`,
  );
  const child = await spawnUnbound(conf, netns);
  await until("unbound to listen", 20_000, async () => {
    if (child.exitCode !== null) throw new Error(`unbound ended with ${child.exitCode}`);
    const probe = ["bash", "-c", `exec 3<>/dev/tcp/${unboundAddress}/53`];
    return (await box.attempt(probe)).exitCode === 0 ? true : undefined;
  });
  return child;
}

const questions = zoneQuestions().map(({ name, type }, index) => ({
  name,
  type,
  size: [0, 512, 1232, 4096][index % 4] ?? 0,
}));

/** Every question by UDP, and those whose answer did not fit by TCP as well. */
async function askAll(container: string, server?: string): Promise<readonly Asked[]> {
  const engine = lab.engine("e28");
  const messages = questions.map(({ name, type, size }) => questionOf(name, type, size));
  const over = async (transport: "udp" | "tcp", chosen: readonly Buffer[]) => {
    const asks = chosen.map((message) => ({ transport, message }));
    const answers = await askRaw(engine, container, asks, server);
    return answers.map((answer) => dnsPacket.decode(answer ?? assert.fail("silence")));
  };
  const short = await over("udp", messages);
  const cut = short.flatMap(({ flag_tc }, index) => (flag_tc ? [index] : []));
  const whole = await over(
    "tcp",
    cut.map((index) => messages[index] ?? assert.fail()),
  );
  return short.map((decoded, index) => {
    const byTcp = whole[cut.indexOf(index)];
    return byTcp === undefined ? { decoded, truncated: false } : { decoded: byTcp, truncated: true };
  });
}

for (const round of ["the first time", "out of the cache"]) {
  it(`says what unbound says, ${round}`, async () => {
    const [ours, theirs] = await Promise.all([askAll("app"), askAll("free", unboundAddress)]);
    const differences = questions.flatMap((question, index) => {
      const [one, other] = [ours[index] ?? assert.fail(), theirs[index] ?? assert.fail()];
      try {
        compare(one, other);
        return [];
      } catch (error) {
        return [{ ...question, ours: essenceOf(one), theirs: essenceOf(other), why: String(error) }];
      }
    });
    assert.deepEqual(differences, []);
  });
}
