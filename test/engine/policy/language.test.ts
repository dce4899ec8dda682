// The allowlist on real engines: two services of one network each kept to its own list, what `!`, patterns, presets and
// addresses mean in packets, labels that are bad, and rules and files that change while everything runs.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { ExplainReport } from "../../../src/core/model/report/explain.ts";
import { chosen, printRow } from "../../support/chosen.ts";
import {
  client,
  curl,
  deployWith,
  enforcing,
  fails,
  inside,
  network,
  run,
  status,
  succeeds,
  wall,
} from "../../support/dockerwall.ts";
import { until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { type Lab, startLab } from "../../support/lab/lab.ts";
import { holdFlows } from "./flows.ts";

const engines = chosen(["e20", "e26", "e28"] as const);

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

describe("the allowlist", { concurrency: true }, () => {
  for (const name of engines) describe(name, { concurrency: 1 }, () => language(name));
});

/** One exchange with an echo server, by TCP or UDP. */
const echo = (protocol: "tcp" | "udp", host: string, port: number): string[] => [
  "python3",
  "-c",
  `import socket
s = socket.socket(socket.AF_INET, socket.${protocol === "tcp" ? "SOCK_STREAM" : "SOCK_DGRAM"})
s.settimeout(0.9)
s.connect(("${host}", ${port})); s.send(b"x"); assert s.recv(1) == b"x"`,
];

function language(name: string): void {
  let engine: Engine;
  const policy = (text: string): Promise<string> =>
    run(
      engine,
      "exec",
      "dockerwall",
      "sh",
      "-c",
      `cat > /etc/dockerwall/policy.new <<'END' && mv /etc/dockerwall/policy.new /etc/dockerwall/policy.yml\n${text}\nEND`,
    );
  const explain = async (
    container: string,
    target: string,
  ): Promise<ExplainReport & { exitCode: number }> => {
    const { stdout, exitCode } = await wall(engine, "explain", container, target, "--json");
    return { ...(JSON.parse(stdout) as ExplainReport), exitCode };
  };

  before(async () => {
    engine = lab.engine(name);
    await deployWith(engine, ["-v", "policy:/etc/dockerwall"], "--lease-floor", "1s", "--lease-grace", "2s");
    await network(engine, "app", "www.example.com:80");
    await client(engine, "web", "app", "--label", "dockerwall.allow=allowed.example.com:9000/tcp");
    await client(
      engine,
      "job",
      "app",
      "--label",
      "dockerwall.allow=allowed.example.com:9000/udp 198.51.100.10:9000",
    );
  });

  it("keeps two services of one network each to its own list, port and protocol", async () => {
    for (const container of ["web", "job"])
      await succeeds(engine, container, ...curl("http://www.example.com/"));
    await succeeds(engine, "web", ...echo("tcp", "allowed.example.com", 9000));
    await succeeds(engine, "job", ...echo("udp", "allowed.example.com", 9000));
    const capture = await lab.capture(name, "dst host 203.0.113.20 and not dst port 53");
    await fails(engine, "web", ...echo("udp", "allowed.example.com", 9000));
    await fails(engine, "web", ...echo("tcp", "allowed.example.com", 7));
    await fails(engine, "job", ...echo("tcp", "allowed.example.com", 9000));
    await fails(engine, "job", ...echo("udp", "allowed.example.com", 7));
    assert.deepEqual(await capture.stop(), []);
    assert.equal((await explain("web", "allowed.example.com:9000/tcp")).exitCode, 0);
    assert.equal((await explain("web", "allowed.example.com:9000/udp")).exitCode, 1);
    assert.equal((await explain("job", "allowed.example.com:9000/udp")).exitCode, 0);
  });

  it("opens an address that is named without any lookup, on its port only, for its container only", async () => {
    await succeeds(engine, "job", ...echo("tcp", "198.51.100.10", 9000));
    await succeeds(engine, "job", ...echo("udp", "198.51.100.10", 9000));
    const capture = await lab.capture(name, "dst host 198.51.100.10 and (dst port 7 or dst port 80)");
    await fails(engine, "job", ...echo("tcp", "198.51.100.10", 7));
    await fails(engine, "web", ...echo("tcp", "198.51.100.10", 9000));
    assert.deepEqual(await capture.stop(), []);
    const { by } = await explain("job", "198.51.100.10:9000");
    assert.equal(by?.entry, "198.51.100.10/32:9000");
    assert.equal(by?.source, 'container "job", label dockerwall.allow');
  });

  it("takes away what `!` names, and matches patterns within one label", async () => {
    await network(
      engine,
      "less",
      "*.example.com !denied.example.com !*.example.com:9000/udp !203.0.113.12 build-*.ci.example.net",
    );
    await client(engine, "taker", "less");
    await succeeds(engine, "taker", ...echo("tcp", "allowed.example.com", 9000));
    const capture = await lab.capture(
      name,
      "dst host 203.0.113.30 or dst host 203.0.113.12 or (udp and dst port 9000)",
    );
    await fails(engine, "taker", ...echo("udp", "allowed.example.com", 9000));
    await fails(engine, "taker", ...curl("http://denied.example.com/"));
    assert.match(await succeeds(engine, "taker", "dig", "denied.example.com"), /status: NXDOMAIN/);
    // Its name is allowed, its address is taken away.
    await fails(engine, "taker", ...curl("http://api.example.com/"));
    assert.deepEqual(await capture.stop(), []);
    const { step, by } = await explain("taker", "denied.example.com");
    assert.deepEqual([step, by?.entry], ["taken-away", "!denied.example.com"]);
    await network(engine, "glob", "build-*.ci.example.com:80");
    await client(engine, "builder", "glob");
    await succeeds(engine, "builder", ...curl("http://build-2.ci.example.com/"));
    await fails(engine, "builder", ...curl("http://other.ci.example.com/"));
    assert.match(await succeeds(engine, "builder", "dig", "build-1.x.ci.example.com"), /status: NXDOMAIN/);
    await run(engine, "rm", "-f", "taker", "builder");
  });

  it("denies all of a new network with a bad label, and says what is wrong with it", async () => {
    await network(engine, "bad", "www.example.com *.example.com:70000 @debain");
    await client(engine, "stuck", "bad");
    const capture = await lab.capture(name, "dst host 203.0.113.11");
    await fails(engine, "stuck", ...curl("http://www.example.com/"));
    assert.deepEqual(await capture.stop(), []);
    const sentences = (await status(engine)).networks
      .find((entry) => entry.name === "bad")
      ?.problems.join("\n");
    assert.match(
      sentences ?? "",
      /entry "\*\.example\.com:70000" at column 17: the port must be 1 to 65535.*allows nothing until/,
    );
    assert.match(sentences ?? "", /entry "@debain" at column 37: .*did you mean @debian\?/);
    // Made anew with a good one, and then with a bad one again, as Compose does it: the removed one's list is gone.
    const again = async (label: string): Promise<void> => {
      await run(engine, "rm", "-f", "stuck");
      await run(engine, "network", "rm", "bad");
      await network(engine, "bad", label);
      await client(engine, "stuck", "bad");
    };
    await again("www.example.com");
    await succeeds(engine, "stuck", ...curl("http://www.example.com/"));
    await again("www.example.com *");
    await fails(engine, "stuck", ...curl("http://www.example.com/"));
    assert.match(
      (await status(engine)).networks.find((entry) => entry.name === "bad")?.problems.join() ?? "",
      /it allows nothing until you correct it/,
    );
    await run(engine, "rm", "-f", "stuck");
    await run(engine, "network", "rm", "bad");
  });

  it("lets a command allow and deny at once, cuts what it denies, and nothing else", async () => {
    await fails(engine, "web", ...curl("http://v4only.example.com/"));
    await run(engine, "exec", "dockerwall", "dockerwall", "allow", "container:web", "v4only.example.com");
    await succeeds(engine, "web", ...curl("http://v4only.example.com/"));
    await fails(engine, "job", ...curl("http://v4only.example.com/"));
    await using cut = await holdFlows(engine, {
      network: "app",
      name: `cut-${name}`,
      host: "api.example.com",
      label: "api.example.com",
    });
    await using kept = await holdFlows(engine, {
      network: "app",
      name: `kept-${name}`,
      host: "allowed.example.com",
      label: "allowed.example.com api.example.com",
    });
    await cut.goOn();
    await kept.goOn();
    const from = performance.now();
    const denied = JSON.parse(
      (await wall(engine, "deny", "network:app", "api.example.com", "--json")).stdout,
    );
    const log = await run(engine, "logs", "dockerwall");
    const [, took] = /"command":"deny","durationMs":(\d+)/.exec(log) ?? [];
    printRow(
      name,
      "deny, in force when it returns",
      `${(performance.now() - from).toFixed(0)} ms with docker exec, ${took} ms of it in the daemon`,
    );
    assert.deepEqual(denied.overrides, [{ entry: "!api.example.com" }]);
    // What the far end still sends comes to the host, whose flow it is no more; it says so, by a reset or by ICMP.
    const capture = await lab.capture(name, "dst host 203.0.113.12 and (udp or tcp[tcpflags] & tcp-rst = 0)");
    await cut.stands();
    await kept.goOn();
    assert.deepEqual(await capture.stop(), []);
    await run(engine, "exec", "dockerwall", "dockerwall", "deny", "network:app", "api.example.com", "--undo");
    await succeeds(engine, `cut-${name}`, ...echo("tcp", "api.example.com", 9000));
  });

  it("ends a rule for a while on time, says so, and cuts what it had opened; keeps it over a restart", async () => {
    await run(
      engine,
      "exec",
      "dockerwall",
      "dockerwall",
      "allow",
      "job",
      "v4only.example.com",
      "--for",
      "45s", // longer than a restart takes on a machine that runs three engines at once
    );
    await run(engine, "exec", "dockerwall", "dockerwall", "allow", "job", "mixed.example.com");
    await succeeds(engine, "job", ...curl("http://v4only.example.com/"));
    await run(engine, "restart", "-t", "1", "dockerwall");
    await enforcing(engine);
    await succeeds(engine, "job", ...curl("http://v4only.example.com/"));
    await succeeds(engine, "job", ...curl("http://mixed.example.com/"));
    await until("the rule to end", 60_000, async () => {
      const mine = (await status(engine)).overrides.find((target) => target.name === "job");
      const rules = mine?.overrides.map(({ entry }) => entry) ?? [];
      return rules.includes("v4only.example.com") ? undefined : true;
    });
    const capture = await lab.capture(name, "dst host 203.0.113.13");
    await fails(engine, "job", ...curl("--max-time", "1", "http://203.0.113.13/"));
    await fails(engine, "job", ...curl("http://v4only.example.com/"));
    assert.deepEqual(await capture.stop(), []);
    await until("the end to be logged", 10_000, async () =>
      /"entry":"v4only\.example\.com".*"override ended"/.test(await run(engine, "logs", "dockerwall"))
        ? true
        : undefined,
    );
    await succeeds(engine, "job", ...curl("http://mixed.example.com/"));
  });

  it("follows the policy file, atomically, and keeps the last good one", async () => {
    await policy(
      "presets:\n  mine: [v4only.example.com:80]\nnetworks:\n  app: '@mine'\ncontainers:\n  job: api.example.com:80",
    );
    const from = performance.now();
    await until("the file to be in force", 5_000, async () =>
      (await explain("web", "v4only.example.com:80")).verdict === "passes" ? true : undefined,
    );
    printRow(
      name,
      "policy file in force",
      `${(performance.now() - from).toFixed(0)} ms, one explain included`,
    );
    await succeeds(engine, "job", ...curl("http://api.example.com/"));
    await fails(engine, "web", ...curl("http://api.example.com/"));
    await policy("networks:\n  app: '@mine *'");
    const told = await until("the problem to be told", 5_000, async () => {
      const { problems } = await status(engine);
      return problems.find((problem) => problem.includes("policy file"));
    });
    assert.match(
      told,
      /policy\.yml: line 2: networks "app": entry "@mine" at column 1: there is no preset @mine.*its last good version stays in force/,
    );
    assert.match(told, /entry "\*" at column 7/);
    await succeeds(engine, "job", ...curl("http://api.example.com/"));
    await policy("{}");
    await until("the file to be empty", 5_000, async () =>
      (await explain("job", "api.example.com:80")).verdict === "passes" ? undefined : true,
    );
    const capture = await lab.capture(name, "dst host 203.0.113.12");
    await fails(engine, "job", ...curl("--max-time", "1", "http://203.0.113.12/"));
    assert.deepEqual(await capture.stop(), []);
  });

  it("tells at once that a connection was denied, where the network wants it, and sends nothing", async () => {
    await network(engine, "quick", "www.example.com:80", "--label", "dockerwall.deny=reject");
    await client(engine, "eager", "quick");
    await succeeds(engine, "eager", ...curl("http://www.example.com/"));
    const capture = await lab.capture(name, "dst host 203.0.113.30");
    const refused = await fails(engine, "eager", ...curl("--max-time", "20", "http://203.0.113.30/"));
    assert.equal(refused.exitCode, 7, refused.stderr);
    assert.match(refused.stderr, /after \d{1,3} ms/);
    const udp = await fails(engine, "eager", ...echo("udp", "203.0.113.30", 9000));
    assert.doesNotMatch(udp.stderr, /timed out/);
    // Docker's rules come and go with networks; nothing gets out meanwhile, told or not.
    await network(engine, "come-and-go");
    await run(engine, "network", "rm", "come-and-go");
    await engine.exec("iptables", "-F", "DOCKER-USER");
    await fails(engine, "eager", ...curl("--max-time", "1", "http://203.0.113.30/"));
    assert.deepEqual(await capture.stop(), []);
    await fails(engine, "eager", ...curl("--max-time", "1", `http://${engine.link.host}:22/`));
    await run(engine, "rm", "-f", "eager");
    await run(engine, "network", "rm", "quick");
  });

  it("takes a port of the host away from one container of a network that has it", async () => {
    await run(
      engine,
      "run",
      "-d",
      "--name",
      "host-8097",
      "--network",
      "host",
      "client:lab",
      "python3",
      "-m",
      "http.server",
      "8097",
    );
    await network(engine, "local", "host:8097/tcp");
    await client(engine, "caller", "local");
    await client(engine, "outcast", "local", "--label", "dockerwall.allow=!host:8097");
    const url = `http://${engine.link.host}:8097/`;
    await succeeds(engine, "caller", ...curl("--retry", "5", "--retry-connrefused", url));
    await fails(engine, "outcast", ...curl("--max-time", "1", url));
    assert.equal((await inside(engine, "caller", ...curl(url))).exitCode, 0);
    await run(engine, "rm", "-f", "caller", "outcast", "host-8097");
  });
}
