// Importing a seating plan at the desk: dropped, drawn, checked with every mistake at its place, and sent only when it is good.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually, expectAccessible, root, screenshots, startServer, visit } from "./harness.mjs";

const theatre = readFileSync(join(root, "venues/theatre.seating-plan.json"), "utf8");
const server = await startServer();
const open = (t, options = {}) => visit(t, server, "/console#/import", options);

/** Lets a file fall onto the page, as the mouse does. */
async function drop(page, name, text) {
  const data = await page.evaluateHandle(
    ([name, text]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([text], name, { type: "application/json" }));
      return transfer;
    },
    [name, text],
  );
  const target = page.getByText("Drop the file here");
  await target.dispatchEvent("dragover", { dataTransfer: data });
  await target.dispatchEvent("drop", { dataTransfer: data });
}

const seat = (number, more = {}) => ({ seat_guid: `G-${number}`, seat_number: String(number), position: { x: Number(number) * 10 || 0, y: 0 }, category: "Hall", ...more });
const planOf = (seats, more = {}) => ({ name: "Small hall", categories: [{ name: "Hall", price: 20, color: "#336699" }], zones: [{ name: "A", rows: [{ row_number: "1", seats }] }], ...more });
/** One line a member, so that a line says which. */
const write = (plan) => JSON.stringify(plan, null, 1);
const lineOf = (text, part, nth = 1) => text.split("\n").map((line, i) => (line.includes(part) ? i + 1 : 0)).filter((line) => line > 0)[nth - 1];
const mistake = (page, ...texts) => texts.reduce((rows, text) => rows.filter({ hasText: text }), page.getByRole("region", { name: "Mistakes" }).getByRole("row")).first();

test("a good file is dropped, drawn, asked about and on sale", async (t) => {
  const page = await open(t);
  await drop(page, "theatre.seating-plan.json", theatre);
  await page.getByText("The plan has no mistakes.").waitFor();
  await page.getByText("616 seats in 11 sections").waitFor();
  const drawn = page.getByRole("img", { name: "616 seats, drawn" });
  const colors = await eventually("seats are drawn", () =>
    drawn.evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const found = new Set();
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) found.add(`${data[i]},${data[i + 1]},${data[i + 2]}`);
      return found.size >= 5 ? [...found] : null;
    }),
  );
  assert.ok(colors.includes("179,38,46"), `the plan's own red is not among ${colors.length} colours`);
  await screenshots(page, "console-import-good");
  await expectAccessible(page, "a preview");

  await page.getByLabel("Name").fill("The Tempest");
  await page.getByLabel("Currency").fill("usd");
  assert.ok(await page.getByLabel("Use the plan’s seat_guid as the seats’ ids").isChecked());
  await page.getByRole("button", { name: "Import 616 seats…" }).click();
  const dialog = page.getByRole("dialog", { name: "Import 616 seats as “The Tempest”?" });
  await dialog.getByText("Premium: 126").waitFor();
  assert.deepEqual((await server.ask("GET", "/v1/events")).items, [], "nothing is sent before the answer");
  await dialog.getByRole("textbox").fill("Season opening");
  await dialog.getByRole("button", { name: "Import", exact: true }).click();
  await page.getByText("The Tempest is imported.").waitFor();
  const { items } = await server.ask("GET", "/v1/events");
  assert.deepEqual(items.map(({ name, currency, counts }) => [name, currency, counts.total]), [["The Tempest", "USD", 616]]);
  const firstId = JSON.parse(theatre).zones[0].rows[0].seats[0].seat_guid;
  assert.equal((await server.ask("GET", `/v1/seats/${firstId}`)).eventId, items[0].id);
  await page.getByRole("link", { name: "Open it" }).click();
  await page.getByRole("heading", { name: "The Tempest" }).waitFor();
  await page.getByRole("link", { name: "All actions" }).click();
  await page.getByRole("row").filter({ hasText: "import an event" }).filter({ hasText: "Season opening" }).filter({ hasText: "✓ 201" }).waitFor();
});

