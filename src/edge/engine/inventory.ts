// The engine's picture, kept current by its events: subscribe first, then list, then follow. An event only says
// where to look; what is true is read from the engine.

import { isDeepStrictEqual } from "node:util";
import { contain } from "../../core/contain.ts";
import type { Container, Network, Readings, Topology } from "../../core/model/topology.ts";
import type { ListedContainer } from "./answers.ts";
import { type ContainerReading, createContainerReader } from "./container-reader.ts";
import type { Engine, EngineEvent } from "./engine.ts";

export interface InventoryOptions {
  readonly engine: Engine;
  /** By the clock that readings are told by. */
  readonly nowMs: () => number;
  /** Pause between attempts to reach an engine that is away, milliseconds. */
  readonly retryMs: number;
  /** How long one container may take to be read before it is told, milliseconds. */
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
   * To be called once; nobody is told of anything before. All networks have been read when this resolves, and all
   * containers are known by the list at least.
   * @throws when the engine cannot be reached.
   */
  start(events: InventoryEvents): Promise<void>;
  /** The same object until something is other than before. */
  current(): Topology;
  /** Up to when that is true. */
  readings(): Readings;
  /** By the same clock, when the last complete reading of the networks began that is in the picture. */
  networksReadAtMs(): number | undefined;
  /**
   * Lists everything again, and reads what is new, what the list shows otherwise, what could not be read, and the
   * suspects. Resolves when that is done, but for what is slow.
   */
  refresh(suspects?: readonly string[]): Promise<void>;
  stop(): void;
}

