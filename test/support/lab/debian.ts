// Debian packages without installing them: an apt state of its own per suite, and archives unpacked into a folder.
// No maintainer script runs, so no service starts and the machine's own sources and dpkg status stay as they are.
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder, withLock } from "./cache.ts";
import { attempt, command } from "./command.ts";

/** The suites whose engines the lab runs. */
export type Suite = "bookworm" | "trixie" | "sid";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
const indexMaxAgeMs = 12 * 3600 * 1000;

/** The mirror that the machine itself uses, so that a site's proxy or mirror is respected. */
export async function mirror(): Promise<string> {
  const { stdout } = await attempt([
    "apt-get",
    "indextargets",
    "--format",
    "$(REPO_URI)",
    "Created-By: Packages",
  ]);
  const own = stdout.split("\n").find((uri) => /\/debian\/?$/.test(uri));
  return own ?? "http://deb.debian.org/debian";
}

/** How the machine fetches (proxies, retries); its hooks, pins and sources are not among it. */
export async function fetchSettings(): Promise<string[]> {
  const lines = (await command(["apt-config", "dump"])).split("\n");
  return lines.filter((line) => /^Acquire::(http|https|ftp|Retries|Check|ForceIPv)/.test(line));
}

async function aptConfig(suite: Suite): Promise<string> {
  const folder = join(cacheFolder, "apt", suite);
  const file = join(folder, "apt.conf");
  await mkdir(join(folder, "state/lists/partial"), { recursive: true });
  await mkdir(join(folder, "empty"), { recursive: true });
  await writeFile(join(folder, "status"), "");
  await writeFile(
    join(folder, "sources.list"),
    `deb [signed-by=${keyring}] ${await mirror()} ${suite} main\n`,
  );
  const settings = [
    `Dir::State "${folder}/state";`,
    `Dir::State::status "${folder}/status";`,
    `Dir::Cache "${folder}";`,
    `Dir::Etc::sourcelist "${folder}/sources.list";`,
    ...["main", "parts", "sourceparts", "preferences", "preferencesparts", "trustedparts"].map(
      (part) => `Dir::Etc::${part} "${folder}/empty/${part}";`,
    ),
    'APT::Sandbox::User "root";',
    'APT::Install-Recommends "false";',
    'Acquire::Languages "none";',
    ...(await fetchSettings()),
  ];
  await writeFile(file, `${settings.join("\n")}\n`);
  return file;
}

async function ageMs(path: string): Promise<number> {
  return existsSync(path) ? Date.now() - (await stat(path)).mtimeMs : Number.POSITIVE_INFINITY;
}

/** Downloads the packages and all that they depend on; returns the archives' paths. */
async function download(suite: Suite, packages: readonly string[], into: string): Promise<string[]> {
  await mkdir(join(into, "partial"), { recursive: true });
  await withLock(`apt_${suite}`, async () => {
    const env = { APT_CONFIG: await aptConfig(suite) };
    const stamp = join(cacheFolder, "apt", suite, "updated");
    const update = async (): Promise<void> => {
      await command(["apt-get", "-q", "update"], { env });
      await writeFile(stamp, "");
    };
    const fetch = [
      "apt-get",
      "-qy",
      "-o",
      `Dir::Cache::archives=${into}`,
      "install",
      "--download-only",
      ...packages,
    ];
    if ((await ageMs(stamp)) > indexMaxAgeMs) await update();
    else if ((await attempt(fetch, { env })).exitCode === 0) return;
    // A moving suite drops old archives: an index that no longer matches the mirror is renewed once.
    if ((await attempt(fetch, { env })).exitCode === 0) return;
    await update();
    await command(fetch, { env });
  });
  const names = await readdir(into);
  return names.filter((name) => name.endsWith(".deb")).map((name) => join(into, name));
}

/** What nobody reads in a lab; leaving it out halves the number of files. */
const leftOut = ["doc", "man", "locale", "info", "lintian", "bug", "bash-completion", "zsh", "fish"];

async function unpackArchive(archive: string, root: string): Promise<void> {
  const excluded = leftOut.map((name) => `--exclude=./usr/share/${name}/*`).join(" ");
  // Older archives still carry /bin and /lib: --keep-directory-symlink sends them through the merged-usr links.
  const script = `set -o pipefail; dpkg-deb --fsys-tarfile "$1" | tar -x ${excluded} --keep-directory-symlink -C "$2"`;
  await command(["bash", "-c", script, "bash", archive, root]);
}

/** Unpacks the packages with their dependencies into `root` and makes it usable: linker cache, accounts, merged-usr links. */
export async function unpackPackages(suite: Suite, packages: readonly string[], root: string): Promise<void> {
  const store = `${root}.archives`;
  const archives = await download(suite, ["base-files", "base-passwd", "libc-bin", ...packages], store);
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    await mkdir(join(root, "usr", name), { recursive: true });
    await symlink(`usr/${name}`, join(root, name));
  }
  const pending = [...archives];
  const worker = async (): Promise<void> => {
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) await unpackArchive(next, root);
  };
  await Promise.all([worker(), worker()]);
  await rm(store, { recursive: true, force: true });

  await command(["chroot", root, "ldconfig"]);
  const accounts = join(root, "usr/share/base-passwd");
  await mkdir(join(root, "etc"), { recursive: true });
  await writeFile(join(root, "etc/passwd"), await readFile(join(accounts, "passwd.master")));
  await writeFile(
    join(root, "etc/group"),
    `${await readFile(join(accounts, "group.master"), "utf8")}docker:x:999:\n`,
  );
  // Links and folders that base-files makes in its maintainer script.
  for (const [name, target] of [
    ["run", "/run"],
    ["lock", "/run/lock"],
  ] as const) {
    await rm(join(root, "var", name), { recursive: true, force: true });
    await symlink(target, join(root, "var", name));
  }
  for (const folder of [
    "proc",
    "sys",
    "dev",
    "run",
    "tmp",
    "root",
    "var/lib",
    "var/log",
    "var/tmp",
    "home",
    "mnt",
  ]) {
    await mkdir(join(root, folder), { recursive: true });
  }
  await command(["chmod", "1777", join(root, "tmp"), join(root, "var/tmp")]);
}
