// The engine's picture, kept current by its events: subscribe first, then list, then follow. An event only says where
// to look; the truth is read from the engine.

import { contain } from "../../core/contain.ts";
import type { Readings, Topology } from "../../core/model/topology.ts";
import type { ListedContainer } from "./api/answers.ts";
import type { EngineEvent } from "./api/events.ts";
import { type ContainerReader, createContainerReader } from "./container-reader.ts";
import type { Engine } from "./engine.ts";
import { followEvents } from "./event-stream.ts";
import { EnginePicture } from "./picture.ts";
import { shareRuns } from "./shared-run.ts";

export interface InventoryOptions {
  readonly engine: Engine;
  /** The clock of readings. */
  readonly nowMs: () => number;
  /** Pause between attempts to reach an engine that is away, milliseconds. */
  readonly retryMs: number;
  /** How long reading one container may take before that is a problem, milliseconds. */
  readonly slowAfterMs: number;
}

/** Whom an inventory tells. One that throws is a problem of the engine's picture, which goes on to be followed. */
export interface InventoryEvents {
  /** Called when the picture is another one. */
  readonly onChange: () => void;
  /** Called when more has been read, whether the picture is another one or not. */
  readonly onRead: () => void;
  /** Called after an event about a network: the engine may have changed rules. */
  readonly onNetworks: () => void;
  /** Called when the engine has read its settings again: what it says of itself may differ. */
  readonly onReload: () => void;
  /** Called when the event stream has broken, and with every attempt that fails: the engine may be gone. */
  readonly onLost: () => void;
  /** Called when the event stream opens again after it broke: the engine may have restarted. */
  readonly onReconnect: () => void;
  /** Called when everything has been listed again: whatever problem there was with that is over. */
  readonly onRefreshed: () => void;
  /** Called with those that cannot be read, by name, and why, whenever they are others. */
  readonly onUnread: (unread: readonly { readonly name: string; readonly why: string }[]) => void;
  /** Must not throw. */
  readonly onProblem: (problem: unknown) => void;
}

export interface Inventory {
  /**
   * To be called once; no event comes before. When this resolves, all networks have been read, and all containers are
   * known by the list at least.
   * @throws when the engine cannot be reached.
   */
  start(events: InventoryEvents): Promise<void>;
  /** The same object until something is other than before. */
  current(): Topology;
  /** Up to when that is true. */
  readings(): Readings;
  /** Whether more of it is to be known soon: containers are being read, and the engine is not slow to answer. */
  isReading(): boolean;
  /** By the same clock, when the last complete reading of the networks began that is in the picture. */
  networksReadAtMs(): number | undefined;
  /**
   * Lists everything again, and reads what is new, what the list shows otherwise, what could not be read, and the
   * suspects. Resolves when that is done, but for what is slow.
   */
  refresh(suspects?: readonly string[]): Promise<void>;
  stop(): void;
}

type Listed = ReadonlyMap<string, ListedContainer>;

/** Container events after which its name, addresses or state may differ. */
const containerActions = new Set(["create", "start", "die", "rename", "update"]);

/** Networks are read in the order of their events and before containers: their bridges are held until then. */
export function createInventory(options: InventoryOptions): Inventory {
  const inventory = new EngineInventory(options);
  return {
    start: (events) => inventory.start(events),
    current: () => inventory.current(),
    readings: () => inventory.readings(),
    isReading: () => inventory.isReading(),
    networksReadAtMs: () => inventory.networksReadAtMs(),
    refresh: (suspects) => inventory.refresh(suspects),
    stop: () => inventory.stop(),
  };
}

class EngineInventory implements Inventory {
  readonly #options: InventoryOptions;
  readonly #abort = new AbortController();
  readonly #picture: EnginePicture;
  readonly #reader: ContainerReader;
  readonly #listAll = shareRuns(() => this.#list());
  readonly #report = (problem: unknown): void => {
    if (!this.#abort.signal.aborted) this.#events?.onProblem(problem);
  };
  /** Undefined until it is started. */
  #events: InventoryEvents | undefined;

