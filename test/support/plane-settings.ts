// A data plane by itself: without sandboxes, upstreams, or anything of the kernel's.

import type { DataPlaneSettings } from "../../src/planes/messages.ts";

export const planeSettings: DataPlaneSettings = {
  dnsPort: 0,
  upstreams: [],
  leaseFloorSeconds: 60,
  leaseGraceSeconds: 300,
  sandboxFolder: undefined,
  guardPorts: false,
  holdUnsettled: false,
  queueNumber: 0,
};
