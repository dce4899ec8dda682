// The host's resolvers: the resolv.conf that the engine sees. A container on the host's network has only a copy, which
// Docker makes when it starts the container and never renews; with `pid: host` we read the engine's own file instead.

import { isDeepStrictEqual } from "node:util";
import { parseResolvConf } from "../../core/dns/resolv-conf.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { Upstream } from "../../core/model/upstream.ts";
import { DockerwallError, messageOf } from "../../errors.ts";
import { readInside } from "../kernel/proc/inside.ts";

const path = "/etc/resolv.conf";
/** The resolvers that systemd-resolved's stub asks, and where the stub listens. @see systemd-resolved.service(8) */
const stub = { path: "/run/systemd/resolve/resolv.conf", addresses: ["127.0.0.53", "127.0.0.54"] } as const;

export interface HostResolvers {
  /** @throws DockerwallError BAD_CONFIG if there is no resolver that can be asked. */
  read(): readonly Upstream[];
  /** Reads the file again; undefined if nothing has changed, or if the file is now of no use. */
  reread(): readonly Upstream[] | undefined;
}

/**
 * `root` is the folder that the engine sees as /; undefined means our own. `onProblem` gets each line with a server that
 * cannot be used, once for as long as the line is there.
 */
export function openHostResolvers(
  root: string | undefined,
  onProblem: (problem: string) => void,
): HostResolvers {
  let last = "";
  let told: readonly string[] = [];
  let lastOfStub: readonly IpAddress[] = [];
  const parse = (text: string): readonly Upstream[] => {
    const { nameservers, problems } = parseResolvConf(text);
    for (const problem of problems) if (!told.includes(problem)) onProblem(`${path}: ${problem}`);
    told = problems;
    lastOfStub = readStub();
    return nameservers.map((upstream) => {
      const isStub = stub.addresses.some((address) => address === upstream.address);
      return isStub && lastOfStub.length > 0 ? { ...upstream, leadsTo: lastOfStub } : upstream;
    });
  };
  /** Empty if the file is missing, or names no server. */
  const readStub = (): readonly IpAddress[] => {
    try {
      return parseResolvConf(readInside(root ?? "", stub.path)).nameservers.map(({ address }) => address);
    } catch {
      return [];
    }
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
      const message = `${path} names no usable resolver; set DOCKERWALL_UPSTREAM`;
      throw new DockerwallError("BAD_CONFIG", message);
    },
    reread() {
      let text: string;
      try {
        text = readText();
      } catch {
        // It is gone for the moment in which a program replaces it.
        return undefined;
      }
      // Nor is it empty for longer than that: without a line glibc would ask this host, and break every lookup.
      if (text.trim() === "" || (text === last && isDeepStrictEqual(lastOfStub, readStub())))
        return undefined;
      last = text;
      const nameservers = parse(text);
      return nameservers.length > 0 ? nameservers : undefined;
    },
  };
}
