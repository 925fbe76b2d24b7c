// One row of a journal, the same in every ledger: one event's part of a batch, chained to the row before it by a hash.
//
// The bytes are part of the journal's format (docs/internals/journal.md). Pure functions; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/change.h"
#include "core/ids.h"
#include "core/submission.h"

namespace holdfast {

using Position = std::int64_t;                    // of a journal row; 0 is before the first
using ChainHash = std::array<std::uint8_t, 32>;   // all zero before the first row

struct JournalHead {
  Position position = 0;
  ChainHash hash{};
  bool operator==(const JournalHead&) const = default;
};

struct JournalRow {
  Position position = 0;
  EventNumber event = 0;
  Seq first_seq = 0;
  std::uint32_t changes = 0;
  Millis at = 0;
  std::string_view body;   // valid until the next row is read
  ChainHash hash{};
};

// A row's body is the bytes of the changes (with their length), the kept keys, and a trailer of numbered sections. A row written before a
// section existed does not have it. Sections of a later version are skipped.
void encode_body(const ChangeBatch& changes, std::span<const KeptKey> keys, std::string& out);
struct JournalBody {
  std::string_view changes;
  std::vector<KeptKey> keys;   // `event` is the row's
  std::string_view versions{};   // as ChangeBatch has them, for DetailsDecoder
  std::string_view traces{};
};
bool decode_body(const JournalRow& row, JournalBody& body);

// One key as a body has it. read_key() returns false if the bytes are damaged, and does not set `event`.
void append_key(const KeptKey& kept, std::string& out);
bool read_key(Reader& reader, KeptKey& kept);

// The hash that a row must have after a row with hash `before`.
ChainHash chain(const ChainHash& before, const JournalRow& row);

}   // namespace holdfast
