// The real program on a free port.
//
//   Server server;                                  // a data folder of its own
//   Client client = server.connect();
//   server.kill();                                  // as if the power went
//   server.start();                                 // on another port
//
// If a test has failed, the server's output is printed when the object ends. A server that ends by itself, or not with status 0
// after SIGTERM, fails the test.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/process.h"

namespace holdfast::test {

struct ServerSettings {
  std::vector<std::string> flags{};                        // further arguments of `holdfast serve`
  std::map<std::string, std::string> environment{};
  std::filesystem::path data{};                            // empty: a folder of its own
  std::string program{};                                   // empty: the one that was built
};

// `holdfast serve` with these settings; its port is written to `port_file`.
ProcessSettings serve_command(const ServerSettings& settings, const std::filesystem::path& data, const std::filesystem::path& port_file);

// The error of `holdfast serve` when it cannot start. Throws if it runs.
Finished failing_start(const ServerSettings& settings);

// The place of a server's data, if that is not a folder.
struct ServerPlace {
  std::vector<std::string> flags{};
  std::shared_ptr<void> owner{};   // lives as long as the server
};
// Makes a place for a server without one; nullptr: each has its own folder. Set by in_database.cc, for tests that are run with
// the other ledger too.
extern ServerPlace (*place_of_servers)(const ServerSettings& settings);
// Whether these tests run with the ledger in PostgreSQL.
inline bool is_in_database() { return place_of_servers != nullptr; }

class Server {
 public:
  explicit Server(ServerSettings settings = {});   // starts, and returns when it is ready
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void start();   // again, after stop(), kill() or an end of its own
  void stop();   // SIGTERM; another end than status 0 is a failure
  void kill();   // SIGKILL
  Process& process() { return process_; }

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  Client connect() const { return Client(port_); }
  const std::filesystem::path& data() const { return settings_.data; }
  // --data or --ledger with what it has, for the tools beside it.
  std::vector<std::string> place() const;
  bool is_in_database() const { return place_.owner != nullptr; }
  ServerSettings& settings() { return settings_; }   // for the next start
  std::string log() const { return read_file(log_file_); }
  // Whether this is in its log, or comes soon: a thread of its own writes the log.
  bool says(std::string_view text) const {
    return eventually([&] { return log().find(text) != std::string::npos; });
  }

 private:
  TempFolder folder_;
  ServerSettings settings_;
  ServerPlace place_;
  std::filesystem::path log_file_;
  std::filesystem::path port_file_;
  std::uint16_t port_ = 0;
  Process process_;
};

// One server for all tests of a suite that need no other. Each test creates its own event.
class OneServer : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<Server>(); }
  static void TearDownTestSuite() { server_.reset(); }

  static Server& server() { return *server_; }
  Client client = server_->connect();

 private:
  inline static std::unique_ptr<Server> server_;
};

}   // namespace holdfast::test
