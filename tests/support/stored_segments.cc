#include "support/stored_segments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "core/bytes.h"
#include "core/codec.h"
#include "ledger/embedded/segments/frame_scan.h"
#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/segment_file.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using segments::k_block;
using From = segments::DiskFile::From;

constexpr std::uint64_t k_row = 1;
constexpr std::uint64_t k_note = 2;
constexpr std::uint64_t k_first_kept = 1;

StoredRowInTest row_in(std::string_view record, std::int64_t position) {
  Reader reader(record);
  StoredRowInTest row{.position = position};
  row.hash = reader.bytes(sizeof(ChainHash));
  row.event = static_cast<std::int64_t>(reader.varint());
  row.first_seq = static_cast<std::int64_t>(reader.varint());
  row.changes = static_cast<std::int64_t>(reader.varint());
  row.at = reader.signed_varint();
  row.body = reader.rest();
  return row;
}

std::string record_of(const StoredRowInTest& row) {
  std::string record = row.hash;
  Writer writer(record);
  writer.varint(static_cast<std::uint64_t>(row.event));
  writer.varint(static_cast<std::uint64_t>(row.first_seq));
  writer.varint(static_cast<std::uint64_t>(row.changes));
  writer.signed_varint(row.at);
  return record + row.body;
}

ChainHash hash_of(const std::string& bytes) {
  ChainHash hash{};
  read_bytes(bytes, hash);
  return hash;
}

}  // namespace

StoredSegments::StoredSegments(const fs::path& folder) : folder_(folder) {
  segments::PosixDisk disk(folder);
  std::uint64_t first_kept = 1;
  for (const std::uint64_t number : segments::numbers_of_segments(disk)) {
    const auto file = disk.open(segments::name_of_segment(number), segments::Disk::Mode::read);
    std::string block(k_block, '\0');
    file->read(0, block, From::cache);
    const auto header = segments::decode_segment_header(block);
    if (!header) continue;
    File found{.header = *header, .frames = {}};
    segments::FrameScan scan(*file, *header, segments::k_first_frame, static_cast<std::uint32_t>(header->bytes / k_block), From::cache);
    while (scan.next() == segments::FrameScan::Found::frame) {
      Frame frame{.header = scan.header(), .rows = {}, .notes = {}};
      Reader records(scan.bytes().substr(segments::k_frame_header));
      while (!records.at_end() && !records.failed()) {
        const std::uint64_t type = records.varint();
        const std::string_view record = records.text();
        const auto position = frame.header.before.position + 1 + static_cast<std::int64_t>(frame.rows.size());
        if (type == k_row) frame.rows.push_back(row_in(record, position));
        if (type != k_note) continue;
        Reader note(record);
        const std::uint64_t kind = note.varint();
        frame.notes[kind] = note.rest();
        if (kind == k_first_kept) first_kept = Reader(frame.notes[kind]).varint();
      }
      found.frames.push_back(std::move(frame));
    }
    files_.push_back(std::move(found));
  }
  std::erase_if(files_, [&](const File& file) { return file.header.number < first_kept; });
}

std::int64_t StoredSegments::anchor() const { return files_.front().frames.front().header.before.position; }

std::vector<StoredRowInTest> StoredSegments::rows() const {
  std::vector<StoredRowInTest> rows;
  for (const File& file : files_) {
    for (const Frame& frame : file.frames) std::ranges::copy(frame.rows, std::back_inserter(rows));
  }
  return rows;
}

// Frames that have nothing left are left out.
void StoredSegments::change_rows(const std::function<void(Frame&)>& change) {
  for (File& file : files_) {
    for (Frame& frame : file.frames) change(frame);
    std::erase_if(file.frames, [](const Frame& frame) {
      return frame.header.kind == segments::FrameKind::round && frame.rows.empty() && frame.notes.empty();
    });
  }
  store();
}

void StoredSegments::put(const StoredRowInTest& row) {
  bool is_there = false;
  for (File& file : files_) {
    for (Frame& frame : file.frames) {
      for (StoredRowInTest& each : frame.rows) {
        if (each.position != row.position) continue;
        each = row;
        is_there = true;
      }
    }
  }
  if (is_there) return store();
  File* last = &files_.front();
  for (File& file : files_) {
    if (!file.frames.empty()) last = &file;
  }
  const std::vector<StoredRowInTest> all = rows();
  Frame frame{.header = last->frames.back().header, .rows = {row}, .notes = {}};
  if (frame.header.kind == segments::FrameKind::round) ++frame.header.round;
  else frame.header = {.round = frame.header.round + 1, .before = frame.header.before};
  frame.header.kind = segments::FrameKind::round;
  if (!all.empty()) frame.header.before = {all.back().position, hash_of(all.back().hash)};
  frame.header.before.position = row.position - 1;
  last->frames.push_back(std::move(frame));
  store();
}

