// One query, in the order that makes it safe (the properties are those of docs/security.md):
//
// 1. Docker's own names are answered from the inventory; nothing leaves.
// 2. A denied name is answered here (property 3): it never reaches an upstream, not even its first label.
// 3. A type that we do not serve, or that this asker cannot use, is answered here.
// 4. Upstream is asked with our own message; apart from the question, no byte of the client's is in it.
// 5. The answer is walked; unrelated and private records are dropped (property 6).
// 6. The grants are admitted, and only then is there an answer (property 2). Without grants there is no address.
//
// Each step goes on to the next in the same turn of the event loop unless it must wait: for an upstream, or the kernel.

import type { Looked } from "./cached-lookup.ts";
import { CircleError } from "./circles.ts";
import { answerHere } from "./resolve/here.ts";
import { concludeAnswer, type JudgedAnswer, judgeLooked } from "./resolve/looked-up.ts";
import { isOpenReverse, type ResolveRequest } from "./resolve/request.ts";
import { failed, type Resolution, reasonOf } from "./resolve/resolution.ts";
import { extendedErrors } from "./wire/codes.ts";

/** Resolves one query. Never throws and never rejects: every failure is an answer. */
export function resolveQuery(request: ResolveRequest): Resolution | Promise<Resolution> {
  return orFailed(request, () => answerHere(request) ?? ask(request));
}

/** Step 4. */
function ask(request: ResolveRequest): Resolution | Promise<Resolution> {
  if (!request.decision.allowed && !request.audit && !isOpenReverse(request))
    throw new Error("a denied name must not reach an upstream");
  let looked: Looked | Promise<Looked>;
  try {
    looked = request.lookup(request.query.question);
  } catch (error) {
    return failed(request, reasonOf(error), error);
  }
  if (!(looked instanceof Promise)) return judgeAndAdmit(request, looked);
  return looked.then(
    (found) => orFailed(request, () => judgeAndAdmit(request, found)),
    (error) => failed(request, reasonOf(error), error),
  );
}

/** Steps 5 and 6. */
function judgeAndAdmit(request: ResolveRequest, looked: Looked): Resolution | Promise<Resolution> {
  const judged = judgeLooked(request, looked);
  if ("outcome" in judged) return judged;
  return judged.grants.length === 0 ? concludeAnswer(request, judged) : admit(request, judged);
}

function admit(request: ResolveRequest, judged: JudgedAnswer): Resolution | Promise<Resolution> {
  let admitted: void | Promise<void>;
  try {
    admitted = request.admit(judged.grants);
  } catch (error) {
    return notOpened(request, error);
  }
  if (!(admitted instanceof Promise)) return concludeAnswer(request, judged);
  return admitted.then(
    () => orFailed(request, () => concludeAnswer(request, judged)),
    (error) => notOpened(request, error),
  );
}

function notOpened(request: ResolveRequest, error: unknown): Resolution {
  return failed(request, { code: extendedErrors.other, text: "the grant failed; nothing was opened" }, error);
}

/** What fails in a step is the end of its query, and of nothing else. */
function orFailed<Result>(request: ResolveRequest, step: () => Result): Result | Resolution {
  try {
    return step();
  } catch (error) {
    if (error instanceof CircleError) return failed(request, reasonOf(error), error);
    return failed(request, { code: extendedErrors.other, text: "internal error" }, error);
  }
}
