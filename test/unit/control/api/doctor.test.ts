// `doctor`: what cannot be looked at is one check that is not well, and keeps the others from nobody.

import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { renderDoctor } from "../../../../src/cli/commands/doctor.ts";
import { type DoctorInput, examineHost } from "../../../../src/control/api/doctor.ts";
import { type Family, type IpAddress, parsePrefix } from "../../../../src/core/model/address.ts";
import type { StatusReport } from "../../../../src/core/model/report/status.ts";
import type { Container, Network } from "../../../../src/core/model/topology.ts";
import { quietStatus } from "../../../support/quiet-status.ts";
import { runningContainer } from "../../../support/topologies.ts";

const status: StatusReport = {
  ...quietStatus,
  engine: { version: "28.5.2", apiVersion: "1.51" },
  backend: "legacy",
};

const well = {
  engine: {
    version: async () => ({ version: "28.5.2", apiVersion: "1.51" }),
    firewallDriver: async () => "iptables",
  },
  status,
  topology: () => ({ networks: [], containers: [] }),
  guarded: new Set(["n1"]),
  rulesStand: async () => true,
  foreignMarks: async () => [],
  examine: async () => ({
    ...{ sandboxes: [], asked: [] },
    resolvers: [{ networks: undefined, problem: undefined }],
  }),
  ownResolvers: async () => ({ named: [], unread: [] }),
  detours: async () => [],
  savedRules: [],
  forwardingSwitchedOff: () => undefined,
} satisfies DoctorInput;

/** A guarded network with a subnet of each family. */
function networkOf(subnets: readonly string[], internal = false): DoctorInput["topology"] {
  const network: Network = {
    ...{ id: "n1", name: "app", driver: "bridge", bridge: "br-n1", gateways: [], internal, labels: {} },
    subnets: subnets.map((text) => parsePrefix(text) ?? assert.fail(text)),
  };
  return () => ({ networks: [network], containers: [] });
}
const switchedOff =
  (...families: readonly Family[]): DoctorInput["forwardingSwitchedOff"] =>
  (family) =>
    families.includes(family) ? `switch${family}` : undefined;
const notForwarded = (name: string): string =>
  `forwarding: ${name} is 0, so nothing that is allowed leaves by it; Docker does not turn it on with its nftables backend: run sysctl -w ${name}=1, and write it to /etc/sysctl.d for the next boot`;

const web = runningContainer("web", "n1", "198.19.0.2");
const found = (...addresses: string[]): DoctorInput["examine"] => {
  const sandboxes = addresses.map((address) => ({ addresses: [address as IpAddress], captured: true }));
  return async () => ({ resolvers: [], sandboxes, asked: [] });
};
/** What is there when the examination begins, and when it ends. */
function seen(...pictures: (readonly Container[])[]): DoctorInput["topology"] {
  const left = pictures.map((containers) => ({ networks: [], containers }));
  return () => left.shift() ?? assert.fail("asked too often");
}
const uncaptured =
  "capture of web: it runs on a guarded network, but its lookups are NOT captured; restart the container, and look into the log";

const fails = async (): Promise<never> => {
  throw new Error("another process keeps the lock");
};

async function unwell(change: Partial<DoctorInput>): Promise<readonly string[]> {
  const { checks } = await examineHost({ ...well, ...change });
  assert.ok(checks.length >= 4);
  return checks.filter(({ ok }) => !ok).map(({ subject, finding }) => `${subject}: ${finding}`);
}

test("rules of other software that write our marks are not well, one check each", async () => {
  const sentences = [
    "a rule of other software overwrites one",
    "a rule of other software overwrites another",
  ];
  assert.deepEqual(
    await unwell({ foreignMarks: async () => sentences }),
    sentences.map((sentence) => `marks: ${sentence}`),
  );
});

test("doctor warns of a container that sends by another network, as status does", async () => {
  const { checks } = await examineHost({ ...well, detours: async () => ["web sends by front"] });
  assert.deepEqual(
    checks.filter(({ warning }) => warning),
    [{ subject: "way", ok: true, warning: true, finding: "web sends by front" }],
  );
});

