// The queue in which the engine's questions wait. We open it before anything can decide about them, and the rules use
// it only while a daemon says that it is awake.

import { askedMark, engineQueueNumber, refusedQuestion } from "../../../core/firewall/names.ts";
import type { OpenQueue, QueuedPacket } from "../../../core/queued-packet.ts";
import type { KernelSets } from "../ipset/kernel-sets.ts";
import { isSwitchedOn, switchOff, switchOn, switchOnIfThere } from "../ipset/switch-set.ts";
import { openOwnQueue, type PacketQueue } from "./queue.ts";

/** Questions in the kernel's queue at most; more pass, as a host that asks so much must not be cut off. */
export const engineQueueLength = 8192;
/** Both headers with options. */
const copyBytes = 128;
/**
 * When we have not said for so long that we are awake, what waits for us passes us by: a daemon that hangs must not leave
 * the host without names. Longer than any load makes us wait.
 */
export const awakeSeconds = 30;
/** How long an engine's questions are held if no daemon comes back; a busy host takes 45 s to start one. */
const heldSeconds = 120;
/** How often we say that we are awake. */
export const awakeEveryMs = 5_000;

/**
 * Has questions of the engine wait from now on, where rules that an earlier run left put them before us. An engine that
 * was started anew starts the containers before it answers us; what they ask meanwhile waits until a daemon decides.
 * @returns the queue, for startEngineQuestions()
 */
export function holdEngineQuestions(queueNumber: number, sets: KernelSets): OpenQueue {
  const number = engineQueueNumber(queueNumber);
  const { fd } = openOwnQueue({ number, maxLength: engineQueueLength, copyBytes, whenFull: "pass" });
  stayAwakeIfAdopted(sets);
  return { fd, read: [], overflows: 0 };
}

/** The same as stayAwake() where an earlier run has left the sets; before the first one there is nothing to go by. */
export function stayAwakeIfAdopted(sets: KernelSets): void {
  switchOnIfThere(sets, "awake", awakeSeconds);
}

/** Lets rules go by it that the questions of the engine are to be put before us. */
export function stayAwake(sets: KernelSets): void {
  switchOn(sets, "awake", awakeSeconds);
}

/** Lets rules go by it that the questions of an engine that starts are to be held; nothing where no run has left the sets. */
export function keepHeld(sets: KernelSets): void {
  switchOnIfThere(sets, "held", heldSeconds);
}

/** Ends that at once. */
export function keepHeldNoMore(sets: KernelSets): void {
  if (isSwitchedOn(sets, "held")) switchOff(sets, "held");
}

/**
 * Lets a question go, or has it refused: through the same hook once more, as the rules of others behind ours must see it,
 * too.
 */
export function decideQuestion(
  queue: Pick<PacketQueue, "verdict">,
  { id, mark }: QueuedPacket,
  verdict: "passes" | "refused",
): void {
  queue.verdict(id, "repeat", verdict === "refused" ? refusedQuestion.mark : mark | askedMark);
}
