// What a request's body must be: fields with their checks. The caller gets all mistakes at once, each with the field, the
// value and what is expected. Unknown fields are refused: they were meant to do something.

import { DockerwallError, messageOf } from "../../errors.ts";
import { didYouMean } from "../model/did-you-mean.ts";

/** A request that we do not understand. */
export class BadRequest extends DockerwallError {
  /** Of HTTP. */
  readonly status: number;

  constructor(message: string, status = 400) {
    super("PROTOCOL", message);
    this.name = "BadRequest";
    this.status = status;
  }
}

/** What a field may hold. */
export interface FieldCheck<Value> {
  /** Completes "it must be ". */
  readonly expected: string;
  readonly holds: (value: unknown) => value is Value;
}

export const text: FieldCheck<string> = { expected: "a text", holds: isText };

export const texts: FieldCheck<readonly string[]> = {
  expected: "a list of texts",
  holds: (value): value is readonly string[] => Array.isArray(value) && value.every(isText),
};

export const flag: FieldCheck<boolean> = {
  expected: "true or false",
  holds: (value) => typeof value === "boolean",
};

export function oneOf<const Choice extends string>(choices: readonly Choice[]): FieldCheck<Choice> {
  return {
    expected: `one of ${choices.join(", ")}`,
    holds: (value): value is Choice => choices.some((choice) => choice === value),
  };
}

/** A number that JavaScript represents exactly. */
export function wholeNumber(least: number): FieldCheck<number> {
  return {
    expected: `a whole number from ${least}`,
    holds: (value): value is number => Number.isSafeInteger(value) && Number(value) >= least,
  };
}

/** The field may be left out, but not be `null`. */
export function optional<Value>({ expected, holds }: FieldCheck<Value>): FieldCheck<Value | undefined> {
  return {
    expected,
    holds: (value): value is Value | undefined => value === undefined || holds(value),
  };
}

/** Reads a parsed body. @throws BadRequest */
export type Reader<Shape> = (body: unknown) => Shape;

/** What a reader returns. */
export type DataRead<Reads> = Reads extends Reader<infer Shape> ? Shape : never;

type Checks = Readonly<Record<string, FieldCheck<unknown>>>;
type Held<Check> = Check extends FieldCheck<infer Value> ? Value : never;
type OptionalKey<Each extends Checks> = {
  [Key in keyof Each]: undefined extends Held<Each[Key]> ? Key : never;
}[keyof Each];

/** An object with a field for each check; what need not be sent may be left out. */
type ShapeOf<Each extends Checks> = {
  readonly [Key in Exclude<keyof Each, OptionalKey<Each>>]: Held<Each[Key]>;
} & {
  readonly [Key in OptionalKey<Each>]?: Held<Each[Key]>;
};

/** Reads an object with exactly these fields. */
export function fields<Each extends Checks>(checks: Each): Reader<ShapeOf<Each>> {
  const known = Object.entries(checks);
  const names = known.map(([name]) => name);
  return (body) => {
    if (!isObject(body)) throw new BadRequest(`the request is ${show(body)}, but must be an object`);
    // Fields inherited from the prototype were not sent.
    const sentAs = (name: string): unknown => (Object.hasOwn(body, name) ? body[name] : undefined);
    const problems = [
      ...known.flatMap(([name, check]) => problemOf(name, sentAs(name), check)),
      ...Object.keys(body).flatMap((name) => (names.includes(name) ? [] : unknownField(name, names))),
    ];
    if (problems.length > 0) throw new BadRequest(problems.join("; "));
    return Object.fromEntries(names.map((name) => [name, sentAs(name)])) as ShapeOf<Each>;
  };
}

const noFields = fields({});

/** A request without fields. */
export const nothing: Reader<undefined> = (body) => {
  noFields(body);
};

/** Parses a JSON body; an empty body has no fields. @throws BadRequest */
export function parseBody(body: string): unknown {
  try {
    return body === "" ? {} : JSON.parse(body);
  } catch (error) {
    throw new BadRequest(`the request is not JSON: ${messageOf(error)}`);
  }
}

function problemOf(name: string, value: unknown, { expected, holds }: FieldCheck<unknown>): string[] {
  if (holds(value)) return [];
  const field = `field ${JSON.stringify(name)}`;
  return value === undefined
    ? [`${field} is missing and must be ${expected}`]
    : [`${field} is ${show(value)}, but must be ${expected}`];
}

function unknownField(name: string, known: readonly string[]): string[] {
  return [`there is no field ${show(name)}${didYouMean(name, known)}`];
}

/** A value as it was sent, cut to fit into a sentence. */
function show(value: unknown): string {
  const shown = JSON.stringify(value);
  return shown.length <= 80 ? shown : `${shown.slice(0, 80)}…`;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
