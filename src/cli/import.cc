// `holdfast import`: creates an event from a seating plan, in a folder or on a running server.
#include <array>
#include <boost/json/value.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <unistd.h>

#include "access/tokens.h"
#include "api/v1/event_reader.h"
#include "cli/commands.h"
#include "engine/engine.h"
#include "http/client.h"
#include "json/json.h"
#include "ledger/embedded/embedded_ledger.h"

namespace holdfast::cli {
namespace {

constexpr int k_status_event_exists = 3;
constexpr std::size_t k_part_bytes = 256 * 1024;

// A progress bar on standard error, if that is a terminal.
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

// Opens the plan after its byte order mark, if it has one: a mark inside a request's body would not be JSON. `bytes`: the rest's size.
std::ifstream open_plan(const std::string& path, std::uint64_t& bytes) {
  constexpr std::string_view k_mark = "\xEF\xBB\xBF";
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw std::runtime_error("cannot open " + path + ": " + std::strerror(errno));
  bytes = static_cast<std::uint64_t>(file.tellg());
  file.seekg(0);
  std::array<char, k_mark.size()> begin{};
  if (bytes >= k_mark.size()) file.read(begin.data(), begin.size());
  const bool is_marked = std::string_view(begin.data(), begin.size()) == k_mark;
  if (is_marked) bytes -= k_mark.size();
  file.seekg(is_marked ? static_cast<std::streamoff>(k_mark.size()) : 0);
  return file;
}

std::optional<Uuid> read_id(const ImportOptions& options) {
  if (options.id.empty()) return std::nullopt;
  const auto id = parse_uuid(options.id);
  if (!id || id->is_nil()) throw UsageError("--id must be a UUID; it is `" + options.id + "`");
  return id;
}

// Each mistake on a line of its own.
std::string lines_of(std::span<const api::Mistake> mistakes, std::uint64_t more) {
  std::string lines;
  for (const api::Mistake& each : mistakes) lines.append("\n  ").append(api::sentence_of(each));
  if (more > 0) lines.append("\n  and ").append(std::to_string(more)).append(" more mistakes.");
  return lines;
}

// Prints what the event did not take over from the plan.
void tell_not_taken(std::span<const api::NotTaken::Entry> members, std::uint64_t others, std::size_t blocked) {
  if (!members.empty()) std::fprintf(stderr, "Not taken over from the plan:\n");
  for (const api::NotTaken::Entry& each : members) {
    std::fprintf(stderr, "  %s: %llu, the first on line %llu\n", each.member.c_str(), static_cast<unsigned long long>(each.count),
                 static_cast<unsigned long long>(each.line));
  }
  if (others > 0) std::fprintf(stderr, "  other members: %llu\n", static_cast<unsigned long long>(others));
  if (blocked > 0) std::fprintf(stderr, "Blocked seats: %zu (by their `status` in the plan)\n", blocked);
}

api::ReadEvent read_plan(const ImportOptions& options) {
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
    if (!reader.feed({part.data(), got})) break;
    progress.at(done += got, bytes);
  }
  auto read = reader.finish();
  if (read) return std::move(*read);
  const std::span<const api::Mistake> kept = read.error().kept();
  throw std::runtime_error(options.plan + ":" + lines_of(kept, read.error().count() - kept.size()) + "\nNo event was created.");
}

int import_into_folder(const ImportOptions& options) {
  api::ReadEvent read = read_plan(options);
  const Uuid id = read.event.card.id;
  const std::size_t seats = read.event.plan->size();
  EmbeddedLedger ledger({.data = options.data});
  Engine engine(ledger, {.sweep = false});
  std::optional<Progress> progress("importing");
  const auto created = engine.create_event(std::move(read.event), [&](std::size_t done) { progress->at(done, seats); }, {}, read.taken);
  progress.reset();
  engine.stop();
  if (!created) {
    std::fprintf(stderr, "holdfast: %s\n", created.error().what.c_str());
    return created.error().kind == CreationProblem::Kind::event_exists ? k_status_event_exists : 1;
  }
  tell_not_taken(read.not_taken.entries(), read.not_taken.others(), read.taken.size());
  std::printf("%zu seats are on sale as event %s\n", seats - read.taken.size(), to_string(id).c_str());
  return 0;
}

// The body of POST /v1/events up to the plan.
std::string body_before_plan(const ImportOptions& options) {
  std::string body = R"({"name":)";
  append_json(body, options.name);
  if (const auto id = read_id(options)) body.append(R"(,"id":")").append(to_string(*id)).append("\"");
  body.append(options.keep_ids ? R"(,"keepIds":true)" : "");
  return body.append(R"(,"plan":)");
}

