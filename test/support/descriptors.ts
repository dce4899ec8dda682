// Works while the kernel refuses this process descriptors.

import assert from "node:assert/strict";
import koffi from "koffi";

const NOFILE = 7;
const library = koffi.load(null);
const setrlimit = library.func("int setrlimit(int, uint64_t *)");
const getrlimit = library.func("int getrlimit(int, _Out_ uint64_t *)");

/** Does the work while no descriptor may get a number of `limit` or above. */
export function within<Result>(limit: number, work: () => Result): Result {
  const before = new BigUint64Array(2);
  assert.equal(getrlimit(NOFILE, before), 0);
  assert.equal(setrlimit(NOFILE, BigUint64Array.of(BigInt(limit), before[1] ?? 0n)), 0);
  try {
    return work();
  } finally {
    assert.equal(setrlimit(NOFILE, before), 0);
  }
}
