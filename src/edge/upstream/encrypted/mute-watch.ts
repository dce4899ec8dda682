// Notices a server that has gone silent while its connection stays open: no packet says so, and a socket's timeouts do
// not either, because our own writes postpone them.

import { contained, type OnFailure } from "../../../core/contain.ts";

export interface MuteWatch {
  /** Something was asked; the server has its time from here on, or from what was asked before. */
  asked(): void;
  /** Something came from the server; `waiting` says whether it still owes answers. */
  heard(waiting: boolean): void;
  /** The connection is over. */
  end(): void;
}

/**
 * Silence after a question that ends a connection, ms. A slow name can be the reason as well, so it leaves time to ask
 * again on a new connection before the client's own resolver gives up.
 */
const muteMs = 1_500;

/** `onMute` is called when nothing came for `muteMs` although something was asked; `onFailure`, when that fails. */
export function createMuteWatch(onMute: () => void, onFailure: OnFailure): MuteWatch {
  let timer: NodeJS.Timeout | undefined;
  const asked = (): void => {
    timer ??= setTimeout(contained(onMute, onFailure), muteMs);
  };
  const end = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  return {
    asked,
    heard(waiting) {
      end();
      if (waiting) asked();
    },
    end,
  };
}
