// What is expensive to make (roots, images, data roots) is made once per recipe and kept between runs.
// An entry appears by rename, so a half-made one is never seen; several test processes may ask at the same time.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { pause } from "./command.ts";
import { isAlive, type Owner, ownerOf } from "./owner.ts";

/** Folder of everything that is kept between runs. */
export const cacheFolder = process.env["DOCKERWALL_LAB_CACHE"] ?? "/var/cache/dockerwall-lab";

/** Short digest of any data: the part of an entry's name that changes with its recipe. */
export function digest(...parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 12);
}

async function holderOf(path: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Owner;
  } catch {
    return undefined;
  }
}

/** Runs `work` while holding the named lock; a lock whose owner died is taken over. */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const path = join(cacheFolder, "locks", name);
  await mkdir(dirname(path), { recursive: true });
  // Between creation and content a lock is empty for a moment; one that stays empty has lost its owner.
  for (let emptySince = 0; ; ) {
    try {
      await writeFile(path, JSON.stringify(ownerOf()), { flag: "wx" });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = await holderOf(path);
    if (holder !== undefined) {
      emptySince = 0;
      if (!isAlive(holder)) await rm(path, { force: true });
    } else if (existsSync(path)) {
      emptySince ||= Date.now();
      if (Date.now() - emptySince > 5000) await rm(path, { force: true });
    }
    await pause(50);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

// Not the entry's own times: touching a folder disturbs a tar that is reading it.
const stampOf = (entry: string): string =>
  join(cacheFolder, "used", relative(cacheFolder, entry).replaceAll("/", "_"));

async function markUsed(entry: string): Promise<void> {
  await mkdir(dirname(stampOf(entry)), { recursive: true });
  await writeFile(stampOf(entry), "");
}

/** When an entry was last asked for, in milliseconds since 1970; its own age when it never was. */
export async function lastUsed(entry: string): Promise<number> {
  const stamp = stampOf(entry);
  return (await stat(existsSync(stamp) ? stamp : entry)).mtimeMs;
}

const weekMs = 7 * 24 * 3600 * 1000;

/** Removes the entries of one name that nobody has asked for in the given time, and half-made ones of that age. */
async function discardUnused(name: string, unusedForMs: number): Promise<void> {
  const folder = dirname(join(cacheFolder, name));
  const sameName = new RegExp(
    `^${basename(name)}-[0-9a-f]{12}(-[0-9a-f]{12})?(\\.draft|\\.draft\\.archives)?$`,
  );
  for (const entry of (await readdir(folder)).filter((candidate) => sameName.test(candidate))) {
    const path = join(folder, entry);
    if (Date.now() - (await lastUsed(path)) <= unusedForMs) continue;
    await rm(path, { recursive: true, force: true });
    await rm(stampOf(path), { force: true });
  }
}

/**
 * The path of a cache entry, built by `build` into an empty folder if it is not there yet.
 * @param name kind and name, without the digest, e.g. `roots/e28`
 * @param key digest of the recipe
 * @param unusedForMs other entries of this name go when they have not been used for so long
 */
export async function cached(
  name: string,
  key: string,
  build: (folder: string) => Promise<void>,
  unusedForMs = weekMs,
): Promise<string> {
  const entry = join(cacheFolder, `${name}-${key}`);
  if (!existsSync(entry)) {
    await withLock(`${name}-${key}`.replaceAll("/", "_"), async () => {
      if (existsSync(entry)) return;
      const draft = `${entry}.draft`;
      await rm(draft, { recursive: true, force: true });
      await mkdir(draft, { recursive: true });
      const started = Date.now();
      await build(draft);
      await rename(draft, entry);
      await discardUnused(name, unusedForMs);
      report(`made ${name} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
    });
  }
  await markUsed(entry);
  return entry;
}

/** Progress of slow set-up steps, on stderr so that a test's output stays clean. */
export function report(line: string): void {
  process.stderr.write(`lab: ${line}\n`);
}
