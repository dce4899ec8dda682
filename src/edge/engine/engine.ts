// The Docker Engine API, reduced to what we read and the two things we write (create and remove a network). Answers are
// checked field by field: a field that is missing or of the wrong type gets a default that opens nothing.

import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import Docker from "dockerode";
import type { Container, Network } from "../../core/model/topology.ts";
import { DockerwallError, messageOf } from "../../errors.ts";
import {
  type ListedContainer,
  parseApiVersion,
  parseContainer,
  parseFirewallDriver,
  parseListedContainer,
  parseNetwork,
  textsOf,
} from "./answers.ts";
import { agreeOnVersion, isVersionRefused } from "./api-version.ts";

export interface EngineEvent {
  readonly type: string;
  readonly action: string;
  /** Id of the network or container that the event is about. */
  readonly id: string;
  /** For `network connect` and `disconnect`: the container. */
  readonly container: string | undefined;
  /** What the engine says beside: for containers `name`, `image` and every label. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Engine {
  version(): Promise<{ readonly version: string; readonly apiVersion: string }>;
  /** What the engine writes its rules by, in its own word; undefined from engines before 28.2. */
  firewallDriver(): Promise<string | undefined>;
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
 * The engine behind a unix socket. No request waits for ever, but for the stream of events once it is open. An engine that was started anew has made its socket anew, and a mount still shows
 * the old one: when that refuses, `findSocket` says where the new one is.
 */
export function connectEngine(
  socketPath: string,
  findSocket: () => string | undefined,
  limits: EngineLimits = defaultLimits,
): Engine {
  let place = socketPath;
  let agreed: Promise<string> | undefined;
  const inTime = (): AbortSignal => AbortSignal.timeout(limits.answerWithinMs);
  const speaking = (version: string): Docker => new Docker({ socketPath: place, version: `v${version}` });

  /** What is agreed on stands until an engine refuses it: one that was started anew may be another one. */
  async function connect(): Promise<Docker> {
    agreed ??= agreeOnVersion(async (version) =>
      parseApiVersion(await telling(speaking(version)).version({ abortSignal: inTime() })),
    );
    try {
      return speaking(await agreed);
    } catch (error) {
      agreed = undefined;
      throw error;
    }
  }

  /** Looks for the engine elsewhere when nobody is behind the socket, and for another version when it refuses that. */
  function reconnect(error: unknown): void {
    if (isVersionRefused(error)) agreed = undefined;
    const code = codeOf(error);
    if (code !== "ECONNREFUSED" && code !== "ENOENT") return;
    place = findSocket() ?? socketPath;
  }

  async function call<T>(what: string, request: Request<T>, signal?: AbortSignal): Promise<T> {
    try {
      const docker = await connect();
      return await request(docker, signal ?? inTime());
    } catch (error) {
      reconnect(error);
      throw engineError(what, socketPath, error);
    }
  }

  /** Undefined for what is not there; a version that cannot be agreed on says nothing about that. */
  function found<T>(what: string, request: Request<T>, signal?: AbortSignal): Promise<T | undefined> {
    const orNone: Request<T | undefined> = async (docker, abortSignal) => {
      try {
        return await request(docker, abortSignal);
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw error;
      }
    };
    return call(what, orNone, signal);
  }

  return {
    version: () =>
      call("tell its version", async (docker, abortSignal) => {
        const answer = await telling(docker).version({ abortSignal });
        return { version: answer.Version, apiVersion: answer.ApiVersion };
      }),
    firewallDriver: () =>
      call("tell of itself", async (docker, abortSignal) =>
        parseFirewallDriver(await telling(docker).info({ abortSignal })),
      ),
    listNetworks: () =>
      call("list networks", async (docker, abortSignal) =>
        (await docker.listNetworks({ abortSignal })).flatMap(parseNetwork),
      ),
    inspectNetwork: (id) =>
      found(
        "inspect network",
        async (docker, signal) => parseNetwork(await readNetwork(docker, id, signal))[0],
      ),
    listContainers: () =>
      call("list containers", async (docker, abortSignal) =>
        (await docker.listContainers({ all: true, abortSignal })).flatMap(parseListedContainer),
      ),
    inspectContainer: (id, signal) =>
      found(
        "inspect container",
        async (docker, abortSignal) =>
          parseContainer(await docker.getContainer(id).inspect({ abortSignal }))[0],
        signal,
      ),
    createBridgeNetwork: (name, labels) =>
      call(
        `create network ${JSON.stringify(name)}`,
        async (docker, abortSignal) => {
          const options = { Name: name, Driver: "bridge", CheckDuplicate: true, Labels: { ...labels } };
          return (await docker.createNetwork({ ...options, abortSignal })).id;
        },
        AbortSignal.timeout(limits.changeWithinMs),
      ),
    removeNetwork: (id) =>
      call(
        "remove network",
        async (docker, abortSignal) => void (await docker.getNetwork(id).remove({ abortSignal })),
        AbortSignal.timeout(limits.changeWithinMs),
      ),
    followEvents: (onOpen, onEvent, signal) =>
      call("follow events", async (docker) => {
        const stream = await openEvents(docker, limits.answerWithinMs);
        const stop = (): void => void Readable.prototype.destroy.call(stream);
        signal.addEventListener("abort", stop, { once: true });
        onOpen();
        try {
          for await (const line of createInterface({ input: stream })) {
            const event = parseEvent(line);
            if (event !== undefined) onEvent(event);
          }
        } finally {
          signal.removeEventListener("abort", stop);
          stop();
        }
      }),
  };
}

/** To be given up when the signal says so. */
type Request<T> = (docker: Docker, abortSignal: AbortSignal) => Promise<T>;

interface Telling {
  version(options: { readonly abortSignal: AbortSignal }): Promise<Docker.DockerVersion>;
  info(options: { readonly abortSignal: AbortSignal }): Promise<unknown>;
}

/** The package's types leave out that these take a signal as others do. */
const telling = (docker: Docker): Telling => docker as never;

/** As the package's own `inspect()` of networks, which takes no signal. */
function readNetwork(docker: Docker, id: string, abortSignal: AbortSignal): Promise<unknown> {
  const statusCodes = { 200: true, 404: "no such network", 500: "server error" };
  const request = { path: `/networks/${id}`, method: "GET", abortSignal, statusCodes };
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  docker.modem.dial(request, (error: unknown, answer: unknown) =>
    error === null ? resolve(answer) : reject(error),
  );
  return promise;
}

/** The stream is open without an end; only its beginning has to come in time. */
async function openEvents(docker: Docker, withinMs: number): Promise<NodeJS.ReadableStream> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), withinMs);
  const filters = { type: ["network" as const, "container" as const] };
  const options = { filters, abortSignal: abort.signal };
  try {
    return await docker.getEvents(options);
  } finally {
    clearTimeout(timer);
  }
}

