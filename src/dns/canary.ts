// The question by which capture is seen at work: a name that nobody can allow, asked as a container would ask it. Only
// our denial carries our words; whoever else answered would show that the question went past us.

/** `dockerwall-canary.invalid`, type A, class IN, with an OPT record so that the denial explains itself. */
export function canaryQuery(): Uint8Array {
  const labels = ["dockerwall-canary", "invalid"].flatMap((label) => [label.length, ...Buffer.from(label)]);
  const header = [0x64, 0x77, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1];
  const option = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];
  return Uint8Array.from([...header, ...labels, 0, 0, 1, 0, 1, ...option]);
}

/** A question for the name servers of the root, which every resolver can answer. */
export function rootQuery(): Uint8Array {
  return Uint8Array.from([0x64, 0x77, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1]);
}

/** True for NXDOMAIN with our Extended DNS Error. */
export function isOurDenial(answer: Uint8Array | undefined): boolean {
  if (answer === undefined || ((answer[3] ?? 0) & 0xf) !== 3) return false;
  return Buffer.from(answer).includes("not in dockerwall.allow of ");
}
