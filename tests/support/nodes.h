// The servers for tests of the promises: one node with the embedded ledger, or several nodes over one database. The tests of
// tests/race and tests/crash work with any number; the linked make_nodes() decides.
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

  // How far a node may be behind another one; 0: not at all.
  virtual milliseconds behind_max() const = 0;
  // After a node was killed, while no requests are running: removes what it left behind elsewhere, which would otherwise go away
  // with time.
  virtual void after_kill() {}
  // Checks that all data is complete and agrees everywhere. The nodes may be running or not.
  virtual void verify(const std::vector<TestEvent>& events) = 0;
};

// `flags`: additional ones for each `holdfast serve`.
std::unique_ptr<Nodes> make_nodes(const std::vector<std::string>& flags = {});

}   // namespace holdfast::test
