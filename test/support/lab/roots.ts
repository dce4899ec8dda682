// The roots that the lab is made of, as a table: to add a program to one, add its package here.
import { existsSync } from "node:fs";
import { readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cached, digest } from "./cache.ts";
import { type Suite, unpackPackages } from "./debian.ts";

/** Change it when the way of building a root changes: old roots are then not used any more. */
const recipeVersion = 3;

type RootRecipe = { readonly suite: Suite; readonly packages: readonly string[] };

const host = [
  ...[
    "bash",
    "dash",
    "coreutils",
    "grep",
    "sed",
    "findutils",
    "gzip",
    "tar",
    "hostname",
    "util-linux",
    "mount",
    "procps",
    "kmod",
  ],
  // For the project's own Node, which tests run in a host from the repository.
  ...["libstdc++6", "libatomic1"],
];
const network = ["iproute2", "iptables", "ipset", "nftables", "conntrack", "jq", "ca-certificates"];
const engine = ["docker.io", "containerd", "runc", "tini", ...host, ...network];

/** Every root by name. */
export const roots = {
  // The generations of the engine are those of the suites; Compose is not in bookworm, so e20 borrows it (see engine.ts).
  e20: { suite: "bookworm", packages: engine },
  e26: { suite: "trixie", packages: [...engine, "docker-cli", "docker-compose"] },
  e28: { suite: "sid", packages: [...engine, "docker-cli", "docker-compose", "docker-buildx"] },
  // What plays the internet.
  net: {
    suite: "trixie",
    packages: [
      ...host,
      ...["iproute2", "knot", "tcpdump", "openssl", "ca-certificates", "python3"],
      // The far ends of tunnels.
      ...["iodine", "dns2tcp"],
    ],
  },
  // What the full client image holds.
  client: {
    suite: "trixie",
    packages: [
      ...host,
      ...network,
      "busybox-static",
      "curl",
      "bind9-dnsutils",
      "knot-dnsutils",
      "systemd-resolved",
      "dbus",
      "dnsperf",
      "python3",
      "nodejs",
      "netcat-openbsd",
      "iputils-ping",
      "tcpdump",
      "openssl",
      "strace",
      "hping3",
      "nmap",
      "iodine",
      "dns2tcp",
    ],
  },
  // A resolver to compare with, and to ask over TLS and HTTPS.
  resolver: { suite: "trixie", packages: ["unbound", "openssl"] },
  // A firewall manager that others have on their hosts.
  ufw: { suite: "trixie", packages: [...host, "iptables", "python3", "ufw"] },
  // What reads the boot guard's unit, and the units that it must get along with.
  systemd: {
    suite: "trixie",
    packages: [
      ...host,
      ...["systemd", "docker.io", "nftables", "iptables", "netfilter-persistent", "firewalld"],
    ],
  },
  // What builds the stand-in for the base image.
  bootstrap: {
    suite: "trixie",
    packages: [
      ...host,
      "mmdebstrap",
      "apt",
      "dpkg",
      "perl",
      "tar",
      "debian-archive-keyring",
      "gpgv",
      "diffutils",
      "zstd",
    ],
  },
} as const satisfies Record<string, RootRecipe>;

/** Name of a root in the table. */
export type RootName = keyof typeof roots;

/** What maintainer scripts would have linked; a link is only made when its target is there. */
const alternatives: ReadonlyArray<readonly [link: string, target: string]> = [
  ...["iptables", "ip6tables"].flatMap((tool) =>
    ["", "-save", "-restore"].map((verb) => [`usr/sbin/${tool}${verb}`, `${tool}-nft${verb}`] as const),
  ),
  ["usr/bin/nc", "nc.openbsd"],
  ["usr/bin/awk", "mawk"],
  ["usr/bin/which", "which.debianutils"],
];

async function linkAlternatives(root: string): Promise<void> {
  for (const [link, target] of alternatives) {
    const path = join(root, link);
    if (!existsSync(join(path, "..", target))) continue;
    await rm(path, { force: true });
    await symlink(target, path);
  }
}

/** Joins the certificates that `update-ca-certificates` would have joined. */
async function bundleCertificates(root: string): Promise<void> {
  const folder = join(root, "usr/share/ca-certificates/mozilla");
  if (!existsSync(folder)) return;
  const names = (await readdir(folder)).sort();
  const certificates = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
  await writeFile(join(root, "etc/ssl/certs/ca-certificates.crt"), certificates.join(""));
}

/** The path of a root in the cache, built if it is not there. A root is shared and never written to. */
export async function root(name: RootName): Promise<string> {
  const recipe: RootRecipe = roots[name];
  return await cached(`roots/${name}`, digest(recipeVersion, recipe, alternatives), async (folder) => {
    await unpackPackages(recipe.suite, recipe.packages, folder);
    await linkAlternatives(folder);
    await bundleCertificates(folder);
  });
}
