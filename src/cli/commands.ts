// The commands are the files of a folder: each has the name of its command, and exports it as `command`. One is loaded
// only to be run, or for its help: `stats` must not pay for the daemon.

import { createRequire } from "node:module";
import type { Command } from "./command.ts";
import { renderTerms } from "./terminal/wrap.ts";

// An ESM import of node:fs reads all its lazy exports, promises among them, at every start.
const { readdirSync } = createRequire(import.meta.url)("node:fs") as typeof import("node:fs");

const folder = new URL("commands/", import.meta.url);
/** Run from source, or compiled: commands have the extension that this file has. */
const extension = import.meta.url.slice(-3);

/** In the order of the alphabet. */
export const commandNames: readonly string[] = readdirSync(folder)
  .filter((file) => file.endsWith(extension))
  .map((file) => file.slice(0, -extension.length))
  .toSorted();

/**
 * What the program can be called by: a command, or help. The daemon is not among them: nothing but the image's entrypoint
 * starts it.
 */
export const linkedNames: readonly string[] = [...commandNames.filter((name) => name !== "daemon"), "help"];

/** @param name one of commandNames */
export async function loadCommand(name: string): Promise<Command> {
  const loaded = (await import(new URL(name + extension, folder).href)) as { readonly command: Command };
  return loaded.command;
}

/** The help of the program. */
export async function renderOverview(version: string): Promise<string> {
  const terms = commandNames.map(async (name) => [name, (await loadCommand(name)).summary] as const);
  return [
    `dockerwall ${version}: outbound firewall for Docker networks, driven by DNS`,
    "",
    "Usage: dockerwall COMMAND [OPTIONS]",
    "",
    "Commands:",
    ...renderTerms(await Promise.all(terms)),
    "",
    "dockerwall COMMAND --help explains a command.",
    "dockerwall --version prints the version.",
    "",
  ].join("\n");
}
