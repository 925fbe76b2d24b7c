#include "ledger/embedded/segments/segments_in_test.h"

#include <memory>
#include <random>

#include "ledger/embedded/segments/retention.h"

namespace holdfast::test {

using segments::Reach;
using segments::Round;
using segments::SegmentReader;
using segments::SegmentWriter;

namespace {

std::string note_in(const SegmentWriter& writer) {
  const auto note = writer.notes().find(k_test_note);
  return note == writer.notes().end() ? std::string() : note->second;
}

}  // namespace

SegmentWriter::Options small_segments(std::uint64_t seed) {
  auto random = std::make_shared<std::mt19937_64>(seed);
  return {.segment_bytes = k_small_segment, .draw_salt = [random] { return (*random)(); }};
}

SegmentWriter::Options growing_segments(std::uint64_t seed) {
  SegmentWriter::Options options = small_segments(seed);
  options.first_segment_bytes = k_small_segment;
  options.segment_bytes = 8 * k_small_segment;
  return options;
}

JournalRow test_row(Position position, std::string& body) {
  const std::size_t size = position % 5 == 0 ? 9'000 : position % 3 == 0 ? 0 : 40;
  body.assign(size, static_cast<char>('a' + position % 26));
  return {.position = position,
          .event = static_cast<EventNumber>(position % 3 + 1),
          .first_seq = static_cast<Seq>(position * 2 + 1),
          .changes = 2,
          .at = k_test_time + position,
          .body = body};
}

Round test_round(const Reach& before) {
  Round round(before);
  const std::uint64_t number = before.round + 1;
  if (number % 4 == 0) round.add_note(k_test_note, "round " + std::to_string(number));
  const std::uint64_t rows = number % 8 == 0 ? 0 : number % 3 + 1;
  std::string body;
  for (std::uint64_t i = 0; i < rows; ++i) {
    const JournalRow row = test_row(round.after().head.position + 1, body);
    round.add_row(row.event, row.first_seq, row.changes, row.at, row.body);
  }
  return round;
}

void live(segments::Disk& disk, std::uint64_t last, Answered& answered, std::uint64_t seed) {
  live(disk, last, answered, small_segments(seed));
}

void live(segments::Disk& disk, std::uint64_t last, Answered& answered, const SegmentWriter::Options& options) {
  if (!SegmentWriter::exists(disk)) SegmentWriter::create(disk, options, k_test_journal, {});
  SettledWriter writer(disk, options);
  answered.reach = writer.reach();   // readers see it: from now on it must stay
  while (writer.reach().round < last) {
    Round round = test_round(writer.reach());
    std::uint64_t keep = 0;
    if (round.after().round % 10 == 0 && writer.reach().head.position > 20) {
      keep = segments::first_segment_to_keep(writer.catalog(), writer.reach().head.position - 20);
      round.add_note(segments::k_note_first_kept, segments::note_of_first_kept(keep));
      answered.kept_from = keep;   // from here on it may be gone
    }
    writer.append(round);
    answered.reach = writer.reach();
    if (keep > 0) segments::remove_segments_before(disk, writer.catalog(), keep);
    if (round.after().round % 3 == 0) writer.supply().prepare();
  }
  writer.stop();
}

std::string compare(segments::Disk& disk, const Answered& answered) {
  SettledWriter writer(disk, small_segments());
  const Reach reach = writer.reach();
  if (reach.round < answered.reach.round) return "round " + std::to_string(answered.reach.round) + " is lost";
  if (reach.round > answered.reach.round + 1) return "there is a round that nobody wrote";
  if (writer.catalog().snapshot().segments.front().header.number > answered.kept_from) return "a segment is lost";
  if (const std::uint64_t noted = reach.round / 4 * 4; noted > 0 && note_in(writer) != "round " + std::to_string(noted)) {
    return "the note of round " + std::to_string(noted) + " is lost";
  }
  const SegmentReader reader(disk, writer.catalog());
  return compare_rows(reader, reader.oldest(), reach.head.position);
}

std::string compare_rows(const SegmentReader& reader, Position first, Position last) {
  std::string wrong;
  Position next = first;
  const auto visit = [&](const JournalRow& row) {
    std::string body;
    const JournalRow expected = test_row(next, body);
    const bool same = row.position == expected.position && row.event == expected.event && row.first_seq == expected.first_seq &&
                      row.changes == expected.changes && row.at == expected.at && row.body == expected.body;
    if (!same) wrong = "row " + std::to_string(next) + " is another one";
    ++next;
    return same;
  };
  if (!reader.read(next, visit)) return "the oldest row is not there";
  if (wrong.empty() && next != last + 1) wrong = "rows end with " + std::to_string(next - 1);
  return wrong;
}

std::vector<Position> positions_from(const SegmentReader& reader, Position first) {
  std::vector<Position> positions;
  reader.read(first, [&](const JournalRow& row) {
    positions.push_back(row.position);
    return true;
  });
  return positions;
}

}  // namespace holdfast::test