// The API key from the environment; empty if there is none.
std::string bearer() {
  const char* key = std::getenv(k_api_key_variable);
  if (key == nullptr || *key == '\0') return {};
  if (!hash_of_api_token(key)) throw UsageError(std::string(k_api_key_variable) + " must be an API key: hf_ and 43 characters");
  return key;
}

// ---- Reading the server's answer. Members that are missing, or of another type, are ignored. nullptr is an object without members.

using JsonObject = const boost::json::object*;

const boost::json::value& member_of(JsonObject object, std::string_view name) {
  static const boost::json::value k_missing;
  const auto* const found = object == nullptr ? nullptr : object->if_contains(name);
  return found == nullptr ? k_missing : *found;
}
std::string text_of(JsonObject object, std::string_view name) {
  const auto* const text = member_of(object, name).if_string();
  return text == nullptr ? std::string() : std::string(*text);
}
std::uint64_t number_of(JsonObject object, std::string_view name) {
  const auto* const number = member_of(object, name).if_int64();
  return number == nullptr || *number < 0 ? 0 : static_cast<std::uint64_t>(*number);
}
// The objects of an array.
std::vector<JsonObject> objects_of(JsonObject object, std::string_view name) {
  std::vector<JsonObject> objects;
  const auto* const list = member_of(object, name).if_array();
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    if ((*list)[i].is_object()) objects.push_back(&(*list)[i].get_object());
  }
  return objects;
}

std::vector<api::Mistake> mistakes_in(JsonObject problem) {
  std::vector<api::Mistake> mistakes;
  for (const JsonObject each : objects_of(problem, "mistakes")) {
    std::string what = text_of(each, "what");
    if (what.ends_with('.')) what.pop_back();
    mistakes.push_back({.what = what, .line = number_of(each, "line"), .seat = text_of(each, "seat"), .seat_id = text_of(each, "seatId")});
  }
  return mistakes;
}

void tell_not_taken(JsonObject event) {
  const JsonObject not_taken = member_of(event, "notTaken").if_object();
  std::vector<api::NotTaken::Entry> members;
  for (const JsonObject each : objects_of(not_taken, "members")) {
    members.push_back({text_of(each, "member"), number_of(each, "count"), number_of(each, "line")});
  }
  const JsonObject counts = member_of(event, "counts").if_object();
  tell_not_taken(members, number_of(not_taken, "others"), static_cast<std::size_t>(number_of(counts, "blocked")));
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
  // Yields the three pieces, one after the other.
  const auto read = [&](char* buffer, std::size_t size) -> std::size_t {
    std::size_t got = 0;
    if (sent < before.size()) {
      got = before.copy(buffer, size, sent);
    } else if (sent < before.size() + bytes) {
      file.read(buffer, static_cast<std::streamsize>(std::min<std::uint64_t>(size, before.size() + bytes - sent)));
      got = static_cast<std::size_t>(file.gcount());
      if (got == 0) throw std::runtime_error(options.plan + " was truncated while holdfast read it");
    } else if (sent < total) {
      got = after.copy(buffer, size, sent - before.size() - bytes);
    }
    progress.at(sent += got, total);
    return got;
  };
  const http::ClientAnswer answer = http::post_json(url, "/v1/events", total, read, bearer());
  const JsonBody body(answer.body);
  if (answer.status != 201) {
    const std::string mistakes = lines_of(mistakes_in(body.object()), number_of(body.object(), "moreMistakes"));
    std::fprintf(stderr, "\nholdfast: the server answered %u: %s%s\n", answer.status, text_of(body.object(), "detail").c_str(),
                 mistakes.c_str());
    return text_of(body.object(), "code") == "event_exists" ? k_status_event_exists : 1;
  }
  tell_not_taken(body.object());
  std::printf("%s is on sale as event %s\n", options.name.c_str(), text_of(body.object(), "id").c_str());
  return 0;
}

}  // namespace

int import_plan(const ImportOptions& options) {
  if (options.data.empty() == options.server.empty()) throw UsageError("import needs either --data (a folder) or --server (a URL)");
  return options.server.empty() ? import_into_folder(options) : import_into_server(options);
}

}  // namespace holdfast::cli
