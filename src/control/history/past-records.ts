// Records by the number that is the key of the kernel's entry; those of one container for one destination are one record.

import type { DeniedRecord } from "../../core/journal/denied-record.ts";

export class PastRecords {
  readonly #records = new Map<number, DeniedRecord>();
  /** By what the record is of. */
  readonly #numbers = new Map<string, number>();
  #next = 1;

  /** Takes a record over with its number. */
  restore(number: number, record: DeniedRecord): void {
    this.#records.set(number, record);
    this.#numbers.set(idOf(record), number);
    this.#next = Math.max(this.#next, number + 1);
  }

  /** @returns the number of the record, which has what both have counted if there was one */
  keep(record: DeniedRecord): number {
    const id = idOf(record);
    const number = this.#numbers.get(id) ?? this.#next++;
    const known = this.#records.get(number);
    this.#records.set(number, known === undefined ? record : sumOf(known, record));
    this.#numbers.set(id, number);
    return number;
  }

  at(number: number): DeniedRecord | undefined {
    return this.#records.get(number);
  }

  get all(): readonly DeniedRecord[] {
    return [...this.#records.values()];
  }

  numbersOf(isMeant: (record: DeniedRecord) => boolean): readonly number[] {
    return [...this.#records].flatMap(([number, record]) => (isMeant(record) ? [number] : []));
  }

  delete(number: number): void {
    const record = this.#records.get(number);
    if (record !== undefined) this.#numbers.delete(idOf(record));
    this.#records.delete(number);
  }
}

function idOf({ owner, asker, protocol, port, destination }: DeniedRecord): string {
  return `${owner?.networkId} ${owner?.containerId} ${asker} ${protocol}:${port} ${destination}`;
}

function sumOf(known: DeniedRecord, added: DeniedRecord): DeniedRecord {
  const { packets, bytes } = known;
  return {
    ...added,
    packets: packets + added.packets,
    bytes: bytes + added.bytes,
    lastSeenMs: Math.max(known.lastSeenMs, added.lastSeenMs),
    domains: [...new Set([...known.domains, ...added.domains])],
  };
}
