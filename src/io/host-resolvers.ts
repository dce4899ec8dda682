// The resolvers of the host: the resolv.conf that the engine sees. A container on the host's network has a copy of it
// that Docker made when it started the container and never renews; with `pid: host` the engine's own is read instead.

import { parseResolvConf } from "../dns/resolv-conf.ts";
import { DockerwallError, messageOf } from "../errors.ts";
import type { Upstream } from "../model/planes.ts";
import { readInside } from "./inside.ts";

const path = "/etc/resolv.conf";

export interface HostResolvers {
  /** @throws DockerwallError BAD_CONFIG when there is none that can be asked. */
  read(): readonly Upstream[];
  /** Reads again; undefined when nothing has changed, or what stands there now is of no use. */
  reread(): readonly Upstream[] | undefined;
}

/**
 * `root` is the folder that the engine sees as /; undefined takes our own. `onProblem` is told each line that names a
 * server which cannot be used, once while it stands there.
 */
export function openHostResolvers(
  root: string | undefined,
  onProblem: (problem: string) => void,
): HostResolvers {
  let last = "";
  let told: readonly string[] = [];
  const parse = (text: string): readonly Upstream[] => {
    const { nameservers, problems } = parseResolvConf(text);
    for (const problem of problems) if (!told.includes(problem)) onProblem(`${path}: ${problem}`);
    told = problems;
    return nameservers;
  };
  const readText = (): string => readInside(root ?? "", path);
  return {
    read() {
      try {
        last = readText();
      } catch (error) {
        const message = `${path} cannot be read (${messageOf(error)}); set DOCKERWALL_UPSTREAM`;
        throw new DockerwallError("BAD_CONFIG", message, { cause: error });
      }
      const nameservers = parse(last);
      if (nameservers.length > 0) return nameservers;
      const message = `${path} names no resolver that can be asked; set DOCKERWALL_UPSTREAM`;
      throw new DockerwallError("BAD_CONFIG", message);
    },
    reread() {
      let text: string;
      try {
        text = readText();
      } catch {
        // It is gone for the moment in which somebody replaces it.
        return undefined;
      }
      // Nor is it empty for longer than that: without a line glibc would ask this host, and break every lookup.
      if (text === last || text.trim() === "") return undefined;
      last = text;
      const nameservers = parse(text);
      return nameservers.length > 0 ? nameservers : undefined;
    },
  };
}
