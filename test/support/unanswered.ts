// Netlink whose answers are lost: who asked does not hear whether the kernel has carried it out.

import { mock } from "node:test";
import { NetlinkSocket } from "../../src/edge/kernel/netlink/socket.ts";
import { DockerwallError } from "../../src/errors.ts";

/** How many of the next changes, and of the next readings, are not answered; and whether these changes are done. */
export const unanswered = { changes: 0, readings: 0, areDone: true };

const { request, dump } = NetlinkSocket.prototype;

/** Until mock.restoreAll(). */
export function loseAnswers(): void {
  mock.method(
    NetlinkSocket.prototype,
    "request",
    function (this: NetlinkSocket, ...given: Parameters<typeof request>) {
      const isLost = unanswered.changes-- > 0;
      if (!isLost || unanswered.areDone) request.apply(this, given);
      if (isLost) lose();
    },
  );
  mock.method(
    NetlinkSocket.prototype,
    "dump",
    function (this: NetlinkSocket, ...given: Parameters<typeof dump>) {
      dump.apply(this, given);
      if (unanswered.readings-- > 0) lose();
    },
  );
}

/** From now on all is answered. */
export function answerAll(): void {
  Object.assign(unanswered, { changes: 0, readings: 0, areDone: true });
}

function lose(): never {
  throw new DockerwallError("KERNEL_REFUSED", "the kernel did not answer");
}
