// What is told of single containers: rights that get them around any wall, labels without effect, second networks.

import { allowLabel, type ContainerLabels, placeOf } from "../../labels/table.ts";
import type { Container, Hazard, Network } from "../../model/topology.ts";
import { hazardSentences } from "../hazards.ts";
import type { ExamineInput } from "./input.ts";

/** @param leading an entry that leads it to an engine's API */
export function hazardsTold(
  container: Container,
  { accept }: ContainerLabels,
  leading: string | undefined,
): string[] {
  const has: readonly Hazard[] = leading === undefined ? [] : ["engine-api"];
  const hazards = [...new Set([...container.hazards, ...has])].filter((hazard) => !accept.includes(hazard));
  return hazards.map((hazard) => {
    const sentence =
      hazard === "engine-api" && leading !== undefined
        ? `may reach an engine's API over TCP (entry ${leading}), and with it control of that engine's host`
        : hazardSentences[hazard];
    return `${nameOf(container)} ${sentence}`;
  });
}

/** Why the allowlist of a container has no effect, if so; `inside` says that it is on a guarded network. */
export function misplacedLabel(
  container: Container,
  holder: Container,
  inside: boolean,
  input: ExamineInput,
): string[] {
  const place = placeOf({ kind: "container", name: container.name }, allowLabel);
  if (holder !== container) {
    return [
      `${place}: it uses the network of ${nameOf(holder)}, whose labels apply to both; label that container`,
    ];
  }
  const settled = container.running && container.endpoints.some(({ addresses }) => addresses.length > 0);
  if (inside || (!settled && mayStartInside(container, input))) return [];
  return [`${place}: none of its networks carries ${allowLabel}, so it is NOT contained; label a network`];
}

/**
 * A stopped container has no addresses, nor has one that just starts: its configured networks decide, as far as they
 * have been read.
 */
function mayStartInside(
  { networkMode, configured }: Container,
  { topology, guarded }: ExamineInput,
): boolean {
  if (networkMode === "") return true;
  if (configured.length === 0) return false;
  const on = topology.networks.filter(({ id, name }) => configured.includes(id) || configured.includes(name));
  // If none is left, the container cannot start, and needs no warning before it is recreated.
  return on.length === 0 || on.some(({ id }) => guarded.has(id));
}

export function secondNetworksTold(
  container: Container,
  { accept }: ContainerLabels,
  outside: readonly Network[],
): readonly string[] {
  return accept.includes("second-network") ? [] : outside.map((network) => secondNetwork(container, network));
}

function secondNetwork(container: Container, network: Network): string {
  const name = JSON.stringify(network.name);
  return network.bridge === undefined
    ? `${nameOf(container)} is also on network ${name} (${network.driver}), which is not guarded: it is NOT contained`
    : `${nameOf(container)} is also on network ${name}, which is not guarded: the same allowlist applies to it there`;
}

function nameOf(container: Container): string {
  return `container ${JSON.stringify(container.name)}`;
}
