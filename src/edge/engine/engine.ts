// The Docker Engine API, reduced to what we read and the two things we write (create and remove a network). Answers are
// checked field by field: a field that is missing or of the wrong type gets a default that opens nothing.

import type { Container, Network } from "../../core/model/topology.ts";
import {
  type ListedContainer,
  parseContainer,
  parseFirewallDriver,
  parseListedContainer,
  parseLiveRestore,
  parseNetwork,
} from "./api/answers.ts";
import { EngineConnection } from "./api/connection.ts";
import { type EngineEvent, readEvents } from "./api/events.ts";
import { askInfo, askVersion, readNetwork } from "./api/untyped.ts";

export interface Engine {
  version(): Promise<{ readonly version: string; readonly apiVersion: string }>;
  /** What the engine writes its rules by, in its own word; undefined from engines before 28.2. */
  firewallDriver(): Promise<string | undefined>;
  /** Whether containers live on when it ends (`live-restore`). */
  keepsContainers(): Promise<boolean>;
  listNetworks(): Promise<Network[]>;
  /** Undefined when there is none of that name or id. */
  inspectNetwork(id: string): Promise<Network | undefined>;
  /** All of them, by what the engine last wrote down of each: does not wait for one that is starting, or hangs. */
  listContainers(): Promise<ListedContainer[]>;
  /** Undefined when it is gone. Waits until a container that is starting has started, and as long as its shim hangs. */
  inspectContainer(id: string, signal: AbortSignal): Promise<Container | undefined>;
  /** @throws DockerwallError NETWORK_EXISTS */
  createBridgeNetwork(name: string, labels: Readonly<Record<string, string>>): Promise<string>;
  removeNetwork(id: string): Promise<void>;
  /** Calls `onOpen` when subscribed, then `onEvent` for each; resolves when the stream ends. */
  followEvents(onOpen: () => void, onEvent: (event: EngineEvent) => void, signal: AbortSignal): Promise<void>;
}

export interface EngineLimits {
  /** How long it may take to answer out of its memory: that comes in milliseconds, or not at all. */
  readonly answerWithinMs: number;
  /** How long it may take to make or remove a network: it runs tools that wait for others. */
  readonly changeWithinMs: number;
}

const defaultLimits: EngineLimits = { answerWithinMs: 10_000, changeWithinMs: 30_000 };

/**
 * The engine behind a unix socket. No request waits for ever, but for the stream of events once it is open. An engine
 * that was started anew has made its socket anew, and a mount still shows the old one: when that refuses, `findSocket`
 * says where the new one is.
 */
export function connectEngine(
  socketPath: string,
  findSocket: () => string | undefined,
  limits: EngineLimits = defaultLimits,
): Engine {
  return new ApiEngine(socketPath, findSocket, limits);
}

class ApiEngine implements Engine {
  readonly #connection: EngineConnection;
  readonly #limits: EngineLimits;

  constructor(socketPath: string, findSocket: () => string | undefined, limits: EngineLimits) {
    const { answerWithinMs } = limits;
    this.#connection = new EngineConnection({ socketPath, findSocket, answerWithinMs });
    this.#limits = limits;
  }

  version(): Promise<{ readonly version: string; readonly apiVersion: string }> {
    return this.#connection.call("tell its version", async (docker, abortSignal) => {
      const answer = await askVersion(docker, abortSignal);
      return { version: answer.Version, apiVersion: answer.ApiVersion };
    });
  }

  firewallDriver(): Promise<string | undefined> {
    return this.#connection.call("tell of itself", async (docker, abortSignal) =>
      parseFirewallDriver(await askInfo(docker, abortSignal)),
    );
  }

  keepsContainers(): Promise<boolean> {
    return this.#connection.call("tell of itself", async (docker, abortSignal) =>
      parseLiveRestore(await askInfo(docker, abortSignal)),
    );
  }

  listNetworks(): Promise<Network[]> {
    return this.#connection.call("list networks", async (docker, abortSignal) =>
      (await docker.listNetworks({ abortSignal })).flatMap(parseNetwork),
    );
  }

  inspectNetwork(id: string): Promise<Network | undefined> {
    return this.#connection.find(
      "inspect network",
      async (docker, abortSignal) => parseNetwork(await readNetwork(docker, id, abortSignal))[0],
    );
  }

  listContainers(): Promise<ListedContainer[]> {
    return this.#connection.call("list containers", async (docker, abortSignal) =>
      (await docker.listContainers({ all: true, abortSignal })).flatMap(parseListedContainer),
    );
  }

  inspectContainer(id: string, signal: AbortSignal): Promise<Container | undefined> {
    return this.#connection.find(
      "inspect container",
      async (docker, abortSignal) =>
        parseContainer(await docker.getContainer(id).inspect({ abortSignal }))[0],
      signal,
    );
  }

  createBridgeNetwork(name: string, labels: Readonly<Record<string, string>>): Promise<string> {
    return this.#connection.call(
      `create network ${JSON.stringify(name)}`,
      async (docker, abortSignal) => {
        const options = { Name: name, Driver: "bridge", CheckDuplicate: true, Labels: { ...labels } };
        return (await docker.createNetwork({ ...options, abortSignal })).id;
      },
      AbortSignal.timeout(this.#limits.changeWithinMs),
    );
  }

  removeNetwork(id: string): Promise<void> {
    return this.#connection.call(
      "remove network",
      async (docker, abortSignal) => void (await docker.getNetwork(id).remove({ abortSignal })),
      AbortSignal.timeout(this.#limits.changeWithinMs),
    );
  }

  followEvents(
    onOpen: () => void,
    onEvent: (event: EngineEvent) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const openWithinMs = this.#limits.answerWithinMs;
    return this.#connection.call("follow events", (docker) =>
      readEvents(docker, { onOpen, onEvent, openWithinMs, signal }),
    );
  }
}
