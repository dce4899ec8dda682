// The rights that docs/least-privilege.md names are enough, and each is needed: without it there is one sentence that
// says so.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { printRow } from "../support/chosen.ts";
import { client, curl, enforcing, fails, network, run, status, succeeds } from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const capabilities = ["NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE"] as const;

let lab: Lab;
before(async () => {
  lab = await startLab({ engines: ["e28"], product: true });
  await network(lab.engine("e28"), "app", "www.example.com");
  await client(lab.engine("e28"), "web", "app");
});
after(async () => {
  await lab?.down();
});

async function start(without?: string): Promise<void> {
  const given = capabilities.filter((capability) => capability !== without);
  await run(
    lab.engine("e28"),
    ...["run", "-d", "--name", "dockerwall", "--network", "host", "--pid", "host", "--read-only"],
    ...["--tmpfs", "/run", "--cap-drop", "ALL", ...given.flatMap((capability) => ["--cap-add", capability])],
    ...["--security-opt", "no-new-privileges", "--security-opt", "apparmor=unconfined"],
    ...["-v", "/var/run/docker.sock:/var/run/docker.sock", "dockerwall:lab"],
  );
}

describe("least privilege", () => {
  it("a read-only root, no new privileges and four capabilities are enough", async () => {
    const engine = lab.engine("e28");
    await start();
    await enforcing(engine);
    await succeeds(engine, "web", ...curl("http://www.example.com/"));
    await fails(engine, "web", ...curl("--max-time", "1", "http://203.0.113.30/"));
    assert.match(await succeeds(engine, "web", "dig", "secret.example.org"), /status: NXDOMAIN/);
    await run(engine, "rm", "-f", "dockerwall");
  });

  for (const capability of capabilities) {
    it(`says what is missing without ${capability}`, async () => {
      const engine = lab.engine("e28");
      await start(capability);
      const sentence = await until("the sentence", 30_000, async () => {
        if ((await run(engine, "inspect", "-f", "{{.State.Running}}", "dockerwall")) === "false") {
          const { stdout, stderr } = await engine.docker("logs", "dockerwall");
          return `${stdout}\n${stderr}`.trim().split("\n").at(-1);
        }
        const report = await status(engine).catch(() => undefined);
        return report?.state === "degraded" ? (report.capture.problem ?? report.problems[0]) : undefined;
      });
      printRow(`without ${capability}`, sentence);
      assert.ok(sentence.length > 20, sentence);
      await fails(engine, "web", ...curl("--max-time", "1", "http://203.0.113.30/"));
      await run(engine, "rm", "-f", "dockerwall");
    });
  }
});
