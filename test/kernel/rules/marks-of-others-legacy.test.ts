// The same as with the newer iptables: what others mark opens nothing.

import { enterNamespaces, run } from "../../support/namespace.ts";
import { describeOthersMarks } from "../../support/others-marks.ts";

enterNamespaces(import.meta.url);
run("ip", "link", "set", "lo", "up");

describeOthersMarks("legacy");
