// The engine's stream of events, a JSON text on each line.

import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type Docker from "dockerode";
import { textsOf } from "./json.ts";

export interface EngineEvent {
  readonly type: string;
  readonly action: string;
  /** Id of the network, the container or the engine that the event is about. */
  readonly id: string;
  /** For `network connect` and `disconnect`: the container. */
  readonly container: string | undefined;
  /** What the engine says beside: for containers `name`, `image` and every label. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Following {
  /** Called when subscribed. */
  readonly onOpen: () => void;
  readonly onEvent: (event: EngineEvent) => void;
  /** How long the beginning may take. */
  readonly openWithinMs: number;
  readonly signal: AbortSignal;
}

/** Resolves when the stream ends. */
export async function readEvents(docker: Docker, following: Following): Promise<void> {
  const { onOpen, onEvent, openWithinMs, signal } = following;
  const stream = await openEvents(docker, openWithinMs);
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
}

/** The stream is open without an end; only its beginning has to come in time. */
async function openEvents(docker: Docker, withinMs: number): Promise<NodeJS.ReadableStream> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), withinMs);
  const filters = { type: ["network" as const, "container" as const, "daemon" as const] };
  const options = { filters, abortSignal: abort.signal };
  try {
    return await docker.getEvents(options);
  } finally {
    clearTimeout(timer);
  }
}

/** RFC 7464 puts it before each text, where a proxy on the way has asked for application/json-seq. */
const recordSeparator = "\x1e";

/** Undefined for what is no event that we know the form of. @throws SyntaxError for what is no JSON */
export function parseEvent(line: string): EngineEvent | undefined {
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
