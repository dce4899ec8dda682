// Changes to policies at run time: `allow`, `deny`, and taking either back. They are in force, in the kernel and for
// lookups, when the call resolves.

import {
  type DataRead,
  fields,
  oneOf,
  optional,
  text,
  texts,
  wholeNumber,
} from "../../../core/api/request-checks.ts";
import { isOnHostNetwork, networkHolder } from "../../../core/classify/containers/holder.ts";
import type { Classification } from "../../../core/classify/networks.ts";
import type { Container, Topology } from "../../../core/model/topology.ts";
import { requireEntries } from "../../../core/policy/allowlist.ts";
import { parseEntry, renderEntry } from "../../../core/policy/entry.ts";
import type { Override, OverrideTarget } from "../../../core/policy/override.ts";
import { subjectOf, withNegation } from "../../../core/policy/override.ts";
import type { Presets } from "../../../core/policy/preset.ts";
import { DockerwallError } from "../../../errors.ts";
import type { Overrides } from "../../overrides.ts";
import { findContainer, isService } from "../context/find-container.ts";
import { findGuarded, findNetwork } from "../context/in-force.ts";

/** `network:` or `container:` in front of a name, for names that both have. */
const targetForm = /^(network|container):(.+)$/;

/** A neighbour's name, with a port or without. `host` is the Docker host, and digits are an address that is cut short. */
const oneLabel = /^(?!host(?:[:/]|$))(?![0-9]+(?:[:/]|$))([a-z0-9_][a-z0-9_-]*)(?::[^:]*)?(?:\/[a-z]+)?$/i;

export const overrideRequest = fields({
  verb: oneOf(["allow", "deny", "undo"]),
  /** A guarded network, or a container on one. */
  target: text,
  entries: texts,
  /** How long the override is in force; undefined until the host is restarted. */
  forSeconds: optional(wholeNumber(1)),
});

export type OverrideRequest = DataRead<typeof overrideRequest>;

export interface OverrideContext {
  readonly overrides: Overrides;
  readonly presets: Presets;
  readonly topology: Topology;
  readonly classification: Classification;
  /** By the clock that overrides end by. */
  readonly uptimeMs: number;
}

/** Makes overrides or takes them back; the change is in force after the next reconciliation. @throws DockerwallError */
export function changeOverrides(request: OverrideRequest, context: OverrideContext): OverrideTarget {
  const entries = readEntries(request, context.presets);
  if (request.verb === "undo") {
    const target = departedTarget(request.target, entries, context) ?? findTarget(request.target, context);
    context.overrides.remove(target, entries);
    return target;
  }
  const target = findTarget(request.target, context);
  const endsAtMs =
    request.forSeconds === undefined ? undefined : context.uptimeMs + request.forSeconds * 1000;
  context.overrides.add(entries.map((entry): Override => ({ target, entry, endsAtMs })));
  return target;
}

/** Entries in the form in which they are kept; for `undo` without `!`. People leave that out: the verb says what they do. */
function readEntries({ entries, verb, target }: OverrideRequest, presets: Presets): readonly string[] {
  const text = entries.join(" ");
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  const negated = words.find((word) => word.startsWith("!"));
  if (negated !== undefined) {
    throw new DockerwallError(
      "BAD_ENTRY",
      `${verb} ${target}, entry ${JSON.stringify(negated)}: leave out the \`!\`; allow grants, deny takes away`,
    );
  }
  if (words.length === 0)
    throw new DockerwallError("USAGE", `${verb} needs an entry, as in api.example.com:443`);
  // The override's preset may be gone from the policy file by now.
  if (verb === "undo") return words.map((word) => withNegation(word, false) ?? word);
  const neighbour = verb === "deny" ? words.find((word) => oneLabel.test(word)) : undefined;
  if (neighbour !== undefined) {
    const [, name = ""] = oneLabel.exec(neighbour) ?? [];
    throw new DockerwallError(
      "BAD_ENTRY",
      `deny ${target}, entry ${JSON.stringify(neighbour)}: a name of one label is a container's, and no entry keeps containers on one network apart; docker exec dockerwall quarantine ${name} cuts that one off from everything`,
    );
  }
  requireEntries(text, presets, `${verb} ${target}`);
  return words.map((word) => {
    const kept = withNegation(word, verb === "deny");
    if (kept !== undefined) return kept;
    // What is kept and cannot be read takes away everything.
    throw new DockerwallError(
      "BAD_ENTRY",
      `${verb} ${target}, entry ${JSON.stringify(word)}: ${whyNot(word)}`,
    );
  });
}

