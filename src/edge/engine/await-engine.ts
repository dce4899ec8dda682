// An engine that starts takes requests long before it answers them: it starts its containers first, and we may be one.

import { messageOf } from "../../errors.ts";
import { isSilence } from "./api/errors.ts";
import type { Engine } from "./engine.ts";

/**
 * The version of the engine, once it answers.
 * @param onSilence told, in one sentence, each time that it has not answered
 * @throws DockerwallError when there is no engine, or it refuses
 */
export async function awaitEngine(
  engine: Pick<Engine, "version">,
  onSilence: (problem: string) => void,
): ReturnType<Engine["version"]> {
  for (;;) {
    try {
      return await engine.version();
    } catch (error) {
      if (!isSilence(error)) throw error;
      onSilence(messageOf(error));
    }
  }
}
