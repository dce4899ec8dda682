// A project's labels as the daemon would judge them, by the daemon's own code, with the line of each mistake.

import { nothingFound } from "../classify/bridge-ports.ts";
import { networkHolder } from "../classify/containers/holder.ts";
import { onlyLabels } from "../classify/gather.ts";
import { type Classification, classify } from "../classify/networks.ts";
import type { ComposeNetwork, Project, WrittenLabel } from "../compose/project.ts";
import { type Finding, type MapTree, placeWithin } from "../compose/tree.ts";
import { shownLabels } from "../labels/shown.ts";
import { allowLabel, type LabelPlace, labelPrefix } from "../labels/table.ts";
import type { Topology } from "../model/topology.ts";
import { findDetours, renderDetour } from "../path/detours.ts";
import { createListStore } from "../policy/list-store.ts";
import type { Presets } from "../policy/preset.ts";
import { tellDns } from "./dns.ts";
import { findMisplaced } from "./misplaced.ts";
import { openedBy, splitList } from "./opens.ts";
import { placesOfSentences } from "./places.ts";
import type { CheckReport, EntryCheck, NetworkCheck, NetworkState, ServiceCheck } from "./report.ts";
import { tellEntries } from "./tell-entries.ts";
import { tellUnneeded } from "./tell-unneeded.ts";
import { topologyOf } from "./topology.ts";
import { waysIn } from "./ways.ts";

export interface JudgeInput {
  readonly project: Project;
  /** The whole of it, where labels may stand that nobody gets. */
  readonly tree: MapTree;
  /** What was found while it was loaded. */
  readonly problems: readonly Finding[];
  /** Files that could not be read. */
  readonly unread: readonly string[];
  readonly presets: Presets;
}

/** The daemon's own service: what it has of the host it needs, and nobody need be warned. */
const ownImage = /(^|\/)dockerwall([:@]|$)/;

/** Judges a project. */
export function judge({ project, tree, problems, unread, presets }: JudgeInput): CheckReport {
  const topology = topologyOf(project);
  const own = project.services.find(({ image }) => ownImage.test(image));
  const classification = classifyAlone(topology, presets, own?.name);
  const stateOf = statesIn(project, classification);
  const placed = placesOfSentences(project, presets);
  const labelsOf = new Map(classification.guarded.map(({ id, labels }) => [id, labels]));
  const services = project.services.map((service): ServiceCheck => {
    const container = topology.containers.find(({ id }) => id === service.name);
    const holder = container === undefined ? undefined : networkHolder(container, topology.containers);
    const on = project.services.find(({ name }) => name === holder?.id) ?? service;
    const { name, place, networkMode, profiles } = service;
    return {
      name,
      place,
      networks: on.networks.map((key) => ({ name: key, state: stateOf(key) })),
      networkMode,
      profiles,
      entries: entriesOf(service.labels, presets),
    };
  });
  const networks = project.networks.map(({ key, place, labels }): NetworkCheck => {
    const read = labelsOf.get(key);
    return {
      name: key,
      place,
      state: stateOf(key),
      mode: read?.mode,
      labels: read === undefined ? [] : shownLabels(read),
      services: project.services.filter((service) => service.networks.includes(key)).map(({ name }) => name),
      entries: stateOf(key) === "guarded" ? entriesOf(labels, presets) : [],
    };
  });
  const wrong = [
    ...problems,
    ...project.problems,
    ...[...classification.problems.values(), classification.containers.problems].flat().map(placed),
    ...project.networks.flatMap(labelsOfOthers),
    ...findMisplaced(tree),
  ];
  const doubtful = [
    ...[
      ...classification.warnings,
      ...classification.containers.warnings,
      ...detoursIn(project, topology, classification),
    ].map(placed),
    ...notMade(networks),
    ...doubtsAlone(project, stateOf, presets),
  ];
  return {
    ok: wrong.length === 0,
    unread,
    networks,
    services,
    problems: inOrder(wrong),
    warnings: inOrder(doubtful),
  };
}

