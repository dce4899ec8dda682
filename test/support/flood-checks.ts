// What must be so after a flood, read from the tables that all networks share.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setNames } from "../../src/core/firewall/names.ts";
import { monotonicMs } from "../../src/edge/kernel/monotonic.ts";
import { type Family, type FloodLab, type NeighbourReport, places } from "./flood-lab.ts";
import { run } from "./namespace.ts";

export interface FloodChecks {
  /** Sources that a table of limits knows. */
  limited(table: string, family: Family): string[];
  /** What is remembered as denied. */
  denials(family: Family): { readonly asker: string; readonly port: number }[];
  /** Addresses of both containers. */
  ownOf(family: Family): string[];
  /** Nothing is lost, and everything is written down. */
  assertUnharmed(family: Family, report: NeighbourReport): void;
  /** The same, and nothing is known of any link-local address. */
  assertNoForgedLink(report: NeighbourReport): void;
}

export const isLinkLocal = (line: string): boolean => line.startsWith("fe80:");

export function floodChecks(lab: FloodLab): FloodChecks {
  function denials(family: Family): { readonly asker: string; readonly port: number }[] {
    return lab.sets
      .list(setNames[`denied${family}`])
      .flatMap(({ key }) => (key.kind === "ip-port-ip" ? [{ asker: key.first, port: key.port }] : []));
  }

  const ownOf = (family: Family): string[] => [...places[family].attacker, places[family].neighbour];

  function assertUnharmed(family: Family, report: NeighbourReport): void {
    assert.deepEqual(report.lost, []);
    const { neighbour } = places[family];
    const denied = new Set(denials(family).flatMap(({ asker, port }) => (asker === neighbour ? [port] : [])));
    assert.deepEqual(
      report.ports.filter((port) => !denied.has(port)),
      [],
    );
    const rows = lab.journal.tallies(monotonicMs()).filter(({ networkId }) => networkId.startsWith("other"));
    const names = new Set(rows.filter(({ allowed }) => allowed).map(({ domain }) => domain));
    // By the asker's first address, whichever family it asked by.
    assert.deepEqual(
      report.names.filter((name) => !names.has(name)),
      [],
    );
  }

  function assertNoForgedLink(report: NeighbourReport): void {
    assertUnharmed(6, report);
    const known = [...limited("denied", 6), ...limited("dns", 6), ...denials(6).map(({ asker }) => asker)];
    assert.deepEqual(known.filter(isLinkLocal), []);
    // The host's table of neighbours is one for all networks, too.
    const neighbours = run("ip", "-6", "neigh", "show", "dev", "br-app").split("\n");
    assert.deepEqual(
      neighbours.filter((line) => line.startsWith("fe80::dead:")),
      [],
    );
  }

  return { limited, denials, ownOf, assertUnharmed, assertNoForgedLink };
}

function limited(table: string, family: Family): string[] {
  const folder = `/proc/net/ip${family === 4 ? "" : "6"}t_hashlimit`;
  // The figures of the limit are in the name, too.
  const name = readdirSync(folder).find((each) => each.startsWith(`dockerwall-${table}${family}-`));
  assert.ok(name, `${table}${family} in ${folder}`);
  return readFileSync(join(folder, name), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => shortened(/ (\S+):0->/.exec(line)?.[1] ?? assert.fail(line)));
}

/** As `places` writes it. */
function shortened(address: string): string {
  if (!address.includes(":")) return address;
  const groups = address.split(":").map((group) => Number.parseInt(group, 16).toString(16));
  return groups.join(":").replace(/(:0)+:/, "::");
}
