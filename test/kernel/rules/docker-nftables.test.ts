// Beside the tables that Docker 29 writes with its nftables backend, loaded as its documentation prints them: no such engine
// runs here. A verdict of theirs is final in their chain only, so what we deny stays denied whichever is asked first.

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { after, before, beforeEach, describe, it } from "node:test";
import { promisify } from "node:util";
import { createSchedule } from "../../../src/control/schedule.ts";
import { createWall } from "../../../src/control/wall.ts";
import { parsePrefix } from "../../../src/core/model/address.ts";
import type { Network, Topology } from "../../../src/core/model/topology.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../../../src/edge/kernel/iptables/firewall.ts";
import { createReadiness } from "../../../src/edge/kernel/readiness.ts";
import { type DockerBridge, dockerTable } from "../../support/docker-nftables.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";
import { quietHost } from "../../support/policies.ts";

enterNamespaces(import.meta.url);

const [app, other] = ["br-0000000000aa", "br-0000000000bb"];
const plans = [
  {
    family: 4,
    subnets: ["198.19.1.0/24", "198.19.2.0/24"],
    gateways: ["198.19.1.1", "198.19.2.1"],
    own: "198.19.1.2",
    neighbour: "198.19.1.3",
    stranger: "198.19.2.2",
    unpublished: "198.19.2.3",
    host: "203.0.113.1",
    granted: "203.0.113.10",
    denied: "203.0.113.9",
  },
  {
    family: 6,
    subnets: ["2001:db8:1::/64", "2001:db8:2::/64"],
    gateways: ["2001:db8:1::1", "2001:db8:2::1"],
    own: "2001:db8:1::2",
    neighbour: "2001:db8:1::3",
    stranger: "2001:db8:2::2",
    unpublished: "2001:db8:2::3",
    host: "2001:db8:99::1",
    granted: "2001:db8:99::10",
    denied: "2001:db8:99::9",
  },
] as const;
type Plan = (typeof plans)[number];
const lengthOf = ({ family }: Plan): number => (family === 4 ? 24 : 64);

run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
for (const [at, bridge] of [app, other].entries()) {
  run("ip", "link", "add", bridge, "up", "type", "bridge");
  for (const plan of plans) addAddress(undefined, `${plan.gateways[at]}/${lengthOf(plan)}`, bridge);
}

function addAddress(box: TestNamespace | undefined, address: string, device: string): void {
  const flags = address.includes(":") ? ["nodad"] : [];
  (box?.run ?? run)("ip", "address", "add", address, "dev", device, ...flags);
}

/** A container, or a far host. */
function boxOf(name: string, bridge: string | undefined, addresses: (plan: Plan) => readonly string[]) {
  const box = createNamespace(name);
  run("ip", "link", "add", `${name}0`, "up", "type", "veth", "peer", "name", "eth0", "netns", name);
  if (bridge !== undefined) run("ip", "link", "set", `${name}0`, "master", bridge);
  box.run("ip", "link", "set", "lo", "up");
  box.run("ip", "link", "set", "eth0", "up");
  for (const plan of plans) {
    for (const address of addresses(plan)) addAddress(box, `${address}/${lengthOf(plan)}`, "eth0");
    const gateway = bridge === undefined ? plan.host : plan.gateways[bridge === app ? 0 : 1];
    if (bridge === undefined) addAddress(undefined, `${gateway}/${lengthOf(plan)}`, `${name}0`);
    box.run("ip", `-${plan.family}`, "route", "add", "default", "via", gateway);
  }
  return box;
}

const own = boxOf("own", app, (plan) => [plan.own]);
const neighbour = boxOf("neighbour", app, (plan) => [plan.neighbour]);
const stranger = boxOf("stranger", other, (plan) => [plan.stranger]);
boxOf("quiet", other, (plan) => [plan.unpublished]);
const far = boxOf("far", undefined, (plan) => [plan.granted, plan.denied]);

/** Answers every connection to its ports with the address that it came from, and every datagram to port 53. */
const server = `
import select, socket
tcp = [socket.create_server(("::", p), family=socket.AF_INET6, dualstack_ipv6=True) for p in (80, 9000)]
udp = [socket.socket(f, socket.SOCK_DGRAM) for f in (socket.AF_INET, socket.AF_INET6)]
udp[1].setsockopt(41, 26, 1)
udp[0].bind(("0.0.0.0", 53)); udp[1].bind(("::", 53))
print("ready", flush=True)
while True:
    for ready in select.select(tcp + udp, [], [])[0]:
        if ready in udp: text, peer = ready.recvfrom(99); ready.sendto(b"answer", peer)
        else:
            flow, peer = ready.accept(); flow.sendall(peer[0].replace("::ffff:", "").encode()); flow.close()
`;

/** What became of a connection or a question: what the other end answered, or how it failed. */
const client = `
import socket, sys
address, port, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
flow = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
flow.settimeout(0.7)
try:
    flow.connect((address, port))
    if kind == "udp": flow.send(b"question")
    print(flow.recv(99).decode())
except ConnectionRefusedError: print("refused")
except TimeoutError: print("silence")
except OSError as error: print("refused" if error.errno in (13, 111, 113) else error)
`;

