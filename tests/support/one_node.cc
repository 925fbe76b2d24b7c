// make_nodes() of nodes.h: one node with the embedded ledger.
#include <gtest/gtest.h>

#include "support/nodes.h"

namespace holdfast::test {
namespace {

class OneNode : public Nodes {
 public:
  explicit OneNode(const std::vector<std::string>& flags) : server_({.flags = flags}) {}

  std::size_t count() const override { return 1; }
  Server& at(std::size_t) override { return server_; }
  milliseconds behind_max() const override { return milliseconds{0}; }
  void verify(const std::vector<TestEvent>&) override {
    const Finished verified = run_holdfast({"verify", "--data", server_.data().string()});
    EXPECT_EQ(verified.status, 0) << verified.everything();
  }

 private:
  Server server_;
};

}   // namespace

std::unique_ptr<Nodes> make_nodes(const std::vector<std::string>& flags) { return std::make_unique<OneNode>(flags); }

}   // namespace holdfast::test
