// The engine's networks and containers as events, lists and readings have told of them. Answers overtake each other: what
// was asked for before an event says nothing about what the event was about.

import { isDeepStrictEqual } from "node:util";
import {
  type Container,
  type Network,
  type Readings,
  shortId,
  type Topology,
} from "../../core/model/topology.ts";
import type { ListedContainer } from "./api/answers.ts";
import type { ContainerReading } from "./container-reader.ts";

export interface EnginePictureOptions {
  /** Called when the picture is another one. */
  readonly onChange: () => void;
  /** Called with a container that is gone: what is still read of it counts for nothing. */
  readonly onGone: (id: string) => void;
}

/** What an answer may be older than: the number of events and answers that had been taken in when it was asked for. */
export type Moment = number;

export class EnginePicture {
  readonly #options: EnginePictureOptions;
  readonly #networks = new Map<string, Network>();
  readonly #containers = new Map<string, Container>();
  #topology: Topology = { networks: [], containers: [] };
  /** Ids that an event or an answer spoke of, by when: a list that was begun earlier says nothing about them. */
  readonly #touchedAt = new Map<string, Moment>();
  #moment: Moment = 0;
  #listedAtMs = Number.NEGATIVE_INFINITY;
  #networksReadAtMs: number | undefined;
  readonly #readAtMs = new Map<string, number>();
  /** What the last list said of each container, and what it had said when each was read. */
  #listedStamps: ReadonlyMap<string, string> = new Map();
  readonly #readStamps = new Map<string, string | undefined>();

  constructor(options: EnginePictureOptions) {
    this.#options = options;
  }

  /** The same object until something is other than before. */
  get topology(): Topology {
    return this.#topology;
  }

  get readings(): Readings {
    return { listedAtMs: this.#listedAtMs, readAtMs: this.#readAtMs };
  }

  /** When the last complete reading of the networks began; undefined before there was one. */
  get networksReadAtMs(): number | undefined {
    return this.#networksReadAtMs;
  }

  /** To be called before the engine is asked for what is given with it. */
  now(): Moment {
    return ++this.#moment;
  }

  /** The name of a container, or what stands for it. */
  nameOf(id: string): string {
    return this.#containers.get(id)?.name ?? shortId(id);
  }

  /** What the last list said of a container. */
  stampOf(id: string): string | undefined {
    return this.#listedStamps.get(id);
  }

  /** Whether the list says another thing of a container than when it was read. */
  isOutdated(id: string, stamp: string): boolean {
    return this.#readStamps.get(id) !== stamp;
  }

  /** All that was read may be other by now. */
  forgetStamps(): void {
    this.#readStamps.clear();
  }

  /** An event, or an answer about this one alone. */
  touch(id: string): Moment {
    const moment = this.now();
    this.#touchedAt.set(id, moment);
    return moment;
  }

  /** @param network undefined when it is gone */
  putNetwork(id: string, network: Network | undefined, askedAt: Moment): void {
    if (!this.#isNewer(id, askedAt)) this.#tellIf(put(this.#networks, id, network));
  }

  useNetworks(networks: readonly Network[], askedAt: Moment, begunAtMs: number): void {
    const listed = new Map(networks.map((network) => [network.id, network]));
    let changed = false;
    for (const [id, network] of listed) {
      if (!this.#isNewer(id, askedAt)) changed = put(this.#networks, id, network) || changed;
    }
    for (const id of [...this.#networks.keys()]) {
      if (!listed.has(id) && !this.#isNewer(id, askedAt))
        changed = put(this.#networks, id, undefined) || changed;
    }
    this.#networksReadAtMs = begunAtMs;
    this.#tellIf(changed);
  }

  useContainers(listed: ReadonlyMap<string, ListedContainer>, askedAt: Moment, begunAtMs: number): void {
    this.#listedStamps = new Map([...listed].map(([id, { stamp }]) => [id, stamp]));
    for (const id of [...this.#containers.keys()])
      if (!listed.has(id) && !this.#isNewer(id, askedAt)) this.dropContainer(id);
    for (const id of this.#touchedAt.keys()) {
      if (!this.#networks.has(id) && !this.#containers.has(id) && !listed.has(id)) this.#touchedAt.delete(id);
    }
    let changed = false;
    for (const [id, { container }] of listed) {
      if (!this.#isNewer(id, askedAt))
        changed = put(this.#containers, id, this.#merge(id, container)) || changed;
    }
    this.#listedAtMs = begunAtMs;
    this.#tellIf(changed);
  }

  useReading({ id, container, begunAtMs, stamp }: ContainerReading): void {
    this.touch(id);
    if (container === undefined) {
      this.dropContainer(id);
      return;
    }
    this.#readAtMs.set(id, begunAtMs);
    this.#readStamps.set(id, stamp);
    this.#tellIf(put(this.#containers, id, container));
  }

  /** There is no such container any more. */
  dropContainer(id: string): void {
    this.touch(id);
    this.#options.onGone(id);
    this.#readAtMs.delete(id);
    this.#readStamps.delete(id);
    this.#tellIf(put(this.#containers, id, undefined));
  }

  /** The engine keeps us from reading a container while it starts; its labels stand in the event already. */
  announce(id: string, attributes: Readonly<Record<string, string>>): void {
    if (this.#containers.has(id)) return;
    const name = attributes["name"] ?? shortId(id);
    this.touch(id);
    this.#tellIf(put(this.#containers, id, { ...unread, id, name, labels: attributes }));
  }

  /** What was read of it stays true, but for what the list says otherwise. */
  #merge(id: string, listed: Container): Container {
    const known = this.#containers.get(id);
    if (known === undefined || !this.#readAtMs.has(id)) return listed;
    const { name, running } = listed;
    return running ? { ...known, name } : { ...known, name, running, sandbox: undefined, endpoints: [] };
  }

  #isNewer(id: string, askedAt: Moment): boolean {
    return (this.#touchedAt.get(id) ?? 0) > askedAt;
  }

  #tellIf(changed: boolean): void {
    if (!changed) return;
    this.#topology = {
      networks: [...this.#networks.values()],
      containers: [...this.#containers.values()],
    };
    this.#options.onChange();
  }
}

const unread: Omit<Container, "id" | "name" | "labels"> = {
  running: false,
  networkMode: "",
  sandbox: undefined,
  endpoints: [],
  configured: [],
  hazards: [],
};

/** A picture that is the same costs its listeners as much as a new one. */
function put<Value>(map: Map<string, Value>, id: string, value: Value | undefined): boolean {
  if (isDeepStrictEqual(map.get(id), value)) return false;
  if (value === undefined) map.delete(id);
  else map.set(id, value);
  return true;
}
