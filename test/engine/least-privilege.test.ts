// The rights that docs/least-privilege.md names are enough, and each is needed: without it there is one sentence that
// says so. Every case begins on a host that has no rule of ours.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { printRow } from "../support/chosen.ts";
import {
  client,
  curl,
  deploy,
  enforcing,
  fails,
  network,
  rights,
  run,
  status,
  succeeds,
} from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const capabilities = ["NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE"] as const;
type Capability = (typeof capabilities)[number];

/** What is said without each, and whether what is guarded is denied all the same. */
const without: Readonly<Record<Capability, { says: RegExp; denies: boolean }>> = {
  NET_ADMIN: { says: /no right to change the firewall \(CAP_NET_ADMIN, CAP_NET_RAW\)/, denies: false },
  NET_RAW: { says: /no right to change the firewall \(CAP_NET_ADMIN, CAP_NET_RAW\)/, denies: false },
  SYS_ADMIN: { says: /lookups of 1 container\(s\) cannot be captured.*setns/, denies: true },
  SYS_PTRACE: { says: /no dockerd process of this network namespace.*SYS_PTRACE/, denies: true },
};

const direct = curl("--max-time", "1", "http://203.0.113.30/");

let lab: Lab;
let engine: Engine;
before(async () => {
  lab = await startLab({ engines: ["e28"], product: true });
  engine = lab.engine("e28");
  await network(engine, "app", "www.example.com");
  await client(engine, "web", "app");
});
after(async () => {
  await lab?.down();
});

/** As in docs/least-privilege.md. */
async function start(missing?: Capability, ...options: readonly string[]): Promise<void> {
  const given = capabilities.filter((capability) => capability !== missing);
  await run(
    engine,
    ...["run", "-d", "--name", "dockerwall", "--network", "host", "--pid", "host", "--read-only"],
    ...["--tmpfs", "/run", "--cap-drop", "ALL", ...given.flatMap((capability) => ["--cap-add", capability])],
    ...["--security-opt", "no-new-privileges", "--security-opt", "apparmor=unconfined"],
    ...["--cpu-shares", "8192", ...options],
    ...["-v", "/var/run/docker.sock:/var/run/docker.sock", "dockerwall:lab"],
  );
}

/** What it says when it has ended, or runs and is degraded. */
async function sentence(): Promise<string> {
  return await until("the sentence", 30_000, async () => {
    if ((await run(engine, "inspect", "-f", "{{.State.Running}}", "dockerwall")) === "false") {
      const { stdout, stderr } = await engine.docker("logs", "dockerwall");
      return `${stdout}\n${stderr}`.trim().split("\n").at(-1);
    }
    const report = await status(engine).catch(() => undefined);
    return report?.state === "degraded" ? (report.capture.problem ?? report.problems[0]) : undefined;
  });
}

describe("least privilege", () => {
  afterEach(async () => {
    await engine.docker("rm", "-f", "dockerwall");
    await run(
      engine,
      "run",
      "--rm",
      "--network",
      "host",
      "--pid",
      "host",
      ...rights,
      "dockerwall:lab",
      "uninstall",
    );
    await succeeds(engine, "web", ...direct);
  });

  it("a read-only root, no new privileges and four capabilities are enough", async () => {
    await start();
    await enforcing(engine);
    await succeeds(engine, "web", ...curl("http://www.example.com/"));
    await fails(engine, "web", ...direct);
    assert.match(await succeeds(engine, "web", "dig", "secret.example.org"), /status: NXDOMAIN/);
  });

  for (const capability of capabilities) {
    const { says, denies } = without[capability];
    it(`says what is missing without ${capability}`, async () => {
      await start(capability);
      const said = await sentence();
      printRow(`without ${capability}`, said, denies ? "denied" : "open");
      assert.match(said, says);
      if (denies) await fails(engine, "web", ...direct);
      else await succeeds(engine, "web", ...direct);
    });
  }

  it("a seccomp profile without batches of datagrams costs speed alone, and status says so", async () => {
    const profile = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["recvmmsg", "sendmmsg"], action: "SCMP_ACT_ERRNO" }],
    };
    await engine.exec("sh", "-c", `echo '${JSON.stringify(profile)}' >/run/unbatched.json`);
    await start(undefined, "--security-opt", "seccomp=/run/unbatched.json");
    await enforcing(engine);
    await succeeds(engine, "web", ...curl("http://www.example.com/"));
    assert.match(await succeeds(engine, "web", "dig", "secret.example.org"), /status: NXDOMAIN/);
    await fails(engine, "web", ...direct);
    assert.match(
      (await status(engine)).warnings.join("\n"),
      /recvmmsg or sendmmsg is refused here \(EPERM\)/,
    );
  });

  it("a kernel without IPv6 is guarded by IPv4 alone, and status says so", async () => {
    // As with ipv6.disable=1: AF_INET6 is 10, EAFNOSUPPORT 97.
    const ofIpv6 = { index: 0, value: 10, op: "SCMP_CMP_EQ" };
    const profile = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["socket"], action: "SCMP_ACT_ERRNO", errnoRet: 97, args: [ofIpv6] }],
    };
    await engine.exec("sh", "-c", `echo '${JSON.stringify(profile)}' >/run/without-ipv6.json`);
    await start(undefined, "--security-opt", "seccomp=/run/without-ipv6.json");
    await enforcing(engine);
    await succeeds(engine, "web", ...curl("http://www.example.com/"));
    assert.match(await succeeds(engine, "web", "dig", "secret.example.org"), /status: NXDOMAIN/);
    await fails(engine, "web", ...direct);
    assert.match((await status(engine)).warnings.join("\n"), /this kernel has no IPv6 \(EAFNOSUPPORT/);
  });

  it("rules of an earlier run stand where it cannot start", async () => {
    await deploy(engine);
    await run(engine, "rm", "-f", "dockerwall");
    await start("NET_ADMIN");
    assert.match(await sentence(), without.NET_ADMIN.says);
    await fails(engine, "web", ...direct);
  });
});