/** A far host is known by either address. */
const isFar = ({ granted, denied }: Plan, answer: string): string =>
  answer === granted || answer === denied ? "from afar" : answer;

async function connect(box: TestNamespace, address: string, port: number, kind = "tcp"): Promise<string> {
  const args = ["netns", "exec", box.name, "python3", "-c", client, address, String(port), kind];
  return (await promisify(execFile)("ip", args)).stdout.trim();
}

function networkOf(name: string, bridge: string, at: 0 | 1, labels: Record<string, string>): Network {
  const subnets = plans.map((plan) => parsePrefix(plan.subnets[at]) ?? assert.fail());
  return {
    id: name.padEnd(64, "0"),
    name,
    driver: "bridge",
    bridge,
    subnets,
    gateways: [],
    internal: false,
    labels,
  };
}
const guarding = (labels: Record<string, string>): Topology => ({
  networks: [
    networkOf("app", app, 0, { "dockerwall.allow": "www.example.com", ...labels }),
    networkOf("other", other, 1, {}),
  ],
  containers: [],
});

const sets = openKernelSets();
const wallOf = (backend: "nft" | "legacy") =>
  createWall({
    dnsPort: 5053,
    queueNumber: 5353,
    hold: true,
    sets,
    firewall: createFirewall(backend),
    listBridges: () => [app, other],
    ...quietHost(),
  });

/** Docker starts: its tables are made anew, and so come before others of the same priority. */
function startDocker(): void {
  for (const plan of plans) {
    const bridges: DockerBridge[] = [
      {
        bridge: app,
        subnet: plan.subnets[0],
        published: [{ protocol: "tcp", hostPort: 8080, address: plan.own, port: 80 }],
      },
      {
        bridge: other,
        subnet: plan.subnets[1],
        published: [
          { protocol: "tcp", hostPort: 8081, address: plan.stranger, port: 80 },
          { protocol: "udp", hostPort: 53, address: plan.stranger, port: 53 },
        ],
      },
    ];
    writeFileSync("/run/docker-bridges", dockerTable(plan.family, bridges));
    run("nft", "-f", "/run/docker-bridges");
  }
}

const ruleset = (): string => run("nft", "-s", "list", "ruleset");

function grant({ family, granted, own: asker }: Plan): void {
  run(
    "ipset",
    "-exist",
    "add",
    `dockerwall-grant${family}`,
    `${granted},tcp:9000,${asker}`,
    "timeout",
    "600",
  );
}