/** True when the engine may answer later: it has taken the request, and said nothing in time. */
export function isSilence(error: unknown): boolean {
  return error instanceof DockerwallError && codeOf(error.cause) === abortedCode;
}

const abortedCode = "ABORT_ERR";

/** RFC 7464 puts it before each text, where somebody on the way has asked for application/json-seq. */
const recordSeparator = "\x1e";

function parseEvent(line: string): EngineEvent | undefined {
  const text = line.replace(recordSeparator, "").trim();
  if (text === "") return undefined;
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const { Type, Action, Actor } = parsed as { Type?: unknown; Action?: unknown; Actor?: unknown };
  const actor = (Actor ?? {}) as { ID?: unknown; Attributes?: unknown };
  if (typeof Type !== "string" || typeof Action !== "string" || typeof actor.ID !== "string")
    return undefined;
  const attributes = textsOf(actor.Attributes);
  return { type: Type, action: Action, id: actor.ID, container: attributes["container"], attributes };
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}

function statusOf(error: unknown): number | undefined {
  return typeof error === "object" && error !== null && "statusCode" in error
    ? Number(error.statusCode)
    : undefined;
}

function engineError(what: string, socketPath: string, error: unknown): DockerwallError {
  if (error instanceof DockerwallError) return error;
  const options = { cause: error };
  switch (codeOf(error)) {
    case "ENOENT":
    case "ENOTSOCK":
      return new DockerwallError(
        "ENGINE_UNREACHABLE",
        `no Docker socket at ${socketPath}; mount it with \`-v /var/run/docker.sock:/var/run/docker.sock\``,
        options,
      );
    case "ECONNREFUSED":
      return new DockerwallError(
        "ENGINE_UNREACHABLE",
        `the Docker engine behind ${socketPath} is not running`,
        options,
      );
    case abortedCode:
      return new DockerwallError(
        "ENGINE_UNREACHABLE",
        `the Docker engine did not answer in time when asked to ${what}`,
        options,
      );
    case "EACCES":
      return new DockerwallError(
        "NO_PRIVILEGE",
        `Dockerwall has no permission to use the Docker socket ${socketPath}; run as root`,
        options,
      );
    default: {
      const status = statusOf(error) ?? 0;
      // What a proxy says that passes on reading only.
      const hint = [403, 405].includes(status)
        ? "; a proxy in front of its socket must let this request pass"
        : "";
      return new DockerwallError(
        status === 409 ? "NETWORK_EXISTS" : "ENGINE_REFUSED",
        `the Docker engine refused to ${what}: ${messageOf(error).trim()}${hint}`,
        options,
      );
    }
  }
}
