#include "ledger/journal_row.h"

#include <openssl/evp.h>

#include <memory>

#include "core/bytes.h"
#include "core/check.h"
#include "core/codec.h"

namespace holdfast {
namespace {

constexpr std::size_t k_keys_per_row_max = 1'000'000;

// Sections of the trailer, in ascending order. Numbers are only added, never reused.
enum class Section : std::uint64_t { versions = 1, traces = 2 };

bool decode_trailer(Reader& reader, JournalBody& body) {
  body.versions = body.traces = {};
  std::uint64_t before = 0;
  while (!reader.failed() && !reader.at_end()) {
    const std::uint64_t number = reader.varint();
    const std::string_view bytes = reader.text();
    if (number <= before || bytes.empty()) return false;
    if (number == static_cast<std::uint64_t>(Section::versions)) body.versions = bytes;
    if (number == static_cast<std::uint64_t>(Section::traces)) body.traces = bytes;
    before = number;
  }
  return !reader.failed();
}

}  // namespace

void encode_body(const ChangeBatch& changes, std::span<const KeptKey> keys, std::string& out) {
  Writer writer(out);
  writer.text(changes.bytes);
  writer.varint(keys.size());
  for (const KeptKey& kept : keys) append_key(kept, out);
  const auto section = [&](Section number, std::string_view bytes) {
    if (bytes.empty()) return;
    writer.varint(static_cast<std::uint64_t>(number));
    writer.text(bytes);
  };
  section(Section::versions, changes.versions);
  section(Section::traces, changes.traces);
}

bool decode_body(const JournalRow& row, JournalBody& body) {
  Reader reader(row.body);
  body.changes = reader.text();
  body.keys.clear();
  const auto keys = reader.varint_max(k_keys_per_row_max);
  for (std::uint64_t i = 0; i < keys && !reader.failed(); ++i) {
    KeptKey& kept = body.keys.emplace_back();
    kept.event = row.event;
    if (!read_key(reader, kept)) return false;
  }
  return decode_trailer(reader, body);
}

void append_key(const KeptKey& kept, std::string& out) {
  out.append(as_bytes(kept.key.key));
  out.append(as_bytes(kept.key.request));
  Writer(out).text(kept.outcomes);
}

bool read_key(Reader& reader, KeptKey& kept) {
  const std::string_view key = reader.bytes(kept.key.key.size());
  const std::string_view request = reader.bytes(kept.key.request.size());
  kept.outcomes = reader.text();
  return !reader.failed() && read_bytes(key, kept.key.key) && read_bytes(request, kept.key.request);
}

ChainHash chain(const ChainHash& before, const JournalRow& row) {
  std::string numbers;
  Writer writer(numbers);
  writer.varint(static_cast<std::uint64_t>(row.position));
  writer.varint(row.event);
  writer.varint(row.first_seq);
  writer.varint(row.changes);
  writer.signed_varint(row.at);
  thread_local const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  thread_local const std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> sha256(EVP_MD_fetch(nullptr, "SHA256", nullptr), EVP_MD_free);
  ChainHash hash;
  const bool hashed = EVP_DigestInit_ex2(context.get(), sha256.get(), nullptr) == 1 &&
                      EVP_DigestUpdate(context.get(), before.data(), before.size()) == 1 &&
                      EVP_DigestUpdate(context.get(), numbers.data(), numbers.size()) == 1 &&
                      EVP_DigestUpdate(context.get(), row.body.data(), row.body.size()) == 1 &&
                      EVP_DigestFinal_ex(context.get(), hash.data(), nullptr) == 1;
  HOLDFAST_CHECK(hashed);
  return hash;
}

}  // namespace holdfast
