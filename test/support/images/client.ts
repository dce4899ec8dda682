// The images that play containers: `client:lab` with real tools, `busybox:lab` with hardly anything.
import { existsSync } from "node:fs";
import { appendFile, copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { cached, digest } from "../lab/cache.ts";
import { command } from "../lab/command.ts";
import { root } from "../lab/roots.ts";
import type { Image } from "./image.ts";

const bundle = "etc/ssl/certs/ca-certificates.crt";

/** Full Debian with curl, dig, kdig, dnsperf, systemd-resolved, python3, node, nc, ping, iptables, nft, tcpdump, nmap, hping3, iodine, dns2tcp; trusts the lab's authority. */
async function clientImage(authority: string): Promise<Image> {
  const tree = await root("client");
  const key = digest(1, basename(tree), await readFile(authority, "utf8"));
  return {
    name: "client:lab",
    key,
    format: "rootfs",
    changes: [
      'CMD ["sleep","infinity"]',
      `ENV NODE_EXTRA_CA_CERTS=/${bundle} SSL_CERT_FILE=/${bundle} LANG=C.UTF-8`,
    ],
    stream: async () => {
      const extra = await cached("images/client-extra", key, async (folder) => {
        await mkdir(join(folder, "etc/ssl/certs"), { recursive: true });
        await copyFile(join(tree, bundle), join(folder, bundle));
        await appendFile(join(folder, bundle), await readFile(authority, "utf8"));
      });
      // The import refuses a path that comes twice: the root's own bundle (under ./) makes way for the one with the authority.
      return ["tar", "-c", "--anchored", `--exclude=./${bundle}`, "-C", tree, ".", "-C", extra, bundle];
    },
  };
}

/** One static binary, for containers that should start fast. */
async function busyboxImage(): Promise<Image> {
  const tree = await root("client");
  const binary = join(tree, "usr/bin/busybox");
  const key = digest(1, basename(tree));
  return {
    name: "busybox:lab",
    key,
    format: "rootfs",
    changes: ['CMD ["sleep","infinity"]'],
    stream: async () => {
      const folder = await cached("images/busybox", key, async (draft) => {
        for (const name of ["bin", "etc", "tmp", "root", "proc", "sys", "dev"])
          await mkdir(join(draft, name));
        if (!existsSync(binary)) throw new Error(`lab: no ${binary}`);
        await copyFile(binary, join(draft, "bin/busybox"));
        const applets = (await command([binary, "--list"])).split("\n").filter((name) => name !== "busybox");
        for (const applet of applets) await symlink("busybox", join(draft, "bin", applet));
        await writeFile(join(draft, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
        await writeFile(join(draft, "etc/group"), "root:x:0:\n");
      });
      return ["tar", "-c", "-C", folder, "."];
    },
  };
}

/** The images that every engine of the lab has. */
export async function baseImages(authority: string): Promise<Image[]> {
  return await Promise.all([busyboxImage(), clientImage(authority)]);
}
