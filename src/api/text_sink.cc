#include "api/text_sink.h"

#include <utility>

#include "core/check.h"

namespace holdfast::api {
namespace {

constexpr int k_gzip_level = 5;
constexpr int k_gzip_window = 15 + 16;   // 32 KiB, with gzip's header in place of zlib's
constexpr int k_gzip_memory = 8;
constexpr std::size_t k_part_bytes = std::size_t{64} * 1024;

}  // namespace

TextSink::TextSink(bool compressed) : compressed_(compressed) {
  if (!compressed_) return;
  const int made = deflateInit2(&stream_, k_gzip_level, Z_DEFLATED, k_gzip_window, k_gzip_memory, Z_DEFAULT_STRATEGY);
  HOLDFAST_CHECK(made == Z_OK);
}

TextSink::~TextSink() {
  if (compressed_) deflateEnd(&stream_);
}

void TextSink::part_done() {
  if (compressed_ && part_.size() >= k_part_bytes) compress(Z_NO_FLUSH);
}

std::string TextSink::finish() {
  if (!compressed_) return std::move(part_);
  compress(Z_FINISH);
  return std::move(all_);
}

void TextSink::compress(int flush) {
  char buffer[16'384];
  stream_.next_in = reinterpret_cast<Bytef*>(part_.data());
  stream_.avail_in = static_cast<uInt>(part_.size());
  do {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer);
    stream_.avail_out = sizeof buffer;
    const int result = deflate(&stream_, flush);
    HOLDFAST_CHECK(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
    all_.append(buffer, sizeof buffer - stream_.avail_out);
  } while (stream_.avail_out == 0);
  part_.clear();
}

}  // namespace holdfast::api
