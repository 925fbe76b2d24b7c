// Environment variables that begin with HOLDFAST_ and are not options: those that Kubernetes sets in every pod beside a Service
// named holdfast, and those of clients. A misspelt option stays an error.
#include <gmock/gmock.h>

#include <sstream>

#include "support/server.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;
using testing::Not;

using Variables = std::map<std::string, std::string>;

// What Kubernetes sets for the Services `holdfast` (port 50002, named http), `holdfast-metrics` (IPv6), `holdfast-dns` (UDP) and, in part,
// `holdfast-service`.
const Variables k_of_kubernetes = {
    {"HOLDFAST_SERVICE_HOST", "10.0.0.1"},
    {"HOLDFAST_SERVICE_PORT", "50002"},
    {"HOLDFAST_SERVICE_PORT_HTTP", "50002"},
    {"HOLDFAST_PORT", "tcp://10.0.0.1:50002"},
    {"HOLDFAST_PORT_50002_TCP", "tcp://10.0.0.1:50002"},
    {"HOLDFAST_PORT_50002_TCP_PROTO", "tcp"},
    {"HOLDFAST_PORT_50002_TCP_PORT", "50002"},
    {"HOLDFAST_PORT_50002_TCP_ADDR", "10.0.0.1"},
    {"HOLDFAST_METRICS_SERVICE_HOST", "fd00::2"},
    {"HOLDFAST_METRICS_SERVICE_PORT", "9090"},
    {"HOLDFAST_METRICS_PORT", "tcp://[fd00::2]:9090"},
    {"HOLDFAST_METRICS_PORT_9090_TCP", "tcp://[fd00::2]:9090"},
    {"HOLDFAST_METRICS_PORT_9090_TCP_PROTO", "tcp"},
    {"HOLDFAST_METRICS_PORT_9090_TCP_PORT", "9090"},
    {"HOLDFAST_METRICS_PORT_9090_TCP_ADDR", "fd00::2"},
    {"HOLDFAST_DNS_PORT", "udp://10.0.0.3:53"},
    {"HOLDFAST_DNS_PORT_53_UDP", "udp://10.0.0.3:53"},
    {"HOLDFAST_DNS_PORT_53_UDP_PROTO", "udp"},
    {"HOLDFAST_DNS_PORT_53_UDP_PORT", "53"},
    {"HOLDFAST_DNS_PORT_53_UDP_ADDR", "10.0.0.3"},
    {"HOLDFAST_SERVICE_PORT_50003_TCP", "tcp://10.0.0.4:50003"},
    {"HOLDFAST_SERVICE_PORT_50003_TCP_ADDR", "10.0.0.4"},
};

std::vector<std::string> lines_with(const std::string& text, std::string_view part) {
  std::vector<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(part) != std::string::npos) found.push_back(line);
  }
  return found;
}

TEST(EnvironmentOfServe, KubernetesServiceLinksAreIgnoredAndNamedInOneLine) {
  Server server({.environment = k_of_kubernetes});
  EXPECT_EQ(server.connect().get("/readyz").status, 200);
  ASSERT_TRUE(server.says("enableServiceLinks: false"));
  const auto lines = lines_with(server.log(), "enableServiceLinks: false");
  ASSERT_EQ(lines.size(), 1U) << server.log();
  EXPECT_THAT(lines[0], HasSubstr("ignored " + std::to_string(k_of_kubernetes.size()) + " environment variables"));
  for (const auto& [name, value] : k_of_kubernetes) EXPECT_THAT(lines[0], HasSubstr(name));
}

TEST(EnvironmentOfServe, AnOptionBesideServiceLinksStillCounts) {
  Variables environment = k_of_kubernetes;
  environment["HOLDFAST_HTTP_BODY_BYTES_MAX"] = "1000";
  Server server({.environment = environment});
  EXPECT_EQ(server.connect().post("/reservations", std::string(1'001, ' ')).status, 413);
}

TEST(EnvironmentOfServe, WithoutServiceLinksTheLogDoesNotMentionThem) {
  Server server;
  EXPECT_THAT(server.log(), Not(HasSubstr("enableServiceLinks")));
}

TEST(EnvironmentOfServe, AVariableThatOnlyResemblesAServiceLinkIsAnErrorThatNamesIt) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"HOLDFAST_PORTS", "tcp://10.0.0.1:50002"},
      {"HOLDFAST_HTTP_PORT", "8080"},                    // an unknown option
      {"HOLDFAST_SERVICE_HOST", "shop.example"},
      {"HOLDFAST_SERVICE_PORT", "none"},
      {"HOLDFAST_SERVICE_PORTS", "50002"},
      {"HOLDFAST_SERVICE_PORT_HTTP", "70000"},
      {"HOLDFAST_50002_TCP", "tcp://10.0.0.1:50002"},
      {"HOLDFAST_PORT_0_TCP", "tcp://10.0.0.1:50002"},
      {"HOLDFAST_PORT_50002_TCP_PROTO", "http"},
      {"HOLDFAST_PORT_50002_TCP_ADDR", "here"},
      {"HOLDFAST_PORT_50002_TCP_NAME", "10.0.0.1"},
      {"HOLDFAST_URLS", "http://localhost:50002"},
  };
  for (const auto& [name, value] : wrong) {
    const Finished refused = failing_start({.environment = {{name, value}}});
    EXPECT_EQ(refused.status, 2) << name << "=" << value << ": " << refused.everything();
    EXPECT_THAT(refused.err, HasSubstr(name));
  }
}

TEST(EnvironmentOfServe, APortThatIsNeitherANumberNorAServiceLinkIsAnError) {
  const TempFolder folder;
  write_file(folder / "empty.toml", "");
  for (const char* value : {"http://10.0.0.1:50002", "tcp://10.0.0.1", "tcp://:50002", "tcp://10.0.0.1:http", "50002/tcp"}) {
    // With a file, no flag sets the port.
    const Finished refused =
        failing_start({.flags = {"--config", (folder / "empty.toml").string()}, .environment = {{"HOLDFAST_PORT", value}}});
    EXPECT_EQ(refused.status, 2) << value << ": " << refused.everything();
    EXPECT_THAT(refused.err, HasSubstr("HOLDFAST_PORT must be a whole number"));
  }
}

TEST(EnvironmentOfServe, VariablesOfClientsAndExamplesAreIgnoredSilently) {
  Server server({.environment = {{"HOLDFAST_URL", "http://localhost:50002"}, {"HOLDFAST_KEY", "hf_secret"}}});
  EXPECT_EQ(server.connect().get("/readyz").status, 200);
  EXPECT_THAT(server.log(), Not(HasSubstr("HOLDFAST_URL")));
  EXPECT_THAT(server.log(), Not(HasSubstr("HOLDFAST_KEY")));
}

}   // namespace
}   // namespace holdfast::test
