// Requests as clients send them: most were taken from the wire, with the hosts replaced.

import { fromBrowsers } from "./honest/browsers.ts";
import { fromLanguages } from "./honest/languages.ts";
import type { Honest } from "./honest/make.ts";
import { fromTools } from "./honest/tools.ts";

export const honest: readonly Honest[] = [...fromTools, ...fromLanguages, ...fromBrowsers];
