// Containers that no wall can hold are found and told: in `status`, in `doctor`, and by one line in the log each, however
// often the engine is read again.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen } from "../support/chosen.ts";
import { client, deploy, inside, network, status } from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const engines = chosen(["e20", "e26", "e28"] as const);

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

/** Container, how it is started, and what must be said of it, once. Engine 20.10 cannot give all privileges here. */
const cases: readonly [name: string, on: string, options: readonly string[], sentence: string][] = [
  ["admin", "app", ["--cap-add", "NET_ADMIN"], "has NET_ADMIN"],
  ["root", "app", ["--privileged"], "is privileged"],
  ["socket", "app", ["-v", "/var/run/docker.sock:/var/run/docker.sock"], "has the Docker socket"],
  ["pointed", "app", ["-e", "DOCKER_HOST=tcp://proxy:2375"], "is pointed at an engine's API over TCP"],
  ["pids", "app", ["--pid", "host"], "sees the host's processes"],
  ["beside-admin", "container:web", ["--cap-add", "NET_ADMIN"], "has NET_ADMIN"],
  ["beside-root", "container:web", ["--privileged"], "is privileged"],
  [
    "beside-socket",
    "container:web",
    ["-v", "/var/run/docker.sock:/run/other/docker.sock"],
    "has the Docker socket",
  ],
  ["on-host", "host", [], "is on the host's network, which is not guarded"],
];

describe("hazards", { concurrency: true }, () => {
  for (const name of engines) {
    it(`${name}: status, doctor and once the log name each; none of an unguarded container`, async () => {
      const engine = lab.engine(name);
      await deploy(engine);
      await network(engine, "app", "www.example.com");
      await network(engine, "plain");
      await client(engine, "web", "app");
      await client(engine, "elsewhere", "plain", "--cap-add", "NET_ADMIN");
      const these = cases.filter(([container]) => name !== "e20" || !container.endsWith("root"));
      for (const [container, on, options] of these) await client(engine, container, on, ...options);
      const wanted = these.map(([container, , , sentence]) => `container "${container}" ${sentence}`);
      await until("every warning", 15_000, async () => {
        const { warnings } = await status(engine);
        return wanted.every((sentence) => warnings.some((warning) => warning.startsWith(sentence)))
          ? true
          : undefined;
      });
      // More readings of everything: events about networks, each followed by a picture.
      for (const more of ["one", "two"]) await network(engine, more, "www.example.com");
      await until("the next networks", 15_000, async () =>
        (await status(engine)).networks.length === 3 ? true : undefined,
      );
      const { warnings } = await status(engine);
      assert.equal(warnings.length, wanted.length, warnings.join("\n"));
      const doctor = await inside(engine, "dockerwall", "dockerwall", "doctor");
      assert.equal(doctor.exitCode, 0, "a warning breaks nothing");
      const log = await engine.docker("logs", "dockerwall");
      const lines = `${log.stdout}\n${log.stderr}`.split("\n");
      for (const sentence of wanted) {
        const told = doctor.stdout.split("\n").filter((line) => line.includes(`warning: ${sentence}`));
        assert.equal(told.length, 1, doctor.stdout);
        const logged = lines.filter((line) => line.includes(JSON.stringify(sentence).slice(1, -1)));
        assert.equal(logged.length, 1, `${sentence}\n${lines.join("\n")}`);
      }
    });
  }
});
