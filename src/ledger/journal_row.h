// One row of a journal: an event's part of one batch, as every ledger keeps it, and the chain of hashes from row to row.
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

// A row's body is the changes' bytes (with their length), the kept keys, and a trailer of what is kept beside the changes: sections, each with
// its number. Rows of before a section was kept do not have it; sections of a later version are passed over.
void encode_body(const ChangeBatch& changes, std::span<const KeptKey> keys, std::string& out);
struct JournalBody {
  std::string_view changes;
  std::vector<KeptKey> keys;   // `event` is the row's
  std::string_view versions{};   // as ChangeBatch has them, for DetailsDecoder
  std::string_view traces{};
};
bool decode_body(const JournalRow& row, JournalBody& body);

// The hash that a row must have after a row with hash `before`.
ChainHash chain(const ChainHash& before, const JournalRow& row);

}   // namespace holdfast
