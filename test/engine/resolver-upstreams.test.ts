// Where the daemon's own questions go, on real engines: to a server of Debian's over TLS and over HTTPS, judged on the
// wire; to a stub on the host's loopback; and where clients ask from: by IPv6, over UDP and TCP.

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { endServer, spawnUnbound, unboundSettings } from "../support/debian-server.ts";
import { client, deploy, deployWith, network, succeeds } from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import type { Packet } from "../support/lab/pcap.ts";

/** An address of the fake internet that nothing else of it uses. */
const server = "203.0.113.98";
const tlsPort = 853;
/** The web servers of the fake internet have 443 on every address. */
const httpsPort = 4430;
/** The lab's certificate is good for it. */
const serverName = "dns.example.com";

let lab: Lab;
let unbound: ChildProcess | undefined;
const folder = mkdtempSync(join(tmpdir(), "dockerwall-upstreams-"));

before(async () => {
  lab = await startLab({
    engines: ["e28", { kind: "e28", name: "e28s", resolver: "stub" }],
    product: true,
  });
  unbound = await startUnbound();
  // The host sees /tmp where the machine has it.
  copyFileSync(lab.internet.authority, join(folder, "ca.crt"));
  const trust = ["-v", `${folder}/ca.crt:/ca.crt:ro`, "-e", "NODE_EXTRA_CA_CERTS=/ca.crt"];
  const upstream = ["--upstream", `tls://${server}#${serverName}`];
  await Promise.all([deployWith(lab.engine("e28"), trust, ...upstream), deploy(lab.engine("e28s"))]);
});
after(async () => {
  if (unbound !== undefined) await endServer(unbound);
  await lab?.down();
  rmSync(folder, { recursive: true });
});

/** In the internet's network namespace; it asks the internet's own resolver. */
async function startUnbound(): Promise<ChildProcess> {
  const { box, addresses, netns } = lab.internet;
  const conf = join(folder, "unbound.conf");
  writeFileSync(
    conf,
    `server:
  interface: ${server}@${tlsPort}
  interface: ${server}@${httpsPort}
  tls-port: ${tlsPort}
  https-port: ${httpsPort}
  http-endpoint: "/dns-query"
  tls-service-key: "${box.runFolder}/server.key"
  tls-service-pem: "${box.runFolder}/server.crt"
  access-control: 0.0.0.0/0 allow
${unboundSettings(folder)}
forward-zone:
  name: "."
  forward-addr: ${addresses.resolver}
remote-control:
  control-enable: no
`,
  );
  const child = await spawnUnbound(conf, netns);
  await until("unbound to listen", 20_000, async () => {
    if (child.exitCode !== null) throw new Error(`unbound ended with ${child.exitCode}`);
    const probe = ["bash", "-c", `exec 3<>/dev/tcp/${server}/${tlsPort}`];
    return (await box.attempt(probe)).exitCode === 0 ? true : undefined;
  });
  return child;
}

/** How many connections to this port carried anything. */
const connections = (packets: readonly Packet[], port: number): number =>
  new Set(packets.flatMap(({ dport, sport }) => (dport === port ? [sport] : []))).size;

const toPlainDns = (packets: readonly Packet[]): readonly Packet[] =>
  packets.filter(({ dport }) => dport === 53);

