// Checks a seating plan (the open pretix format) before it is sent, and reports all mistakes at once, each with its place.
//
// The rules are the server's (src/api/v1/event_reader.cc, src/core/plan.cc): the server accepts a plan that passes here without an error, unless
// other events have its ids already. tests/shared/plan_cases.json holds the two together. A warning marks what the server accepts and an operator
// should know.
import { JsonProblem, lineOf, readJson, type Json, type Read } from "./json_lines";

export type MistakeKind =
  | "json" | "repeated" | "not_object" | "not_array" | "no_seats" | "no_section" | "no_row" | "no_number" | "too_long" | "bad_name" | "no_category" | "unknown_category"
  | "category_name" | "category_twice" | "category_price" | "category_color" | "too_many_categories" | "status" | "label_twice" | "label_alike" | "seatsio" | "id_twice" | "id_long" | "id_nil" | "id_not_text" | "position" | "no_position" | "same_place";

export interface Mistake {
  kind: MistakeKind;
  isError: boolean;
  line: number;
  column: number;
  /** Zone, row and seat, as far as they have names: "Stalls · A · 7". */
  where: string;
  /** A name or member for the mistake's text. */
  what: string;
  /** Index into the plan's seats; -1 if the mistake is not about one seat. */
  seat: number;
}

export interface PlanSeats {
  x: number[];
  y: number[];
  label: string[];
  id: string[];         // `seat_guid` as the plan has it; empty if it has none, or not as a string
  category: number[];   // index into `categories`; -1: unknown
}

export interface CheckedPlan {
  name: string;
  plan: Json;
  categories: { name: string; color: string | null; price: number | null; seats: number }[];
  sections: string[];
  seats: PlanSeats;
  hasIds: boolean;
  mistakes: Mistake[];
}

const nameBytesMax = 200;
const idBytesMax = 128;
const unkeptIdBytesMax = 1024;
const colorBytesMax = 64;
const categoriesMax = 1000;
const numberMax = 1e9;
const wholeNameMax = 1e15;   // a name that is a number
const nilUuid = "00000000-0000-0000-0000-000000000000";
const bytesOf = (text: string) => new TextEncoder().encode(text).length;

type Members = { [name: string]: Json };
const isObject = (value: Json | undefined): value is Members => typeof value === "object" && value !== null && !Array.isArray(value);
const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : typeof value === "number" ? String(value) : "");
const isGiven = (name: Json | undefined) => name !== undefined && name !== "";
const hasControl = (text: string) => /[\u0000-\u001f]/.test(text);

class Check {
  readonly mistakes: Mistake[] = [];
  readonly categories: CheckedPlan["categories"] = [];
  readonly sections = new Set<string>();
  readonly seats: PlanSeats = { x: [], y: [], label: [], id: [], category: [] };
  private readonly place: ReturnType<typeof lineOf>;
  private readonly labels = new Map<string, string>();   // to the place of the first seat that has it
  private readonly ids = new Set<string>();
  private readonly places = new Set<string>();
  private idsFound = 0;

  constructor(
    text: string,
    private readonly read: Read,
    private readonly keepIds: boolean,
  ) {
    this.place = lineOf(text);
    for (const { name, offset } of read.repeated) this.note("repeated", offset, "", name);
  }

  get hasIds() {
    return this.seats.x.length > 0 && this.idsFound === this.seats.x.length;
  }

  note(kind: MistakeKind, at: object | number, where: string, what = "", seat = -1, isError = true) {
    const { line, column } = this.place(typeof at === "number" ? at : this.read.offsetOf(at));
    this.mistakes.push({ kind, isError, line, column, where, what, seat });
  }

  /** The objects of an array. An item that is not an object is a mistake. */
  objects(of: Members, name: string, where: string, required: boolean): Members[] {
    const list = of[name];
    if (list === undefined && !required) return [];
    if (!Array.isArray(list)) {
      this.note("not_array", of, where, name);
      return [];
    }
    return list.filter((each): each is Members => {
      if (isObject(each)) return true;
      this.note("not_object", list, where, name);
      return false;
    });
  }

  category(of: Members) {
    const name = typeof of["name"] === "string" ? of["name"] : "";
    if (name === "" || bytesOf(name) > nameBytesMax || hasControl(name)) return this.note("category_name", of, name);
    if (this.categories.some((each) => each.name === name)) return this.note("category_twice", of, name, name);
    const price = of["price"];
    const isPrice = typeof price === "number" && price >= 0 && price <= numberMax && Math.abs(Math.round(price * 1e4) - price * 1e4) < 1e-3;
    if (price !== undefined && price !== null && !isPrice) this.note("category_price", of, name, JSON.stringify(price));
    const color = of["color"];
    if (color !== undefined && color !== null && (typeof color !== "string" || bytesOf(color) > colorBytesMax || hasControl(color))) {
      this.note("category_color", of, name);
    }
    if (this.categories.length === categoriesMax) this.note("too_many_categories", of, name);
    this.categories.push({ name, color: typeof color === "string" ? color : null, price: typeof price === "number" ? price : null, seats: 0 });
  }

  /** A position relative to its container; 0, 0 if missing. */
  position(of: Members, where: string, seat: number): [number, number] {
    const position = of["position"];
    if (position === undefined || position === null) return [0, 0];
    if (!isObject(position)) return this.note("position", of, where, JSON.stringify(position).slice(0, 40), seat), [0, 0];
    const number = (name: string) => {
      const value = position[name];
      if (value === undefined || value === null) return 0;
      if (typeof value === "number" && Math.abs(value) <= numberMax) return value;
      this.note("position", position, where, `${name}: ${JSON.stringify(value).slice(0, 40)}`, seat);
      return 0;
    };
    return [number("x"), number("y")];
  }

