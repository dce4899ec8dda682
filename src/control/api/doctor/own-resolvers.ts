// Which resolvers the containers of guarded networks ask by their own /etc/resolv.conf: Docker's own is not the only one
// that a container may name. A node of kind names its gateway, and a file may be edited by hand.

import { networkHolder } from "../../../core/classify/containers/holder.ts";
import type { IpAddress } from "../../../core/model/address.ts";
import type { Container, Topology } from "../../../core/model/topology.ts";
import { serversIn } from "../../../core/path/files/search-list.ts";
import type { AskedServer, DataPlaneFindings } from "../../../planes/request-table.ts";
import { engineResolver, type LookupFate, lookupAt } from "../explain/own-lookup.ts";
import type { ExplainRequest } from "../explain.ts";
import type { Check } from "./check.ts";

/** A server that a container's file names, beside Docker's own, and what becomes of a lookup that is sent there. */
export interface OwnResolver extends AskedServer {
  readonly container: string;
  readonly fate: LookupFate;
}

export interface OwnResolvers {
  readonly named: readonly OwnResolver[];
  /** Names of containers whose file cannot be read. */
  readonly unread: readonly string[];
}

export interface OwnResolverSources {
  readonly topology: Topology;
  /** Ids of the guarded networks. */
  readonly guarded: ReadonlySet<string>;
  /** The text of a container's own file; undefined where it cannot be read. */
  readonly resolvConf: (container: Container, holder: Container) => string | undefined;
  readonly explain: (request: ExplainRequest) => Promise<LookupFate>;
}

export async function findOwnResolvers(sources: OwnResolverSources): Promise<OwnResolvers> {
  const named: OwnResolver[] = [];
  const unread: string[] = [];
  for (const { container, holder } of guardedContainers(sources)) {
    const text = sources.resolvConf(container, holder);
    if (text === undefined) unread.push(container.name);
    for (const server of serversOf(text)) {
      const fate = await fateOf(container, server, sources);
      if (fate !== undefined) named.push({ container: container.name, containerId: holder.id, server, fate });
    }
  }
  return { named, unread };
}

/** Those at which a lookup should be answered by us. */
export function serversToAsk({ named }: OwnResolvers): readonly AskedServer[] {
  return named
    .filter(({ fate }) => fate.verdict === "captured")
    .map(({ containerId, server }) => ({ containerId, server }));
}

export function ownResolverChecks(
  { named, unread }: OwnResolvers,
  asked: DataPlaneFindings["asked"],
): readonly Check[] {
  return [
    ...named.flatMap((resolver) => checkOf(resolver, asked)),
    ...unread.map((name) => ({
      subject: subjectOf(name),
      ok: true,
      warning: true,
      finding: `its /etc/resolv.conf cannot be read, so only Docker's resolver (${engineResolver}) was asked inside it`,
    })),
  ];
}

function checkOf(
  { container, containerId, server, fate }: OwnResolver,
  asked: DataPlaneFindings["asked"],
): readonly Check[] {
  const subject = subjectOf(container);
  const names = `its /etc/resolv.conf names ${server}`;
  if (fate.verdict !== "captured") {
    // A forwarder in the container itself asks on, and there it is captured.
    const finding = `${names}, where Dockerwall answers nothing: ${fate.because}; what is looked up there opens nothing`;
    return [{ subject, ok: true, ...(fate.step === "inside" ? {} : { warning: true }), finding }];
  }
  const found = asked.find((each) => each.containerId === containerId && each.server === server);
  if (found === undefined) return [];
  const { captured } = found;
  const finding = captured
    ? `${names}, and a lookup of a denied name there is denied by us`
    : `${names}, and a lookup of a denied name there is NOT denied by us; see what is said of rules here, and look into the log`;
  return [{ subject, ok: captured, finding }];
}

function subjectOf(container: string): string {
  return `resolver of ${container}`;
}

function guardedContainers({
  topology: { containers },
  guarded,
}: OwnResolverSources): readonly { readonly container: Container; readonly holder: Container }[] {
  return containers.flatMap((container) => {
    const holder = networkHolder(container, containers);
    const isGuarded = holder.endpoints.some(({ networkId }) => guarded.has(networkId));
    return container.running && holder.running && isGuarded ? { container, holder } : [];
  });
}

function serversOf(text: string | undefined): readonly IpAddress[] {
  return text === undefined ? [] : serversIn(text).filter((address) => address !== engineResolver);
}

/** Undefined where the container has gone meanwhile. */
async function fateOf(
  { id }: Container,
  server: IpAddress,
  { explain }: OwnResolverSources,
): Promise<OwnResolver["fate"] | undefined> {
  return await explain({ container: id, target: lookupAt(server) }).catch(() => undefined);
}
