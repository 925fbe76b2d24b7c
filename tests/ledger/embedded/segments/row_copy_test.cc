// Rows are copied into a new journal as they are.
#include "ledger/embedded/segments/row_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/embedded/segments/retention.h"
#include "ledger/embedded/segments/segments_in_test.h"
#include "ledger/embedded/segments/simulated_disk.h"

namespace holdfast::test {
namespace {

using segments::RowCopy;
using segments::SegmentReader;
using segments::SegmentWriter;
using testing::HasSubstr;

constexpr segments::JournalId k_new_journal{0xAA, 0xBB};

class RowCopyTest : public testing::Test {
 protected:
  RowCopyTest() {
    live(from_, 60, answered_);   // retention has removed its first segments
    SegmentWriter writer(from_, small_segments());
    const SegmentReader reader(from_, writer.catalog());
    anchor_ = writer.catalog().snapshot().segments.front().before->head;
    notes_ = writer.notes();
    reader.read(reader.oldest(), [&](const JournalRow& row) {
      bodies_.emplace_back(row.body);
      rows_.push_back(row);
      return true;
    });
    for (std::size_t i = 0; i < rows_.size(); ++i) rows_[i].body = bodies_[i];
    SegmentWriter::create(to_, small_segments(7), k_new_journal, {.round = 0, .head = anchor_});
  }

  SimulatedDisk from_;
  SimulatedDisk to_;
  Answered answered_;
  JournalHead anchor_;
  segments::Notes notes_;
  std::vector<JournalRow> rows_;
  std::vector<std::string> bodies_;
};

TEST_F(RowCopyTest, PositionsTimesAndHashesStay) {
  ASSERT_GT(anchor_.position, 0);
  {
    SegmentWriter writer(to_, small_segments(7));
    writer.settle();
    RowCopy copy(writer);
    for (const JournalRow& row : rows_) copy.add(row);
    copy.finish();
    EXPECT_EQ(writer.reach().head, answered_.reach.head);
    EXPECT_LT(writer.reach().round, rows_.size() / 2) << "rows share rounds";
    writer.stop();
  }
  SegmentWriter writer(to_, small_segments(7));
  const SegmentReader reader(to_, writer.catalog());
  EXPECT_EQ(reader.oldest(), anchor_.position + 1);
  EXPECT_EQ(compare_rows(reader, reader.oldest(), answered_.reach.head.position), "");
  EXPECT_EQ(reader.hash_at(answered_.reach.head.position), answered_.reach.head.hash);
}

TEST_F(RowCopyTest, NotesStayExceptWhereTheOldSegmentsBegan) {
  ASSERT_TRUE(notes_.contains(segments::k_note_first_kept));
  ASSERT_TRUE(notes_.contains(k_test_note));
  SegmentWriter writer(to_, small_segments(7));
  writer.settle();
  RowCopy copy(writer);
  for (const JournalRow& row : rows_) copy.add(row);
  copy.finish(notes_);
  EXPECT_EQ(writer.notes().at(k_test_note), notes_.at(k_test_note));
  EXPECT_FALSE(writer.notes().contains(segments::k_note_first_kept)) << "the new journal has other numbers";
}

TEST_F(RowCopyTest, ARowThatDoesNotFollowIsRefused) {
  const auto refusal = [&](std::size_t from, const std::function<void(JournalRow&)>& change) {
    SegmentWriter writer(to_, small_segments(7));
    writer.settle();
    RowCopy copy(writer);
    try {
      for (std::size_t i = 0; i < 3; ++i) {
        JournalRow row = rows_.at(from + i);
        if (i == 2) change(row);
        copy.add(row);
      }
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refusal(0, [](JournalRow&) {}), "");
  const std::string third = "row " + std::to_string(rows_[2].position) + " cannot be copied";
  EXPECT_THAT(refusal(0, [](JournalRow& row) { ++row.at; }), HasSubstr(third));
  EXPECT_THAT(refusal(0, [](JournalRow& row) { row.hash[0] ^= 1; }), HasSubstr(third));
  EXPECT_THAT(refusal(0, [](JournalRow& row) { ++row.position; }), HasSubstr("cannot be copied"));
  EXPECT_THAT(refusal(1, [](JournalRow&) {}), HasSubstr("row " + std::to_string(rows_[1].position) + " cannot be copied"));
}

}  // namespace
}  // namespace holdfast::test
