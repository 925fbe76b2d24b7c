// The validation finds what it should: each test falsifies one thing of an exchange that is right.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Validator, validateFolder } from "./validate.mjs";

const document = JSON.parse(readFileSync(process.env.HOLDFAST_OPENAPI, "utf8"));
const id = "00000003-1a1c-8f13-84ca-b164a6afc48b";

function hold(change = {}) {
  const reservation = structuredClone(document.components.schemas.Reservation.example);
  const { body = {}, ...rest } = change;
  return {
    method: "POST",
    target: "/v1/reservations",
    requestHeaders: [["Idempotency-Key", "cart-7"]],
    requestBody: '{"customerId":"c","seatIds":["T-3"]}',
    status: 201,
    headers: [["Content-Type", "application/json"], ["X-Request-Id", "1"], ["Location", `/v1/reservations/${id}`], ["Server", "holdfast"]],
    body: JSON.stringify({ ...reservation, ...body }),
    ...rest,
  };
}

function findings(exchange) {
  const validator = new Validator(document);
  validator.check(exchange);
  return validator.finish();
}

const without = (name) => hold().headers.filter(([each]) => each !== name);

test("an exchange that is as described passes", () => assert.deepEqual(findings(hold()), []));

const wrong = {
  "a member that the document does not have": hold({ body: { secret: 1 } }),
  "a member that the document does not have, deep inside": hold({ body: { seats: [{ id: "T", label: "A-1-1", category: "H", price: 1, state: "held", more: 1 }] } }),
  "a member that is missing": hold({ body: { status: undefined } }),
  "a member of another type": hold({ body: { total: "45" } }),
  "a word that the document does not have": hold({ body: { status: "paid" } }),
  "a time that is none": hold({ body: { expiresAt: "tomorrow" } }),
  "a body that is not JSON": hold(),
  "a status that the document does not have": hold({ status: 202 }),
  "a failure of the server": hold({ status: 500 }),
  "a media type that the document does not have": hold({ headers: [["Content-Type", "text/plain"], ...without("Content-Type")] }),
  "a header that is missing": hold({ headers: without("Location") }),
  "a header that is malformed": hold({ headers: [["Location", "/elsewhere"], ...without("Location")] }),
  "a header that the document does not have": hold({ headers: [...hold().headers, ["X-Secret", "1"]] }),
  "a request that was accepted and should not be": hold({ requestBody: '{"customerId":"c","seatIds":[]}' }),
  "a key that was accepted and should not be": hold({ requestHeaders: [["Idempotency-Key", "x".repeat(129)]] }),
  "a query parameter that was accepted and does not exist": hold({ target: "/v1/reservations?dry=1" }),
  "an answer at a path that does not exist": hold({ target: "/v1/tickets" }),
  "an answer to a method that does not exist": hold({ method: "PUT" }),
  "a code that does not belong to the status": hold({
    status: 409,
    headers: [["Content-Type", "application/problem+json"], ["X-Request-Id", "1"]],
    body: JSON.stringify({ type: "about:blank", title: "Conflict", status: 409, detail: "d", instance: "/", code: "event_exists" }),
  }),
};
// Where hold() would merge, this replaces.
wrong["a body that is not JSON"].body = "{";

for (const [what, exchange] of Object.entries(wrong)) {
  test(`it finds ${what}`, () => assert.equal(findings(exchange).length, 1, JSON.stringify(findings(exchange))));
}

test("it finds a refusal of a route that is served at other times", () => {
  const validator = new Validator(document);
  validator.check(hold());
  validator.check(hold({ status: 405 }));
  assert.equal(validator.finish().length, 1);
});

test("it fails when nothing was recorded, or too little", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-"));
  try {
    assert.ok(validateFolder(document, folder, { operations: 0, answers: 0 }).findings.length > 0);
    assert.ok(validateFolder(document, join(folder, "none"), { operations: 1, answers: 1 }).findings.length >= 3);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
