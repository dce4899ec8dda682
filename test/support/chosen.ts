// What a run of the engine tests takes, chosen by environment: DOCKERWALL_ENGINES="e20 e28l" takes these engines only,
// DOCKERWALL_LONG=1 the long form, whose figures are in docs/measurements.md.

/** The long form: more rounds, and promised times without allowance for a busy machine. */
export const long = process.env["DOCKERWALL_LONG"] === "1";

const wanted = process.env["DOCKERWALL_ENGINES"]?.split(/[ ,]+/);

/** Those of the engines that this run is for; all when nothing was chosen. */
export function chosen<T extends string | { readonly kind: string; readonly name?: string }>(
  engines: readonly T[],
): readonly T[] {
  const nameOf = (engine: T): string => (typeof engine === "string" ? engine : (engine.name ?? engine.kind));
  return engines.filter((engine) => wanted === undefined || wanted.includes(nameOf(engine)));
}

/** Prints one row of figures. */
export function printRow(...cells: readonly string[]): void {
  console.log(`# | ${cells.join(" | ")} |`);
}
