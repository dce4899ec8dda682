// Links each command's name to the program: `docker exec dockerwall stats` runs `stats`. The image's build calls it, with
// the folder where the links are to be.

import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { linkedNames } from "./commands.ts";

const program = join(import.meta.dirname, "../main.js");
const [folder = "."] = process.argv.slice(2);
for (const name of linkedNames) symlinkSync(program, join(folder, name));
