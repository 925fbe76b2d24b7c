// A network between a node and PostgreSQL on this machine, which fails by a seed. It knows where the messages of the protocol begin and end
// (version 3, without TLS), so a fault meets any message of either way (fault_plan.h).
//
//   PostgresProxy proxy(port_in(database.url()), seed);
//   Server node({.flags = {"--ledger", with_port(database.url(), proxy.port())}});
//   proxy.begin_faults();
//   …
//   proxy.end_faults();                      // from now on it is a good network
//   std::cout << proxy.tally();
//
// Until begin_faults() it is a good network, too. Any thread may call everything. Throws std::system_error if it cannot listen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "support/fault_plan.h"

namespace holdfast::test {

class PostgresProxy {
 public:
  PostgresProxy(std::uint16_t server_port, std::uint64_t seed);
  ~PostgresProxy();
  PostgresProxy(const PostgresProxy&) = delete;
  PostgresProxy& operator=(const PostgresProxy&) = delete;

  std::uint16_t port() const;

  void begin_faults();
  // Ends silences and outages. Delays go on to their end, which is near.
  void end_faults();
  FaultTally tally() const;
  std::size_t faults() const { return tally().total(); }

  // The next message of this trip and way whose first byte is `type` (0: any) meets this fault, whether or not there are faults by the seed.
  void meet(Trip trip, Way way, char type, Fault fault);
  // From now on the server loses what batches commit: it rolls back, and says that it has committed. Ends all connections.
  void lose_commits();

 private:
  class Network;
  std::unique_ptr<Network> network_;
};

}   // namespace holdfast::test
