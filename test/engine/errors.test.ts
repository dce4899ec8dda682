// Whatever is missing or wrong ends in one clear sentence and the right exit code, never in a stack trace.

import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  client,
  curl,
  deploy,
  fails,
  network,
  rights,
  run,
  status,
  succeeds,
} from "../support/dockerwall.ts";
import { type CommandResult, until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { repository } from "../support/lab/repository.ts";

const host = ["--network", "host", "--pid", "host"];
const socket = ["-v", "/var/run/docker.sock:/var/run/docker.sock"];
const image = "dockerwall:lab";

let lab: Lab;
before(async () => {
  lab = await startLab({ engines: ["e28"], product: true });
});
after(async () => {
  await lab?.down();
});

function endsInOneSentence(
  { stdout, stderr, exitCode }: CommandResult,
  expected: number,
  sentence: RegExp,
): void {
  assert.match(stderr, sentence);
  assert.match(stderr, /^dockerwall: [^\n]+$/);
  assert.doesNotMatch(stdout, /^\s+at /m);
  assert.equal(exitCode, expected, stderr);
}

describe("the daemon says in one sentence", () => {
  const cases: readonly [name: string, args: readonly string[], exitCode: number, sentence: RegExp][] = [
    [
      "no Docker socket",
      [...rights, ...host, image],
      69,
      /no Docker socket at \/var\/run\/docker\.sock; mount it/,
    ],
    [
      "no privilege",
      [...host, ...socket, image],
      77,
      /no right to change the firewall .* "privileged: true"/,
    ],
    [
      "a bad flag",
      [...rights, ...host, ...socket, image, "daemon", "--stats-tll", "1h"],
      64,
      /stats-tll.*stats-ttl/,
    ],
    [
      "a bad setting",
      [...rights, ...host, ...socket, "-e", "DOCKERWALL_DNS_PORT=0", image],
      78,
      /DOCKERWALL_DNS_PORT/,
    ],
    [
      "a taken port",
      [...rights, ...host, ...socket, "-e", "DOCKERWALL_DNS_PORT=5999", image],
      71,
      /port 5999\/udp is taken by python3\S* \(pid \d+\); set DOCKERWALL_DNS_PORT to another port, or stop it/,
    ],
    ["an unknown command", ["--rm", image, "statuz"], 64, /no command "statuz".*status/],
    ["a daemon that is not running", ["--rm", image, "status"], 69, /the daemon is not running/],
  ];
  before(async () => {
    const squat =
      "import socket,time; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('',5999)); print('up',flush=True); time.sleep(600)";
    await run(
      lab.engine("e28"),
      "run",
      "-d",
      "--name",
      "squatter",
      "--network",
      "host",
      "client:lab",
      "python3",
      "-c",
      squat,
    );
    await until("the squatter", 5_000, async () =>
      (await run(lab.engine("e28"), "logs", "squatter")).includes("up") ? true : undefined,
    );
  });
  for (const [name, args, exitCode, sentence] of cases) {
    it(name, async () => {
      const outcome = await lab.engine("e28").dockerWith({ timeoutMs: 20_000 }, "run", ...args);
      endsInOneSentence(outcome, exitCode, sentence);
    });
  }

  // The real entrypoint, but it wants a kind of set that the lab's kernel does not have.
  it("a kernel that lacks something", async () => {
    const original = await readFile(join(repository, "entrypoint.sh"), "utf8");
    const wanting = original.replace(
      "ip_set_hash_netport|dockerwall-host4 hash:net,port ",
      "ip_set_hash_netnet|dockerwall-host4 hash:net,net ",
    );
    assert.notEqual(wanting, original);
    const file = `${lab.shared}/entrypoint.sh`;
    await writeFile(file, wanting);
    await chmod(file, 0o755);
    const entrypoint = ["-v", `${file}:/app/entrypoint.sh:ro`];
    for (const backend of ["nft", "legacy"]) {
      const chosen = ["-e", `DOCKERWALL_BACKEND=${backend}`];
      const outcome = await lab
        .engine("e28")
        .docker("run", ...rights, ...host, ...socket, ...entrypoint, ...chosen, image);
      endsInOneSentence(
        outcome,
        71,
        /the kernel lacks sets of type hash:net,net; run modprobe ip_set_hash_netnet on the host/,
      );
    }
  });
});

describe("a bad label", () => {
  it("denies everything, names the entry, and leaves the others alone", async () => {
    const engine = lab.engine("e28");
    await deploy(engine);
    await network(engine, "good", "*.example.com");
    await network(engine, "bad", "*.example.com *");
    await client(engine, "web", "bad");
    await client(engine, "fine", "good");
    await fails(engine, "web", ...curl("http://www.example.com/"));
    await succeeds(engine, "fine", ...curl("http://www.example.com/"));
    const report = await status(engine);
    assert.equal(report.state, "degraded");
    const problem = report.networks.find((entry) => entry.name === "bad")?.problems[0] ?? "";
    assert.match(
      problem,
      /^network "bad", label dockerwall\.allow: entry "\*" at column 15: .*; it allows nothing until you correct it$/,
    );
    assert.ok((await run(engine, "logs", "dockerwall")).includes('entry \\"*\\" at column 15'));
  });

  it("on a driver that cannot be guarded is an error that says so", async () => {
    const engine = lab.engine("e28");
    const { stdout: uplink } = await engine.exec(
      "sh",
      "-c",
      "ip -o route show default | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p'",
    );
    await network(engine, "vlan", "*.example.com", "--driver", "macvlan", "--opt", `parent=${uplink.trim()}`);
    const report = (await status(engine)).networks.find((entry) => entry.name === "vlan");
    assert.equal(report?.state, "refused");
    assert.match(
      report?.problems[0] ?? "",
      /driver macvlan, which cannot be guarded: its containers are NOT contained/,
    );
  });
});
