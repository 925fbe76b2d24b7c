// The map as squares that are drawn once and then only copied, until they change. One level: all have the same scale.
import type { Painter } from "./painter";
import type { Seats } from "./seats";

interface Tile {
  canvas: HTMLCanvasElement;
  context: CanvasRenderingContext2D;
  column: number;
  row: number;
  usedAt: number;   // frame
}

const tilesMin = 48;   // kept, whatever the window's size is

export class Level {
  /** Device pixels for a unit of the plan. */
  readonly scale: number;
  readonly size: number;   // pixels of a tile's side
  readonly #seats: Seats;
  readonly #painter: Painter;
  readonly #tiles = new Map<string, Tile>();
  #free: Tile[] = [];

  constructor(seats: Seats, painter: Painter, scale: number, size: number) {
    this.#seats = seats;
    this.#painter = painter;
    this.scale = scale;
    this.size = size;
  }

  /**
   * Copies what is there of the window to `context`, and draws what is not until `deadline` has come. The window begins at (left, top) pixels of
   * this level; one of its pixels is `zoom` pixels of the screen. Says whether all of it is there.
   */
  show(context: CanvasRenderingContext2D, left: number, top: number, width: number, height: number, zoom: number, frame: number, deadline: number): boolean {
    let complete = true;
    const [fromColumn, fromRow] = [Math.floor(left / this.size), Math.floor(top / this.size)];
    const [toColumn, toRow] = [Math.floor((left + width / zoom) / this.size), Math.floor((top + height / zoom) / this.size)];
    const inside = (toColumn - fromColumn + 1) * (toRow - fromRow + 1);
    for (let row = fromRow; row <= toRow; ++row) {
      for (let column = fromColumn; column <= toColumn; ++column) {
        if (!this.#hasSeats(column, row)) continue;
        let tile = this.#tiles.get(`${column} ${row}`);
        if (tile === undefined && performance.now() < deadline) tile = this.#draw(column, row);
        if (tile === undefined) {
          complete = false;
          continue;
        }
        tile.usedAt = frame;
        const [x, y] = [(column * this.size - left) * zoom, (row * this.size - top) * zoom];
        if (zoom === 1) context.drawImage(tile.canvas, Math.round(x), Math.round(y));
        else context.drawImage(tile.canvas, x, y, this.size * zoom, this.size * zoom);
      }
    }
    this.#forget(Math.max(tilesMin, inside * 3), frame);
    return complete;
  }

  /** These seats have changed. */
  touch(touched: Iterable<number>) {
    const reach = this.#painter.radius(this.scale) + 2;
    for (const i of touched) {
      const [x, y] = [this.#seats.x[i]! * this.scale, this.#seats.y[i]! * this.scale];
      for (let row = Math.floor((y - reach) / this.size); row <= Math.floor((y + reach) / this.size); ++row) {
        for (let column = Math.floor((x - reach) / this.size); column <= Math.floor((x + reach) / this.size); ++column) {
          const tile = this.#tiles.get(`${column} ${row}`);
          if (tile !== undefined) this.#painter.repaintSeat(tile.context, i, column * this.size, row * this.size, this.scale);
        }
      }
    }
  }

  /** Everything is to be drawn anew. */
  clear() {
    this.#free.push(...this.#tiles.values());
    this.#tiles.clear();
  }

  #hasSeats(column: number, row: number): boolean {
    const { left, top, right, bottom } = this.#seats.box;
    const margin = this.#seats.rowPitch * 2 * this.scale + 16;
    return (
      (column + 1) * this.size >= left * this.scale - margin &&
      column * this.size <= right * this.scale + margin &&
      (row + 1) * this.size >= top * this.scale - margin &&
      row * this.size <= bottom * this.scale + margin
    );
  }

  #draw(column: number, row: number): Tile {
    const tile = this.#free.pop() ?? this.#make();
    tile.column = column;
    tile.row = row;
    tile.context.setTransform(1, 0, 0, 1, 0, 0);
    tile.context.clearRect(0, 0, this.size, this.size);
    this.#painter.paintTile(tile.context, column * this.size, row * this.size, this.size, this.scale);
    this.#tiles.set(`${column} ${row}`, tile);
    return tile;
  }

  #make(): Tile {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = this.size;
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("this browser has no canvas to draw on");
    return { canvas, context, column: 0, row: 0, usedAt: 0 };
  }

  // Those that were not looked at for longest.
  #forget(most: number, frame: number) {
    if (this.#tiles.size <= most) return;
    const oldest = [...this.#tiles.entries()].filter(([, tile]) => tile.usedAt < frame).sort(([, a], [, b]) => a.usedAt - b.usedAt);
    for (const [key, tile] of oldest.slice(0, this.#tiles.size - most)) {
      this.#tiles.delete(key);
      if (this.#free.length < tilesMin) this.#free.push(tile);
    }
  }
}