  /** A section, row or seat number: a string or a whole number. */
  name(of: Members, member: string, missing: MistakeKind, where: string, seat = -1): string {
    const value = of[member];
    const isWhole = typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= wholeNameMax && member !== "name";
    if (value === undefined || value === null || value === "") this.note(missing, of, where, member, seat);
    else if (typeof value !== "string" && !isWhole) this.note("bad_name", of, where, member, seat);
    else if (typeof value === "string" && hasControl(value)) this.note("bad_name", of, where, member, seat);
    else if (bytesOf(String(value)) > nameBytesMax) this.note("too_long", of, where, member, seat);
    return textOf(value);
  }

  seat(of: Members, section: string, row: string, origin: [number, number]) {
    const seat = this.seats.x.length;
    const number = textOf(of["seat_number"]);
    const where = [section, row, number].map((each) => (each === "" ? "?" : each)).join(" · ");
    this.name(of, "seat_number", "no_number", where, seat);
    const [x, y] = this.position(of, where, seat);
    this.seats.x.push(origin[0] + x);
    this.seats.y.push(origin[1] + y);
    const label = `${section}-${row}-${number}`;
    this.seats.label.push(label);
    this.seats.id.push(typeof of["seat_guid"] === "string" ? of["seat_guid"] : "");
    this.categoryOf(of, where, seat);
    this.idOf(of, where, seat);
    const status = of["status"];
    if (status !== undefined && status !== null && typeof status !== "string") this.note("status", of, where, "", seat);
    if (section !== "" && row !== "" && number !== "") {
      const first = this.labels.get(label);
      if (first === undefined) this.labels.set(label, where);
      else if (first === where) this.note("label_twice", of, where, label, seat);
      else this.note("label_alike", of, where, first, seat);   // row “1-1” seat “2”, and row “1” seat “1-2”
    }
    if (of["position"] === undefined || of["position"] === null) this.note("no_position", of, where, "", seat, false);
    const place = `${this.seats.x[seat]} ${this.seats.y[seat]}`;
    if (this.places.has(place)) this.note("same_place", of, where, "", seat, false);
    this.places.add(place);
  }

  private categoryOf(of: Members, where: string, seat: number) {
    const name = of["category"];
    const index = typeof name === "string" ? this.categories.findIndex((each) => each.name === name) : -1;
    this.seats.category.push(index);
    const category = this.categories[index];
    if (category !== undefined) ++category.seats;
    else if (name === undefined || name === null || name === "") this.note("no_category", of, where, "", seat);
    else this.note("unknown_category", of, where, typeof name === "string" ? name : JSON.stringify(name), seat);
  }

  private idOf(of: Members, where: string, seat: number) {
    const id = of["seat_guid"];
    if (id === undefined || id === null) return;
    if (typeof id !== "string" || hasControl(id)) return this.note("id_not_text", of, where, "", seat);
    if (id !== "") ++this.idsFound;
    const bytesMax = this.keepIds ? idBytesMax : unkeptIdBytesMax;
    if (bytesOf(id) > bytesMax) this.note("id_long", of, where, String(bytesMax), seat);
    if (!this.keepIds || id === "") return;
    // A UUID is the same in capitals.
    const key = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id) ? id.toLowerCase() : id;
    if (key === nilUuid) this.note("id_nil", of, where, "", seat);
    if (this.ids.has(key)) this.note("id_twice", of, where, id, seat);
    this.ids.add(key);
  }

  zone(of: Members) {
    const section = typeof of["name"] === "string" ? of["name"] : "";
    const rows = this.objects(of, "rows", section, false);
    if (rows.length > 0 || isGiven(of["name"])) this.name(of, "name", "no_section", section === "" ? "?" : section);
    this.sections.add(section);
    const [zx, zy] = this.position(of, section, -1);
    for (const row of rows) {
      const number = textOf(row["row_number"]);
      const where = `${section} · ${number === "" ? "?" : number}`;
      const seats = this.objects(row, "seats", where, false);
      if (seats.length > 0 || isGiven(row["row_number"])) this.name(row, "row_number", "no_row", where);
      const [rx, ry] = this.position(row, where, -1);
      for (const seat of seats) this.seat(seat, section, number, [zx + rx, zy + ry]);
    }
  }
}

/** `keepIds`: whether `seat_guid` will be the seats' ids. */
export function checkPlan(text: string, keepIds: boolean): CheckedPlan {
  let read: Read;
  try {
    read = readJson(text);
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    const { line, column } = lineOf(text)(error.offset);
    const mistake: Mistake = { kind: "json", isError: true, line, column, where: "", what: error.kind, seat: -1 };
    return { name: "", plan: null, categories: [], sections: [], seats: { x: [], y: [], label: [], id: [], category: [] }, hasIds: false, mistakes: [mistake] };
  }
  const check = new Check(text, read, keepIds);
  const plan = read.value;
  if (!isObject(plan)) check.note("not_object", 0, "", "");
  else if ("subChart" in plan || "subChartFloors" in plan) check.note("seatsio", 0, "");
  else {
    for (const category of check.objects(plan, "categories", "", true)) check.category(category);
    for (const zone of check.objects(plan, "zones", "", true)) check.zone(zone);
    if (check.seats.x.length === 0) check.note("no_seats", plan, "");
  }
  check.mistakes.sort((a, b) => Number(b.isError) - Number(a.isError) || a.line - b.line || a.column - b.column);
  return {
    name: isObject(plan) && typeof plan["name"] === "string" ? plan["name"] : "",
    plan,
    categories: check.categories,
    sections: [...check.sections],
    seats: check.seats,
    hasIds: check.hasIds,
    mistakes: check.mistakes,
  };
}
