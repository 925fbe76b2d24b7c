// Reads JSON and remembers the offset of each value, so that a mistake can be reported with its line.
//
//   const read = readJson(text);                 // throws JsonProblem with an offset
//   read.value                                   // as JSON.parse gives it
//   read.offsetOf(object)                        // where its `{` or `[` is
//   lineOf(text)(offset)                         // { line, column }, from 1
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

export class JsonProblem extends Error {
  constructor(
    readonly kind: "unexpected" | "ended" | "text" | "number" | "deep" | "long" | "many" | "more",
    readonly offset: number,
  ) {
    super(kind);
  }
}

export interface Read {
  value: Json;
  offsetOf(of: object): number;
  /** Duplicate members, with the offset of the second one. */
  repeated: { name: string; offset: number }[];
}

// The server's limits (src/api/v1/event_reader.cc), less what the event around the plan takes when it is sent.
const levelsMax = 23;
const membersMax = 99_990;   // of the objects that are open
const nameBytesMax = 1024;   // of a member
const numberForm = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const textForm = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const spaceForm = /[ \t\r\n]*/y;

export function readJson(text: string): Read {
  const offsets = new WeakMap<object, number>();
  const repeated: Read["repeated"] = [];
  let at = 0;
  let openMembers = 0;

  const skip = () => {
    spaceForm.lastIndex = at;
    spaceForm.test(text);
    at = spaceForm.lastIndex;
  };
  const wrong = (kind: JsonProblem["kind"]) => new JsonProblem(at >= text.length ? "ended" : kind, Math.min(at, text.length));
  const expect = (letter: string) => {
    skip();
    if (text[at] !== letter) throw wrong("unexpected");
    ++at;
  };
  const readText = (): string => {
    textForm.lastIndex = at;
    const found = textForm.exec(text);
    if (found === null) throw wrong("text");
    const read = found[0].includes("\\") ? String(JSON.parse(found[0])) : found[0].slice(1, -1);
    if (/\p{Surrogate}/u.test(read)) throw wrong("text");   // half of a pair, which is not UTF-8
    at = textForm.lastIndex;
    return read;
  };
  const readWord = (word: string, value: Json): Json => {
    if (!text.startsWith(word, at)) throw wrong("unexpected");
    at += word.length;
    return value;
  };
  const readObject = (level: number): Json => {
    const object: { [name: string]: Json } = {};
    const openBefore = openMembers;
    offsets.set(object, at++);
    skip();
    if (text[at] === "}") return ++at, object;
    for (;;) {
      skip();
      const from = at;
      const name = readText();
      if (new TextEncoder().encode(name).length > nameBytesMax) throw new JsonProblem("long", from);
      if (++openMembers > membersMax) throw new JsonProblem("many", from);
      if (Object.hasOwn(object, name)) repeated.push({ name, offset: from });
      expect(":");
      // A member named __proto__ must become a member, not the prototype.
      Object.defineProperty(object, name, { value: readValue(level), enumerable: true, configurable: true, writable: true });
      skip();
      if (text[at] === "}") {
        openMembers = openBefore;
        return ++at, object;
      }
      if (text[at] !== ",") throw wrong("unexpected");
      ++at;
    }
  };
  const readArray = (level: number): Json => {
    const array: Json[] = [];
    offsets.set(array, at++);
    skip();
    if (text[at] === "]") return ++at, array;
    for (;;) {
      array.push(readValue(level));
      skip();
      if (text[at] === "]") return ++at, array;
      if (text[at] !== ",") throw wrong("unexpected");
      ++at;
    }
  };
  const readValue = (level: number): Json => {
    skip();
    const first = text[at];
    if (level > levelsMax && (first === "{" || first === "[")) throw wrong("deep");
    if (first === "{") return readObject(level + 1);
    if (first === "[") return readArray(level + 1);
    if (first === '"') return readText();
    if (first === "t") return readWord("true", true);
    if (first === "f") return readWord("false", false);
    if (first === "n") return readWord("null", null);
    numberForm.lastIndex = at;
    const found = numberForm.exec(text);
    if (found === null) throw wrong(first === "-" ? "number" : "unexpected");
    at = numberForm.lastIndex;
    return Number(found[0]);
  };

  if (text.startsWith("\ufeff")) ++at;
  const value = readValue(1);
  skip();
  if (at < text.length) throw wrong("more");
  return { value, offsetOf: (of) => offsets.get(of) ?? 0, repeated };
}

/** Finds lines of offsets: counted once for a text. */
export function lineOf(text: string): (offset: number) => { line: number; column: number } {
  const begins = [0];
  for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) begins.push(i + 1);
  return (offset) => {
    let [low, high] = [0, begins.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((begins[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (begins[low] ?? 0) + 1 };
  };
}
