#include "support/server.h"

#include <signal.h>

#include <algorithm>
#include <exception>
#include <iostream>
#include <stdexcept>

namespace holdfast::test {

namespace fs = std::filesystem;

ProcessSettings serve_command(const ServerSettings& settings, const fs::path& data, const fs::path& port_file) {
  ProcessSettings command;
  command.arguments = {settings.program.empty() ? HOLDFAST_BINARY : settings.program, "serve", "--port-file", port_file.string()};
  bool has_port = false, has_ledger = false;
  for (const std::string& flag : settings.flags) {
    has_port = has_port || flag == "--port" || flag == "--config";
    has_ledger = has_ledger || flag == "--ledger";   // a database: then there is no folder
  }
  if (!has_ledger) command.arguments.insert(command.arguments.end(), {"--data", data.string()});
  if (!has_port) command.arguments.insert(command.arguments.end(), {"--port", "0"});
  command.arguments.insert(command.arguments.end(), settings.flags.begin(), settings.flags.end());
  command.environment = settings.environment;
  return command;
}

Finished failing_start(const ServerSettings& settings) {
  const TempFolder folder;
  ProcessSettings command = serve_command(settings, settings.data.empty() ? folder / "data" : settings.data, folder / "port");
  command.stdout_file = folder / "out";
  command.stderr_file = folder / "err";
  Process process(command);
  if (!eventually([&] { return !process.runs(); })) {
    std::string words;
    for (const std::string& argument : command.arguments) words += " " + argument;
    throw std::runtime_error("this was not to start, and runs:" + words);
  }
  const Ending ending = process.wait();
  if (ending.signal != 0) throw std::runtime_error("holdfast serve ended by " + to_string(ending) + ": " + read_file(command.stderr_file));
  return {ending.status, read_file(command.stdout_file), read_file(command.stderr_file)};
}

ServerPlace (*place_of_servers)(const ServerSettings& settings) = nullptr;

Server::Server(ServerSettings settings) : settings_(std::move(settings)), log_file_(folder_ / "log"), port_file_(folder_ / "port") {
  if (settings_.data.empty() && place_of_servers != nullptr) place_ = place_of_servers(settings_);
  if (settings_.data.empty()) settings_.data = folder_ / "data";
  start();
}

Server::~Server() {
  try {
    if (process_.runs()) stop();
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
  const ::testing::TestInfo* const test = ::testing::UnitTest::GetInstance()->current_test_info();
  const bool is_failing = std::uncaught_exceptions() > 0 || (test != nullptr && test->result()->Failed());
  if (is_failing || ::testing::UnitTest::GetInstance()->Failed()) {
    std::cout << "---- what the server wrote ----\n" << log() << "---- end of what the server wrote ----\n";
  }
}

void Server::start() {
  fs::remove(port_file_);
  ServerSettings settings = settings_;
  settings.flags.insert(settings.flags.end(), place_.flags.begin(), place_.flags.end());
  ProcessSettings command = serve_command(settings, settings_.data, port_file_);
  command.stdout_file = command.stderr_file = log_file_;
  process_ = Process(command);
  const bool listens = eventually([&] { return !process_.runs() || read_file(port_file_).ends_with('\n'); });
  if (!listens || !process_.runs()) throw std::runtime_error("holdfast serve did not start:\n" + log());
  port_ = static_cast<std::uint16_t>(std::stoul(read_file(port_file_)));
  const bool ready = eventually([&] {
    if (!process_.runs()) return true;
    try {
      return connect().get("/readyz").status == 200;
    } catch (const ConnectionLost&) {
      return false;
    }
  });
  if (!ready || !process_.runs()) throw std::runtime_error("holdfast serve was not ready:\n" + log());
}

std::vector<std::string> Server::place() const {
  if (!place_.flags.empty()) return place_.flags;
  const auto ledger = std::ranges::find(settings_.flags, "--ledger");
  if (ledger != settings_.flags.end()) return {"--ledger", *(ledger + 1)};
  return {"--data", settings_.data.string()};
}

void Server::stop() {
  process_.signal(SIGTERM);
  const Ending ending = process_.wait(3 * k_patience);   // on a busy machine its background work may be far behind
  if (ending != Ending{}) ADD_FAILURE() << "the server ended with " << to_string(ending);
}

void Server::kill() {
  process_.signal(SIGKILL);
  const Ending ending = process_.wait();
  if (ending.signal != SIGKILL) ADD_FAILURE() << "the server had ended with " << to_string(ending);
}

}  // namespace holdfast::test