void StoredSegments::remove(std::int64_t position) {
  for (File& file : files_) {
    for (std::size_t i = 0; i < file.frames.size(); ++i) {
      Frame& frame = file.frames[i];
      const auto at = std::ranges::find(frame.rows, position, &StoredRowInTest::position);
      if (at == frame.rows.end()) continue;
      Frame behind{.header = frame.header, .rows = {at + 1, frame.rows.end()}, .notes = {}};
      behind.header.before = {position, hash_of(at->hash)};
      frame.rows.erase(at, frame.rows.end());
      if (!behind.rows.empty()) file.frames.insert(file.frames.begin() + static_cast<std::ptrdiff_t>(i) + 1, std::move(behind));
      return change_rows([](Frame&) {});
    }
  }
}

void StoredSegments::remove_after(std::int64_t position) {
  for (File& file : files_) {
    std::erase_if(file.frames, [&](const Frame& frame) {
      return frame.header.before.position > position || (frame.header.before.position == position && !frame.rows.empty());
    });
  }
  change_rows([&](Frame& frame) { std::erase_if(frame.rows, [&](const StoredRowInTest& row) { return row.position > position; }); });
}

void StoredSegments::remove_through(std::int64_t position) {
  segments::FrameHeader& opening = files_.front().frames.front().header;
  for (const Frame& frame : files_.front().frames) {
    for (const StoredRowInTest& row : frame.rows) {
      if (row.position > position) continue;
      opening.before = {row.position, hash_of(row.hash)};
      opening.round = row.position == frame.rows.back().position ? frame.header.round : frame.header.round - 1;
    }
  }
  EXPECT_EQ(opening.before.position, position) << "the first segment ends before it";
  std::erase_if(files_.front().frames,
                [&](const Frame& frame) { return frame.header.kind == segments::FrameKind::round && frame.header.round <= opening.round; });
  change_rows([&](Frame& frame) {
    if (std::erase_if(frame.rows, [&](const StoredRowInTest& row) { return row.position <= position; }) > 0) {
      frame.header.before = opening.before;
    }
  });
}

void StoredSegments::set_anchor(std::int64_t position, const std::string& hash) {
  files_.front().frames.front().header.before = {position, hash_of(hash)};
  store();
}

// The first opening too, which has the anchor.
void StoredSegments::forget_notes() {
  files_.front().frames.erase(files_.front().frames.begin());
  change_rows([](Frame& frame) { frame.notes.clear(); });
}

void StoredSegments::store() const {
  std::uint32_t last_of_file_before = 0;
  for (const File& file : files_) {
    std::string content(k_block, '\0');
    std::uint32_t block_before = last_of_file_before;
    for (const Frame& frame : file.frames) {
      std::string bytes(segments::k_frame_header, '\0');
      Writer writer(bytes);
      for (const StoredRowInTest& row : frame.rows) {
        writer.varint(k_row);
        writer.text(record_of(row));
      }
      for (const auto& [kind, text] : frame.notes) {
        std::string note;
        Writer(note).varint(kind);
        writer.varint(k_note);
        writer.text(note + text);
      }
      segments::FrameHeader header = frame.header;
      header.block = static_cast<std::uint32_t>(content.size() / k_block);
      header.block_before = block_before;
      header.rows = static_cast<std::uint32_t>(frame.rows.size());
      header.length = static_cast<std::uint32_t>(bytes.size());
      segments::put_frame_header(header, file.header.salt, bytes.data());
      content += bytes;
      content.resize((content.size() + k_block - 1) / k_block * k_block, '\0');
      block_before = header.block;
    }
    last_of_file_before = block_before;
    ASSERT_LE(content.size(), file.header.bytes) << "the segment is full";
    content.resize(file.header.bytes, '\0');
    std::fstream stream(folder_ / segments::name_of_segment(file.header.number), std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(k_block);
    stream.write(content.data() + k_block, static_cast<std::streamsize>(content.size() - k_block));
    ASSERT_TRUE(stream.flush().good());
  }
}

}  // namespace holdfast::test
