// The project's own image, built from its real Dockerfile by an engine that is not part of the lab: it works on the
// machine's network, for apt and npm in the build, and touches no firewall, no sysctl and no link.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Box, openBox } from "../lab/box.ts";
import { cached, cacheFolder, digest, withLock } from "../lab/cache.ts";
import { pipeline } from "../lab/command.ts";
import { endDockerd, startDockerd, withoutNetwork } from "../lab/dockerd.ts";
import { root } from "../lab/roots.ts";
import type { Run } from "../lab/run.ts";
import { baseImage } from "./base.ts";
import type { Image } from "./image.ts";

const name = "dockerwall:lab";
/** Every edit makes an entry of 300 MB; engines that have loaded one do not need it any more. */
const anHourMs = 3600 * 1000;

/** The build context: what else lies in the repository neither reaches the build nor makes it run anew. */
const contextFiles =
  /^(Dockerfile|\.dockerignore|package(-lock)?\.json|tsconfig.*\.json|entrypoint\.sh|LICENSE|src)$/;

async function filesBelow(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = (await readdir(path)).sort();
  return (await Promise.all(names.map((child) => filesBelow(join(path, child))))).flat();
}

/** Copies the build context away, so that it cannot change between hashing and building. */
async function stageContext(from: string, to: string): Promise<string> {
  await mkdir(to, { recursive: true });
  for (const entry of (await readdir(from)).filter((candidate) => contextFiles.test(candidate))) {
    await cp(join(from, entry), join(to, entry), { recursive: true, preserveTimestamps: true });
  }
  if (!existsSync(join(to, "Dockerfile"))) throw new Error(`lab: no Dockerfile in ${from}`);
  const hash = createHash("sha256");
  for (const path of await filesBelow(to)) {
    const { mode } = await stat(path);
    hash
      .update(`${path.slice(to.length)}\0${mode}\0`)
      .update(await readFile(path))
      .update("\0");
  }
  return hash.digest("hex");
}

async function hasBase(box: Box, base: Image): Promise<boolean> {
  const format = '{{index .Config.Labels "lab.key"}}';
  const { stdout } = await box.attempt(["docker", "image", "inspect", "-f", format, base.name]);
  return stdout === base.key;
}

/** Starts the builder, which keeps its layers between runs; one at a time. */
async function withBuilder<T>(run: Run, work: (box: Box) => Promise<T>): Promise<T> {
  return await withLock("builder", async () => {
    const data = join(cacheFolder, "builder");
    await mkdir(data, { recursive: true });
    const box = await openBox(run, {
      name: "builder",
      root: await root("e28"),
      network: "machine",
      binds: [{ from: data, to: "/var/lib/docker" }],
      files: { "etc/resolv.conf": await readFile("/etc/resolv.conf", "utf8") },
    });
    const dockerd = await startDockerd(box, {
      ...withoutNetwork,
      "cgroup-parent": `/${run.name}/builder`,
      builder: { gc: { enabled: true, defaultKeepStorage: "10GB" } },
    });
    try {
      return await work(box);
    } finally {
      await endDockerd(box, dockerd, "SIGTERM");
      await box.close();
    }
  });
}

async function build(run: Run, base: Image, context: string, into: string): Promise<void> {
  await withBuilder(run, async (box) => {
    if (!(await hasBase(box, base))) {
      const changes = base.changes.flatMap((change) => ["--change", change]);
      await pipeline(
        await base.stream(run, new Set()),
        box.inside(["docker", "import", ...changes, "-", base.name]),
      );
    }
    // BuildKit: an unchanged stage costs nothing, where the classic builder takes 10 s to copy node_modules again.
    const builder = [
      "docker",
      "buildx",
      "build",
      "--progress=plain",
      "--network=host",
      "--load",
      "--tag",
      name,
      "-",
    ];
    await pipeline(["tar", "-c", "-C", context, "."], box.inside(builder));
    await pipeline(box.inside(["docker", "save", name]), ["tar", "-x", "-C", into]);
    await box.command(["docker", "image", "prune", "-f"]);
  });
}

/**
 * The image of the source tree in `folder`, as it is now; `dockerwall:lab` in the engines.
 * @throws Error with the build's output when the Dockerfile fails
 */
export async function productImage(run: Run, folder: string): Promise<Image> {
  const base = await baseImage();
  const context = join(run.folder, "context");
  const key = digest(4, await stageContext(folder, context), base.key, basename(await root("e28")));
  const entry = await cached("images/product", key, (draft) => build(run, base, context, draft), anHourMs);
  return {
    name,
    key,
    format: "saved",
    changes: [],
    // Saved layers are plain tars named by their diff ids; loading looks a layer up before it opens its file.
    stream: async (_run, known) => [
      ...["tar", "-c", "-C", entry],
      ...[...known].map((id) => `--exclude=./blobs/sha256/${id}`),
      ".",
    ],
  };
}
