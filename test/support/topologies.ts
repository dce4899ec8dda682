// Networks and containers as the engine would tell of them.

import assert from "node:assert/strict";
import { readLabels } from "../../src/core/labels/read.ts";
import type { NetworkLabels } from "../../src/core/labels/table.ts";
import { type IpAddress, parsePrefix } from "../../src/core/model/address.ts";
import type { GuardedNetwork } from "../../src/core/model/guarded-network.ts";
import type { Container, Network } from "../../src/core/model/topology.ts";

/** A bridge network that is called as its id. */
export function bridgeNetwork(id: string, ...subnets: readonly string[]): Network {
  return {
    id,
    name: id,
    driver: "bridge",
    bridge: `br-${id}`,
    subnets: subnets.map((subnet) => parsePrefix(subnet) ?? assert.fail(subnet)),
    gateways: [],
    internal: false,
    labels: {},
  };
}

/** A container that has not been started yet. */
export function newContainer(id: string, networkId: string): Container {
  return {
    id,
    name: id,
    labels: {},
    running: false,
    networkMode: networkId,
    sandbox: undefined,
    endpoints: [],
    configured: [],
    hazards: [],
  };
}

/** A running container on one network, in the sandbox `sandbox-ID`. */
export function runningContainer(id: string, networkId: string, address: string): Container {
  const endpoints = [{ networkId, addresses: [address as IpAddress], aliases: [], links: [] }];
  return { ...newContainer(id, networkId), running: true, sandbox: `sandbox-${id}`, endpoints };
}

/** What a guarded network without any other label says. */
export const unlabelled: NetworkLabels = readLabels("network", { name: "", labels: {} }).labels;

/** The network guarded, with nothing allowed. */
export function guardedNetwork(network: Network): GuardedNetwork {
  return { ...network, lists: [], labels: unlabelled };
}
