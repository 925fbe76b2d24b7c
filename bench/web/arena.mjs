// An arena of 60,000 seats, as a seating plan: 60 blocks in three rings around a stage, 25 rows of 40 seats each.
const [rings, blocks, rows, seats] = [3, 20, 25, 40];
const [pitch, rowPitch] = [0.55, 0.85];   // metres
const categories = [
  { name: "Lower ring", color: "#B3262E", price: 120 },
  { name: "Middle ring", color: "#2F6DB5", price: 80 },
  { name: "Upper ring", color: "#3B8F6B", price: 45 },
];

export function arena() {
  const zones = [];
  for (let ring = 0; ring < rings; ++ring) {
    const inner = 76 + ring * (rows * rowPitch + 6);
    for (let block = 0; block < blocks; ++block) {
      const middle = (2 * Math.PI * (block + 0.5)) / blocks;
      zones.push({
        name: `${ring + 1}${String(block + 1).padStart(2, "0")}`,
        position: { x: 0, y: 0 },
        rows: Array.from({ length: rows }, (_, row) => {
          const radius = inner + row * rowPitch;
          return {
            row_number: String(row + 1),
            position: { x: 0, y: 0 },
            seats: Array.from({ length: seats }, (_, seat) => {
              const angle = middle + ((seat - (seats - 1) / 2) * pitch) / radius;
              return {
                seat_guid: `${ring}-${block}-${row}-${seat}`,
                seat_number: String(seat + 1),
                position: { x: radius * Math.cos(angle), y: radius * Math.sin(angle) },
                category: categories[ring].name,
              };
            }),
          };
        }),
      });
    }
  }
  return { name: "Arena", size: { width: 400, height: 400 }, categories, zones };
}
