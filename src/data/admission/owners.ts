// Who has an address, whether an earlier holder's open flows are gone from it, and by which policy what was granted to it
// was last judged. All of it is in the kernel, for the next daemon.

import { setNames } from "../../core/firewall/names.ts";
import { familyOf, hostPrefix, type IpAddress } from "../../core/model/address.ts";
import { digestOf } from "../../core/policy/digest.ts";
import { isSetFull } from "../../edge/kernel/ipset/error.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";

/** Who has an address, and what was decided by when something was last granted to it. */
export interface Owner {
  readonly sandbox: string;
  /** Of the policy; undefined until it was first judged. */
  readonly digest: string | undefined;
  /** Whether nothing is left of an earlier holder's open flows. */
  readonly isCleared: boolean;
  /** The epoch of the policies by which flows of its own may be open; undefined before the first: there are none. */
  readonly since: string | undefined;
}

/** In the place of the digest: who was not cleared has not been judged either, to the next daemon. */
const uncleared = "uncleared";

/** In the place of the epoch: policies of more than one, or of an earlier run, may have opened something. */
const notOne = "";

/** Who has left an address is remembered for so many of them; who comes again to another is judged anew. */
const mostFormer = 16_384;

export class Owners {
  readonly #sets: KernelSets;
  readonly #owners: Map<IpAddress, Owner>;
  /** Those that found no place at their addresses, as the set is full. */
  readonly #unplaced = new Map<IpAddress, string>();
  /** Whose policy was not known yet, or who has come since. */
  #unjudged: Set<IpAddress>;
  /** Of the policies in use. */
  #epoch: string | undefined;
  /** Whether what was judged by them counts. */
  #isJudged = false;
  /** Who has left an address while these policies were in use: its own open flows go on when it comes again. */
  readonly #former = new Map<IpAddress, Owner>();

  /** Takes over what an earlier run left in the kernel. */
  constructor(sets: KernelSets) {
    this.#sets = sets;
    this.#owners = new Map(leftOwners(sets));
    this.#unjudged = new Set(this.#owners.keys());
  }

  of(asker: IpAddress): Owner | undefined {
    return this.#owners.get(asker);
  }

  /** Those that are not cleared, and whose they are. */
  get uncleared(): ReadonlyMap<IpAddress, string> {
    const found = [...this.#owners].filter(([, { isCleared }]) => !isCleared);
    return new Map(found.map(([asker, { sandbox }]) => [asker, sandbox]));
  }

  /** The sandbox that has an address, and found no place in a full set. */
  unplacedAt(asker: IpAddress): string | undefined {
    return this.#unplaced.get(asker);
  }

  /**
   * A sandbox has the address now; it is not cleared yet, and is judged by its policy with the next picture. What was open
   * from there when it last left it was judged by the policy of then.
   * @returns false where the set is full: the address has no owner
   */
  own(asker: IpAddress, sandbox: string): boolean {
    const former = this.#former.get(asker);
    const { digest, since } =
      former?.sandbox === sandbox ? former : { digest: undefined, since: this.#epoch };
    try {
      this.set(asker, { sandbox, digest, isCleared: false, since });
    } catch (error) {
      if (!isSetFull(error)) throw error;
      this.#unplaced.set(asker, sandbox);
      return false;
    }
    this.#former.delete(asker);
    this.#unplaced.delete(asker);
    this.#unjudged.add(asker);
    return true;
  }

  /** A sandbox that found no place has the address no more. */
  forgetUnplaced(asker: IpAddress, sandbox: string): void {
    if (this.#unplaced.get(asker) === sandbox) this.#unplaced.delete(asker);
  }

  set(asker: IpAddress, owner: Owner): void {
    const note = owner.isCleared ? owner.digest : uncleared;
    const comment = note === undefined ? owner.sandbox : `${owner.sandbox} ${note}`;
    this.#sets.add(ownerSet(asker), [{ key: { kind: "net", prefix: hostPrefix(asker) }, comment }]);
    this.#owners.set(asker, owner);
  }

  disown(asker: IpAddress): void {
    this.#sets.del(ownerSet(asker), [{ kind: "net", prefix: hostPrefix(asker) }]);
    const owner = this.#owners.get(asker);
    if (this.#former.size >= mostFormer) this.#former.clear();
    if (owner !== undefined) this.#former.set(asker, owner);
    this.#owners.delete(asker);
  }

  /**
   * Those whose policy may be another one than before, with what it was judged by then, and the digest that it has now;
   * each once. From now on these policies may open something for all, for those that are not known yet, too.
   */
  takeCandidates(
    epoch: string,
    keyOf: (asker: IpAddress) => string | undefined,
  ): ReadonlyMap<IpAddress, { readonly before: Owner; readonly digest: string }> {
    const found = new Map<IpAddress, { readonly before: Owner; readonly digest: string }>();
    const isSame = epoch === this.#epoch;
    const candidates = isSame && this.#isJudged ? this.#unjudged : new Set(this.#owners.keys());
    if (!isSame) this.#former.clear();
    this.#epoch = epoch;
    this.#isJudged = true;
    this.#unjudged = new Set();
    for (const asker of candidates) {
      const known = this.#owners.get(asker);
      if (known === undefined) continue;
      const { since = epoch } = known;
      const before = { ...known, since: since === epoch ? epoch : notOne };
      this.#owners.set(asker, before);
      const key = keyOf(asker);
      if (key === undefined) this.#unjudged.add(asker);
      else found.set(asker, { before, digest: digestOf([key]) });
    }
    return found;
  }

  /** Nobody counts as judged: with the next picture, though it may be the same one, all of it is done again. */
  judgeAllAnew(): void {
    this.#isJudged = false;
  }
}

function ownerSet(asker: IpAddress): string {
  return setNames[`owner${familyOf(asker)}`];
}

function leftOwners(sets: KernelSets): (readonly [IpAddress, Owner])[] {
  const entries = [setNames.owner4, setNames.owner6].flatMap((name) => sets.list(name));
  return entries.flatMap(({ key, comment = "" }) => {
    const [sandbox = "", note] = comment.split(" ");
    const isCleared = note !== uncleared;
    const owner: Owner = { sandbox, digest: isCleared ? note : undefined, isCleared, since: notOne };
    return key.kind === "net" ? [[key.prefix.address, owner] as const] : [];
  });
}