describe("doctor, of resolvers that a container names by itself", () => {
  const at = (server: string, verdict: "captured" | "passes", step: "lookup" | "entry" | "inside") => ({
    ...{ container: "web", containerId: "web", server: server as IpAddress },
    fate: { verdict, step, because: `because of ${step}` },
  });
  const all = {
    named: [
      at("198.19.0.1", "captured", "lookup"),
      at("203.0.113.53", "passes", "entry"),
      at("127.0.0.1", "passes", "inside"),
    ],
    unread: ["gone"],
  };
  async function checksOf(captured: boolean) {
    const asked: string[] = [];
    const { checks } = await examineHost({
      ...well,
      ownResolvers: async () => all,
      examine: async (asks) => {
        asked.push(...asks.map(({ containerId, server }) => `${containerId} ${server}`));
        return { resolvers: [], sandboxes: [], asked: asks.map((each) => ({ ...each, captured })) };
      },
    });
    assert.deepEqual(asked, ["web 198.19.0.1"]);
    return checks.filter(({ subject }) => subject.startsWith("resolver of "));
  }

  it("asks those at which it should answer, and says which these are", async () => {
    const nothing = "where Dockerwall answers nothing: because of";
    assert.deepEqual(await checksOf(true), [
      {
        ...{ subject: "resolver of web", ok: true },
        finding: "its /etc/resolv.conf names 198.19.0.1, and a lookup of a denied name there is denied by us",
      },
      {
        ...{ subject: "resolver of web", ok: true, warning: true },
        finding: `its /etc/resolv.conf names 203.0.113.53, ${nothing} entry; what is looked up there opens nothing`,
      },
      {
        ...{ subject: "resolver of web", ok: true },
        finding: `its /etc/resolv.conf names 127.0.0.1, ${nothing} inside; what is looked up there opens nothing`,
      },
      {
        ...{ subject: "resolver of gone", ok: true, warning: true },
        finding:
          "its /etc/resolv.conf cannot be read, so only Docker's resolver (127.0.0.11) was asked inside it",
      },
    ]);
  });

  it("is not well where one is not captured", async () => {
    const [first, ...others] = await checksOf(false);
    assert.equal(first?.ok, false);
    assert.match(
      first?.finding ?? "",
      /names 198\.19\.0\.1, and a lookup of a denied name there is NOT denied/,
    );
    assert.ok(others.every(({ ok }) => ok));
  });
});

test("doctor tells of each choice of resolvers, and whose it is", async () => {
  const resolvers = [
    { networks: undefined, problem: "no answer" },
    { networks: ["app"], problem: undefined },
    { networks: ["back", "front"], problem: "refused" },
  ];
  const { checks } = await examineHost({
    ...well,
    examine: async () => ({ resolvers, sandboxes: [], asked: [] }),
  });
  assert.deepEqual(
    checks.filter(({ subject }) => subject.startsWith("upstream")),
    [
      { subject: "upstream", ok: false, finding: "no answer" },
      { subject: "upstream of app", ok: true, finding: "a resolver answers" },
      { subject: "upstream of back, front", ok: false, finding: "refused" },
    ],
  );
});

