// The answer of a server that nobody should be able to ask: an address for every name.
import { decode, encode } from "dns-packet";
import { internetAddresses } from "./addresses.ts";

/** The answer to a query, or undefined when it is not one. */
export function baitAnswer(message: Buffer): Buffer | undefined {
  try {
    const query = decode(message);
    const [question] = query.questions ?? [];
    if (query.type !== "query" || question === undefined) return undefined;
    const { name } = question;
    const answers =
      question.type === "A"
        ? [{ type: "A" as const, name, ttl: 60, data: internetAddresses.bait }]
        : question.type === "AAAA"
          ? [{ type: "AAAA" as const, name, ttl: 60, data: internetAddresses.bait6 }]
          : question.type === "TXT"
            ? [{ type: "TXT" as const, name, ttl: 60, data: ["bait"] }]
            : [];
    // 0x8180: a response, recursion desired and available.
    return encode({ id: query.id ?? 0, type: "response", flags: 0x0180, questions: [question], answers });
  } catch {
    return undefined;
  }
}
