// make_nodes() of support/nodes.h: three nodes over one database, one Redis and one Kafka.
#include "cluster/cluster.h"

namespace holdfast::test {

std::unique_ptr<Nodes> make_nodes(const std::vector<std::string>& flags) {
  ClusterSettings settings;
  settings.flags = flags;
  // Redis shares this machine with everything else here; a round trip that is late for lack of a processor is not under test.
  settings.flags.insert(settings.flags.end(), {"--lock-deadline-ms", "5000"});
  return std::make_unique<Cluster>(settings);
}

}   // namespace holdfast::test
