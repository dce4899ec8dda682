// Lists that mostly stay at one: an array that something is pushed into takes room for sixteen more, one that is made of
// its values for no other.

/** The list with one more value. @param list is not to be used any more; nothing is put into an empty one */
export function withOne<Value>(list: Value[], value: Value): Value[] {
  if (list.length === 0) return [value];
  list.push(value);
  return list;
}
