// The list of commands. Each is loaded on demand: `stats` must not pay for the daemon.

import type { Command } from "./command.ts";
import { renderTerms } from "./terminal/wrap.ts";

export interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

export const commands: Readonly<Record<string, CommandEntry>> = {
  daemon: {
    summary: "guard the labelled networks of this host's Docker engine",
    load: async () => (await import("./daemon.ts")).daemonCommand,
  },
  "prepare-network": {
    summary: "create a guarded network, and return when it is enforced",
    load: async () => (await import("./prepare-network.ts")).prepareNetworkCommand,
  },
  stats: {
    summary: "show what each container looked up, and what was blocked",
    load: async () => (await import("./stats.ts")).statsCommand,
  },
  status: {
    summary: "show what is guarded, how, since when, and every problem",
    load: async () => (await import("./status.ts")).statusCommand,
  },
  doctor: {
    summary: "check the host and every guarded container by behaviour",
    load: async () => (await import("./doctor.ts")).doctorCommand,
  },
  explain: {
    summary: "tell whether a container may reach a name or an address, and why",
    load: async () => (await import("./explain.ts")).explainCommand,
  },
  suggest: {
    summary: "print the smallest label that would allow what was seen",
    load: async () => (await import("./suggest.ts")).suggestCommand,
  },
  replay: {
    summary: "show what another label would have changed",
    load: async () => (await import("./replay.ts")).replayCommand,
  },
  check: {
    summary: "judge the labels of Compose files, or entries, before anything is up",
    load: async () => (await import("./check.ts")).checkCommand,
  },
  presets: {
    summary: "list what @debian, @npm and the like stand for",
    load: async () => (await import("./presets.ts")).presetsCommand,
  },
  allow: {
    summary: "let a network or a container reach more, at once, for good or for a while",
    load: async () => (await import("./allow-deny.ts")).allowCommand,
  },
  deny: {
    summary: "take something away from a network or a container, at once",
    load: async () => (await import("./allow-deny.ts")).denyCommand,
  },
  quarantine: {
    summary: "cut a container off from everything, at once",
    load: async () => (await import("./quarantine.ts")).quarantineCommand,
  },
  release: {
    summary: "let a container out of quarantine",
    load: async () => (await import("./release.ts")).releaseCommand,
  },
  "boot-guard": {
    summary: "print a systemd unit that holds container networks until Docker and the daemon are up",
    load: async () => (await import("./boot-guard.ts")).bootGuardCommand,
  },
  uninstall: {
    summary: "remove every rule, set and capture of Dockerwall from this host",
    load: async () => (await import("./uninstall.ts")).uninstallCommand,
  },
};

/** The help of the program. */
export function renderOverview(version: string): string {
  return [
    `dockerwall ${version}: outbound firewall for Docker networks, driven by DNS`,
    "",
    "Usage: dockerwall COMMAND [OPTIONS]",
    "",
    "Commands:",
    ...renderTerms(Object.entries(commands).map(([name, { summary }]) => [name, summary] as const)),
    "",
    "dockerwall COMMAND --help explains a command.",
    "dockerwall --version prints the version.",
    "",
  ].join("\n");
}
