// Which ports of the host belong to which sandbox. A port is the host's end of the pair of interfaces that an engine
// makes for a container. We find it by the namespace of its other end, and it stays its sandbox's for as long as it
// exists: with enough rights a container can move its end to another namespace of its own making.

import { contain, contained } from "../../core/contain.ts";
import { messageOf } from "../../errors.ts";
import { watchLinks } from "../kernel/netlink/link-watch.ts";
import type { Link } from "../kernel/netlink/links.ts";
import type { Readiness } from "../kernel/readiness.ts";

export interface Port {
  readonly index: number;
  readonly name: string;
  /** Name of the bridge that it is on; undefined for one on none. */
  readonly bridge: string | undefined;
}

export interface PortsOptions {
  readonly readiness: Readiness;
  /** What of() says of a sandbox may have changed. */
  readonly onChange: (sandbox: string) => void;
  /** Ports are no more. */
  readonly onGone: () => void;
  readonly onProblem: (problem: string) => void;
}

export interface Ports {
  /** To be told before it is asked about. @param namespaceFd stays open until gone() */
  appear(sandbox: string, namespaceFd: number): void;
  /** Its ports stay its own until they are gone. */
  gone(sandbox: string): void;
  /** The ports of a sandbox, as the kernel has them now. */
  of(sandbox: string): readonly Port[];
  /** Tells of what has changed by now before it returns. */
  lookNow(): void;
  isPresent(index: number): boolean;
  /** Whose a port is; undefined for one that is no sandbox's, as far as is known. */
  ownerOf(index: number): string | undefined;
  /** One that is no sandbox's, as it was at the last look; undefined when there is none. */
  strangerAt(index: number): Stranger | undefined;
  close(): void;
}

export interface Stranger {
  /** Where what is sent by it comes from: another namespace, our own, or no other end of a pair. */
  readonly leads: "elsewhere" | "here" | "nowhere";
}

interface Namespace {
  readonly fd: number;
  /** The host's number for it, once it has one. */
  id: number | undefined;
}

export function openPorts({ readiness, onChange, onGone, onProblem }: PortsOptions): Ports {
  const sandboxes = new Map<string, Namespace>();
  const byId = new Map<number, string>();
  /** Whose a port is, for good. */
  const owners = new Map<number, string>();
  const owned = new Map<string, Set<number>>();
  /** Ports of bridges whose other end is in no namespace that we know of, or was in none when we last looked. */
  const strangers = new Set<number>();
  let touched = new Set<string>();
  let lost = false;
  let telling = false;

  const told = (error: unknown): void => onProblem(`the ports of the host: ${messageOf(error)}`);
  // What could not be taken in now is taken in with the next look.
  const watch = watchLinks({ readiness, onEvent: contained(takeIn, told) });
  for (const link of watch.links.values()) place(link);

  function takeIn(): void {
    const { changed, gone } = watch.look();
    for (const index of gone) remove(index);
    for (const link of changed) place(link);
    tell();
  }

  /** Looks again for those whose other end was not yet in its sandbox when the kernel told of them. */
  function askForStrangers(): void {
    for (const index of [...strangers]) {
      const before = watch.links.get(index);
      if (before === undefined) strangers.delete(index);
      else if (before.peerNamespace === undefined && before.master !== undefined) {
        const link = watch.ask(index);
        if (link?.peerNamespace !== undefined) place(link);
      }
    }
  }

  /** Later: who asks for one sandbox must not be called about another meanwhile. */
  function tell(): void {
    if (telling || (touched.size === 0 && !lost)) return;
    telling = true;
    setImmediate(() => {
      telling = false;
      tellNow();
    });
  }

  function tellNow(): void {
    const names = touched;
    touched = new Set();
    const wasLost = lost;
    lost = false;
    if (wasLost) contain(onGone, told);
    for (const name of names) if (sandboxes.has(name)) contain(() => onChange(name), told);
  }

  function place(link: Link): void {
    const owner = owners.get(link.index);
    if (owner !== undefined) {
      touched.add(owner);
      return;
    }
    if (link.kind !== "veth") return;
    const sandbox = link.peerNamespace === undefined ? undefined : sandboxIn(link.peerNamespace);
    if (sandbox === undefined) {
      strangers.add(link.index);
      return;
    }
    strangers.delete(link.index);
    owners.set(link.index, sandbox);
    const its = owned.get(sandbox) ?? new Set();
    owned.set(sandbox, its.add(link.index));
    touched.add(sandbox);
  }

  function remove(index: number): void {
    const owner = owners.get(index);
    if (strangers.delete(index) || owner !== undefined) lost = true;
    if (owner === undefined) return;
    owners.delete(index);
    const its = owned.get(owner);
    its?.delete(index);
    if (its?.size === 0) owned.delete(owner);
    touched.add(owner);
  }

  function sandboxIn(id: number): string | undefined {
    if (!byId.has(id)) {
      // A namespace gets its number with its first interface that leads to the host.
      for (const [name, namespace] of sandboxes) if (namespace.id === undefined) identify(name, namespace);
    }
    return byId.get(id);
  }

  function identify(name: string, namespace: Namespace): void {
    namespace.id = watch.namespaceId(namespace.fd);
    if (namespace.id !== undefined) byId.set(namespace.id, name);
  }

  return {
    appear(sandbox, namespaceFd) {
      const namespace: Namespace = { fd: namespaceFd, id: undefined };
      sandboxes.set(sandbox, namespace);
      identify(sandbox, namespace);
      const { id } = namespace;
      if (id === undefined) return;
      for (const index of [...strangers]) {
        const link = watch.links.get(index);
        if (link?.peerNamespace === id) place(link);
      }
    },
    gone(sandbox) {
      const id = sandboxes.get(sandbox)?.id;
      if (id !== undefined && byId.get(id) === sandbox) byId.delete(id);
      sandboxes.delete(sandbox);
    },
    of(sandbox) {
      takeIn();
      // Of an end that moves the kernel tells, but older ones not whereto.
      if (!owned.has(sandbox)) askForStrangers();
      tell();
      return [...(owned.get(sandbox) ?? [])].flatMap((index) => {
        const link = watch.links.get(index);
        if (link === undefined) return [];
        const bridge = link.master === undefined ? undefined : watch.links.get(link.master)?.name;
        return { index, name: link.name, bridge };
      });
    },
    lookNow() {
      takeIn();
      askForStrangers();
      tellNow();
    },
    isPresent: (index) => watch.links.has(index),
    ownerOf: (index) => owners.get(index),
    strangerAt(index) {
      const link = watch.links.get(index);
      if (link === undefined || owners.has(index)) return undefined;
      if (link.kind !== "veth") return { leads: "nowhere" };
      return { leads: link.peerNamespace === undefined ? "here" : "elsewhere" };
    },
    close: watch.close,
  };
}