test("the field for the beginning says in which time zone it is, and as it is at that moment", async (t) => {
  const page = await open(t, { timezoneId: "America/New_York", locale: "en-US" });
  await drop(page, "zoned.json", write(planOf([seat(1, { seat_guid: undefined })])));
  await page.getByLabel("Name").fill("Zoned");
  await page.getByLabel(/^Begins \(E[SD]T\)$/).fill("2027-07-24T19:30");
  await page.getByLabel("Begins (EDT)").fill("2027-02-24T19:30");
  await page.getByLabel("Begins (EST)").waitFor();
  await page.getByRole("button", { name: "Import 1 seat…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Import", exact: true }).click();
  await page.getByText("Zoned is imported.").waitFor();
  const { items } = await server.ask("GET", "/v1/events");
  assert.equal(Date.parse(items.find(({ name }) => name === "Zoned").startsAt), Date.UTC(2027, 1, 25, 0, 30));
});

test("ignored members of a plan are listed after the import, and its taken seats are blocked", async (t) => {
  const plan = planOf([seat(1, { status: "sold", seat_guid: undefined, note: "aisle" }), seat(2, { seat_guid: undefined })]);
  plan.zones[0].areas = [{ shape: "text", text: { text: "Stage" } }];
  const page = await open(t);
  await drop(page, "areas.json", write(plan));
  await page.getByLabel("Name").fill("With areas");
  await page.getByRole("button", { name: "Import 2 seats…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Import", exact: true }).click();
  const outcome = page.getByRole("status").filter({ hasText: "With areas is imported." });
  await outcome.getByText("1 seat is blocked").waitFor();
  await outcome.getByRole("listitem").filter({ hasText: "zones[].areas" }).filter({ hasText: "1 time" }).waitFor();
  await outcome.getByRole("listitem").filter({ hasText: "zones[].rows[].seats[].note" }).waitFor();
  await screenshots(page, "console-import-not-taken");
  await expectAccessible(page, "what was not taken over");
});

test("ids that another event has are the server's to refuse, and it says which", async (t) => {
  const text = write(planOf([seat(1), seat(2)]));
  const page = await open(t, { expects: [/status of 409/] });
  for (const name of ["first", "second"]) {
    await drop(page, "hall.json", text);
    await page.getByLabel("Name").fill(`Hall ${name}`);
    await page.getByRole("button", { name: "Import 2 seats…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Import", exact: true }).click();
    if (name === "first") await page.getByText("Hall first is imported.").waitFor();
  }
  await page.getByRole("dialog").getByRole("alert").filter({ hasText: "seat_exists" }).filter({ hasText: "G-1" }).waitFor();
});

test("a confirmation whose answer was lost can be repeated, and creates one event", async (t) => {
  const page = await open(t, { expects: [/ERR_FAILED|Failed to load resource/] });
  let lost = 0;
  await page.route("**/v1/events", async (route) => {
    if (route.request().method() !== "POST" || lost > 0) return route.continue();
    ++lost;
    await route.fetch();   // the server has done it
    return route.abort();
  });
  await drop(page, "lost.json", write(planOf([{ seat_number: "1", category: "Hall", position: { x: 0, y: 0 } }])));
  await page.getByLabel("Name").fill("Lost and found");
  await page.getByRole("button", { name: "Import 1 seat…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Import", exact: true }).click();
  await dialog.getByRole("alert").filter({ hasText: "unreachable" }).waitFor();
  await dialog.getByRole("button", { name: "Import", exact: true }).click();
  await page.getByText("Lost and found is imported.").waitFor();
  assert.equal(lost, 1);
  const { items } = await server.ask("GET", "/v1/events");
  assert.equal(items.filter(({ name }) => name === "Lost and found").length, 1);
});

