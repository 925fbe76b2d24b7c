// A full disk: requests that cannot be made durable get a 503, and the process ends by itself. Once there is room again,
// everything that was answered is there.
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

// A small file system in memory, seen by this process and its children only, and gone with them.
class SmallDisk {
 public:
  SmallDisk() {
    why_not_ = mount();
    if (!why_not_.empty()) why_not_ += std::string(": ") + std::strerror(errno);
  }
  ~SmallDisk() {
    if (why_not_.empty()) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::string& why_not() const { return why_not_; }
  fs::path operator/(const char* name) const { return folder_ / name; }

  // Leaves about this many bytes.
  void fill_but(std::size_t bytes) const {
    struct statvfs disk{};
    ASSERT_EQ(::statvfs(folder_.path().c_str(), &disk), 0);
    const std::size_t free = static_cast<std::size_t>(disk.f_bavail) * disk.f_bsize;
    ASSERT_GT(free, bytes);
    write_file(*this / "filler", std::string(free - bytes, 'x'));
  }
  void make_room() const { fs::remove(*this / "filler"); }

 private:
  // Why no such file system can be mounted here; nothing if it is mounted. Without root, this uses a user namespace.
  std::string mount() {
    const uid_t user = ::geteuid();
    if (::unshare(CLONE_NEWNS | (user == 0 ? 0 : CLONE_NEWUSER)) != 0) return "unshare";
    if (user != 0) std::ofstream("/proc/self/uid_map") << "0 " << user << " 1";
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "a private mount namespace";
    if (::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=24m") != 0) return "mount";
    return {};
  }

  TempFolder folder_;
  std::string why_not_;
};

TEST(FullDisk, Is503ThenTheProcessEndsAndEveryAnsweredHoldIsThereAgain) {
  const SmallDisk disk;
  if (!disk.why_not().empty()) GTEST_SKIP() << "a file system of a few megabytes is needed: " << disk.why_not();
  Server server({.data = disk / "data"});
  TestEvent event;
  {
    Client client = server.connect();
    event = make_event(client, 20'000);
    // Otherwise the tables, which are still written, may use up the space before the first hold does.
    ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_state_rows_behind") == 0; })) << "state.db does not follow";
  }
  ASSERT_NO_FATAL_FAILURE(disk.fill_but(512 * 1024));

  std::vector<std::string> held;
  std::size_t refused = 0;
  try {
    Client client = server.connect();
    for (const std::string& seat : event.seats) {
      client.write(request_bytes("POST", "/reservations", reserve_body(seat, "customer-" + std::string(200, 'c'))));
      const auto answer = client.try_read_answer();
      if (!answer) break;
      if (answer->status == 201) {
        held.push_back(seat);
        continue;
      }
      expect_problem(*answer, 503, "unavailable");
      EXPECT_TRUE(answer->has("Retry-After")) << *answer;
      ++refused;
    }
  } catch (const ConnectionLost&) {   // the process has ended
  }
  EXPECT_GT(held.size(), 0U);
  EXPECT_GT(refused, 0U) << held.size() << " holds were answered, and none was refused";
  const Ending ending = server.process().wait();
  EXPECT_TRUE(ending.signal == 0 && ending.status != 0) << "it ends by itself and says that something is wrong: " << to_string(ending);

  disk.make_room();
  server.start();
  Client client = server.connect();
  const std::string letters = states(client, event).letters;
  const auto after = static_cast<std::ptrdiff_t>(held.size());
  EXPECT_EQ(letters.substr(0, held.size()), std::string(held.size(), 'h')) << "every answered hold";
  EXPECT_LE(std::count(letters.begin() + after, letters.end(), 'h'), static_cast<std::ptrdiff_t>(refused) + 1)
      << "nothing that nobody asked for";
  EXPECT_EQ(reserve(client, event.seats.back(), "afterwards").status, 201);
  server.stop();
  const Finished verified = run_holdfast({"verify", "--data", server.data().string()});
  EXPECT_EQ(verified.status, 0) << verified.everything();
}

TEST(FullDisk, OfTheLogLosesLinesOfTheLogAndNoSale) {
  const SmallDisk disk;
  if (!disk.why_not().empty()) GTEST_SKIP() << "a file system of a few megabytes is needed: " << disk.why_not();
  const fs::path log = disk / "holdfast.log";
  Server server({.flags = {"--log-file", log.string(), "--log-level", "debug", "--log-format", "json"}});
  Client client = server.connect();
  const TestEvent event = make_event(client, 200);
  ASSERT_NO_FATAL_FAILURE(disk.fill_but(16 * 1024));
  for (const std::string& seat : event.seats) ASSERT_EQ(reserve(client, seat, "c").status, 201);
  EXPECT_TRUE(eventually([&] {
    client.get("/" + std::string(3'000, 'x'));
    return metric(client, "holdfast_log_lines_lost_total") > 0;
  }));
  EXPECT_EQ(letters(client, event), std::string(200, 'h'));
  EXPECT_EQ(client.get("/readyz").status, 200);

  disk.make_room();
  const auto log_says = [&](std::string_view text) { return read_file(log).find(text) != std::string::npos; };
  client.get("/healthz", {{"X-Request-Id", "there-is-room"}});
  EXPECT_TRUE(eventually([&] { return log_says("there-is-room"); }));
  EXPECT_TRUE(log_says(" lost here: No space left on device"));
  std::size_t cut = 0;
  std::istringstream lines(read_file(log));
  for (std::string line; std::getline(lines, line);) cut += line.ends_with('}') ? 0 : 1;
  EXPECT_LE(cut, 1U) << "the line that the disk had no room for ends where it was cut, and spoils no other";
}

}  // namespace
}  // namespace holdfast::test
