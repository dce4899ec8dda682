// What is denied beside a list that cannot be read is told with the slip, and with what undoes it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Membership } from "../../../../src/core/askers/standing.ts";
import { gatherLists, onlyLabels } from "../../../../src/core/classify/gather.ts";
import { blockedBy } from "../../../../src/core/dns/resolve/denial.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { explainPath } from "../../../../src/core/path/explained.ts";
import { judgeAddress, judgeName, type PolicyFinding } from "../../../../src/core/path/policy.ts";
import { renderChange } from "../../../../src/core/path/sentence.ts";
import { decidePacket } from "../../../../src/core/policy/decide/packet.ts";
import type { Policy } from "../../../../src/core/policy/decide/policy.ts";
import { decideName } from "../../../../src/core/policy/decide.ts";
import { compileList } from "../../../../src/core/policy/entry-list.ts";
import { createListStore } from "../../../../src/core/policy/list-store.ts";
import { groupOverrides } from "../../../../src/core/policy/override.ts";
import { PolicyFileVersions } from "../../../../src/core/policy/policy-file/versions.ts";
import { parseTarget } from "../../../../src/core/policy/target.ts";
import { presets } from "../../../support/policies.ts";
import { bridgeNetwork, unlabelled } from "../../../support/topologies.ts";

const app = { kind: "network", name: "app", id: "app" } as const;
const web = { kind: "container", name: "web", id: "web" } as const;
const destination = "203.0.113.7" as IpAddress;

interface Written {
  /** Labels of the network, one after the other. */
  readonly network?: readonly string[];
  readonly container?: string;
  readonly override?: string;
  /** What is wrong with the policy file. */
  readonly file?: "missing" | "unreadable";
}

function policyOf({ network = [""], container, override, file }: Written): Policy {
  const versions = new PolicyFileVersions(presets, "/etc/policy.yml", "--policy-file");
  if (file === "missing") versions.take({ kind: "missing" });
  if (file === "unreadable") versions.take({ kind: "unreadable", why: "EACCES" });
  const overrides = override === undefined ? [] : [{ target: app, entry: override, endsAtMs: undefined }];
  const sources = {
    ...onlyLabels(createListStore(presets), 0),
    file: versions.current,
    overrides: groupOverrides(overrides),
  };
  const ofNetwork = network.map((label) => gatherLists(app, label, sources).lists).at(-1) ?? [];
  const own = gatherLists(web, container, { ...sources, overrides: new Map() }).lists;
  return { network: "app", lists: [...ofNetwork, ...own].map(compileList) };
}

function findingOf(policy: Policy, name: string | undefined): PolicyFinding {
  const asked = { ipProtocol: 6, port: 443, nowMs: 0 };
  if (name === undefined) {
    const decision = decidePacket(policy, { destination, ...asked }, [], 0);
    return judgeAddress(decision, [policy], undefined);
  }
  const place = { networkId: "app", networkName: "app", internal: false, addresses: [], gateways: [] };
  const membership: Membership = { ...place, policy, labels: unlabelled };
  return judgeName([membership], name, destination, asked);
}

/** The step that decides, what to do, and what the client of a lookup is told. */
function told(written: Written, name?: string): readonly (string | undefined)[] {
  const policy = policyOf(written);
  const target = parseTarget(`${name ?? destination}:443`);
  if ("problem" in target) return assert.fail(target.problem);
  const way = { kind: "bridge", source: "198.19.1.2" as IpAddress, bridge: "br-app" } as const;
  const { step, change } = explainPath(
    {
      networks: [bridgeNetwork("app", "198.19.1.0/24")],
      guarded: new Map([["app", { audit: false, reject: false }]]),
      ...{ containers: [], quarantine: new Set(), hostAddresses: [], hostEntries: [], bridgesFiltered: true },
    },
    {
      ...{ target, container: "web", quarantined: false },
      reading: {
        ...{ standing: "guarded", homes: ["app"], name: undefined, hosts: [], answers: [], outward: way },
        packets: [{ destination, way, ownsSource: true, policy: findingOf(policy, name) }],
      },
    },
  );
  const decision = decideName(policy, name ?? "www.example.com", 0);
  return [step, change && renderChange(change), decision.allowed ? undefined : blockedBy(decision).text];
}