/** Networks are read in the order of their events and before containers: their bridges are held until then. */
export function createInventory(options: InventoryOptions): Inventory {
  const { engine } = options;
  const networks = new Map<string, Network>();
  const containers = new Map<string, Container>();
  const abort = new AbortController();
  /** Undefined until it is started. */
  let events: InventoryEvents | undefined;
  let networksReadAtMs: number | undefined;
  let picture: Topology = { networks: [], containers: [] };
  let listedAtMs = Number.NEGATIVE_INFINITY;
  const readAtMs = new Map<string, number>();

  /** A picture that is the same costs everybody who is told of it as much as another one. */
  function put<Value>(map: Map<string, Value>, id: string, value: Value | undefined): boolean {
    if (isDeepStrictEqual(map.get(id), value)) return false;
    if (value === undefined) map.delete(id);
    else map.set(id, value);
    return true;
  }
  const tellIf = (changed: boolean): void => {
    if (!changed) return;
    picture = { networks: [...networks.values()], containers: [...containers.values()] };
    events?.onChange();
  };
  const report = (problem: unknown): void => {
    if (!abort.signal.aborted) events?.onProblem(problem);
  };

  /** Ids that an event or an answer spoke of, by when: a list that was begun earlier says nothing about them. */
  const touchedAt = new Map<string, number>();
  let clock = 0;
  const touch = (id: string): void => void touchedAt.set(id, ++clock);
  const outdated = (id: string, begunAt: number): boolean => (touchedAt.get(id) ?? 0) > begunAt;

  /** What the last list said of each, and what it had said when each was read. */
  let listedStamps: ReadonlyMap<string, string> = new Map();
  const readStamps = new Map<string, string | undefined>();
  const reader = createContainerReader({
    inspect: engine.inspectContainer,
    nowMs: options.nowMs,
    stampOf: (id) => listedStamps.get(id),
    onRead: useReading,
    onUnread: () => contain(() => events?.onUnread(unreadNow()), report),
    slowAfterMs: options.slowAfterMs,
  });

  function unreadNow(): { name: string; why: string }[] {
    return [...reader.unread()].map(([id, why]) => ({
      name: containers.get(id)?.name ?? id.slice(0, 12),
      why,
    }));
  }

  function useReading({ id, container, begunAtMs, stamp }: ContainerReading): void {
    touch(id);
    if (container === undefined) {
      drop(id);
      return;
    }
    readAtMs.set(id, begunAtMs);
    readStamps.set(id, stamp);
    tellIf(put(containers, id, container));
    events?.onRead();
  }

  /** There is no such container any more. */
  function drop(id: string): void {
    touch(id);
    reader.forget(id);
    readAtMs.delete(id);
    readStamps.delete(id);
    tellIf(put(containers, id, undefined));
  }

  async function readNetworks(): Promise<void> {
    const begunAt = ++clock;
    const begunAtMs = options.nowMs();
    const listed = new Map((await engine.listNetworks()).map((network) => [network.id, network]));
    let changed = false;
    for (const [id, network] of listed) {
      if (!outdated(id, begunAt)) changed = put(networks, id, network) || changed;
    }
    for (const id of [...networks.keys()]) {
      if (!listed.has(id) && !outdated(id, begunAt)) changed = put(networks, id, undefined) || changed;
    }
    networksReadAtMs = begunAtMs;
    tellIf(changed);
  }

  /** Resolves to what the list says of each. */
  async function listContainers(begunAtMs: number): Promise<ReadonlyMap<string, ListedContainer>> {
    const begunAt = ++clock;
    const listed = new Map((await engine.listContainers()).map((each) => [each.container.id, each]));
    listedStamps = new Map([...listed].map(([id, { stamp }]) => [id, stamp]));
    for (const id of [...containers.keys()]) if (!listed.has(id) && !outdated(id, begunAt)) drop(id);
    for (const id of touchedAt.keys()) {
      if (!networks.has(id) && !containers.has(id) && !listed.has(id)) touchedAt.delete(id);
    }
    let changed = false;
    for (const [id, { container }] of listed) {
      if (!outdated(id, begunAt)) changed = put(containers, id, merge(id, container)) || changed;
    }
    listedAtMs = begunAtMs;
    tellIf(changed);
    events?.onRead();
    return listed;
  }

  /** What was read of it stays true, but for what the list says otherwise. */
  function merge(id: string, listed: Container): Container {
    const known = containers.get(id);
    if (known === undefined || !readAtMs.has(id)) return listed;
    const { name, running } = listed;
    return running ? { ...known, name } : { ...known, name, running, sandbox: undefined, endpoints: [] };
  }

  let listing: Promise<ReadonlyMap<string, ListedContainer>> | undefined;
  let nextListing: typeof listing;

  /** Overlapping calls share one listing that began after the last of them but one. */
  function listAll(): NonNullable<typeof listing> {
    if (nextListing !== undefined) return nextListing;
    if (listing === undefined) return beginListing();
    nextListing = listing.then(beginListing, beginListing);
    return nextListing;
  }

  function beginListing(): NonNullable<typeof listing> {
    nextListing = undefined;
    const begunAtMs = options.nowMs();
    // Networks decide what is held: a container that is told of first would be on one that nobody knows.
    listing = readNetworks()
      .then(() => listContainers(begunAtMs))
      .finally(() => {
        listing = undefined;
      });
    return listing;
  }

  async function refresh(suspects: readonly string[] = []): Promise<void> {
    await readListed(await listAll(), suspects);
  }

  async function readListed(
    listed: ReadonlyMap<string, ListedContainer>,
    suspects: readonly string[],
  ): Promise<void> {
    const slow = new Set(reader.unread().keys());
    const asked = new Set(suspects);
    const wanted = [...listed].filter(
      ([id, { stamp }]) => asked.has(id) || readStamps.get(id) !== stamp || slow.has(id),
    );
    const readings = wanted.map(([id]) => ({ id, reading: reader.read(id) }));
    await Promise.all(readings.flatMap(({ id, reading }) => (slow.has(id) ? [] : reading)));
    events?.onRefreshed();
  }

  async function readNetwork(id: string): Promise<void> {
    touch(id);
    const begunAt = clock;
    const network = await engine.inspectNetwork(id);
    if (!outdated(id, begunAt)) tellIf(put(networks, id, network));
  }

  /** The engine keeps us from reading a container while it starts; its labels stand in the event already. */
  function announce({ id, attributes }: EngineEvent): void {
    if (containers.has(id)) return;
    const name = attributes["name"] ?? id.slice(0, 12);
    const unknown = {
      running: false,
      networkMode: "",
      sandbox: undefined,
      endpoints: [],
      configured: [],
      hazards: [],
    };
    touch(id);
    tellIf(put(containers, id, { id, name, labels: attributes, ...unknown }));
  }

  function onEvent(event: EngineEvent): void {
    if (event.type === "network") {
      events?.onNetworks();
      if (event.action === "destroy") {
        touch(event.id);
        tellIf(put(networks, event.id, undefined));
      } else if (event.container !== undefined) {
        void reader.read(event.container);
      } else {
        readNetwork(event.id).catch(report);
      }
    } else if (event.action === "destroy") {
      drop(event.id);
    } else if (containerActions.has(event.action)) {
      if (event.action === "create") announce(event);
      void reader.read(event.id);
    }
  }

  async function follow(onFirst: () => void): Promise<void> {
    let opened = 0;
    while (!abort.signal.aborted) {
      try {
        await engine.followEvents(
          () => {
            opened += 1;
            if (opened === 1) onFirst();
            else {
              events?.onReconnect();
              // What it did meanwhile, it may have done to anybody.
              readStamps.clear();
              refresh().catch(report);
            }
          },
          onEvent,
          abort.signal,
        );
      } catch (error) {
        if (opened === 0) throw error;
        report(error);
      }
      if (!abort.signal.aborted) contain(() => events?.onLost(), report);
      await pause(options.retryMs, abort.signal);
    }
  }

  return {
    current: () => picture,
    readings: () => ({ listedAtMs, readAtMs }),
    networksReadAtMs: () => networksReadAtMs,
    refresh,
    async start(told) {
      events = told;
      await new Promise<void>((resolve, reject) => {
        follow(resolve).catch(reject);
      });
      const listed = await listAll();
      readListed(listed, []).catch(report);
    },
    stop() {
      abort.abort();
      reader.stop();
    },
  };
}

/** Container events after which its name, addresses or state may differ. */
const containerActions = new Set(["create", "start", "die", "rename", "update"]);

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
