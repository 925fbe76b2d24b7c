// What tests of the map do over and over.
import { eventually } from "./harness.mjs";

/** The plan's seats, as /plan has them: ids, numbers, places. */
export const planOf = (server, eventId) => server.ask("GET", `/v1/events/${eventId}/plan`);

/** Opens an event's map and waits until its seats are there and true. */
export async function ready(page) {
  await page.getByText("Live", { exact: true }).or(page.getByText("En vivo", { exact: true })).waitFor();
  await page.locator("canvas[data-view]").waitFor();
}

/** Where a seat is on the page now. */
export async function placeOf(page, plan, i) {
  const box = await page.locator(".map-canvas").boundingBox();
  const [scale, x, y] = (await page.locator(".map-canvas").getAttribute("data-view")).split(" ").map(Number);
  return { x: box.x + plan.seats.x[i] * scale + x, y: box.y + plan.seats.y[i] * scale + y };
}

/** Clicks a seat on the canvas, as one does with a mouse. */
export async function clickSeat(page, plan, i) {
  const { x, y } = await placeOf(page, plan, i);
  await page.mouse.click(x, y);
}

/** Turns the wheel over a seat until seats are large enough to be picked. */
export async function zoomTo(page, plan, i, scaleWanted) {
  await eventually("the map is near", async () => {
    const view = await page.locator(".map-canvas").getAttribute("data-view");
    if (Number(view.split(" ")[0]) >= scaleWanted) return true;
    const { x, y } = await placeOf(page, plan, i);
    await page.mouse.move(x, y);
    await page.mouse.wheel(0, -200);
    // The view is told again once the map has come to rest.
    await page.waitForFunction((old) => document.querySelector(".map-canvas").dataset.view !== old, view);
    return false;
  });
}

/** The color of the map's pixel in the middle of a seat, or so many pixels away from it, as [r, g, b]. */
export async function colorAt(page, plan, i, [dx, dy] = [0, 0]) {
  const [scale, x, y] = (await page.locator(".map-canvas").getAttribute("data-view")).split(" ").map(Number);
  return page.evaluate(
    ([px, py]) => {
      const canvas = document.querySelector(".map-canvas");
      const ratio = canvas.width / canvas.clientWidth;
      return [...canvas.getContext("2d").getImageData(Math.round(px * ratio), Math.round(py * ratio), 1, 1).data].slice(0, 3);
    },
    [plan.seats.x[i] * scale + x + dx, plan.seats.y[i] * scale + y + dy],
  );
}

/** A hold by somebody else, over the API. */
export const holdAsSomebody = (server, seatIds, customerId = "somebody-else") => server.ask("POST", "/v1/reservations", { customerId, seatIds });

/** Until the button that has the focus does something: for a moment after the page has changed its layout, none does. */
export const settled = (page) => page.waitForFunction(() => document.activeElement?.ariaDisabled !== "true");

/** What the screen reader's line says now. */
export const said = (page) => page.locator("p.unseen[role=status]");