test("every mistake of a file is pointed at: its line, its seat, what is wrong", async (t) => {
  const text = write(
    planOf([seat(1), seat(2, { category: "Hole" }), seat(1, { seat_guid: "G-x" }), seat("", { seat_guid: "G-y" }), seat(5, { position: { x: "ten", y: 0 } }), seat(6, { category: undefined }), seat(7, { seat_guid: "G-2" })], {
      categories: [{ name: "Hall", price: 20.12345 }, { name: "Hall" }],
    }),
  );
  const page = await open(t);
  await drop(page, "wrong.json", text);
  await page.getByRole("status").filter({ hasText: "8 mistakes to correct" }).waitFor();
  // Where a seat's `{` is: the line before its first member.
  const lineOfSeat = (guid, nth = 1) => lineOf(text, `"seat_guid": "${guid}"`, nth) - 1;
  const expected = [
    [lineOf(text, '"price": 20.12345') - 2, "Hall", "–", "The price 20.12345"],
    [lineOf(text, '"name": "Hall"', 2) - 1, "Hall", "–", "listed twice"],
    [lineOfSeat("G-2"), "A · 1 · 2", "G-2", "The category “Hole” is not in the plan’s list."],
    [lineOfSeat("G-x"), "A · 1 · 1", "G-x", "There is already a seat A-1-1."],
    [lineOfSeat("G-y"), "A · 1 · ?", "G-y", "The seat has no seat_number."],
    [lineOf(text, '"x": "ten"') - 1, "A · 1 · 5", "G-5", 'x: "ten"'],
    [lineOfSeat("G-6"), "A · 1 · 6", "G-6", "The seat has no category."],
    [lineOfSeat("G-2", 2), "A · 1 · 7", "G-2", "Another seat has the id G-2 too."],
  ];
  for (const [line, where, id, what] of expected) {
    const row = mistake(page, `${line}:`, where, what);
    await row.waitFor();
    assert.equal(await row.getByRole("cell").nth(2).innerText(), id, `the id of ${where}`);
  }
  assert.ok(await page.getByRole("button", { name: "Import 7 seats…" }).isDisabled());
  await mistake(page, "“Hole”").getByRole("button").click();
  await page.getByLabel(`Line ${lineOfSeat("G-2")} of the file`).getByText("{").waitFor();
  await screenshots(page, "console-import-mistakes");
  await expectAccessible(page, "a list of mistakes");

  // Ids do not matter when they are not kept.
  await page.getByLabel("Use the plan’s seat_guid as the seats’ ids").uncheck();
  await page.getByRole("status").filter({ hasText: "7 mistakes to correct" }).waitFor();

  // The file, mended, can be sent.
  await drop(page, "right.json", write(planOf([seat("10"), seat("11")])));
  await page.getByText("The plan has no mistakes.").waitFor();
  assert.ok(await page.getByRole("button", { name: "Import 2 seats…" }).isEnabled());
});

test("a seat's id is beside its mistake, cut if it is very long, and there is no column for ids that nobody has", async (t) => {
  const page = await open(t, { viewport: { width: 320, height: 568 } });
  const head = page.getByRole("columnheader", { name: "Id", exact: true });
  await drop(page, "ids.json", write(planOf([seat(1, { category: "Hole", seat_guid: "i".repeat(2_000) }), seat(2, { category: "Hole", seat_guid: 7 })])));
  await head.waitFor();
  await mistake(page, `${"i".repeat(128)}…`, "“Hole”").waitFor();
  // Neither the page nor the list scrolls sideways, so nothing of what is wrong is cut.
  const wide = await page.locator("html, .mistakes").evaluateAll((all) => all.filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.className || each.tagName));
  assert.deepEqual(wide, []);
  await expectAccessible(page, "a list of mistakes on a narrow screen");
  await screenshots(page, "console-import-long-ids");
  await drop(page, "no-ids.json", write(planOf([seat(1, { category: "Hole", seat_guid: undefined })])));
  await page.getByRole("heading", { name: "no-ids.json" }).waitFor();
  await mistake(page, "“Hole”").waitFor();
  assert.equal(await head.count(), 0);
});

test("a byte order mark before a plan is no mistake, and moves no place", async (t) => {
  const page = await open(t);
  const choose = (name, text) =>
    page.getByLabel("File of the seating plan").setInputFiles({ name, mimeType: "application/json", buffer: Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]) });
  await choose("cut.json", '{"zones": [');
  await mistake(page, "1:12", "the file ends too early").waitFor();
  await choose("marked.json", write(planOf([seat(1, { seat_guid: undefined })])));
  await page.getByText("The plan has no mistakes.").waitFor();
  await page.getByLabel("Name").fill("Marked");
  await page.getByRole("button", { name: "Import 1 seat…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Import", exact: true }).click();
  await page.getByText("Marked is imported.").waitFor();
  const { items } = await server.ask("GET", "/v1/events");
  assert.equal(items.find(({ name }) => name === "Marked").counts.total, 1);
});

