// The engine's picture, kept current by its events: subscribe first, then list, then follow. An event only says
// where to look; what is true is read from the engine.

import type { Container, Network, Topology } from "../model/topology.ts";
import type { Engine, EngineEvent } from "./engine.ts";

export interface InventoryOptions {
  readonly engine: Engine;
  /** Called after every reading that may have changed the picture. */
  readonly onChange: () => void;
  /** Called after an event about a network: the engine may have changed rules. */
  readonly onNetworks: () => void;
  /** Called when the event stream opens again after it broke: the engine may have restarted. */
  readonly onReconnect: () => void;
  /**
   * Called when everything has been read again: whatever problem there was with that is over.
   * @param whole false when a container could not be read
   */
  readonly onRefreshed: (whole: boolean) => void;
  readonly onProblem: (problem: unknown) => void;
  /** Pause between attempts to reach an engine that is away, milliseconds. */
  readonly retryMs: number;
}

export interface Inventory {
  /** All networks have been read when this resolves; containers follow. @throws when the engine cannot be reached. */
  start(): Promise<void>;
  /** The same object until something was read again. */
  current(): Topology;
  /** By performance.now(), when the last complete reading of the networks began that is in the picture. */
  networksReadAtMs(): number | undefined;
  /** Reads everything again. */
  refresh(): Promise<void>;
  stop(): void;
}

/** Networks are read in the order of their events and before containers: their bridges are held until then. */
export function createInventory(options: InventoryOptions): Inventory {
  const { engine } = options;
  const networks = new Map<string, Network>();
  const containers = new Map<string, Container>();
  const abort = new AbortController();
  let refreshing: Promise<void> | undefined;
  let networksReadAtMs: number | undefined;
  let picture: Topology = { networks: [], containers: [] };

  const changed = (): void => {
    picture = { networks: [...networks.values()], containers: [...containers.values()] };
    options.onChange();
  };
  const report = (problem: unknown): void => {
    if (!abort.signal.aborted) options.onProblem(problem);
  };

  /** Ids that an event or an answer spoke of, by when: a list that was begun earlier says nothing about them. */
  const touchedAt = new Map<string, number>();
  let clock = 0;
  const touch = (id: string): void => void touchedAt.set(id, ++clock);
  const outdated = (id: string, begunAt: number): boolean => (touchedAt.get(id) ?? 0) > begunAt;

  async function readNetworks(): Promise<void> {
    const begunAt = ++clock;
    const begunAtMs = performance.now();
    const listed = new Map((await engine.listNetworks()).map((network) => [network.id, network]));
    for (const [id, network] of listed) if (!outdated(id, begunAt)) networks.set(id, network);
    for (const id of networks.keys()) if (!listed.has(id) && !outdated(id, begunAt)) networks.delete(id);
    networksReadAtMs = begunAtMs;
    changed();
  }

  async function readContainers(): Promise<boolean> {
    const begunAt = ++clock;
    const ids = new Set(await engine.listContainerIds());
    for (const id of containers.keys()) {
      if (!ids.has(id) && !outdated(id, begunAt)) containers.delete(id);
    }
    for (const id of touchedAt.keys()) {
      if (!networks.has(id) && !containers.has(id) && !ids.has(id)) touchedAt.delete(id);
    }
    // One that cannot be read, or not yet, must not hide the others.
    const readings = await Promise.allSettled([...ids].map(readContainer));
    const failures = readings.flatMap((reading) => (reading.status === "rejected" ? [reading.reason] : []));
    failures.forEach(report);
    return failures.length === 0;
  }

  async function readAll(): Promise<void> {
    // Networks decide what is held; they are not kept waiting for a container that is still starting.
    await readNetworks();
    options.onRefreshed(await readContainers());
  }

  async function readNetwork(id: string): Promise<void> {
    touch(id);
    const begunAt = clock;
    const network = await engine.inspectNetwork(id);
    if (outdated(id, begunAt)) return;
    if (network === undefined) networks.delete(id);
    else networks.set(id, network);
    changed();
  }

  async function readContainer(id: string): Promise<void> {
    touch(id);
    const begunAt = clock;
    const container = await engine.inspectContainer(id);
    if (outdated(id, begunAt)) return;
    if (container === undefined) containers.delete(id);
    else containers.set(id, container);
    changed();
  }

  /** Overlapping calls share one reading that began after the last of them but one. */
  async function refresh(): Promise<void> {
    const previous = refreshing;
    if (previous !== undefined) {
      await previous.catch(() => undefined);
      if (refreshing !== undefined && refreshing !== previous) return refreshing;
    }
    refreshing = readAll().finally(() => {
      refreshing = undefined;
    });
    return refreshing;
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
    containers.set(id, { id, name, labels: attributes, ...unknown });
    changed();
  }

  function onEvent(event: EngineEvent): void {
    if (event.type === "network") {
      options.onNetworks();
      if (event.action === "destroy") {
        touch(event.id);
        networks.delete(event.id);
        changed();
      } else if (event.container !== undefined) {
        readContainer(event.container).catch(report);
      } else {
        readNetwork(event.id).catch(report);
      }
    } else if (containerActions.has(event.action)) {
      if (event.action === "create") announce(event);
      readContainer(event.id).catch(report);
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
              options.onReconnect();
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
      await pause(options.retryMs, abort.signal);
    }
  }

  return {
    current: () => picture,
    networksReadAtMs: () => networksReadAtMs,
    refresh,
    async start() {
      await new Promise<void>((resolve, reject) => {
        follow(resolve).catch(reject);
      });
      await readNetworks();
      refresh().catch(report);
    },
    stop: () => abort.abort(),
  };
}

/** Container events after which its name, addresses or state may differ. */
const containerActions = new Set(["create", "start", "die", "destroy", "rename", "update"]);

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
