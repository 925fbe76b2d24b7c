// The log of the real program, and sales while it cannot be written: its reader dies or does not read, its disk is full, its
// folder is gone.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <sstream>

#include "support/events.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A path that makes a line of the log, at level debug, this long.
const std::string k_noise = "/" + std::string(3'000, 'x');

bool says(const fs::path& file, std::string_view text) { return read_file(file).find(text) != std::string::npos; }

// A server whose standard error is a named pipe, as with a service manager or `| logger`.
class PipedServer {
 public:
  PipedServer() {
    if (::mkfifo(pipe().c_str(), 0600) != 0) throw std::runtime_error("mkfifo");
  }

  fs::path pipe() const { return folder_ / "pipe"; }

  // Opening the pipe needs a reader, or waits for one.
  void start() {
    ProcessSettings command =
        serve_command({.flags = {"--log-level", "debug", "--log-format", "json"}}, folder_ / "data", folder_ / "port");
    command.stderr_file = pipe();
    process_ = Process(command);
    ASSERT_TRUE(eventually([&] { return read_file(folder_ / "port").ends_with('\n') || !process_.runs(); }));
    ASSERT_TRUE(process_.runs());
  }
  Client connect() const { return Client(static_cast<std::uint16_t>(std::stoul(read_file(folder_ / "port")))); }
  Process& process() { return process_; }

 private:
  TempFolder folder_;
  Process process_;
};

// cat, which copies the pipe's output to a file.
Process reader_of(const fs::path& pipe, const fs::path& file) {
  return Process({.arguments = {"/bin/cat", pipe.string()}, .environment = {}, .stdout_file = file, .stderr_file = {}, .folder = {}});
}

// The reading end of a pipe, read when the test chooses.
class PipeEnd {
 public:
  explicit PipeEnd(const fs::path& pipe) : descriptor_(::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
    if (descriptor_ < 0) throw std::runtime_error("the pipe cannot be opened");
    ::fcntl(descriptor_, F_SETPIPE_SZ, 4'096);
  }
  ~PipeEnd() { ::close(descriptor_); }
  PipeEnd(const PipeEnd&) = delete;
  PipeEnd& operator=(const PipeEnd&) = delete;

  // Reads what has arrived.
  void read_into(std::string& text) const {
    char part[65'536];
    for (ssize_t size = 0; (size = ::read(descriptor_, part, sizeof part)) > 0;) text.append(part, static_cast<std::size_t>(size));
  }

 private:
  int descriptor_;
};

// How many requests the complete lines of a text account for: logged ones, and those reported as lost.
std::size_t requests_in(const std::string& text) {
  std::size_t requests = 0;
  std::istringstream lines(text.substr(0, text.rfind('\n') + 1));
  for (std::string line; std::getline(lines, line);) {
    const std::string message = string_of(parse_json(line).at("message"));
    if (message.find(" answered ") != std::string::npos) ++requests;
    if (message.find(" lost here: ") != std::string::npos) requests += std::stoul(message);
  }
  return requests;
}

TEST(Log, WhoseReaderIsKilledDoesNotStopTheSale) {
  const TempFolder folder;
  PipedServer server;
  Process reader = reader_of(server.pipe(), folder / "seen");
  server.start();
  Client client = server.connect();
  const TestEvent event = make_event(client, 100);
  ASSERT_TRUE(eventually([&] { return says(folder / "seen", "POST /v1/events answered 201"); }));
  reader.signal(SIGKILL);
  reader.wait();

  for (const std::string& seat : event.seats) ASSERT_EQ(reserve(client, seat, "c").status, 201);
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_log_lines_lost_total") >= 100; }));
  ASSERT_TRUE(server.process().runs());

  const Process another = reader_of(server.pipe(), folder / "seen-later");
  EXPECT_TRUE(eventually([&] {
    client.get("/healthz");
    return says(folder / "seen-later", "lines of the log were lost here: Broken pipe");
  })) << "what is missing is said to the next reader";
  EXPECT_EQ(letters(client, event), std::string(100, 'h'));
}

TEST(Log, ThatNobodyReadsDoesNotStopTheSaleAndCountsWhatItDropped) {
  PipedServer server;
  const PipeEnd end(server.pipe());
  server.start();
  Client client = server.connect();
  const TestEvent event = make_event(client, 50);
  std::size_t requests = 1;
  const auto lost = [&] {
    ++requests;
    return metric(client, "holdfast_log_lines_lost_total");
  };
  ASSERT_TRUE(eventually([&] {
    for (int i = 0; i < 50; ++i, ++requests) client.get(k_noise);
    return lost() > 10;
  }));
  for (const std::string& seat : event.seats) ASSERT_EQ(reserve(client, seat, "c").status, 201);
  requests += event.seats.size();

  std::string text;
  EXPECT_TRUE(eventually([&] {
    end.read_into(text);
    return requests_in(text) >= requests;
  }));
  EXPECT_EQ(requests_in(text), requests) << "each has a line, or is counted as lost";
  client.get("/healthz", {{"X-Request-Id", "afterwards"}});
  EXPECT_TRUE(eventually([&] {
    end.read_into(text);
    return text.find("request afterwards: GET /healthz answered 200") != std::string::npos;
  }));
}

TEST(Log, ThatNobodyReadsDoesNotKeepTheProcessFromEnding) {
  PipedServer server;
  const PipeEnd end(server.pipe());
  server.start();
  Client client = server.connect();
  for (int i = 0; i < 20; ++i) client.get(k_noise);
  server.process().signal(SIGTERM);
  EXPECT_EQ(server.process().wait(), Ending{});
}

TEST(Log, WhoseDiskIsFullDoesNotStopTheSale) {
  Server server({.flags = {"--log-file", "/dev/full", "--log-level", "debug"}});
  Client client = server.connect();
  const TestEvent event = make_event(client, 10);
  for (const std::string& seat : event.seats) EXPECT_EQ(reserve(client, seat, "c").status, 201);
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_log_lines_lost_total") >= 10; }));
  EXPECT_EQ(client.get("/readyz").status, 200);
  server.stop();
}

TEST(Log, ThatCannotBeReopenedGoesOnInTheOldFile) {
  const TempFolder folder;
  const fs::path log = folder / "logs" / "holdfast.log";
  Server server({.flags = {"--log-file", log.string(), "--log-level", "debug"}});
  Client client = server.connect();
  const TestEvent event = make_event(client, 2);
  const fs::path old = folder / "old";
  fs::rename(folder / "logs", old);
  write_file(folder / "logs", "a file in the folder's place");

  server.process().signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return says(old / "holdfast.log", "cannot reopen the log file"); }));
  EXPECT_EQ(reserve(client, event[0], "c", {{"X-Request-Id", "in-the-old-file"}}).status, 201);
  EXPECT_TRUE(eventually([&] { return says(old / "holdfast.log", "in-the-old-file"); }));

  fs::remove(folder / "logs");
  server.process().signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return says(log, "the log file was reopened"); }));
  EXPECT_EQ(reserve(client, event[1], "c", {{"X-Request-Id", "in-the-new-file"}}).status, 201);
  EXPECT_TRUE(eventually([&] { return says(log, "in-the-new-file"); }));
}