  constructor(options: InventoryOptions) {
    this.#options = options;
    this.#picture = new EnginePicture({
      onChange: () => this.#events?.onChange(),
      onGone: (id) => this.#reader.forget(id),
    });
    this.#reader = createContainerReader({
      inspect: (id, signal) => options.engine.inspectContainer(id, signal),
      nowMs: options.nowMs,
      stampOf: (id) => this.#picture.stampOf(id),
      onRead: (reading) => {
        this.#picture.useReading(reading);
        if (reading.container !== undefined) this.#events?.onRead();
      },
      onUnread: () => contain(() => this.#events?.onUnread(this.#unread()), this.#report),
      onFailure: this.#report,
      slowAfterMs: options.slowAfterMs,
    });
  }

  current(): Topology {
    return this.#picture.topology;
  }

  readings(): Readings {
    return this.#picture.readings;
  }

  isReading(): boolean {
    return this.#reader.isReading();
  }

  networksReadAtMs(): number | undefined {
    return this.#picture.networksReadAtMs;
  }

  async start(events: InventoryEvents): Promise<void> {
    this.#events = events;
    await new Promise<void>((resolve, reject) => {
      this.#follow(resolve).catch(reject);
    });
    const listed = await this.#listAll();
    this.#readListed(listed, []).catch(this.#report);
  }

  async refresh(suspects: readonly string[] = []): Promise<void> {
    await this.#readListed(await this.#listAll(), suspects);
  }

  stop(): void {
    this.#abort.abort();
    this.#reader.stop();
  }

  #follow(onFirst: () => void): Promise<void> {
    const { engine, retryMs } = this.#options;
    return followEvents({
      engine,
      onFirst,
      onReconnect: () => {
        this.#events?.onReconnect();
        // Meanwhile it may have changed any container.
        this.#picture.forgetStamps();
        this.refresh().catch(this.#report);
      },
      onEvent: (event) => this.#take(event),
      onLost: () => contain(() => this.#events?.onLost(), this.#report),
      onProblem: this.#report,
      retryMs,
      signal: this.#abort.signal,
    });
  }

  #take(event: EngineEvent): void {
    if (event.type === "network") {
      this.#events?.onNetworks();
      this.#takeNetworkEvent(event);
    } else if (event.type === "daemon") {
      if (event.action === "reload") this.#events?.onReload();
    } else if (event.action === "destroy") {
      this.#picture.dropContainer(event.id);
    } else if (containerActions.has(event.action)) {
      if (event.action === "create") this.#picture.announce(event.id, event.attributes);
      void this.#reader.read(event.id);
    }
  }

  #takeNetworkEvent({ action, id, container }: EngineEvent): void {
    if (action === "destroy") {
      this.#picture.putNetwork(id, undefined, this.#picture.touch(id));
    } else if (container !== undefined) {
      void this.#reader.read(container);
    } else {
      this.#readNetwork(id).catch(this.#report);
    }
  }

  async #readNetwork(id: string): Promise<void> {
    const askedAt = this.#picture.touch(id);
    this.#picture.putNetwork(id, await this.#options.engine.inspectNetwork(id), askedAt);
  }

  /** Networks decide what is held, so they come first: a container may be on none that is still unknown. */
  async #list(): Promise<Listed> {
    const { engine, nowMs } = this.#options;
    const begunAtMs = nowMs();
    const networksAskedAt = this.#picture.now();
    this.#picture.useNetworks(await engine.listNetworks(), networksAskedAt, begunAtMs);
    const askedAt = this.#picture.now();
    const listed = new Map((await engine.listContainers()).map((each) => [each.container.id, each]));
    this.#picture.useContainers(listed, askedAt, begunAtMs);
    this.#events?.onRead();
    return listed;
  }

  async #readListed(listed: Listed, suspects: readonly string[]): Promise<void> {
    const slow = new Set(this.#reader.unread().keys());
    const asked = new Set(suspects);
    const wanted = [...listed].filter(
      ([id, { stamp }]) => asked.has(id) || this.#picture.isOutdated(id, stamp) || slow.has(id),
    );
    const readings = wanted.map(([id]) => ({ id, reading: this.#reader.read(id) }));
    await Promise.all(readings.flatMap(({ id, reading }) => (slow.has(id) ? [] : reading)));
    this.#events?.onRefreshed();
  }

  #unread(): { name: string; why: string }[] {
    return [...this.#reader.unread()].map(([id, why]) => ({ name: this.#picture.nameOf(id), why }));
  }
}
