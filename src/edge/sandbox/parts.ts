// What captured sandboxes are handled with: each part knows those that it needs, and nothing of the rest.

import { contain } from "../../core/contain.ts";
import { after } from "../host/every.ts";
import { AddressHolders } from "./address-holders.ts";
import { readAddresses } from "./addresses.ts";
import { type Capture, createCapture } from "./capture.ts";
import { type Classification, createClassification } from "./classification.ts";
import { createPastFlows } from "./flows/past-flows.ts";
import { createListening, type Listening } from "./lookups/listening.ts";
import { createQuestions } from "./lookups/questions.ts";
import type { SandboxesOptions } from "./options.ts";
import { describeFailure, OwedSandboxes } from "./owed.ts";
import { SandboxRegister } from "./register.ts";
import type { ContainFor, Sandbox, TellOf } from "./sandbox.ts";
import { UnopenedSandboxes } from "./unopened.ts";

export interface SandboxParts {
  readonly options: SandboxesOptions;
  readonly attempt: ContainFor;
  readonly tellOf: TellOf;
  readonly register: SandboxRegister;
  readonly unopened: UnopenedSandboxes;
  readonly owed: OwedSandboxes;
  readonly holders: AddressHolders;
  readonly listening: Listening;
  readonly capture: Capture;
  readonly classification: Classification;
}

export function createParts(options: SandboxesOptions): SandboxParts {
  const { onProblem } = options;
  const tellOf: TellOf = (name) => (error) => onProblem(describeFailure({ name }, error));
  const attempt: ContainFor = (name, work) => contain(work, tellOf(name));
  const isLive = (sandbox: Sandbox): boolean => register.isLive(sandbox);
  const unopened = new UnopenedSandboxes();
  const register = new SandboxRegister({
    lacking: () => listening.lacking(),
    isMet: (name) => unopened.isMet(name),
    onLate: options.onLate,
    onChange: options.onChange,
  });
  const holders = new AddressHolders(options.onAddressLost, attempt);
  const owed = new OwedSandboxes({
    register,
    after,
    tellOf,
    again: (sandbox) => classification.read(sandbox),
  });
  const capture = createCapture({
    tellOf,
    attempt,
    pastFlows: createPastFlows({ isLive, attempt, tellOf }),
    onLate: options.onLate,
    mayEngineAsk: options.mayEngineAsk,
    portsWait: options.portsWait,
    readAnew: (sandbox) => classification.read(sandbox),
    onRefused: (sandbox) => (error) => owed.owe(sandbox, describeFailure(sandbox, error)),
    onChange: (sandbox) => register.noteCapture(sandbox),
  });
  const questions = createQuestions({
    onQuery: options.onQuery,
    onUnanswerable: options.onUnanswerable,
    onUnknown: options.onUnknown,
    release(sandbox) {
      if (sandbox.captured) attempt(sandbox.name, () => capture.release(sandbox));
    },
    onProblem,
  });
  const listening = createListening({
    onQuery: (sandbox, query) => questions.receive(sandbox, query),
    onMoved: (sandbox) => capture.lead(sandbox),
    onChange: () => register.tell(),
    isLive,
    onProblem,
  });
  const classification = createClassification({
    ...options,
    readAddresses,
    register,
    owed,
    holders,
    capture,
    questions,
  });
  return { options, attempt, tellOf, register, unopened, owed, holders, listening, capture, classification };
}
