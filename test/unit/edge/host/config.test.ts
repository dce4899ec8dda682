import assert from "node:assert/strict";
import { test } from "node:test";
import { type Environment, type Flags, readConfig } from "../../../../src/edge/host/config/read.ts";
import { type Config, settings } from "../../../../src/edge/host/config/settings.ts";

const defaults: Config = {
  upstreams: undefined,
  statsTtlSeconds: 86_400,
  leaseFloorSeconds: 60,
  leaseGraceSeconds: 300,
  dnsPort: "auto",
  logLevel: "info",
  controlSocket: "/run/dockerwall/control.sock",
  dockerSocket: "/var/run/docker.sock",
  backend: "auto",
  hold: true,
  queueNumber: 5353,
  sandboxFolder: "auto",
  policyFile: { path: "/etc/dockerwall/policy.yml", chosenBy: undefined },
};

interface Accepted {
  readonly name: string;
  readonly environment?: Environment;
  readonly flags?: Flags;
  readonly expected: Partial<Config>;
}

const accepted: readonly Accepted[] = [
  { name: "nothing", expected: {} },
  { name: "empty variables", environment: { DOCKERWALL_DNS_PORT: "", DOCKER_HOST: "" }, expected: {} },
  { name: "other programs' variables", environment: { PATH: "/bin", DOCKER_TLS: "1" }, expected: {} },
  { name: "hours", environment: { DOCKERWALL_STATS_TTL: "24h" }, expected: { statsTtlSeconds: 86_400 } },
  { name: "minutes", environment: { DOCKERWALL_STATS_TTL: "90m" }, expected: { statsTtlSeconds: 5400 } },
  { name: "seconds", environment: { DOCKERWALL_STATS_TTL: "3600s" }, expected: { statsTtlSeconds: 3600 } },
  { name: "plain seconds", flags: { "stats-ttl": "3600" }, expected: { statsTtlSeconds: 3600 } },
  { name: "days", flags: { "stats-ttl": "7d" }, expected: { statsTtlSeconds: 604_800 } },
  { name: "least grace", flags: { "lease-grace": "1" }, expected: { leaseGraceSeconds: 1 } },
  {
    name: "a flag before the environment",
    environment: { DOCKERWALL_DNS_PORT: "5300" },
    flags: { "dns-port": "5400" },
    expected: { dnsPort: 5400 },
  },
  {
    name: "a good flag before a bad variable",
    environment: { DOCKERWALL_DNS_PORT: "dns" },
    flags: { "dns-port": "5400" },
    expected: { dnsPort: 5400 },
  },
  {
    name: "upstreams in all forms",
    environment: { DOCKERWALL_UPSTREAM: "192.0.2.1, 192.0.2.2:5300 2001:DB8::1,[2001:db8::2]:5300" },
    expected: {
      upstreams: [
        { address: "192.0.2.1", port: 53 },
        { address: "192.0.2.2", port: 5300 },
        { address: "2001:db8::1", port: 53 },
        { address: "2001:db8::2", port: 5300 },
      ] as unknown as Config["upstreams"],
    },
  },
  {
    name: "DOCKER_HOST",
    environment: { DOCKER_HOST: "unix:///run/d.sock" },
    expected: { dockerSocket: "/run/d.sock" },
  },
  {
    name: "our own variable before DOCKER_HOST",
    environment: { DOCKER_HOST: "tcp://192.0.2.1:2375", DOCKERWALL_DOCKER_SOCKET: "/run/e.sock" },
    expected: { dockerSocket: "/run/e.sock" },
  },
  { name: "hold off", environment: { DOCKERWALL_HOLD: "off" }, expected: { hold: false } },
  {
    name: "a folder of sandboxes",
    flags: { "sandbox-folder": "/run/docker/netns" },
    expected: { sandboxFolder: "/run/docker/netns" },
  },
  {
    name: "a policy file by its variable",
    environment: { DOCKERWALL_POLICY_FILE: "/srv/policy.yml" },
    expected: { policyFile: { path: "/srv/policy.yml", chosenBy: "DOCKERWALL_POLICY_FILE" } },
  },
  {
    name: "a policy file by its flag, at the usual path",
    flags: { "policy-file": "/etc/dockerwall/policy.yml" },
    expected: { policyFile: { path: "/etc/dockerwall/policy.yml", chosenBy: "--policy-file" } },
  },
  { name: "queue 0", flags: { queue: "0" }, expected: { queueNumber: 0 } },
  { name: "queues up to the claim", flags: { queue: "53532" }, expected: { queueNumber: 53_532 } },
  { name: "queues behind the claim", flags: { queue: "53536" }, expected: { queueNumber: 53_536 } },
];

