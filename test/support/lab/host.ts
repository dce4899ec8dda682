// The host that an engine runs on: a box with the engine's root, its firewall backend and its resolver.
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { internetAddresses } from "./addresses.ts";
import { type Bind, type Box, openBox } from "./box.ts";
import { until } from "./command.ts";
import { dataBinds } from "./data-root.ts";
import { repository } from "./repository.ts";
import { root } from "./roots.ts";
import type { Run } from "./run.ts";

/** Generation of an engine, and the name of its root. */
export type EngineKind = "e20" | "e26" | "e28";

/** How a host differs from a plain one. */
export type HostOptions = {
  readonly kind: EngineKind;
  readonly name: string;
  /** Which iptables the engine (and any program that uses the host's) finds. */
  readonly iptables: "nft" | "legacy";
  /** `internet`: resolv.conf names the resolver itself; `stub`: a stub on 127.0.0.53. */
  readonly resolver: "internet" | "stub";
};

/** A host, and the folder that its engine's data root is in. */
export type Host = { readonly box: Box; readonly dataFolder: string };

const verbs = ["", "-save", "-restore"];

function backendLinks(backend: HostOptions["iptables"]): Record<string, { link: string }> {
  const tools = ["iptables", "ip6tables"].flatMap((tool) => verbs.map((verb) => ({ tool, verb })));
  return Object.fromEntries(
    tools.map(({ tool, verb }) => [`usr/sbin/${tool}${verb}`, { link: `${tool}-${backend}${verb}` }]),
  );
}

/** Compose is not in bookworm; another suite's plugin works with any engine and any CLI. */
async function composePlugin(kind: EngineKind): Promise<Bind[]> {
  const plugin = "usr/libexec/docker/cli-plugins/docker-compose";
  return kind === "e20" ? [{ from: join(await root("e26"), plugin), to: `/${plugin}` }] : [];
}

/** Opens the host's box, without a wire yet. The repository and /tmp are at the same place as on the machine. */
export async function openHost(run: Run, options: HostOptions): Promise<Host> {
  const dataFolder = join(run.folder, options.name, "data");
  await mkdir(dataFolder, { recursive: true });
  const nameserver = options.resolver === "stub" ? "127.0.0.53" : internetAddresses.resolver;
  const box = await openBox(run, {
    name: options.name,
    root: await root(options.kind),
    network: "named",
    binds: [
      ...(await dataBinds(options.kind, dataFolder)),
      { from: repository, to: repository },
      { from: "/tmp", to: "/tmp" },
      ...(await composePlugin(options.kind)),
    ],
    files: {
      "etc/resolv.conf": `nameserver ${nameserver}\n`,
      "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
      ...backendLinks(options.iptables),
    },
  });
  return { box, dataFolder };
}

/** Starts the stub resolver of a host; the host must be joined to the internet. */
export async function startStub(box: Box): Promise<void> {
  const script = join(import.meta.dirname, "stub.ts");
  const stub = box.background(`${box.name}-stub`, [process.execPath, script, internetAddresses.resolver]);
  const log = (): string => readFileSync(stub.log, "utf8");
  await until(
    `start of the stub resolver of ${box.name}`,
    30_000,
    () => (log().includes("ready") ? true : undefined),
    log,
  );
}