test("a file that is not JSON, or not a plan, says where and why", async (t) => {
  const page = await open(t);
  await drop(page, "cut.json", '{\n "name": "x",\n "zones": [\n  {"name": "A" "rows": []}\n ]\n}');
  await mistake(page, "4:16", "something else is expected here").waitFor();
  await drop(page, "short.json", '{"zones": [');
  await mistake(page, "1:12", "the file ends too early").waitFor();
  await drop(page, "twice.json", '{"categories": [],\n"zones": [],\n"zones": []}');
  await mistake(page, "3:1", "Duplicate member “zones”").waitFor();
  await drop(page, "list.json", "[]");
  await mistake(page, "1:1", "A seating plan is a JSON object.").waitFor();
  await drop(page, "chart.json", '{"categories": {"list": []}, "venueType": "MIXED", "subChart": {"rows": []}}');
  await mistake(page, "This looks like a chart of seats.io").waitFor();
  await drop(page, "empty.json", '{"categories": [], "zones": []}');
  await mistake(page, "The plan has no seats.").waitFor();
  await page.getByLabel("File of the seating plan").setInputFiles({ name: "latin.json", mimeType: "application/json", buffer: Buffer.from([0x7b, 0xe9, 0x7d]) });
  await page.getByRole("alert").filter({ hasText: "latin.json is not UTF-8 text." }).waitFor();
});

test("the server refuses exactly the plans that the desk refuses", async (t) => {
  const long = "x".repeat(201);
  const plans = {
    "no zones": { categories: [] },
    "zones that are no list": { categories: [], zones: {} },
    "a seat that is no object": planOf([seat(1), 7]),
    "a category that there is not": planOf([seat(1, { category: "Hole" })]),
    "no category": planOf([seat(1, { category: null })]),
    "no number": planOf([seat(1, { seat_number: "" })]),
    "a number with a fraction": planOf([seat(1, { seat_number: 1.5 })]),
    "a number that is too long": planOf([seat(1, { seat_number: long })]),
    "a zone without a name": planOf([], { zones: [{ rows: [{ row_number: "1", seats: [seat(1)] }] }] }),
    "a row without a number": planOf([], { zones: [{ name: "A", rows: [{ seats: [seat(1)] }] }] }),
    "a label twice": planOf([seat(1), seat(1)]),
    "a label that reads the same": planOf([], { zones: [{ name: "A-1", rows: [{ row_number: "2", seats: [seat(3)] }] }, { name: "A", rows: [{ row_number: "1-2", seats: [seat(3)] }] }] }),
    "rows that read the same": planOf([], { zones: [{ name: "A", rows: [{ row_number: "1-1", seats: [seat(2)] }, { row_number: "1", seats: [seat("1-2")] }] }] }),
    "a position that is a number": planOf([seat(1, { position: 5 })]),
    "a position that is none": planOf([seat(1, { position: { x: "1" } })]),
    "a position that is a list": planOf([seat(1, { position: [1, 2] })]),
    "a price below nothing": planOf([seat(1)], { categories: [{ name: "Hall", price: -1 }] }),
    "a category twice": planOf([seat(1)], { categories: [{ name: "Hall" }, { name: "Hall" }] }),
    "a category without a name": planOf([seat(1)], { categories: [{ price: 1 }, { name: "Hall" }] }),
    "good: whole numbers": planOf([seat(1, { seat_number: 1 })]),
    "good: no position": planOf([seat(1, { position: undefined }), seat(2)]),
    "good: two at one place": planOf([seat(1), seat(2, { position: { x: 10, y: 0 } })]),
    "good: members that nobody knows": planOf([seat(1, { colour: "red" })], { size: { width: 1 } }),
    "good: a price of four decimals": planOf([seat(1)], { categories: [{ name: "Hall", price: 0.0001 }] }),
  };
  const page = await open(t);
  for (const [what, plan] of Object.entries(plans)) {
    const body = JSON.stringify({ name: what, plan });
    const { status } = await fetch(`${server.url}/v1/events`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    assert.equal(status, what.startsWith("good") ? 201 : 400, `the server about ${what}`);
    await drop(page, `${what.replace(/[^a-z ]/g, "")}.json`, write(plan));
    await page.getByRole("heading", { name: `${what.replace(/[^a-z ]/g, "")}.json` }).waitFor();
    const keeps = page.getByLabel("Use the plan’s seat_guid as the seats’ ids");
    if (await keeps.isChecked()) await keeps.uncheck();
    const verdict = await page.getByRole("status").filter({ hasText: /The plan has no mistakes|to correct before/ }).innerText();
    assert.equal(verdict.startsWith("The plan has no mistakes"), what.startsWith("good"), `the desk about ${what}: ${verdict}`);
  }
});