const servers: ChildProcess[] = [];
before(async () => {
  for (const box of [own, neighbour, stranger, far]) {
    const child = spawn("ip", ["netns", "exec", box.name, "python3", "-c", server], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    servers.push(child);
    await new Promise((resolve) => child.stdout.once("data", resolve));
  }
});
after(() => {
  for (const child of servers) child.kill();
});

describe("with Docker's tables alone", () => {
  before(() => startDocker());
  for (const plan of plans)
    it(`everything passes that Docker lets pass, IPv${plan.family}`, async () => {
      const answers = await Promise.all([
        connect(own, plan.denied, 9000),
        connect(own, plan.neighbour, 9000),
        connect(own, plan.unpublished, 9000),
        connect(far, plan.host, 8080),
        connect(own, plan.host, 53, "udp"),
      ]);
      assert.deepEqual(
        answers.map((answer) => isFar(plan, answer)),
        [plan.host, plan.own, "silence", "from afar", "answer"],
      );
    });
});

for (const backend of ["nft", "legacy"] as const) {
  for (const order of ["after us", "before us"] as const) {
    describe(`Docker asked ${order === "after us" ? "second" : "first"} (iptables-${backend})`, () => {
      let wall: ReturnType<typeof wallOf>;
      let untouched: string;

      before(async () => {
        run("nft", "flush", "ruleset");
        startDocker();
        untouched = ruleset();
        wall = wallOf(backend);
        wall.forgetGone(guarding({}));
        wall.classify(guarding({}));
        await wall.applyRules();
        // Of one priority, who comes later is asked first.
        if (order === "before us") startDocker();
        plans.forEach(grant);
      });
      beforeEach(() => wall.classify(guarding({})));

      for (const plan of plans) {
        describe(`IPv${plan.family}`, () => {
          it("what is granted passes, masqueraded by Docker", async () => {
            assert.equal(await connect(own, plan.granted, 9000), plan.host);
          });

          it("what is not is denied, silently", async () => {
            assert.deepEqual(
              await Promise.all([
                connect(own, plan.denied, 9000),
                connect(own, plan.granted, 80),
                connect(neighbour, plan.granted, 9000),
                connect(own, plan.unpublished, 9000),
                connect(own, plan.stranger, 80),
                connect(own, plan.host, 8081),
              ]),
              Array(6).fill("silence"),
            );
          });

          it("with `dockerwall.deny: reject` it is refused at once, though there is no DOCKER-USER", async () => {
            wall.classify(guarding({ "dockerwall.deny": "reject" }));
            assert.deepEqual(
              await Promise.all([
                connect(own, plan.denied, 9000),
                connect(own, plan.denied, 9000, "udp"),
                connect(own, plan.granted, 80),
              ]),
              ["refused", "refused", "refused"],
            );
            assert.equal(await connect(own, plan.granted, 9000), plan.host);
          });

          it("what Docker drops itself is refused only where we are asked first", async () => {
            wall.classify(guarding({ "dockerwall.deny": "reject" }));
            const word = order === "after us" ? "refused" : "silence";
            assert.equal(await connect(own, plan.unpublished, 9000), word);
          });

          it("published ports, neighbours and other networks go on as before", async () => {
            const answers = await Promise.all([
              connect(far, plan.host, 8080),
              connect(far, plan.host, 8081),
              connect(own, plan.neighbour, 9000),
              connect(stranger, plan.denied, 9000),
              connect(far, plan.host, 53, "udp"),
            ]);
            assert.deepEqual(
              answers.map((answer) => isFar(plan, answer)),
              ["from afar", "from afar", plan.own, plan.host, "answer"],
            );
          });

          it("a lookup to a port 53 that a container publishes does not get there", async () => {
            assert.notEqual(await connect(own, plan.host, 53, "udp"), "answer");
          });
        });
      }

      it("uninstalling leaves Docker's tables as they were, byte for byte", async () => {
        await wall.remove();
        const left = ruleset();
        if (backend === "nft") assert.equal(sorted(left), sorted(untouched));
        else assert.equal(tablesOf(left), tablesOf(untouched));
      });
    });
  }
}

/** Tables stand in the order in which they were made. */
const sorted = (text: string): string =>
  text
    .split(/^(?=table )/m)
    .toSorted()
    .join("");
const tablesOf = (text: string): string =>
  text
    .split(/^(?=table )/m)
    .filter((table) => table.includes("docker-bridges"))
    .toSorted()
    .join("");

describe("what others do", () => {
  const readiness = createReadiness();
  after(() => readiness.close());

  it("`nft flush ruleset` heals without Docker, and with it again", async () => {
    run("nft", "flush", "ruleset");
    startDocker();
    const wall = wallOf("nft");
    wall.classify(guarding({ "dockerwall.deny": "reject" }));
    await wall.applyRules();
    const problems: unknown[] = [];
    const healing = createSchedule(
      async () => void (await wall.applyRules()),
      (error) => problems.push(error),
    );
    wall.watchRules(
      readiness,
      () => void healing.request(),
      (error) => problems.push(error),
    );
    const [plan] = plans;
    for (const restart of [() => undefined, startDocker]) {
      run("nft", "flush", "ruleset");
      restart();
      await until("the healing", 5_000, () => (ruleset().includes("DOCKERWALL-REJECT") ? true : undefined));
      await healing.idle();
      assert.equal(await wall.stands(), true);
      assert.equal(await connect(own, plan.denied, 9000), "refused");
    }
    assert.deepEqual(problems, []);
    await wall.remove();
    assert.doesNotMatch(ruleset(), /DOCKERWALL|dockerwall|table ip6? (?:filter|mangle|raw|nat)/);
  });

  it("the jump follows Docker from one backend to the other", async () => {
    run("nft", "flush", "ruleset");
    startDocker();
    const wall = wallOf("nft");
    wall.classify(guarding({ "dockerwall.deny": "reject" }));
    await wall.applyRules();
    const reject = "-m mark --mark 0x20000000/0x20000000 -j DOCKERWALL-REJECT";
    const jumps = (): string[] =>
      run("iptables-nft-save", "-t", "filter").match(/^-A (?:FORWARD|DOCKER-USER) .*$/gm) ?? [];
    assert.deepEqual(jumps(), [`-A FORWARD ${reject}`]);
    const [plan] = plans;

    // Back to iptables, as engines do it: before everything else.
    run("nft", "delete", "table", "ip", "docker-bridges");
    run("iptables-nft", "-N", "DOCKER-USER");
    run("iptables-nft", "-I", "FORWARD", "-j", "DOCKER-USER");
    await wall.applyRules();
    assert.deepEqual(jumps(), ["-A FORWARD -j DOCKER-USER", `-A DOCKER-USER ${reject}`]);
    assert.equal(await connect(own, plan.denied, 9000), "refused");

    // An administrator flushes what Docker has for its users.
    run("iptables-nft", "-F", "DOCKER-USER");
    await wall.applyRules();
    assert.deepEqual(jumps(), ["-A FORWARD -j DOCKER-USER", `-A DOCKER-USER ${reject}`]);

    // To nftables again: Docker leaves the jump, and an administrator who migrates takes it out.
    startDocker();
    assert.equal(await connect(own, plan.denied, 9000), "refused");
    run("iptables-nft", "-D", "FORWARD", "-j", "DOCKER-USER");
    await wall.applyRules();
    assert.deepEqual(jumps(), [`-A FORWARD ${reject}`, `-A DOCKER-USER ${reject}`]);
    assert.equal(await connect(own, plan.denied, 9000), "refused");
    await wall.remove();
    assert.deepEqual(jumps(), []);
  });
});
