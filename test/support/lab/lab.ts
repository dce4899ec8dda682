// The lab: Docker engines of three generations, each on a host of its own, joined to one fake internet.
//
//   const lab = await startLab({ engines: ['e28', { kind: 'e20', iptables: 'legacy' }], product: true });
//   const { stdout } = await lab.engine('e28').docker('run', '--rm', 'client:lab', 'curl', '-s', 'http://www.example.com');
//   const capture = await lab.capture('e28', 'dst host 203.0.113.30');
//   const leaked = await capture.stop();
//   const asked = await lab.internet.queries();
//   await lab.down();
//
// Needs root and what every Debian machine has (apt, dpkg, util-linux, tar); all else comes out of packages that are
// unpacked, never installed. Nothing in the lab has a route to the outside.
import "../needs-node.ts";
import { baseImages } from "../images/client.ts";
import { productImage } from "../images/product.ts";
import { type Capture, startCapture } from "./capture.ts";
import { type Engine, type EngineOptions, startEngine } from "./engine.ts";
import { type EngineKind, openHost } from "./host.ts";
import { type Internet, startInternet } from "./internet.ts";
import { repository } from "./repository.ts";
import { root } from "./roots.ts";
import { beginRun } from "./run.ts";
import { endRun } from "./run-end.ts";

/**
 * What to bring up.
 * @property engines kinds, or options; two of one kind need different names
 * @property id the run's own part of its name, random by default
 * @property product build the project's image and load it as `dockerwall:lab`; a string is another tree than the repository
 * @property stays leave the lab up when this process ends
 */
export type LabOptions = {
  readonly engines: ReadonlyArray<EngineKind | EngineOptions>;
  readonly id?: string | undefined;
  readonly product?: boolean | string;
  readonly stays?: boolean;
};

/** A lab that is up. */
export type Lab = {
  readonly name: string;
  /** A folder that is at the same place on every engine's host; it goes with the lab. */
  readonly shared: string;
  readonly internet: Internet;
  readonly engines: readonly Engine[];
  /** @throws Error when there is no such engine */
  readonly engine: (name: string) => Engine;
  /** Captures on the internet's end of the engine's uplink; `filter` as in pcap-filter(7), `snapBytes` as for a capture. */
  readonly capture: (engine: string, filter?: string, snapBytes?: number) => Promise<Capture>;
  /** Ends everything. */
  readonly down: () => Promise<void>;
};

/** Like Promise.all, but fails only when all have ended: nothing may still be at work when the run is taken down. */
async function all<T extends readonly unknown[]>(
  ...work: T
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return (await Promise.all(work)) as { -readonly [K in keyof T]: Awaited<T[K]> };
}

/** Brings a lab up; what fails on the way takes all of it down again. */
export async function startLab(options: LabOptions): Promise<Lab> {
  const run = await beginRun({ id: options.id, stays: options.stays ?? false });
  try {
    const wanted = options.engines.map(
      (given): EngineOptions => (typeof given === "string" ? { kind: given } : given),
    );
    const { product: tree = false } = options;
    const [internet, product, hosts] = await all(
      startInternet(run),
      tree === false ? undefined : productImage(run, tree === true ? repository : tree),
      all(
        ...wanted.map(({ kind, name = kind, iptables = "nft", resolver = "internet" }) =>
          openHost(run, { kind, name, iptables, resolver }),
        ),
      ),
      // For the images that come next, as everything here may take long the first time.
      root("client"),
    );
    const base = await baseImages(internet.authority);
    const engines = await all(
      ...hosts.map((host, index) =>
        startEngine(run, internet, host, {
          options: wanted[index] as EngineOptions,
          index: index + 1,
          base,
          product,
        }),
      ),
    );
    const engine = (name: string): Engine => {
      const found = engines.find((candidate) => candidate.name === name);
      if (found === undefined)
        throw new Error(`lab: no engine ${name}, there are ${engines.map((each) => each.name).join(", ")}`);
      return found;
    };
    let captures = 0;
    return {
      name: run.name,
      shared: run.shared,
      internet,
      engines,
      engine,
      capture: async (name, filter = "", snapBytes = 0) => {
        captures += 1;
        const title = `capture-${name}-${captures}`;
        return await startCapture(internet.box, {
          name: title,
          device: name,
          filter,
          markTo: engine(name).link.host,
          snapBytes,
        });
      },
      down: async () => {
        const asked = await Promise.allSettled(engines.map((each) => each.assertAsAsked()));
        await endRun(run.name);
        for (const outcome of asked) if (outcome.status === "rejected") throw outcome.reason;
      },
    };
  } catch (error) {
    await endRun(run.name);
    throw error;
  }
}
