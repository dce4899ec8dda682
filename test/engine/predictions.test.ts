// What `explain` predicts, beside what packets do. Random networks, containers and allowlists on real engines: for each
// target the daemon is asked, then the container sends, and both must agree. DOCKERWALL_RUNS says how many predictions
// for each engine, DOCKERWALL_SEED which; DOCKERWALL_TOPOLOGY=N,… makes the N-th topology of a seed again, alone.
// DOCKERWALL_LONG=1 takes 2,000.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen, long, printRow } from "../support/chosen.ts";
import { deploy, enforcing, run, wall } from "../support/dockerwall.ts";
import type { Engine, EngineOptions } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { seeded } from "../support/seeded.ts";
import { examine, perTopology, send } from "./predictions/examine.ts";
import { askerOf, build, echoServer, takeDown } from "./predictions/stage.ts";
import type { Target } from "./predictions/targets.ts";
import { planTopology } from "./predictions/topology.ts";
import { strayWaysOut } from "./predictions/ways-out.ts";

const kinds = ["e20", "e26", "e28"] as const;
const all: readonly Predicted[] = [
  ...kinds.map((kind) => ({ kind, name: kind, iptables: "nft" }) as const),
  ...kinds.map((kind) => ({ kind, name: `${kind}l`, iptables: "legacy" }) as const),
];
/** Those by iptables-legacy, and with it the walks that no other one takes, are for runs that ask for them. */
const engines =
  process.env["DOCKERWALL_ENGINES"] === undefined && !long ? all.slice(0, kinds.length) : chosen(all);
const runs = Number(process.env["DOCKERWALL_RUNS"] ?? (long ? 2000 : 200));
const seed = Number(process.env["DOCKERWALL_SEED"] ?? 1);
const mayFilter = process.env["DOCKERWALL_BRIDGE_FILTER"] !== "off";
const only = process.env["DOCKERWALL_TOPOLOGY"]?.split(",").map(Number);

/** Each engine has addresses of its own: to those of a routed network the internet has a way back. */
const poolOf = (at: number): string => `198.19.${at * 32}.0/19`;

function ownPool(at: number): NonNullable<EngineOptions["daemon"]> {
  return {
    "default-address-pools": [{ base: poolOf(at), size: 24 }],
    bip: `198.19.${at * 32 + 31}.1/24`,
  };
}

type Predicted = Required<Pick<EngineOptions, "kind" | "name" | "iptables">>;

let lab: Lab;
before(async () => {
  const wanted = engines.map((options, at) => ({ ...options, ipv6: true, daemon: ownPool(at) }));
  lab = await startLab({ engines: wanted, product: true });
});
after(async () => {
  await lab?.down();
});

describe("explain predicts what packets do", { concurrency: true }, () => {
  for (const { name } of engines) describe(name, { concurrency: 1 }, () => predictions(name));
});