describe("doctor", () => {
  const cases: readonly [what: string, change: Partial<DoctorInput>, expected: string[]][] = [
    ["all is well", {}, []],
    ["rules that cannot be read", { rulesStand: fails }, ["rules: another process keeps the lock"]],
    [
      "rules of others that cannot be read",
      { foreignMarks: fails },
      ["marks: the rules of other software cannot be read: another process keeps the lock"],
    ],
    [
      "ways that cannot be read",
      { detours: fails },
      ["way: which way containers send cannot be read: another process keeps the lock"],
    ],
    ["a container that is captured", { topology: seen([web], [web]), examine: found("198.19.0.2") }, []],
    ["one in whose sandbox nothing was asked", { topology: seen([web], [web]) }, [uncaptured]],
    [
      "one beside another that is captured",
      { topology: seen([web], [web]), examine: found("198.19.0.3") },
      [uncaptured],
    ],
    ["one that has just come", { topology: seen([], [web]) }, []],
    ["one that has just gone", { topology: seen([web], []) }, []],
    ["one that does not run", { topology: seen([{ ...web, running: false }], [web]) }, []],
    [
      "any, where nothing can be captured",
      {
        topology: seen([web], [web]),
        status: { ...status, capture: { sandboxes: 0, problem: "layer 2 is switched off" } },
      },
      ["capture: layer 2 is switched off"],
    ],
    ["one of an open network", { topology: seen([web], [web]), guarded: new Set(["n2"]) }, []],
    [
      "rules of ours that the host's next boot would load",
      { savedRules: [{ what: "rules", harms: true, sentence: "/etc/iptables/rules.v4 holds them" }] },
      ["saved rules: /etc/iptables/rules.v4 holds them"],
    ],
    [
      "sets of ours that it would load",
      { savedRules: [{ what: "sets", harms: true, sentence: "/etc/iptables/ipsets holds them" }] },
      ["saved sets: /etc/iptables/ipsets holds them"],
    ],
    [
      "rules of ours that it would load behind their sets",
      { savedRules: [{ what: "rules", harms: false, sentence: "/etc/iptables/rules.v4 holds them" }] },
      [],
    ],
    [
      "a host that does not forward",
      { topology: networkOf(["198.19.0.0/24", "2001:db8::/64"]), forwardingSwitchedOff: switchedOff(4, 6) },
      [notForwarded("switch4"), notForwarded("switch6")],
    ],
    [
      "one that forwards what there is",
      { topology: networkOf(["198.19.0.0/24"]), forwardingSwitchedOff: switchedOff(6) },
      [],
    ],
    [
      "one that has nothing to forward",
      { topology: networkOf(["198.19.0.0/24"], true), forwardingSwitchedOff: switchedOff(4, 6) },
      [],
    ],
    [
      "one that has nobody guarded to forward for",
      {
        topology: networkOf(["198.19.0.0/24"]),
        guarded: new Set(["n2"]),
        forwardingSwitchedOff: switchedOff(4),
      },
      [],
    ],
    ["rules that differ", { rulesStand: async () => false }, ["rules: they differ and are being put right"]],
  ];
  for (const [what, change, expected] of cases)
    it(what, async () => assert.deepEqual(await unwell(change), expected));

  it("warns, and calls all well, where status only warns", async () => {
    const sentence = 'network "app" is in audit mode: everything passes, and is recorded';
    const { checks } = await examineHost({
      ...well,
      status: { ...status, warnings: [sentence], held: [{ bridge: "br-x", sinceMs: 0 }] },
    });
    assert.deepEqual(
      checks.filter(({ warning }) => warning === true).map(({ subject, ok }) => [subject, ok]),
      [
        ["bridge br-x", true],
        ["warning", true],
      ],
    );
    assert.equal(checks.find(({ subject }) => subject === "warning")?.finding, sentence);
    assert.match(renderDoctor({ checks }), /^⚠️ warning: network "app" is in audit mode/m);
    assert.doesNotMatch(renderDoctor({ checks }), /❌/);
  });

  const drivers: readonly [driver: DoctorInput["engine"]["firewallDriver"], finding: string][] = [
    [async () => undefined, "Docker 28.5.2 answers"],
    [fails, "Docker 28.5.2 answers"],
    [async () => "iptables", "Docker 28.5.2 answers, and writes its rules by iptables"],
    [
      async () => "iptables+firewalld",
      "Docker 28.5.2 answers, and writes its rules by iptables with firewalld",
    ],
    [
      async () => "nftables+firewalld",
      "Docker 28.5.2 answers, and writes its rules by nftables with firewalld",
    ],
  ];
  for (const [firewallDriver, finding] of drivers)
    it(`says of the engine: ${finding}`, async () => {
      const { checks } = await examineHost({ ...well, engine: { ...well.engine, firewallDriver } });
      assert.deepEqual(checks[0], { subject: "engine", ok: true, finding });
    });
});