/** Why an entry that can be granted cannot be taken away. */
function whyNot(word: string): string {
  const parsed = parseEntry(word);
  if (!("entry" in parsed) || parsed.entry.kind !== "domain" || parsed.entry.within === undefined)
    return "it cannot be taken away";
  const { within: prefix, ...name } = parsed.entry;
  const { service, negated } = name;
  const range = renderEntry({ kind: "prefix", prefix, service, negated });
  return `deny takes a name or a range, not both; deny ${renderEntry(name)} or ${range}`;
}

/**
 * A target of overrides that is gone or was renamed: they can still be taken back by its old name, also where something of
 * the other kind has that name now. Then it is the one that is gone if that has such an override.
 */
function departedTarget(
  text: string,
  entries: readonly string[],
  { overrides, topology, classification }: OverrideContext,
): OverrideTarget | undefined {
  const [, kind, name = text] = targetForm.exec(text) ?? [];
  const isThere: Readonly<Record<OverrideTarget["kind"], boolean>> = {
    network: classification.guarded.some((network) => network.name === name),
    container: topology.containers.some((container) => container.name === name),
  };
  const departed = overrides
    .current()
    .filter(({ target }) => target.name === name && !isThere[target.kind])
    .filter(({ target }) => kind === undefined || kind === target.kind);
  const mayBeOther = kind === undefined && (isThere.network || isThere.container);
  const found = departed.find((each) => entries.includes(subjectOf(each)));
  return (found ?? (mayBeOther ? undefined : departed[0]))?.target;
}

/** A guarded network, or a container on one, by any of their names; `network:` or `container:` in front says which. */
function findTarget(text: string, context: OverrideContext): OverrideTarget {
  const { topology, classification } = context;
  const [, kind, name = text] = targetForm.exec(text) ?? [];
  const isNetwork = classification.guarded.some((network) => network.name === name);
  const isContainer = topology.containers.some((container) => container.name === name);
  // The engine's own names first: Compose may have a service and a network of one name, and of the name of another.
  if (kind === "network" || (kind === undefined && isNetwork && !isContainer))
    return { kind: "network", name: findNetwork(name, context).name };
  if (kind === "container" || (isContainer && !isNetwork)) return guardedContainer(name, context);
  const network = findGuarded(name, context);
  if (network === undefined) return guardedContainer(name, context, "guarded network or container");
  if (isContainer || isService(topology, name)) {
    throw new DockerwallError(
      "USAGE",
      `a network and a container are both named ${JSON.stringify(name)}; write network:${name} or container:${name}`,
    );
  }
  return { kind: "network", name: network.name };
}

function guardedContainer(
  name: string,
  { topology, classification }: OverrideContext,
  what?: string,
): OverrideTarget {
  const container = findContainer(topology, name, what);
  const guarded = new Set(classification.guarded.map(({ id }) => id));
  const isInside = ({ endpoints }: Container): boolean =>
    endpoints.some(({ networkId }) => guarded.has(networkId));
  if (isInside(container)) return { kind: "container", name: container.name };
  const holder = networkHolder(container, topology.containers);
  const reason = whyNoEffect(holder, isInside(holder));
  const place =
    holder === container ? "" : ` uses the network of container ${JSON.stringify(holder.name)}, which`;
  throw new DockerwallError("NOT_FOUND", `container ${JSON.stringify(container.name)}${place} ${reason}`);
}

/** Of the container whose network counts. */
function whyNoEffect(holder: Container, isInside: boolean): string {
  if (isInside)
    return `has the overrides and labels for all that share it; name ${JSON.stringify(holder.name)} in its place`;
  const noEffect = "so the override would have no effect";
  return isOnHostNetwork(holder)
    ? `is on the host's own network, which is not guarded, ${noEffect}; give it a network`
    : `is on no guarded network, ${noEffect}; label its network`;
}