/** What no classification tells. */
function doubtsAlone(
  project: Project,
  stateOf: (key: string) => NetworkState,
  presets: Presets,
): readonly Finding[] {
  return [
    ...unsetVariables(project),
    ...tellDns(project, stateOf),
    ...tellEntries(project, presets),
    ...tellUnneeded(project, stateOf, presets),
  ];
}

/** With every bridge there, no policy file, no overrides, and nobody in quarantine. */
function classifyAlone(topology: Topology, presets: Presets, own: string | undefined): Classification {
  return classify({
    topology,
    bridges: topology.networks.flatMap(({ bridge }) => bridge ?? []),
    policy: onlyLabels(createListStore(presets), 0),
    foreign: new Set(),
    lost: new Set(),
    foundOn: () => nothingFound,
    held: [],
    quarantine: new Set(),
    own,
  });
}

/** Of services on several networks, as the engine would choose between these. */
function detoursIn(
  project: Project,
  topology: Topology,
  { guarded, containers: { services } }: Classification,
): string[] {
  return findDetours(topology, { guarded, services }, waysIn(project)).map(renderDetour);
}

function statesIn(
  { networks }: Project,
  { guarded, refused }: Classification,
): (key: string) => NetworkState {
  const made = new Set(networks.filter(({ external }) => !external).map(({ key }) => key));
  return (key) => {
    if (!made.has(key)) return "unknown";
    if (refused.some(({ id }) => id === key)) return "refused";
    return guarded.some(({ id }) => id === key) ? "guarded" : "open";
  };
}

/** Nothing of a list with a bad entry is in force. */
function entriesOf(labels: readonly WrittenLabel[], presets: Presets): readonly EntryCheck[] {
  const label = labels.find(({ name }) => name === allowLabel);
  if (label === undefined) return [];
  const entries = splitList(label.value, presets);
  if (entries.length < (label.value.match(/[^\s,]+/g) ?? []).length) return [];
  return entries.map(({ word, entries: meant }) => ({
    entry: word,
    place: label.written === undefined ? label.place : placeWithin(label.written, word),
    takesAway: meant.some(({ negated }) => negated),
    opens: meant.map(openedBy),
  }));
}

/** Compose gives no labels to a network that it does not make. */
function labelsOfOthers({ key, external, labels }: ComposeNetwork): Finding[] {
  if (!external) return [];
  return labels.flatMap(({ name, place }) => {
    if (!name.startsWith(labelPrefix)) return [];
    const text = `network ${JSON.stringify(key)}, label ${name}: the network is external, and labels given here never reach it; label it where it is made`;
    return [{ place, text }];
  });
}

function unsetVariables({ networks, services }: Project): Finding[] {
  const tell = (kind: LabelPlace, name: string, labels: readonly WrittenLabel[]): Finding[] =>
    labels.flatMap(({ name: label, place, written }) => {
      if (!label.startsWith(labelPrefix)) return [];
      return (written?.unset ?? []).map((variable) => ({
        place,
        text: `${kind} ${JSON.stringify(name)}, label ${label}: the variable ${variable} is not set, and counts as empty`,
      }));
    });
  return [
    ...networks.flatMap(({ key, labels }) => tell("network", key, labels)),
    ...services.flatMap(({ name, labels }) => tell("container", name, labels)),
  ];
}

function notMade(networks: readonly NetworkCheck[]): Finding[] {
  return networks
    .filter(({ state, services }) => state === "guarded" && services.length === 0)
    .map(({ name, place }) => ({
      place,
      text: `network ${JSON.stringify(name)} has no service on it, so Compose does not make it`,
    }));
}

function inOrder(findings: readonly Finding[]): readonly Finding[] {
  return findings.toSorted((a, b) => a.place.file.localeCompare(b.place.file) || a.place.line - b.place.line);
}
