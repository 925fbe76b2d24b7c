// `holdfast import`: a seating plan becomes an event, in a folder or on a running server.
#include <boost/json/value.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <unistd.h>

#include "api/event_reader.h"
#include "api/json.h"
#include "api/tokens.h"
#include "cli/commands.h"
#include "engine/engine.h"
#include "http/client.h"
#include "ledger/embedded/embedded_ledger.h"

namespace holdfast::cli {
namespace {

constexpr int k_status_event_exists = 3;
constexpr std::size_t k_part_bytes = 256 * 1024;

// A bar on a terminal; nothing elsewhere.
class Progress {
 public:
  explicit Progress(const char* what) : what_(what), shown_(::isatty(STDERR_FILENO) != 0) {}
  ~Progress() {
    if (shown_ && percent_ >= 0) std::fputc('\n', stderr);
  }
  void at(std::uint64_t done, std::uint64_t of) {
    const int percent = of == 0 ? 100 : static_cast<int>(done * 100 / of);
    if (!shown_ || percent == percent_) return;
    percent_ = percent;
    const std::string bar(static_cast<std::size_t>(percent / 4), '#');
    std::fprintf(stderr, "\r%s [%-25s] %3d %%", what_, bar.c_str(), percent);
  }

 private:
  const char* what_;
  bool shown_;
  int percent_ = -1;
};

std::ifstream open_plan(const std::string& path, std::uint64_t& bytes) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw std::runtime_error("cannot open " + path + ": " + std::strerror(errno));
  bytes = static_cast<std::uint64_t>(file.tellg());
  file.seekg(0);
  return file;
}

std::optional<Uuid> read_id(const ImportOptions& options) {
  if (options.id.empty()) return std::nullopt;
  const auto id = parse_uuid(options.id);
  if (!id || id->is_nil()) throw UsageError("--id must be a UUID; it is `" + options.id + "`");
  return id;
}

NewEvent read_plan(const ImportOptions& options) {
  std::uint64_t bytes = 0;
  std::ifstream file = open_plan(options.plan, bytes);
  api::EventReader reader(api::EventReader::Root::plan, {.name = options.name, .id = read_id(options), .keep_ids = options.keep_ids});
  Progress progress("reading  ");
  std::vector<char> part(k_part_bytes);
  std::uint64_t done = 0;
  while (file) {
    file.read(part.data(), static_cast<std::streamsize>(part.size()));
    const auto got = static_cast<std::size_t>(file.gcount());
    if (got == 0) break;
    if (!reader.feed({part.data(), got})) throw std::runtime_error(options.plan + ": " + reader.problem());
    progress.at(done += got, bytes);
  }
  auto event = reader.finish();
  if (!event) throw std::runtime_error(options.plan + ": " + event.error());
  return std::move(*event);
}

int import_into_folder(const ImportOptions& options) {
  NewEvent event = read_plan(options);
  const Uuid id = event.card.id;
  const std::size_t seats = event.plan->size();
  EmbeddedLedger ledger({.data = options.data});
  Engine engine(ledger, {.sweep = false});
  std::optional<Progress> progress("importing");
  const auto created = engine.create_event(std::move(event), [&](std::size_t done) { progress->at(done, seats); });
  progress.reset();
  engine.stop();
  if (!created) {
    std::fprintf(stderr, "holdfast: %s\n", created.error().what.c_str());
    return created.error().kind == CreationProblem::Kind::event_exists ? k_status_event_exists : 1;
  }
  std::printf("%zu seats are on sale as event %s\n", seats, to_string(id).c_str());
  return 0;
}

// What stands before the plan in the body of POST /v1/events.
std::string body_before_plan(const ImportOptions& options) {
  std::string body = R"({"name":)";
  append_json(body, options.name);
  if (const auto id = read_id(options)) body.append(R"(,"id":")").append(to_string(*id)).append("\"");
  body.append(options.keep_ids ? R"(,"keepIds":true)" : "");
  return body.append(R"(,"plan":)");
}

// The key to show, from the environment; empty when there is none.
std::string bearer() {
  const char* key = std::getenv(k_api_key_variable);
  if (key == nullptr || *key == '\0') return {};
  if (!api::hash_of_api_token(key)) throw UsageError(std::string(k_api_key_variable) + " is not an API key (hf_ and 43 characters)");
  return key;
}

int import_into_server(const ImportOptions& options) {
  std::uint64_t bytes = 0;
  std::ifstream file = open_plan(options.plan, bytes);
  const std::string before = body_before_plan(options);
  const std::string after = "}";
  http::Url url;
  try {
    url = http::parse_url(options.server);
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
  Progress progress("sending  ");
  std::uint64_t sent = 0;
  const std::uint64_t total = before.size() + bytes + after.size();
  // Gives the three pieces, one after the other.
  const auto read = [&](char* buffer, std::size_t size) -> std::size_t {
    std::size_t got = 0;
    if (sent < before.size()) {
      got = before.copy(buffer, size, sent);
    } else if (sent < before.size() + bytes) {
      file.read(buffer, static_cast<std::streamsize>(std::min<std::uint64_t>(size, before.size() + bytes - sent)));
      got = static_cast<std::size_t>(file.gcount());
      if (got == 0) throw std::runtime_error(options.plan + " became shorter while it was read");
    } else if (sent < total) {
      got = after.copy(buffer, size, sent - before.size() - bytes);
    }
    progress.at(sent += got, total);
    return got;
  };
  const http::ClientAnswer answer = http::post_json(url, "/v1/events", total, read, bearer());
  const api::JsonBody body(answer.body);
  const auto member = [&](const char* name) -> std::string {
    const auto* value = body.object() == nullptr ? nullptr : body.object()->if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string{};
  };
  if (answer.status != 201) {
    std::fprintf(stderr, "\nholdfast: the server answered %u: %s\n", answer.status, member("detail").c_str());
    return member("code") == "event_exists" ? k_status_event_exists : 1;
  }
  std::printf("%s is on sale as event %s\n", options.name.c_str(), member("id").c_str());
  return 0;
}

}  // namespace

int import_plan(const ImportOptions& options) {
  if (options.data.empty() == options.server.empty()) throw UsageError("import needs --data (a folder) or --server (a URL)");
  return options.server.empty() ? import_into_folder(options) : import_into_server(options);
}

}  // namespace holdfast::cli
