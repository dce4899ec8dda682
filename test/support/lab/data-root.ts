// An engine's data root with images in it, made once and shared by all runs that start from it.
// Every image layer is kept in one store per engine and reached by a symbolic link from overlay2/ID/diff: an engine
// then starts from a copy of a few small files instead of half a gigabyte, and `docker rmi` removes only a link.
// (Bind mounts instead of links would not last: the engine unmounts all below overlay2 when it stops.)
import { existsSync, lstatSync } from "node:fs";
import { mkdir, readdir, readFile, readlink, rename, rm, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Image } from "../images/image.ts";
import { type Bind, openBox } from "./box.ts";
import { cached, cacheFolder, digest, lastUsed, withLock } from "./cache.ts";
import { command, pipeline } from "./command.ts";
import { endDockerd, startDockerd, withoutNetwork } from "./dockerd.ts";
import { type RootName, root } from "./roots.ts";
import type { Run } from "./run.ts";
import { keptEntries } from "./run-record.ts";

const recipeVersion = 1;
const storeInBox = "/var/lib/dockerwall-layers";
const unusedForMs = 30 * 60 * 1000;
const entriesFolder = join(cacheFolder, "data");

const storeOf = (engine: RootName): string => join(cacheFolder, "layers", engine);

/** What an engine's box must see to work on a data root in `folder`. */
export async function dataBinds(engine: RootName, folder: string): Promise<Bind[]> {
  await mkdir(storeOf(engine), { recursive: true });
  return [
    { from: folder, to: "/var/lib/docker" },
    { from: storeOf(engine), to: storeInBox },
  ];
}

/** Moves the layers that the engine has written into the store and leaves links. */
async function storeLayers(engine: RootName, folder: string): Promise<void> {
  const overlay = join(folder, "overlay2");
  for (const id of await readdir(overlay)) {
    const diff = join(overlay, id, "diff");
    if (id === "l" || !existsSync(diff) || lstatSync(diff).isSymbolicLink()) continue;
    await rename(diff, join(storeOf(engine), id));
    await symlink(`${storeInBox}/${id}`, diff);
  }
}

/** Diff ids of all layers in a data root. */
async function layersIn(folder: string): Promise<Set<string>> {
  const database = join(folder, "image/overlay2/layerdb/sha256");
  const names = existsSync(database) ? await readdir(database) : [];
  const ids = await Promise.all(names.map((name) => readFile(join(database, name, "diff"), "utf8")));
  return new Set(ids.map((id) => id.trim().replace("sha256:", "")));
}

async function fill(run: Run, engine: RootName, folder: string, images: readonly Image[]): Promise<void> {
  const box = await openBox(run, {
    name: `fill-${engine}`,
    root: await root(engine),
    network: "unnamed",
    binds: await dataBinds(engine, folder),
    files: { "etc/resolv.conf": "" },
  });
  const known = await layersIn(folder);
  const dockerd = await startDockerd(box, withoutNetwork);
  for (const image of images) {
    const changes = image.changes.flatMap((change) => ["--change", change]);
    const verb = image.format === "rootfs" ? ["import", ...changes, "-", image.name] : ["load", "-q"];
    await pipeline(await image.stream(run, known), box.inside(["docker", ...verb]));
  }
  await box.command(["docker", "image", "prune", "-f"]);
  await endDockerd(box, dockerd, "SIGTERM");
  await box.close();
  await storeLayers(engine, folder);
  // The next engine makes its own networks and identity.
  for (const name of ["network", "engine-id", "containers"])
    await rm(join(folder, name), { recursive: true, force: true });
}

async function entriesOf(engine: RootName): Promise<string[]> {
  if (!existsSync(entriesFolder)) return [];
  const names = (await readdir(entriesFolder)).filter(
    (name) => name.startsWith(`${engine}-`) && !name.endsWith(".draft"),
  );
  const dated = await Promise.all(
    names.map(async (name) => ({ name, used: await lastUsed(join(entriesFolder, name)) })),
  );
  return dated.sort((a, b) => b.used - a.used).map(({ name }) => join(entriesFolder, name));
}

/** Removes data roots that nobody has used for a while (not the newest), then layers that none refers to. */
async function discardUnused(engine: RootName): Promise<void> {
  const kept = keptEntries();
  for (const entry of (await entriesOf(engine)).slice(2)) {
    if (kept.has(entry) || Date.now() - (await lastUsed(entry)) < unusedForMs) continue;
    await rm(entry, { recursive: true, force: true });
  }
  const used = new Set<string>();
  for (const entry of await entriesOf(engine)) {
    for (const id of await readdir(join(entry, "overlay2"))) {
      if (id !== "l") used.add(basename(await readlink(join(entry, "overlay2", id, "diff"))));
    }
  }
  for (const id of await readdir(storeOf(engine))) {
    if (!used.has(id)) await rm(join(storeOf(engine), id), { recursive: true, force: true });
  }
}

/** @property base images that seldom change; @property extra loaded on top of the newest data root with the same base */
export type DataRootOptions = {
  readonly engine: RootName;
  readonly base: readonly Image[];
  readonly extra?: Image | undefined;
};

/** Makes a copy, in `folder`, of the engine's data root with these images. */
export async function copyDataRoot(run: Run, options: DataRootOptions, folder: string): Promise<void> {
  const { engine, base, extra } = options;
  const baseKey = digest(
    recipeVersion,
    basename(await root(engine)),
    base.map(({ name, key, changes }) => [name, key, changes]),
  );
  const key = extra === undefined ? baseKey : `${baseKey}-${extra.key}`;
  const entry = await withLock(`data_${engine}`, async () => {
    const fillDraft = async (draft: string): Promise<void> => {
      const previous = (await entriesOf(engine)).find((path) =>
        basename(path).startsWith(`${engine}-${baseKey}`),
      );
      if (previous !== undefined) await command(["cp", "-aT", previous, draft]);
      const missing = [...(previous === undefined ? base : []), ...(extra === undefined ? [] : [extra])];
      await fill(run, engine, draft, missing);
    };
    // Which entries go is decided below: the layers of one may be in use.
    const made = await cached(`data/${engine}`, key, fillDraft, Number.POSITIVE_INFINITY);
    run.keep(made);
    await discardUnused(engine);
    return made;
  });
  await command(["cp", "-aT", entry, folder]);
}