describe("over TLS and HTTPS", { concurrency: 1 }, () => {
  /** Looks 40 names up from one container, eight at a time, and tells what crossed the uplink. */
  async function lookUp(container: string): Promise<readonly Packet[]> {
    const engine = lab.engine("e28");
    const filter = `port 53 or port ${tlsPort} or port ${httpsPort}`;
    const capture = await lab.capture("e28", filter);
    const script = `seq 1 40 | xargs -P 8 -I N dig +short ${container}N.wild.example.com`;
    const said = await succeeds(engine, container, "sh", "-c", script);
    assert.equal(said, Array.from({ length: 40 }, () => "203.0.113.17").join("\n"));
    assert.match(
      await succeeds(engine, container, "dig", "denied.example.org"),
      /NXDOMAIN[\s\S]*EDE: 15 \(Blocked\)/,
    );
    assert.equal(
      await succeeds(
        engine,
        container,
        "curl",
        "-sS",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "http://www.example.com/",
      ),
      "200",
    );
    return await capture.stop();
  }

  it("tls:// is one connection, kept, and nothing goes to port 53", async () => {
    const engine = lab.engine("e28");
    await network(engine, "tls-net", "*.example.com");
    await client(engine, "tls", "tls-net");
    const packets = await lookUp("tls");
    assert.equal(connections(packets, tlsPort), 1);
    assert.deepEqual(toPlainDns(packets), []);
  });

  it("https:// of one network is one connection, kept, and nothing goes to port 53", async () => {
    const engine = lab.engine("e28");
    const label = `dockerwall.upstream=https://${server}:${httpsPort}/dns-query#${serverName}`;
    await network(engine, "https-net", "*.example.com", "--label", label);
    await client(engine, "https", "https-net");
    const packets = await lookUp("https");
    assert.equal(connections(packets, httpsPort), 1);
    assert.deepEqual(toPlainDns(packets), []);
  });

  it("answers what it knew when nobody answers any more, and says so", async () => {
    const engine = lab.engine("e28");
    const dig = (): Promise<string> => succeeds(engine, "https", "dig", "ttl5.example.com");
    assert.match(await dig(), /203\.0\.113\.23/);
    if (unbound !== undefined) await endServer(unbound);
    await until("a stale answer", 20_000, async () => (/EDE: 3 /.test(await dig()) ? true : undefined));
    assert.match(await dig(), /status: NOERROR[\s\S]*EDE: 3 \(Stale Answer\)[\s\S]*203\.0\.113\.23/);
    const get = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://ttl5.example.com/"];
    assert.equal(await succeeds(engine, "https", ...get), "200");
  });

  it("asked nobody by plain DNS, and hid every name on the uplink", async () => {
    const { host } = lab.engine("e28").link;
    const asked = (await lab.internet.queries()).filter(({ from }) => from === host);
    assert.deepEqual(
      asked.filter(({ port, name }) => port === 53 || name.includes("example")),
      [],
    );
  });
});

describe("a stub on the host's loopback, and IPv6", { concurrency: 1 }, () => {
  it("asks the stub that the host's resolv.conf names", async () => {
    const engine = lab.engine("e28s");
    await network(engine, "stub-net", "*.example.com *.big.example");
    await client(engine, "stubbed", "stub-net");
    assert.equal(await succeeds(engine, "stubbed", "dig", "+short", "www.example.com"), "203.0.113.11");
    // Too long for UDP without EDNS: by TCP at the client and, where it must, at the stub.
    const many = await succeeds(engine, "stubbed", "dig", "+short", "+noedns", "many.big.example");
    assert.equal(many.split("\n").length, 60);
    assert.match(await succeeds(engine, "stubbed", "dig", "www.example.org"), /EDE: 15 \(Blocked\)/);
    const asked = (await lab.internet.queries()).filter(({ from }) => from === engine.link.host);
    assert.ok(asked.some(({ name }) => name === "www.example.com"));
    assert.deepEqual(
      asked.filter(({ name }) => name.endsWith("example.org")),
      [],
    );
  });

  it("answers who asks by IPv6, whatever server is meant, over UDP and TCP", async () => {
    const engine = lab.engine("e28s");
    const subnet = engine.link.prefix6.replace("00::/40", "01::/64");
    await network(engine, "six-net", "*.example.com", "--ipv6", "--subnet", subnet);
    await client(engine, "six", "six-net");
    const { resolver6, evil6 } = lab.internet.addresses;
    for (const at of [resolver6, evil6]) {
      for (const how of ["+notcp", "+tcp"]) {
        const dig = (...args: string[]): Promise<string> =>
          succeeds(engine, "six", "dig", "-6", how, `@${at}`, ...args);
        assert.equal(await dig("+short", "AAAA", "www.example.com"), "2001:db8:1::11");
        assert.equal(await dig("+short", "A", "alias.example.com"), "www.example.com.\n203.0.113.11");
        assert.match(await dig("AAAA", "www.example.org"), /NXDOMAIN[\s\S]*EDE: 15 \(Blocked\)/);
      }
    }
    // By way of Docker's own resolver too; and what the answer gave is open.
    assert.equal(await succeeds(engine, "six", "dig", "+short", "AAAA", "www.example.com"), "2001:db8:1::11");
    const get = ["curl", "-6", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://www.example.com/"];
    assert.equal(await succeeds(engine, "six", ...get), "200");
    for (const name of ["unique6", "link6", "loopback6", "mapped", "nat64"])
      assert.equal(await succeeds(engine, "six", "dig", "+short", "AAAA", `${name}.example.com`), "");
    assert.deepEqual(
      (await lab.internet.queries()).filter(({ to }) => to === evil6),
      [],
    );
  });
});
