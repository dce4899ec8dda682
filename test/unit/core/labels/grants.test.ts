// With a new label that affects grants it cannot be forgotten to judge grants by it: another value is another epoch, by
// which every asker is judged again, and another key of its policy, by which it is found to be judged otherwise.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AskerIndex } from "../../../../src/core/askers/index-of-askers.ts";
import { nothingFound } from "../../../../src/core/classify/bridge-ports.ts";
import { onlyLabels } from "../../../../src/core/classify/gather.ts";
import { classify } from "../../../../src/core/classify/networks.ts";
import { keysOn, labelName, labelPlaces, labels, valueLabels } from "../../../../src/core/labels/table.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { Picture } from "../../../../src/core/model/picture.ts";
import { createListStore } from "../../../../src/core/policy/list-store.ts";
import { epochOf } from "../../../../src/planes/picture.ts";
import { presets } from "../../../support/policies.ts";
import { bridgeNetwork, runningContainer } from "../../../support/topologies.ts";

const address = "198.19.1.2" as IpAddress;

type Written = Readonly<Record<string, string>>;

interface Said {
  readonly network?: Written;
  readonly container?: Written;
  readonly quarantined?: boolean;
}

/** What one daemon makes of one after the other. */
function pictures(...all: readonly Said[]): Picture[] {
  const store = createListStore(presets);
  return all.map(({ network: written, container = {}, quarantined = false }) => {
    const network = {
      ...bridgeNetwork("app", "198.19.1.0/24"),
      labels: { [labelName("allow")]: "", ...written },
    };
    const topology = {
      networks: [network],
      containers: [{ ...runningContainer("web", "app", address), labels: container }],
    };
    const { guarded, containers } = classify({
      topology,
      bridges: [network.bridge ?? ""],
      policy: onlyLabels(store, 0),
      foreign: new Set(),
      lost: new Set(),
      foundOn: () => nothingFound,
      held: [],
      quarantine: new Set(),
    });
    assert.equal(guarded.length, 1);
    return { topology, guarded, services: containers.services, quarantined: quarantined ? ["web"] : [] };
  });
}

const keyOf = (picture: Picture): string =>
  new AskerIndex(picture).policyKey(address) ?? assert.fail("nobody knows the asker");

/** Epochs, and keys of the asker's policy, of one after the other. */
function judged(...all: readonly Said[]): [epochs: string[], keys: string[]] {
  const made = pictures(...all);
  return [made.map(epochOf), made.map(keyOf)];
}

const countOf = (texts: readonly string[]): number => new Set(texts).size;

for (const place of labelPlaces) {
  describe(`a label of a ${place}`, () => {
    const examples: Readonly<Record<string, { readonly example: string }>> = valueLabels[place];
    for (const key of keysOn(place)) {
      const affectsGrants = labels[place][key]?.affectsGrants === true;
      const other = { [place]: { [labelName(key)]: examples[key]?.example ?? "www.example.com" } };
      it(`${key}: another value is ${affectsGrants ? "another" : "the same"} epoch and policy`, () => {
        const expected = affectsGrants ? 2 : 1;
        const [epochs, keys] = judged({}, other);
        assert.deepEqual([countOf(epochs), countOf(keys)], [expected, expected]);
      });
      it(`${key}: the same value is the same epoch and policy`, () => {
        const [epochs, keys] = judged(other, other);
        assert.deepEqual([countOf(epochs), countOf(keys)], [1, 1]);
      });
      it(`${key}: in quarantine it grants nothing`, () => {
        const [, keys] = judged({ quarantined: true }, { ...other, quarantined: true });
        assert.equal(countOf(keys), 1);
      });
    }
  });
}

it("the key of a policy is the same from version to version", () => {
  const [bare, audit] = pictures({}, { network: { [labelName("mode")]: "audit" } });
  assert.ok(bare && audit);
  const { digest } = bare.guarded[0]?.lists[0] ?? assert.fail();
  assert.equal(keyOf(bare), `enforce ${digest}`);
  assert.equal(keyOf(audit), `mode="audit" ${digest}`);
});
