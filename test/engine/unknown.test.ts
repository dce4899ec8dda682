// What the engine has not told of, or cannot be asked about: a container whose own label takes a name away does not get
// it while that label is not known, however many lookups it sends and however long its inspection hangs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { chosen } from "../support/chosen.ts";
import {
  client,
  curl,
  deploy,
  enforcing,
  network,
  rights,
  run,
  status,
  succeeds,
  wall,
} from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const engines = chosen(["e20", "e26", "e28"] as const);
const starts = 8;
const lookups = 1_500;
const taken = "www.example.com";
const left = "api.example.com";

/** Sends that many lookups of a name at once, and tells how they were answered, and whether its address can be reached. */
const flood = `
import collections, select, socket, sys, time
name, count = sys.argv[1], int(sys.argv[2])
question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + bytes(1) + b"\\0\\1\\0\\1"
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
s.connect(("127.0.0.11", 53))
for i in range(count): s.send(i.to_bytes(2, "big") + b"\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + question)
told, end = collections.Counter(), time.time() + 8
while sum(told.values()) < count and select.select([s], [], [], max(0, end - time.time()))[0]:
    answer = s.recv(4096)
    told["addresses" if answer[7] else answer[3] & 15] += 1
try: reached = bool(socket.create_connection((sys.argv[3], 80), 2))
except OSError: reached = False
print(told["addresses"], sum(told.values()), reached)
`;

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

for (const name of engines) {
  describe(name, () => {
    let engine: Engine;
    let address: string;
    before(async () => {
      engine = lab.engine(name);
      await deploy(engine);
      await network(engine, "app", `${taken} ${left}`);
      await client(engine, "neighbour", "app");
      address = (await succeeds(engine, "neighbour", "dig", "+short", taken)).trim();
    });

    async function floodFrom(...options: string[]): Promise<string> {
      const given = [flood, taken, String(lookups), address];
      const place = ["run", "--rm", "--network", "app", ...options, "client:lab"];
      return run(engine, ...place, "python3", "-c", ...given);
    }

    it(`opens nothing by ${lookups} lookups in the first instructions, ${starts} times of ${starts}`, async (t) => {
      // The same without a label of its own is answered, and the address is open.
      const [addresses = 0, , reached] = (await floodFrom()).split(" ");
      assert.ok(Number(addresses) > 0 && reached === "True", `${addresses} ${reached}`);
      for (let start = 0; start < starts; start++) {
        const told = await floodFrom("--label", `dockerwall.allow=!${taken}`);
        t.diagnostic(`${name}: answers with addresses, answers, address reached: ${told}`);
        assert.match(told, /^0 \d+ False$/);
      }
    });

    describe("with a container whose inspection hangs while the daemon's container is made anew", () => {
      let pid: string;
      let shim: string;
      let kill: Promise<unknown>;
      /** In its namespaces, past the engine. */
      const within = (...argv: string[]) =>
        engine.exec("nsenter", "--target", pid, "--mount", "--net", ...argv);

      before(async () => {
        await client(engine, "strict", "app", "--label", `dockerwall.allow=!${taken}`);
        pid = await run(engine, "inspect", "-f", "{{.State.Pid}}", "strict");
        shim = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? assert.fail();
        process.kill(Number(shim), "SIGSTOP");
        // It waits for the shim, and holds the container's lock meanwhile.
        kill = engine.docker("kill", "--signal", "WINCH", "strict");
        await until("its inspection to hang", 10_000, async () => {
          const { exitCode } = await engine
            .dockerWith({ timeoutMs: 2_000 }, "inspect", "strict")
            .catch(() => ({ exitCode: undefined }));
          return exitCode === 0 ? undefined : true;
        });
        await run(engine, "rm", "--force", "dockerwall");
        const place = ["--network", "host", "--pid", "host", ...rights];
        const mounts = ["-v", "/var/run/docker.sock:/var/run/docker.sock"];
        await run(engine, "run", "-d", "--name", "dockerwall", ...place, ...mounts, "dockerwall:lab");
      });
      after(async () => {
        process.kill(Number(shim), "SIGCONT");
        await kill;
      });

      it("its status names who cannot be read", async () => {
        let said: readonly string[] = [];
        await until(
          "the problem",
          30_000,
          async () => {
            // Until it listens there is no report.
            said = await status(engine).then(
              ({ problems }) => problems,
              () => [],
            );
            return said.some((each) => /"strict".*cannot be read/.test(each)) ? true : undefined;
          },
          () => said.join("\n"),
        );
        assert.equal((await status(engine)).state, "degraded");
      });

      it("what its own label may take away is neither answered nor opened, with the reason", async () => {
        const { stdout } = await within("dig", taken);
        assert.match(stdout, /status: SERVFAIL/);
        assert.match(stdout, /EDE: 14.*the engine has not yet said/);
        assert.notEqual((await within(...curl(`http://${address}/`))).exitCode, 0);
      });

      it("explain says that it is not known", async () => {
        const { stdout, exitCode } = await wall(engine, "explain", "strict", taken);
        assert.match(stdout, /the engine has not reported enough about the container yet/);
        assert.equal(exitCode, 1);
      });

      it("everybody else is served, and so is who comes now", async () => {
        await succeeds(engine, "neighbour", ...curl(`http://${taken}/`));
        await client(engine, "late", "app");
        await succeeds(engine, "late", ...curl(`http://${taken}/`));
        assert.match(await succeeds(engine, "late", "dig", "www.example.org"), /status: NXDOMAIN/);
      });

      it("it is judged by its own label when it is read", async () => {
        process.kill(Number(shim), "SIGCONT");
        await kill;
        await until("it to be read", 10_000, async () => {
          const { stdout } = await within("dig", taken);
          return stdout.includes("status: NXDOMAIN") ? true : undefined;
        });
        assert.equal((await within(...curl(`http://${left}/`))).exitCode, 0);
        assert.notEqual((await within(...curl(`http://${address}/`))).exitCode, 0);
        await enforcing(engine);
      });
    });
  });
}