for (const { name, environment, flags, expected } of accepted) {
  test(`config: ${name}`, () => {
    const config = readConfig(environment ?? {}, flags ?? {});
    assert.deepEqual(config, { ...defaults, ...expected });
    assert.ok(Object.isFrozen(config));
  });
}

interface Refused {
  readonly environment?: Environment;
  readonly flags?: Flags;
  readonly message: RegExp;
}

const refused: readonly Refused[] = [
  {
    environment: { DOCKERWALL_DNS_PORT: "0" },
    message: /^DOCKERWALL_DNS_PORT is "0", but it must be a whole number from 1 to 65535$/,
  },
  { flags: { "dns-port": "65536" }, message: /^--dns-port is "65536", but/ },
  { flags: { "dns-port": "53 " }, message: /^--dns-port is "53 ", but/ },
  { flags: { "dns-port": "" }, message: /^--dns-port is "", but/ },
  {
    flags: { queue: "65534" },
    message: /^--queue is "65534", but it must be a whole number from 0 to 65533$/,
  },
  ...["53533", "53534", "53535"].map((queue) => ({
    environment: { DOCKERWALL_QUEUE: queue },
    message: new RegExp(
      `^DOCKERWALL_QUEUE is "${queue}", but queue 53535 would be one of its three, and by that one a daemon claims the host; take another number$`,
    ),
  })),
  { flags: { "stats-ttl": "1.5h" }, message: /a duration from 60s to / },
  { flags: { "stats-ttl": "5s" }, message: /a duration from 60s to / },
  { flags: { "stats-ttl": "-1" }, message: /a duration/ },
  {
    environment: { DOCKERWALL_LEASE_GRACE: "0" },
    message: /^DOCKERWALL_LEASE_GRACE is "0", but it must be a duration from 1s to 86400s, as in /,
  },
  { flags: { "lease-grace": "0s" }, message: /^--lease-grace is "0s", but it must be a duration from 1s/ },
  { flags: { "stats-ttl": "999999999d" }, message: /a duration/ },
  {
    environment: { DOCKERWALL_LOG_LEVEL: "inof" },
    message: /one of error, warn, info, debug; did you mean info\?$/,
  },
  { environment: { DOCKERWALL_HOLD: "true" }, message: /one of off, on$/ },
  {
    environment: { DOCKERWALL_UPSTREAM: "dns.example.com" },
    message: /"dns\.example\.com" in it is not ADDRESS, ADDRESS:PORT, tls:\/\/ADDRESS/,
  },
  { environment: { DOCKERWALL_UPSTREAM: "192.0.2.1:0" }, message: /"192\.0\.2\.1:0" in it/ },
  { environment: { DOCKERWALL_UPSTREAM: "192.0.2.1:99999" }, message: /"192\.0\.2\.1:99999" in it/ },
  { environment: { DOCKERWALL_UPSTREAM: "[2001:db8::1" }, message: /in it is not/ },
  { environment: { DOCKERWALL_UPSTREAM: " , " }, message: /1 to 8 resolvers/ },
  {
    environment: { DOCKER_HOST: "tcp://192.0.2.1:2375" },
    message:
      /^DOCKER_HOST is "tcp:\/\/192\.0\.2\.1:2375", but Dockerwall can only guard the engine of its own machine/,
  },
  { environment: { DOCKER_HOST: "ssh://example.org" }, message: /engine of its own machine/ },
  { flags: { "control-socket": "control.sock" }, message: /absolute path/ },
  { flags: { "control-socket": `/${"a".repeat(100)}` }, message: /at most 90 bytes/ },
  {
    environment: { DOCKERWALL_UPSTREAMS: "192.0.2.1" },
    message: /^DOCKERWALL_UPSTREAMS is not a setting; did you mean DOCKERWALL_UPSTREAM\?$/,
  },
];

for (const { environment, flags, message } of refused) {
  test(`config: refuses ${JSON.stringify({ ...environment, ...flags })}`, () => {
    assert.throws(() => readConfig(environment ?? {}, flags ?? {}), { code: "BAD_CONFIG", message });
  });
}

test("config: reports every problem at once", () => {
  const environment = { DOCKERWALL_DNS_PORT: "x", DOCKERWALL_HOLD: "x", DOCKERWALL_NONSENSE: "x" };
  assert.throws(
    () => readConfig(environment, { queue: "x" }),
    (error) => {
      assert.ok(error instanceof Error);
      assert.equal(error.message.split("\n").length, 4);
      return true;
    },
  );
});

test("config: no two settings share a flag or a variable", () => {
  const all = Object.values(settings);
  assert.equal(new Set(all.map(({ flag }) => flag)).size, all.length);
  assert.equal(new Set(all.map(({ env }) => env)).size, all.length);
});
