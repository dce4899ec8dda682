// An engine as far as knowledge goes: containers that are made, started, stopped and removed, readers that wait while
// one starts or hangs, a list that waits for nobody, events that come late or not at all. Every answer is served at one
// step and delivered at another, so that all interleavings can be had.

import type { IpAddress } from "../../src/core/model/address.ts";
import type { Container, Network } from "../../src/core/model/topology.ts";
import type { EngineEvent } from "../../src/edge/engine/api/events.ts";
import type { Engine } from "../../src/edge/engine/engine.ts";
import { DockerwallError } from "../../src/errors.ts";
import { newContainer } from "./topologies.ts";

export interface ModelContainer {
  readonly id: string;
  readonly label: string | undefined;
  phase: "stopped" | "starting" | "running";
  sandbox: string | undefined;
  address: IpAddress | undefined;
  hangs: boolean;
  /** What the list says: what was last written down. */
  written: Container;
  stamp: number;
}

interface Request {
  /** Undefined while it has to wait. */
  readonly serve: () => (() => void) | undefined;
  deliver: (() => void) | undefined;
}

export interface ModelEngine {
  readonly engine: Engine;
  readonly containers: Map<string, ModelContainer>;
  make(label: string | undefined): void;
  /** The sandbox is there, and has its address, when it returns. */
  beginStart(container: ModelContainer, address: IpAddress): void;
  endStart(container: ModelContainer): void;
  stop(container: ModelContainer): void;
  remove(container: ModelContainer): void;
  /** Takes the answer to one request, or hands it over. */
  work(pick: number): void;
  deliverEvent(): void;
  /** The event stream ends; what it has not delivered is lost. */
  breakStream(): void;
  readonly idle: () => boolean;
}

export function createModelEngine(network: Network): ModelEngine {
  const containers = new Map<string, ModelContainer>();
  const requests = new Set<Request>();
  let events: EngineEvent[] = [];
  let stream: { readonly onEvent: (event: EngineEvent) => void; readonly end: () => void } | undefined;
  let made = 0;
  let stamps = 0;

  function request<T>(serve: () => { readonly value: T } | undefined, signal?: AbortSignal): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const each: Request = {
      deliver: undefined,
      serve: () => {
        const served = serve();
        return served && (() => resolve(served.value));
      },
    };
    requests.add(each);
    signal?.addEventListener("abort", () => {
      requests.delete(each);
      reject(new DockerwallError("ENGINE_UNREACHABLE", "given up"));
    });
    return promise;
  }

  const told = ({ id, label, sandbox, address, phase }: ModelContainer): Container => ({
    ...newContainer(id, network.id),
    labels: label === undefined ? {} : { "dockerwall.allow": label },
    running: phase === "running",
    sandbox,
    endpoints: [
      { networkId: network.id, addresses: address === undefined ? [] : [address], aliases: [], links: [] },
    ],
    configured: [network.id],
  });

  function write(container: ModelContainer): void {
    container.written = { ...told(container), sandbox: undefined };
    container.stamp = ++stamps;
  }

  function say(action: string, { id, label }: ModelContainer): void {
    if (stream === undefined) return;
    const attributes = { name: id, ...(label === undefined ? {} : { "dockerwall.allow": label }) };
    events.push({ type: "container", action, id, container: undefined, attributes });
  }

  return {
    containers,
    engine: {
      version: () => Promise.reject(new Error("not asked")),
      firewallDriver: () => Promise.reject(new Error("not asked")),
      keepsContainers: () => Promise.reject(new Error("not asked")),
      listNetworks: () => request(() => ({ value: [network] })),
      inspectNetwork: () => request(() => ({ value: network })),
      listContainers: () =>
        request(() => ({
          value: [...containers.values()].map(({ written, stamp }) => ({
            container: written,
            stamp: `${stamp}`,
          })),
        })),
      inspectContainer: (id, signal) =>
        request(() => {
          const container = containers.get(id);
          if (container === undefined) return { value: undefined };
          if (container.hangs || container.phase === "starting") return undefined;
          return { value: told(container) };
        }, signal),
      createBridgeNetwork: () => Promise.reject(new Error("not asked")),
      removeNetwork: () => Promise.reject(new Error("not asked")),
      followEvents: (onOpen, onEvent, signal) =>
        new Promise((resolve) => {
          const end = (): void => {
            stream = undefined;
            events = [];
            resolve();
          };
          stream = { onEvent, end };
          signal.addEventListener("abort", end);
          onOpen();
        }),
    },
    make(label) {
      const id = `c${++made}`;
      const container: ModelContainer = {
        id,
        label,
        phase: "stopped",
        sandbox: undefined,
        address: undefined,
        hangs: false,
        written: newContainer(id, network.id),
        stamp: 0,
      };
      containers.set(id, container);
      write(container);
      say("create", container);
    },
    beginStart(container, address) {
      container.phase = "starting";
      container.sandbox = `s${++stamps}`;
      container.address = address;
    },
    endStart(container) {
      container.phase = "running";
      write(container);
      say("start", container);
    },
    stop(container) {
      container.phase = "stopped";
      container.sandbox = undefined;
      container.address = undefined;
      write(container);
      say("die", container);
    },
    remove(container) {
      containers.delete(container.id);
      say("destroy", container);
    },
    work(pick) {
      const each = [...requests].at(pick % Math.max(1, requests.size));
      if (each === undefined) return;
      if (each.deliver === undefined) each.deliver = each.serve();
      else {
        requests.delete(each);
        each.deliver();
      }
    },
    deliverEvent() {
      const event = events.shift();
      if (event !== undefined) stream?.onEvent(event);
    },
    breakStream: () => stream?.end(),
    idle: () => requests.size === 0 && events.length === 0,
  };
}
