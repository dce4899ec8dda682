// A Docker engine that is nothing but its API, on a unix socket: a test says what it lists and when it tells.

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

type Json = Readonly<Record<string, unknown>>;

/** The versions of its API that an engine takes in a path. */
export interface EngineApi {
  readonly least: string;
  readonly most: string;
}

export interface FakeEngine extends AsyncDisposable {
  readonly socket: string;
  api: EngineApi;
  /** Its own, as `GET /version` has it. */
  version: string;
  /** Whether `GET /version` says which version is the newest. */
  saysVersion: boolean;
  /** Every path that was asked for, the oldest first. */
  readonly asked: string[];
  /** As `GET /info` has it. */
  info: Json;
  /** As `GET /networks` lists them, by id. */
  readonly networks: Map<string, Json>;
  /** As `GET /containers/ID/json` has them, by id. */
  readonly containers: Map<string, Json>;
  /** While true nothing is answered. */
  hangs: boolean;
  /** Ends the streams of events, as an engine that ends does. */
  breakOff(): void;
  /** Writes to the followers of events. */
  say(text: string): void;
  /** Tells of a change. */
  tell(type: "network" | "container", action: string, id: string): void;
}

/** @param api of engine 28.5 unless told otherwise */
export async function startFakeEngine(api: EngineApi = { least: "1.24", most: "1.51" }): Promise<FakeEngine> {
  const folder = mkdtempSync(join(tmpdir(), "dockerwall-engine-"));
  const socket = join(folder, "docker.sock");
  const networks = new Map<string, Json>();
  const containers = new Map<string, Json>();
  const followers = new Set<ServerResponse>();
  const answers: readonly [path: RegExp, answer: (id: string) => unknown][] = [
    [
      /^\/version$/,
      () => ({ Version: engine.version, ...(engine.saysVersion ? { ApiVersion: engine.api.most } : {}) }),
    ],
    [/^\/info$/, () => engine.info],
    [/^\/networks$/, () => [...networks.values()]],
    [/^\/networks\/([^/]+)$/, (id) => networks.get(id)],
    [/^\/containers\/json$/, () => [...containers.values()].map(listed)],
    [/^\/containers\/([^/]+)\/json$/, (id) => containers.get(id)],
  ];
  const server = createServer((request, response) => {
    if (engine.hangs) return;
    engine.asked.push(request.url ?? "");
    const [, version = engine.api.most, path = ""] =
      /^(?:\/v([0-9.]+))?([^?]*)/.exec(request.url ?? "") ?? [];
    const refusal = refusalOf(version, engine.api);
    if (refusal !== undefined) {
      response
        .writeHead(400, { "Content-Type": "application/json" })
        .end(JSON.stringify({ message: refusal }));
      return;
    }
    if (path === "/events") {
      followers.add(response);
      response.once("close", () => followers.delete(response));
      response.writeHead(200).flushHeaders();
      return;
    }
    for (const [pattern, answer] of answers) {
      const match = pattern.exec(path);
      if (match === null) continue;
      const value = answer(match[1] ?? "");
      response.writeHead(value === undefined ? 404 : 200, { "Content-Type": "application/json" });
      response.end(JSON.stringify(value ?? { message: "there is none" }));
      return;
    }
    response.writeHead(404).end("{}");
  });
  server.listen(socket);
  await once(server, "listening");
  const engine: FakeEngine = {
    socket,
    networks,
    containers,
    hangs: false,
    api,
    version: "28.5.2",
    saysVersion: true,
    asked: [],
    info: {},
    breakOff() {
      for (const follower of followers) follower.end();
    },
    say(text) {
      for (const follower of followers) follower.write(text);
    },
    tell(type, action, id) {
      engine.say(`${JSON.stringify({ Type: type, Action: action, Actor: { ID: id, Attributes: {} } })}\n`);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      rmSync(folder, { recursive: true });
    },
  };
  return engine;
}

/** What an engine says of a version that it does not take, in its words. */
function refusalOf(version: string, { least, most }: EngineApi): string | undefined {
  const minor = (text: string): number => Number(text.replace("1.", ""));
  if (minor(version) < minor(least))
    return `client version ${version} is too old. Minimum supported API version is ${least}, please upgrade your client to a newer version`;
  if (minor(version) > minor(most))
    return `client version ${version} is too new. Maximum supported API version is ${most}`;
  return undefined;
}

/** A bridge network as the engine lists it; `allow` undefined is one that nobody guards. */
export function bridgeNetwork(fields: {
  readonly id: string;
  readonly name: string;
  readonly bridge?: string;
  readonly subnet?: string;
  readonly allow?: string;
}): Json {
  const { id, name, bridge, subnet = "198.19.1.0/24", allow } = fields;
  return {
    Id: id,
    Name: name,
    Driver: "bridge",
    IPAM: { Config: [{ Subnet: subnet }] },
    Options: bridge === undefined ? {} : { "com.docker.network.bridge.name": bridge },
    Internal: false,
    Labels: allow === undefined ? {} : { "dockerwall.allow": allow },
  };
}

/** A container as the engine inspects it. */
export function container(fields: {
  readonly id: string;
  readonly name: string;
  readonly networkMode?: string;
  readonly running?: boolean;
  /** Name of its network namespace. */
  readonly sandbox?: string;
  /** Address by the id of each network that it is on. */
  readonly on?: Readonly<Record<string, string>>;
}): Json {
  const { id, name, networkMode = "app", running = true, sandbox = "", on = {} } = fields;
  return {
    Id: id,
    Name: `/${name}`,
    Config: { Labels: {} },
    State: { Running: running },
    HostConfig: { NetworkMode: networkMode },
    NetworkSettings: {
      SandboxKey: sandbox === "" ? "" : `/run/netns/${sandbox}`,
      Networks: Object.fromEntries(
        Object.entries(on).map(([networkId, address], index) => [
          `n${index}`,
          { NetworkID: networkId, IPAddress: address },
        ]),
      ),
    },
  };
}

/** An inspected container as the list of all has it. */
function listed(inspected: Json): Json {
  const { Id, Name, Config, State, HostConfig, NetworkSettings } = inspected as {
    readonly Config: Json;
    readonly State: Json;
  } & Json;
  const state = State["Running"] === true ? "running" : "exited";
  return { Id, Names: [Name], Labels: Config["Labels"], State: state, HostConfig, NetworkSettings };
}