function predictions(name: string): void {
  let engine: Engine;
  const verdicts = new Map<string, number>();

  before(async () => {
    engine = lab.engine(name);
    await deploy(engine);
    const pool = poolOf(engines.findIndex((each) => each.name === name));
    await lab.internet.exec(["ip", "route", "add", pool, "via", engine.link.host]);
    await run(engine, "run", "-d", "--network", "host", ...echoServer("host"));
  });

  const count = Math.ceil(runs / perTopology);
  for (let index = 0; index < count; index++) {
    if (only?.includes(index) === false) continue;
    it(`topology ${index} of seed ${seed}`, async () => {
      const random = seeded(seed * 1000 + index);
      const plan = planTopology(random, { kind: engine.kind, index, mayFilter });
      try {
        await build(engine, plan);
        const wrong = await examine(engine, plan, random, verdicts);
        const replay = `DOCKERWALL_ENGINES=${name} DOCKERWALL_SEED=${seed} DOCKERWALL_TOPOLOGY=${index} DOCKERWALL_RUNS=${runs}`;
        assert.deepEqual(wrong, [], `${replay}\n${JSON.stringify(plan)}\n${wrong.join("\n")}`);
      } finally {
        await takeDown(engine, plan);
      }
    });
  }

  it("status and doctor name a container that leaves by the network without entries, with what to do", async () => {
    await run(engine, "network", "create", "--label", "dockerwall.allow=", "a_front");
    await run(engine, "network", "create", "--label", "dockerwall.allow=www.example.com:80", "b_egress");
    const start = async (on: string, ...options: string[]): Promise<void> => {
      await run(engine, "create", "--network", on, ...options, ...echoServer("astray"));
      await run(engine, "network", "connect", on === "a_front" ? "b_egress" : "a_front", "astray");
      await run(engine, "start", "astray");
      await enforcing(engine);
    };
    const target: Target = { protocol: "tcp", host: "www.example.com", port: 80, answers: true };
    const sentence =
      /container "astray" sends by network "a_front", so the entries of "b_egress" do not open/;
    await start("a_front");
    const explained = await wall(engine, "explain", "astray", "www.example.com:80");
    assert.equal(explained.exitCode, 1);
    assert.match(
      explained.stdout,
      /: dropped ❌\n +because +it leaves by a_front, whose entries do not cover/,
    );
    assert.match(explained.stdout, / to change it +send by b_egress: give it the highest gw_priority/);
    assert.equal(await send(engine, "astray", [target], 1.5), "0");
    assert.match(
      (await wall(engine, "stats")).stdout,
      /astray +tcp:80 .* www\.example\.com; it leaves by a_front, whose entries do not cover it; .*: send by b_egress: /,
    );
    const doctor = await wall(engine, "doctor");
    assert.equal(doctor.exitCode, 0);
    assert.match(doctor.stdout, sentence);
    assert.match((await wall(engine, "status")).stdout, sentence);
    // The advice helps.
    await run(engine, "rm", "-f", "astray");
    await start("a_front", "--label", "dockerwall.allow=www.example.com:80/tcp");
    assert.equal((await wall(engine, "explain", "astray", "www.example.com:80")).exitCode, 0);
    assert.equal(await send(engine, "astray", [target], 6), "1");
    assert.doesNotMatch((await wall(engine, "status")).stdout, sentence);
    await run(engine, "rm", "-f", "astray");
    await run(engine, "network", "rm", "a_front", "b_egress");
  });

  it("the engine sends by the network that is foretold, in each family", async () => {
    assert.deepEqual(await strayWaysOut(engine), []);
  });

  it("an entry opens no published port of the host to an internal network", async () => {
    await run(engine, "network", "create", "shops");
    await run(engine, "run", "-d", "-p", "18100:9000", "--network", "shops", ...echoServer("shop"));
    const expected = { within: "dropped internal", beside: "passes host-entry" } as const;
    const ask = await askerOf(engine);
    for (const name of ["within", "beside"] as const) {
      const internal = name === "within" ? ["--internal"] : [];
      await run(engine, "network", "create", ...internal, "--label", "dockerwall.allow=host:18100/tcp", name);
      await run(engine, "run", "-d", "--network", name, ...echoServer(`sender-${name}`));
      await enforcing(engine);
      const format = "{{range .IPAM.Config}}{{.Gateway}} {{end}}";
      const [host = ""] = (await run(engine, "network", "inspect", "-f", format, name)).split(" ");
      const { verdict, step } = await ask("explain", {
        container: `sender-${name}`,
        target: `${host}:18100`,
      });
      assert.equal(`${verdict} ${step}`, expected[name], name);
      const target: Target = { protocol: "tcp", host, port: 18_100, answers: true };
      const passes = name === "beside";
      assert.equal(
        await send(engine, `sender-${name}`, [target], passes ? 6 : 1.5),
        passes ? "1" : "0",
        name,
      );
    }
    await run(engine, "rm", "-f", "shop", "sender-within", "sender-beside");
    await run(engine, "network", "rm", "shops", "within", "beside");
  });

  it("what the engine drops before it gets to us is neither refused nor answered", async () => {
    await run(engine, "network", "create", "away");
    const labels = ["--label", "dockerwall.allow=", "--label", "dockerwall.deny=reject"];
    await run(engine, "network", "create", ...labels, "home");
    await run(engine, "run", "-d", "--network", "away", ...echoServer("far"));
    await run(engine, "run", "-d", "--network", "home", ...echoServer("sender"));
    await enforcing(engine);
    const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    const far = await run(engine, "inspect", "-f", format, "far");
    const ask = await askerOf(engine);
    const endOf = async (target: string): Promise<string> => {
      const { verdict, step } = await ask("explain", { container: "sender", target });
      return `${verdict} ${step}`;
    };
    const dig = await engine.docker(
      "exec",
      "sender",
      "dig",
      "+time=2",
      "+tries=1",
      `@${far}`,
      "a.example.org",
    );
    const curl = await engine.docker("exec", "sender", "curl", "-s", "-m", "2", `http://${far}:9000`);
    const isDropped = engine.kind === "e28";
    assert.equal(await endOf(`${far}:53/udp`), isDropped ? "dropped other-network" : "captured lookup");
    assert.match(dig.stdout, isDropped ? /timed out|no servers could be reached/ : /status: NXDOMAIN/);
    assert.equal(await endOf(`${far}:9000`), isDropped ? "dropped other-network" : "refused no-entry");
    // It waited in vain, or could not connect at once.
    assert.equal(curl.exitCode, isDropped ? 28 : 7);
    await run(engine, "rm", "-f", "far", "sender");
    await run(engine, "network", "rm", "away", "home");
  });

  it("published ports are translated for the engine's own networks where it runs no proxies", async () => {
    await engine.restart({ "userland-proxy": false });
    await run(engine, "start", "dockerwall");
    const ports = [18_101, 18_102, 18_103];
    const label = `dockerwall.allow=${ports.map((port) => `host:${port}/tcp`).join(" ")}`;
    await run(engine, "network", "create", "shops");
    await run(engine, "network", "create", "--label", label, "home");
    for (const [name, network, port] of [
      ["shop", "shops", 18_101],
      ["seller", "home", 18_102],
      ["sender", "home", 18_103],
    ] as const)
      await run(engine, "run", "-d", "-p", `${port}:9000`, "--network", network, ...echoServer(name));
    await enforcing(engine);
    const ask = await askerOf(engine);
    const expected = [
      ["sender", 18_101, "dropped other-network"],
      ["sender", 18_102, "passes neighbour"],
      ["sender", 18_103, "passes neighbour"],
      ["shop", 18_101, "not-ours open-network"],
      ["shop", 18_102, "dropped other-network"],
    ] as const;
    const { host } = engine.link;
    for (const [container, port, end] of expected) {
      const { verdict, step } = await ask("explain", { container, target: `${host}:${port}` });
      assert.equal(`${verdict} ${step}`, end, `${container} ${port}`);
      const target: Target = { protocol: "tcp", host, port, answers: true };
      const isOpen = !end.startsWith("dropped");
      const sent = await send(engine, container, [target], isOpen ? 6 : 1.5);
      assert.equal(sent, isOpen ? "1" : "0", `${container} ${port}`);
    }
    await run(engine, "rm", "-f", "shop", "seller", "sender");
    await run(engine, "network", "rm", "shops", "home");
    await engine.restart({ "userland-proxy": true });
    await run(engine, "start", "dockerwall");
    await enforcing(engine);
  });

  it("a link opens what is exposed, where Docker keeps the containers of its own network apart", async () => {
    await engine.restart({ icc: false });
    await run(engine, "start", "dockerwall");
    await run(engine, "network", "create", "--label", "dockerwall.allow=", "beside");
    for (const [container, ...options] of [["linked"], ["unlinked"], ["linking", "--link", "linked:store"]]) {
      await run(
        engine,
        "create",
        "--expose",
        "9000",
        ...options,
        ...echoServer(container ?? "", ["9000", "9001"]),
      );
      if (options.length > 0) await run(engine, "network", "connect", "beside", "linking");
      await run(engine, "start", container ?? "");
    }
    await enforcing(engine);
    const ask = await askerOf(engine);
    const cases = [
      ["linked", 9000, "passes linked"],
      ["linked", 9001, "dropped kept-apart"],
      ["unlinked", 9000, "dropped kept-apart"],
    ] as const;
    for (const [name, port, expected] of cases) {
      const format = "{{.NetworkSettings.Networks.bridge.IPAddress}}";
      const host = await run(engine, "inspect", "-f", format, name);
      const { verdict, step } = await ask("explain", { container: "linking", target: `${host}:${port}` });
      assert.equal(`${verdict} ${step}`, expected, name);
      const arrived = expected.startsWith("passes");
      const target: Target = { protocol: "tcp", host, port, answers: true };
      assert.equal(await send(engine, "linking", [target], arrived ? 6 : 1.5), arrived ? "1" : "0", name);
    }
  });

  after(() => {
    for (const [verdict, times] of [...verdicts].sort()) printRow(name, verdict, String(times));
  });
}
