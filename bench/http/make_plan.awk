# Writes a seating plan of `seats` seats (a multiple of 1,000) in the open pretix format:
#
#   awk -v seats=1000000 -f make_plan.awk >plan.json
#
# Zones of up to 100 rows of 1,000 seats. A seat's guid is its index, twice, in the shape of a UUID, so that whoever loads the
# server needs no list: reserve.lua makes the same ids from a counter.
BEGIN {
  rows = seats / 1000
  printf "{\"name\":\"Benchmark\",\"categories\":[{\"name\":\"All\",\"color\":\"#4176A5\"}],\"size\":{\"width\":20000,\"height\":%d},\"zones\":[\n", rows * 20
  for (row = 0; row < rows; row++) {
    if (row % 100 == 0) {
      printf "%s{\"name\":\"Z%d\",\"position\":{\"x\":0,\"y\":%d},\"rows\":[\n", row ? "]},\n" : "", row / 100 + 1, row * 20
    } else {
      printf ",\n"
    }
    printf "{\"row_number\":\"%d\",\"position\":{\"x\":0,\"y\":%d},\"seats\":[", row % 100 + 1, row % 100 * 20
    for (i = 0; i < 1000; i++) {
      index_ = row * 1000 + i
      printf "%s{\"seat_guid\":\"%08x-0000-4000-8000-%012x\",\"seat_number\":\"%d\",\"position\":{\"x\":%d,\"y\":0},\"category\":\"All\"}", \
        i ? "," : "", index_ + 1, index_ + 1, i + 1, i * 20
    }
    printf "]}"
  }
  printf "]}\n]}\n"
}
