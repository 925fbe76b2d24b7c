// Where the promises are tested: one node with the embedded ledger, or several nodes over one database. The tests of tests/race and
// tests/crash are written for any number; whoever links them says what they run on, by the make_nodes() that it brings.
//
//   const auto nodes = make_nodes({"--threads", "2"});
//   Client client = nodes->at(0).connect();
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/events.h"
#include "support/server.h"

namespace holdfast::test {

class Nodes {
 public:
  virtual ~Nodes() = default;

  virtual std::size_t count() const = 0;
  virtual Server& at(std::size_t node) = 0;
  Client connect(std::size_t number) { return at(number % count()).connect(); }   // numbers go round the nodes

  // How long a node may show less than another one has recorded; 0: not at all.
  virtual milliseconds behind_max() const = 0;
  // A node has been killed, and nobody asks for anything at the moment: what it left behind elsewhere is looked at and put right, as time
  // would do it.
  virtual void after_kill() {}
  // What is kept is whole, and says the same wherever it is kept. Whether nodes run or not.
  virtual void verify(const std::vector<TestEvent>& events) = 0;
};

// `flags`: further ones of each `holdfast serve`.
std::unique_ptr<Nodes> make_nodes(const std::vector<std::string>& flags = {});

}   // namespace holdfast::test