TEST(Log, OnStandardErrorIgnoresSighup) {
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, 3);
  for (const std::string& seat : event.seats) {
    server.process().signal(SIGHUP);   // as when a terminal goes away
    EXPECT_EQ(reserve(client, seat, "c").status, 201);
  }
  server.stop();
}

// --- members of a line beside its message ---

class JsonLog : public ::testing::Test {
 protected:
  TempFolder folder;
  Server server{{.flags = {"--log-file", (folder / "log").string(), "--log-level", "debug"}}};
  Client client = server.connect();
  TestEvent event = make_event(client, 3);

  // The line of the request with this id.
  Json line_of(const std::string& request) {
    std::optional<Json> found;
    EXPECT_TRUE(eventually([&] {
      std::istringstream lines(read_file(folder / "log"));
      for (std::string line; !found && std::getline(lines, line);) {
        if (lines.eof()) break;   // it is being written
        const Json json = parse_json(line);
        if (json.as_object().contains("requestId") && string_of(json.at("requestId")) == request) found = json;
      }
      return found.has_value();
    })) << "no line of "
        << request;
    return found.value_or(Json(boost::json::object()));
  }
};

TEST_F(JsonLog, HasTheRequestsFactsAsMembers) {
  const Headers headers = {{"X-Request-Id", "hold-1"}, {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}};
  const Answer held = hold(client, "c", {event[0]}, {}, headers);
  ASSERT_EQ(held.status, 201);
  const std::string reservation = string_of(held.json().at("id"));
  const Json line = line_of("hold-1");
  EXPECT_EQ(string_of(line.at("level")), "debug");
  EXPECT_EQ(string_of(line.at("route")), "POST /v1/reservations");
  EXPECT_EQ(line.at("status").to_number<int>(), 201);
  EXPECT_GT(line.at("durationMs").to_number<double>(), 0);
  EXPECT_EQ(string_of(line.at("event")), event.id);
  EXPECT_EQ(string_of(line.at("reservation")), reservation);
  EXPECT_EQ(string_of(line.at("traceId")), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_FALSE(line.as_object().contains("key")) << "this server has no keys";

  ASSERT_EQ(client.post("/v1/reservations/" + upper_case(reservation) + "/release", "{}", {{"X-Request-Id", "release-1"}}).status, 200);
  const Json release = line_of("release-1");
  EXPECT_EQ(string_of(release.at("route")), "POST /v1/reservations/{}/release");
  EXPECT_EQ(string_of(release.at("event")), event.id) << "the reservation's event";
  EXPECT_EQ(string_of(release.at("reservation")), reservation) << "as it is printed everywhere";
}

TEST_F(JsonLog, NamesTheCodeOfARefusal) {
  ASSERT_EQ(hold(client, "c", {event[1]}).status, 201);
  ASSERT_EQ(hold(client, "d", {event[1]}, {}, {{"X-Request-Id", "refused-1"}}).status, 409);
  const Json line = line_of("refused-1");
  EXPECT_EQ(line.at("status").to_number<int>(), 409);
  EXPECT_EQ(string_of(line.at("code")), "seat_unavailable");
  EXPECT_FALSE(line.as_object().contains("reservation"));
}

TEST_F(JsonLog, StaysOneObjectALineWhateverACallerSends) {
  const std::string id = R"(","status":200,"x":"\\ \u0000)";
  client.get("/v1/events/a%22%0Ab%5C", {{"X-Request-Id", id}});
  const Json line = line_of(id);
  EXPECT_EQ(line.at("status").to_number<int>(), 404);
  EXPECT_EQ(string_of(line.at("route")), "GET /v1/events/{}");
  EXPECT_FALSE(line.as_object().contains("event")) << "what is no id of an event is not named as one";
}

TEST_F(JsonLog, NamesTheKeyOfTheCallerAndNotItsToken) {
  const Finished made = run_holdfast({"keys", "create", "--data", server.data().string(), "--name", "the \"desk\"", "--scopes", "admin"});
  ASSERT_EQ(made.status, 0) << made.everything();
  const std::string token = made.out.substr(0, made.out.find('\n'));
  const Headers headers = {{"Authorization", "Bearer " + token}, {"X-Request-Id", "keyed-1"}};
  ASSERT_TRUE(eventually([&] { return client.get("/v1/events", headers).status == 200 && client.get("/v1/events").status == 401; }));
  ASSERT_EQ(client
                .post("/v1/events/" + event.id + "/block", R"({"seatIds":[")" + event[2] + "\"]}",
                      {{"Authorization", "Bearer " + token}, {"X-Request-Id", "block-1"}, {"Holdfast-Note", "rain"}})
                .status,
            200);
  const Json line = line_of("block-1");
  EXPECT_EQ(string_of(line.at("key")), "the \"desk\"");
  EXPECT_EQ(string_of(line.at("event")), event.id);
  EXPECT_EQ(string_of(line.at("level")), "info") << "what an operator did";
  EXPECT_EQ(read_file(folder / "log").find(token), std::string::npos);
}

}  // namespace
}  // namespace holdfast::test
