// What `explain` asks for: the data plane, the kernel, and files of containers.

import type { IpAddress } from "../../../core/model/address.ts";
import type { Container } from "../../../core/model/topology.ts";
import type { PathReading } from "../../../core/path/reading.ts";
import { readHostsFile } from "../../../edge/engine/files/hosts-file.ts";
import { readResolvConf } from "../../../edge/engine/files/resolv-conf.ts";
import { engineRoot } from "../../../edge/engine/root.ts";
import { readFlows } from "../../../edge/kernel/flows/stamped.ts";
import type { PathRequest } from "../../../planes/request-table.ts";
import { type ApiParts, planeOf } from "../context/api-parts.ts";
import { thisHost } from "../context/host-now.ts";
import type { InKernelSources } from "./in-kernel.ts";
import type { ExplainedLookupSources } from "./lookups.ts";

export interface ExplanationSources extends ExplainedLookupSources, InKernelSources {
  /** What the data plane knows. */
  readonly readPath: (path: PathRequest) => Promise<PathReading>;
  /** The text of a container's own /etc/hosts; undefined where it cannot be read. */
  readonly hostsFile: (container: Container) => string | undefined;
  /** See Surroundings. */
  readonly directAccess: () => Promise<ReadonlyMap<IpAddress, string>>;
  /** The text of its own /etc/resolv.conf; undefined where it cannot be read. */
  readonly resolvConf: (container: Container, holder: Container) => string | undefined;
}

export function explanationSources(parts: ApiParts): ExplanationSources {
  const { sets, history, wall } = parts;
  return {
    sets,
    history,
    flows: readFlows,
    ...thisHost,
    hostsFile: ({ hostsFile }) => {
      const root = engineRoot();
      return root === undefined || hostsFile === undefined ? undefined : readHostsFile(root, hostsFile);
    },
    directAccess: () => wall.directAccess(),
    resolvConf: readResolvConf,
    readPath: async (path) => planeOf(parts).readPath(path),
  };
}
