// Where the project is.
import { resolve } from "node:path";

/** The repository's folder; boxes see it at the same path. */
export const repository = resolve(import.meta.dirname, "../../..");
