// The resolvers of the host: the resolv.conf that the engine sees. A container on the host's network has a copy of it
// that Docker made when it started the container and never renews; with `pid: host` the engine's own is read instead.

import { isDeepStrictEqual } from "node:util";
import { parseResolvConf } from "../../core/dns/resolv-conf.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { Upstream } from "../../core/model/upstream.ts";
import { DockerwallError, messageOf } from "../../errors.ts";
import { readInside } from "../sandbox/inside.ts";

const path = "/etc/resolv.conf";
/** What systemd-resolved's stub asks in turn, and where it listens. @see systemd-resolved.service(8) */
const stub = { path: "/run/systemd/resolve/resolv.conf", addresses: ["127.0.0.53", "127.0.0.54"] } as const;

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
  /** Nothing where there is no such file, or it says nothing. */
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
      if (text.trim() === "" || (text === last && isDeepStrictEqual(lastOfStub, readStub())))
        return undefined;
      last = text;
      const nameservers = parse(text);
      return nameservers.length > 0 ? nameservers : undefined;
    },
  };
}
