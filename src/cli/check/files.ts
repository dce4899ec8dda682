// Which Compose files `dockerwall check` reads, and their text.

import { existsSync, readFileSync, statSync } from "node:fs";
import type { ReadText } from "../../core/compose/documents.ts";
import { readEnvFiles } from "../../core/compose/env-file.ts";
import type { VariableLookup } from "../../core/compose/interpolate.ts";
import { DockerwallError, messageOf } from "../../errors.ts";

/** The first that is there counts, as for Compose. */
const names = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"] as const;

const overrideNames = [
  "compose.override.yml",
  "compose.override.yaml",
  "docker-compose.override.yml",
  "docker-compose.override.yaml",
] as const;

/** Variables by which Compose would read other `.env` files than we do. */
const notFollowed = ["COMPOSE_ENV_FILES", "COMPOSE_DISABLE_ENV_FILE"] as const;

/** An operand of this form is a file; anything else is an entry, a URL without its scheme too. */
export function isFileName(operand: string): boolean {
  return /\.ya?ml$/i.test(operand) || /^(\.{0,2}\/(?!\/)|\.{1,2}$)/.test(operand);
}

/** The files given, or those of COMPOSE_FILE, or those of the working folder. @throws DockerwallError USAGE */
export function chooseFiles(given: readonly string[], environment: VariableLookup): readonly string[] {
  const other = notFollowed.find((name) => environment(name) !== undefined);
  if (other !== undefined) throw new DockerwallError("USAGE", `check does not follow ${other}; unset it`);
  const named = given.length > 0 ? given : filesOfVariable(environment);
  for (const file of named) {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined) throw new DockerwallError("USAGE", `there is no file ${file}`);
    if (found.isDirectory())
      throw new DockerwallError("USAGE", `${file} is a folder; name its Compose file, or run check in it`);
  }
  if (named.length > 0) return named;
  const first = names.find((name) => existsSync(name));
  if (first === undefined) {
    throw new DockerwallError(
      "USAGE",
      `there is no ${names.join(" or ")} in this folder; name a Compose file`,
    );
  }
  const override = overrideNames.find((name) => existsSync(name));
  return override === undefined ? [first] : [first, override];
}

/** COMPOSE_FILE may stand in `.env`, too. */
function filesOfVariable(environment: VariableLookup): readonly string[] {
  const { lookup } = readEnvFiles(readText, [".env"], environment);
  const value = lookup("COMPOSE_FILE") ?? "";
  return value === "" ? [] : value.split(lookup("COMPOSE_PATH_SEPARATOR") || ":");
}

/** The text of a file; of a folder's or a device's there is none. */
export const readText: ReadText = (path) => {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    return found.isFile() ? { text: readFileSync(path, "utf8") } : { problem: "it is no file" };
  } catch (error) {
    return { problem: messageOf(error) };
  }
};
