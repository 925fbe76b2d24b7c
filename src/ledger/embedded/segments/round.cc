#include "ledger/embedded/segments/round.h"

#include "core/bytes.h"
#include "core/check.h"
#include "core/codec.h"

namespace holdfast::segments {
namespace {

// Types of records. Those from k_skipped on may be skipped by a reader that does not know them.
constexpr std::uint64_t k_record_row = 1;
constexpr std::uint64_t k_record_note = 2;
constexpr std::uint64_t k_skipped = 128;

bool read_row(std::string_view record, const JournalHead& before, JournalRow& row) {
  Reader reader(record);
  row.position = before.position + 1;
  const std::string_view hash = reader.bytes(row.hash.size());
  row.event = static_cast<EventNumber>(reader.varint_max(UINT32_MAX));
  row.first_seq = reader.varint();
  row.changes = static_cast<std::uint32_t>(reader.varint_max(UINT32_MAX));
  row.at = reader.signed_varint();
  row.body = reader.rest();
  return !reader.failed() && read_bytes(hash, row.hash);
}

Unreadable wrong(std::string what) { return {.what = std::move(what)}; }
Unreadable later(const std::string& has) { return {.is_later = true, .what = has + ", which this program does not know"}; }

}  // namespace

void put_in_force(const Notes& newer, Notes& notes) {
  for (const auto& [kind, text] : newer) {
    if (text.empty()) notes.erase(kind);
    else notes[kind] = text;
  }
}

void Round::begin(const Reach& before) {
  before_ = before;
  head_ = before.head;
  rows_ = 0;
  notes_.clear();
  frame_.assign(k_frame_header, '\0');
}

JournalHead Round::add_row(EventNumber event, Seq first_seq, std::uint32_t changes, Millis at, std::string_view body) {
  JournalRow row{.position = head_.position + 1, .event = event, .first_seq = first_seq, .changes = changes, .at = at, .body = body};
  row.hash = chain(head_.hash, row);
  numbers_.clear();
  Writer numbers(numbers_);
  numbers.varint(event);
  numbers.varint(first_seq);
  numbers.varint(changes);
  numbers.signed_varint(at);
  Writer writer(frame_);
  writer.varint(k_record_row);
  writer.varint(row.hash.size() + numbers_.size() + body.size());
  frame_.append(as_bytes(row.hash)).append(numbers_).append(body);
  ++rows_;
  head_ = {row.position, row.hash};
  return head_;
}

void Round::add_note(NoteKind kind, std::string_view text) {
  HOLDFAST_CHECK(text.size() <= k_note_bytes_max);
  numbers_.clear();
  Writer(numbers_).varint(kind);
  Writer writer(frame_);
  writer.varint(k_record_note);
  writer.varint(numbers_.size() + text.size());
  frame_.append(numbers_).append(text);
  notes_[kind] = text;
}

std::uint64_t Round::bytes_max(std::uint64_t rows, std::uint64_t body_bytes, std::uint64_t notes) {
  const std::uint64_t frame = k_frame_header + rows * k_row_overhead_max + body_bytes + notes * (k_note_bytes_max + k_note_overhead_max);
  return (frame + k_block - 1) / k_block * k_block;
}

std::string_view Round::finish(FrameKind kind, const SegmentHeader& segment, std::uint32_t block, std::uint32_t block_before) {
  FrameHeader header{.kind = kind,
                     .length = static_cast<std::uint32_t>(frame_.size()),
                     .block = block,
                     .block_before = block_before,
                     .round = kind == FrameKind::opening ? before_.round : before_.round + 1,
                     .before = before_.head,
                     .rows = rows_};
  put_frame_header(header, segment.salt, frame_.data());
  frame_.resize(bytes(), '\0');
  return frame_;
}

std::expected<RoundRead, Unreadable> decode_frame(const FrameHeader& header, std::string_view frame) {
  if (std::string refusal = refusal_of(header.features); !refusal.empty())
    return std::unexpected(Unreadable{.is_later = true, .what = std::move(refusal)});
  if (header.kind != FrameKind::opening && header.kind != FrameKind::round) {
    return std::unexpected(later("its kind is " + std::to_string(static_cast<std::uint32_t>(header.kind))));
  }
  RoundRead read;
  read.before = {header.kind == FrameKind::opening ? header.round : header.round - 1, header.before};
  JournalHead head = header.before;
  Reader reader(frame.substr(k_frame_header));
  while (!reader.at_end()) {
    const std::uint64_t type = reader.varint();
    const std::string_view record = reader.text();
    if (reader.failed()) return std::unexpected(wrong("its records cannot be read"));
    if (type == k_record_row) {
      JournalRow& row = read.rows.emplace_back();
      if (!read_row(record, head, row)) return std::unexpected(wrong("row " + std::to_string(head.position + 1) + " cannot be read"));
      if (row.hash != chain(head.hash, row)) {
        return std::unexpected(wrong("row " + std::to_string(row.position) + " does not fit the chain of hashes"));
      }
      head = {row.position, row.hash};
    } else if (type == k_record_note) {
      Reader note(record);
      const NoteKind kind = note.varint();
      if (note.failed()) return std::unexpected(wrong("a note cannot be read"));
      read.notes[kind] = note.rest();
    } else if (type < k_skipped) {
      return std::unexpected(later("it has a record of type " + std::to_string(type)));
    }
  }
  if (header.kind == FrameKind::opening && header.rows != 0) return std::unexpected(wrong("it is an opening with rows"));
  if (read.rows.size() != header.rows) return std::unexpected(wrong("it has another number of rows than its header says"));
  read.after = {header.round, head};
  return read;
}

}  // namespace holdfast::segments
