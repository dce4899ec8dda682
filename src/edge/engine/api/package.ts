// The package that speaks to the engine, without what it would load beside it: an ssh client, and gRPC for builds. We
// reach the engine by its socket and build nothing, and both together take 12 MB of a process that is always there.

import { createRequire, registerHooks } from "node:module";
import type Docker from "dockerode";

const unneeded: ReadonlySet<string> = new Set(["ssh2", "@grpc/grpc-js", "@grpc/proto-loader"]);
/** In their place: a module of constants, in which nothing of them is found. */
const nothing = { url: "node:constants", format: "builtin", shortCircuit: true } as const;

/** The package's class, without ssh and builds. */
export const DockerClient = load();

function load(): typeof Docker {
  const hooks = registerHooks({
    resolve: (specifier, context, next) => (unneeded.has(specifier) ? nothing : next(specifier, context)),
  });
  try {
    return createRequire(import.meta.url)("dockerode") as typeof Docker;
  } finally {
    hooks.deregister();
  }
}
