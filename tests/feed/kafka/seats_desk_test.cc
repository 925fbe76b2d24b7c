// The order of rows of events that come by Kafka.
#include "feed/kafka/seats_desk.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace holdfast::feed::kafka {
namespace {

TEST(Rows, stand_in_the_order_in_which_people_read_them) {
  const std::vector<std::string> in_order = {"",   "01", "1",  "2",   "9",    "10", "10A", "10B", "100", "A",
                                             "A1", "A2", "A9", "A10", "A10B", "AA", "B",   "a",   "ä"};
  for (std::size_t i = 0; i < in_order.size(); ++i) {
    for (std::size_t j = 0; j < in_order.size(); ++j)
      EXPECT_EQ(compare_rows(in_order[i], in_order[j]), i <=> j) << in_order[i] << " and " << in_order[j];
  }
}

}  // namespace
}  // namespace holdfast::feed::kafka
