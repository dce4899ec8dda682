// The names that Knot serves: every file in zones/, and those whose records are generated.
// To add a record, add a line to a file; to add a domain, add a file named after it.
//
// All are joined into one root zone. Knot plays a resolver here, which answers a chain of aliases in full and NXDOMAIN
// for what does not exist; with a zone per domain it would stop at the first alias that leads to another zone.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { internetAddresses } from "./addresses.ts";

/**
 * Domains whose every query is passed on to a server in the internet, for who wants to run one: the far end of a tunnel,
 * or one that says now this and now that.
 * Nothing listens there by itself.
 */
export const delegations: readonly { readonly domain: string; readonly port: number }[] = [
  { domain: "dns2tcp.example.org", port: 5311 },
  { domain: "dns2tcp.tunnel.example.net", port: 5312 },
  { domain: "iodine.example.org", port: 5313 },
  { domain: "iodine.tunnel.example.net", port: 5314 },
  { domain: "rebind.tunnel.example.net", port: 5315 },
];

const source = join(import.meta.dirname, "zones");

// The last number is how long a resolver may keep a negative answer.
const apex = "@ 60 SOA ns.example. hostmaster.example. 1 3600 600 86400 5\n@ 60 NS ns.example.\n";
const nameserver = `ns.example. 60 A ${internetAddresses.resolver}\n`;

/**
 * Answers that do not fit into 512 or 1232 bytes, so that the client must come back by TCP; and a chain of aliases.
 * Knot stops after five hops: `hop8` arrives, `hop0` gets a partial answer.
 */
function bigRecords(): string {
  const text = Array.from(
    { length: 20 },
    (_, index) => `txt TXT "${String(index).padStart(2, "0").repeat(100)}"`,
  );
  const many = Array.from({ length: 60 }, (_, index) => `many A 203.0.113.${index + 130}`);
  const many6 = Array.from(
    { length: 60 },
    (_, index) => `many AAAA 2001:db8:1::${(index + 0x130).toString(16)}`,
  );
  const chain = Array.from({ length: 12 }, (_, index) => `hop${index} 5 CNAME hop${index + 1}`);
  return [...text, ...many, ...many6, ...chain, "hop12 A 203.0.113.28", ""].join("\n");
}

async function rootZone(): Promise<string> {
  const files = (await readdir(source)).filter((name) => name.endsWith(".zone"));
  const parts = await Promise.all(
    files.map(async (file) => [basename(file, ".zone"), await readFile(join(source, file), "utf8")] as const),
  );
  const domains = [...parts, ["big.example", bigRecords()] as const];
  return `$ORIGIN .\n${apex}${nameserver}${domains.map(([name, text]) => `$ORIGIN ${name}.\n$TTL 60\n${text}`).join("")}`;
}

/**
 * Writes Knot's configuration and zones.
 * `ip-198-18-130-7.bulk.example` has the address it names: 32,000 names with an address each (198.18.128.0/17),
 * and any number in 2001:db8:b::/48 (`ip-2001-0db8-000b-0000-0000-0000-0000-0001.bulk.example`).
 * @param folder where to write; Knot sees it as `seenAs`
 */
export async function writeKnotConfig(folder: string, seenAs: string): Promise<void> {
  await mkdir(join(folder, "zones"), { recursive: true });
  await writeFile(join(folder, "zones/root.zone"), await rootZone());
  await writeFile(join(folder, "zones/bulk.zone"), apex);
  const synthesised = (id: string, network: string): string[] => [
    `  - id: ${id}`,
    "    type: forward",
    "    prefix: ip-",
    "    ttl: 5",
    `    network: ${network}`,
  ];
  const lines = [
    "server:",
    `  rundir: ${seenAs}`,
    "  user: root:root",
    "  answer-rotation: on",
    // A worker waits for the server of a delegation.
    "  udp-workers: 4",
    "  tcp-workers: 2",
    "  background-workers: 1",
    `  listen: [ ${internetAddresses.resolver}@53, ${internetAddresses.resolver6}@53 ]`,
    "log:",
    "  - target: stderr",
    "    any: warning",
    "database:",
    `  storage: ${seenAs}/db`,
    "mod-synthrecord:",
    ...synthesised("v4", "198.18.128.0/17"),
    ...synthesised("v6", "2001:db8:b::/48"),
    "remote:",
    ...delegations.flatMap(({ domain, port }) => [
      `  - id: ${domain}`,
      `    address: ${internetAddresses.tunnels}@${port}`,
    ]),
    "mod-dnsproxy:",
    ...delegations.flatMap(({ domain }) => [
      `  - id: ${domain}`,
      `    remote: ${domain}`,
      "    fallback: off",
      "    timeout: 1000",
    ]),
    "template:",
    "  - id: default",
    `    storage: ${seenAs}/zones`,
    "    zonefile-sync: -1",
    "    journal-content: none",
    "zone:",
    "  - domain: .",
    "    file: root.zone",
    "  - domain: bulk.example",
    "    file: bulk.zone",
    "    module: [mod-synthrecord/v4, mod-synthrecord/v6]",
    ...delegations.flatMap(({ domain }) => [
      `  - domain: ${domain}`,
      "    file: bulk.zone",
      `    module: mod-dnsproxy/${domain}`,
    ]),
  ];
  await writeFile(join(folder, "knot.conf"), `${lines.join("\n")}\n`);
}