const first = "correct this first: ";
const slip = (place: string, entry: string, column: number): RegExp =>
  new RegExp(`^${first}${place}: entry "${entry}" at column ${column}: `);

describe("what is denied beside a list that cannot be read", () => {
  const cases: readonly [
    what: string,
    written: Written,
    step: string,
    advice: RegExp,
    extendedError: string,
  ][] = [
    [
      "the network's label, which takes away",
      { network: ["www.example.com !a..b"] },
      "unreadable",
      slip('network "app", label dockerwall.allow', "!a..b", 17),
      "dockerwall.allow of app cannot be read, so nothing is allowed",
    ],
    [
      "the container's own label, which takes away",
      { network: ["www.example.com"], container: "!*" },
      "unreadable",
      slip('container "web", label dockerwall.allow', "!\\*", 1),
      "dockerwall.allow of the container cannot be read, so nothing is allowed",
    ],
    [
      "a label that grants only",
      { network: ["www.example.com a..b c..d"] },
      "no-entry",
      /^correct this first: network "app", label dockerwall.allow: entry "a..b" at column 17: .* \(and 1 more there\)$/,
      "dockerwall.allow of app cannot be read, and no entry in force allows the name",
    ],
    [
      "a label beside which the one before it is kept",
      { network: ["old.example.com", "www.example.com a..b"] },
      "no-entry",
      slip('network "app", label dockerwall.allow', "a..b", 17),
      "dockerwall.allow of app cannot be read, and no entry in force allows the name",
    ],
    [
      "a policy file that is missing",
      { network: ["www.example.com"], file: "missing" },
      "unreadable",
      /^correct this first: policy file \/etc\/policy.yml: there is no such file, though --policy-file names it$/,
      "the policy file cannot be read, so nothing is allowed",
    ],
    [
      "a policy file that cannot be read",
      { network: ["www.example.com"], file: "unreadable" },
      "unreadable",
      /^correct this first: policy file \/etc\/policy.yml: it cannot be read \(EACCES\)$/,
      "the policy file cannot be read, so nothing is allowed",
    ],
    [
      "an override that takes away a preset which is gone",
      { network: ["www.example.com"], override: "!@gone" },
      "unreadable",
      /^docker exec dockerwall deny network:app @gone --undo$/,
      "an override of app cannot be read, so nothing is allowed",
    ],
    [
      "an override that grants a preset which is gone: it holds up no other entry",
      { override: "@gone" },
      "no-entry",
      /^write www.example.com:443\/tcp into dockerwall.allow of network app/,
      "not in dockerwall.allow of app",
    ],
  ];
  for (const [what, written, step, advice, extendedError] of cases) {
    it(what, () => {
      const [ofName, adviceOnName, text] = told(written, "www.example.com");
      assert.deepEqual([ofName, text], [step, extendedError]);
      assert.match(adviceOnName ?? "", advice);
      const [ofAddress, adviceOnAddress = ""] = told(written);
      assert.equal(ofAddress, step);
      if (!advice.source.startsWith("^write")) assert.match(adviceOnAddress, advice);
    });
  }

  it("the entry of a list that is kept, which nobody can take out of it", () => {
    const [step, advice] = told(
      { network: ["*.example.com !www.example.com", "* a.example.com"] },
      "www.example.com",
    );
    assert.equal(step, "taken-away");
    assert.match(advice ?? "", slip('network "app", label dockerwall.allow', "\\*", 1));
  });

  it("an entry of another list, which is to be taken out as ever", () => {
    const written = { network: ["*.example.com !www.example.com"], container: "a..b" };
    assert.match(told(written, "www.example.com")[1] ?? "", /^take !www.example.com out of network "app"/);
  });
});
