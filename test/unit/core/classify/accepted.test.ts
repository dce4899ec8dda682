// Warnings about a network that its label accepts are not told, and nothing else changes.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nothingFound } from "../../../../src/core/classify/bridge-ports.ts";
import { onlyLabels } from "../../../../src/core/classify/gather.ts";
import { type Classification, classify } from "../../../../src/core/classify/networks.ts";
import type { Container, Network } from "../../../../src/core/model/topology.ts";
import { createListStore } from "../../../../src/core/policy/list-store.ts";
import { presets } from "../../../support/policies.ts";
import { bridgeNetwork, runningContainer } from "../../../support/topologies.ts";

type Written = Readonly<Record<string, string>>;

interface Case {
  readonly word: string;
  readonly told: RegExp;
  /** The network's other labels. */
  readonly labels?: Written;
  readonly network?: Partial<Network>;
  /** Beside it, and who is where. */
  readonly others?: readonly Network[];
  readonly containers?: readonly Container[];
}

const cases: readonly Case[] = [
  {
    word: "public-suffix",
    labels: { "dockerwall.allow": "*.co.uk" },
    told: /covers names that anyone can register below co\.uk/,
  },
  {
    word: "wide-prefix",
    labels: { "dockerwall.allow": "0.0.0.0/1" },
    told: /covers a good part of the internet/,
  },
  {
    word: "nat-unprotected",
    network: { gatewayModes: { 4: "nat-unprotected" } },
    told: /has the gateway mode nat-unprotected/,
  },
  { word: "audit", labels: { "dockerwall.mode": "audit" }, told: /is in audit mode/ },
  {
    word: "overlap",
    others: [bridgeNetwork("plain", "198.19.0.0/16")],
    told: /"app" \(198\.19\.1\.0\/24\) overlaps with "plain"/,
  },
];

function classified(accept: string | undefined, { labels, network, others = [], containers = [] }: Case) {
  const app: Network = {
    ...bridgeNetwork("app", "198.19.1.0/24"),
    ...network,
    labels: {
      "dockerwall.allow": "",
      ...labels,
      ...(accept === undefined ? {} : { "dockerwall.accept": accept }),
    },
  };
  return classifyAll([app, ...others], containers);
}

function classifyAll(networks: readonly Network[], containers: readonly Container[]): Classification {
  return classify({
    topology: { networks, containers },
    bridges: networks.flatMap(({ bridge }) => bridge ?? []),
    policy: onlyLabels(createListStore(presets), 0),
    foreign: new Set(),
    lost: new Set(),
    foundOn: () => nothingFound,
    held: [],
    quarantine: new Set(),
  });
}

/** Without what the label itself says. */
const rest = ({ guarded, ...others }: Classification) => ({
  ...others,
  warnings: [],
  guarded: guarded.map(({ labels, ...network }) => ({ ...network, labels: { ...labels, accept: [] } })),
});

describe("a warning about a network", () => {
  for (const each of cases) {
    it(`${each.word}: is told`, () => {
      const { warnings } = classified(undefined, each);
      assert.equal(warnings.length, 1, warnings.join("\n"));
      assert.match(warnings[0] ?? "", each.told);
    });
    it(`${each.word}: is not told where the network's label accepts it, and nothing else changes`, () => {
      const accepted = classified(each.word, each);
      assert.deepEqual(accepted.warnings, []);
      assert.deepEqual(rest(accepted), rest(classified(undefined, each)));
    });
    it(`${each.word}: is told where the label accepts others`, () => {
      const others = cases.flatMap(({ word }) => (word === each.word ? [] : [word]));
      assert.equal(classified(others.join(" "), each).warnings.length, 1);
    });
  }

  const guarding = (accept: string): Written => ({ "dockerwall.allow": "", "dockerwall.accept": accept });
  const overlapping = (...accept: readonly [string, string]) =>
    classifyAll(
      [
        { ...bridgeNetwork("wide", "198.19.0.0/16"), labels: guarding(accept[0]) },
        { ...bridgeNetwork("narrow", "198.19.1.0/24"), labels: guarding(accept[1]) },
      ],
      [runningContainer("astray", "wide", "198.19.1.9")],
    ).warnings;

  it("of two guarded networks that overlap is told until both accept it", () => {
    const ofNetworks = (warnings: readonly string[]) => warnings.filter((each) => /^network/.test(each));
    assert.equal(ofNetworks(overlapping("overlap", "audit")).length, 1);
    assert.equal(ofNetworks(overlapping("audit", "overlap")).length, 1);
    assert.deepEqual(overlapping("overlap", "overlap"), []);
  });

  it("of a container's address in another one's range is accepted by the network that it is on", () => {
    const ofContainers = (warnings: readonly string[]) => warnings.filter((each) => /^container/.test(each));
    assert.equal(ofContainers(overlapping("audit", "overlap")).length, 1);
    assert.equal(ofContainers(overlapping("overlap", "audit")).length, 0);
  });
});

describe("a warning about the entries of a container", () => {
  const told = (accept?: string) => {
    const labels = {
      "dockerwall.allow": "*.co.uk 0.0.0.0/1",
      ...(accept === undefined ? {} : { "dockerwall.accept": accept }),
    };
    const web = { ...runningContainer("web", "app", "198.19.1.2"), labels };
    return classified(undefined, { word: "", told: /./, containers: [web] }).containers.warnings;
  };
  it("is accepted by the container's label", () => {
    assert.equal(told().length, 2);
    assert.match(told("public-suffix").join(), /^container "web", .* covers a good part of the internet/);
    assert.deepEqual(told("public-suffix wide-prefix"), []);
  });
});

describe("a word that accepts nothing where it stands", () => {
  const problemOf = (accept: string) => {
    const { problems, warnings } = classified(accept, cases[3] ?? assert.fail());
    assert.equal(warnings.length, 1, "the warnings stay");
    return [...problems.values()].flat().join();
  };
  it("is one of containers: what opens something is opened there alone", () => {
    assert.equal(
      problemOf("audit foreign-interface"),
      'network "app", label dockerwall.accept: entry "foreign-interface" at column 7: it lets everything leave by such an interface of one container; write it on that container; the warnings stay',
    );
    assert.equal(
      problemOf("privileged"),
      'network "app", label dockerwall.accept: entry "privileged" at column 1: it is about a container; write it on that container; the warnings stay',
    );
  });
  it("does not exist", () => {
    assert.match(
      problemOf("audit nothing"),
      /entry "nothing" at column 7: it is not one of public-suffix, wide-prefix, nat-unprotected, overlap, audit; the warnings stay$/,
    );
  });
  it("is one of networks, on a container", () => {
    const web = { ...runningContainer("web", "app", "198.19.1.2"), labels: { "dockerwall.accept": "audit" } };
    assert.deepEqual(classified(undefined, { word: "", told: /./, containers: [web] }).containers.problems, [
      'container "web", label dockerwall.accept: entry "audit" at column 1: it is about a network; write it on that network; the warnings stay',
    ]);
  });
});
