// `stats`: what the journal and the kernel have counted, with what would meet a denied packet now.

import { nothing } from "../../core/api/request-checks.ts";
import { inForceOf, planeOf } from "./context/api-parts.ts";
import { thisHost } from "./context/host-now.ts";
import { route } from "./context/route.ts";
import { endsNow } from "./stats/ends-now.ts";

export const stats = route(nothing, (parts) => async () => {
  const { history, reporter, config } = parts;
  // Then the journal has every lookup that was answered before.
  await planeOf(parts).flush();
  return reporter.stats(async (denied) =>
    endsNow(denied, inForceOf(parts), {
      history,
      ...thisHost,
      leastLeaseSeconds: config.leaseFloorSeconds + config.leaseGraceSeconds,
      areOpen: async (packets) => planeOf(parts).areOpen(packets),
    }),
  );
});
