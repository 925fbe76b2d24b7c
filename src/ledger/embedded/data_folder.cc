#include "ledger/embedded/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

namespace holdfast {

namespace {

constexpr const char* k_must_write = ". Holdfast needs to write to its data folder.";

// 0, or the number of the error.
int make_private_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return errno;
  ::close(file);
  return 0;
}

// 0, or the number of the error.
int lock_soon(int file) {
  constexpr std::chrono::milliseconds k_pause{5};
  for (auto waited = k_pause; ::flock(file, LOCK_EX | LOCK_NB) != 0; waited += k_pause) {
    if (errno != EWOULDBLOCK || waited > DataFolder::k_lock_patience) return errno;
    std::this_thread::sleep_for(k_pause);
  }
  return 0;
}

}  // namespace

void create_private_file(const std::string& path) {
  if (const int error = make_private_file(path); error != 0) throw DataError("cannot make " + path + ": " + std::strerror(error));
}

void create_private_file_if_missing(const std::string& path) {
  const int error = make_private_file(path);
  if (error != 0 && error != EEXIST) throw DataError("cannot create " + path + ": " + std::strerror(error) + k_must_write);
}

void give_to_owner_of_folder(const std::string& path) {
  struct stat folder{};
  if (::geteuid() != 0 || ::stat(std::filesystem::path(path).parent_path().c_str(), &folder) != 0) return;
  if (::chown(path.c_str(), folder.st_uid, folder.st_gid) != 0) {
    throw DataError("cannot give " + path + " to the owner of its folder: " + std::strerror(errno));
  }
}

void sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int file = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool is_synced = file >= 0 && ::fsync(file) == 0;
  const int error = errno;
  if (file >= 0) ::close(file);
  if (!is_synced) throw DataError("cannot sync " + folder + ": " + std::strerror(error));
}

void refuse_other_format(sqlite::Database& file, std::int64_t format, const char* unchanged) {
  const std::int64_t found = file.query_int("PRAGMA user_version");
  if (found == format) return;
  throw DataError(file.path() + " has format " + std::to_string(found) + "; this version of Holdfast reads format " +
                  std::to_string(format) + ". " + unchanged + ". Use the version that wrote it, or a later one.");
}

void refuse_log_without_file(const std::string& path) {
  const std::string log = path + "-wal";
  if (std::filesystem::exists(path) || !std::filesystem::exists(log)) return;
  throw DataError(path + " is missing, and its log " + log + " is there, with what was written last. Nothing was changed. Put " + path +
                  " back, or move " + log + " away too.");
}

DataFolder::DataFolder(std::filesystem::path folder) : folder_(std::move(folder)) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) throw DataError("cannot make the data folder " + folder_.string() + ": " + error.message());
  const std::string path = (folder_ / "lock").string();
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) throw DataError("cannot open " + path + ": " + std::strerror(errno) + k_must_write);
  const int reason = lock_soon(lock_);
  if (reason == 0) return;
  ::close(lock_);
  if (reason != EWOULDBLOCK) throw DataError("cannot lock " + path + ": " + std::strerror(reason));
  throw DataError("another process works with the data in " + folder_.string() +
                  ". Two would sell the same seats. Stop the other one (fuser " + path +
                  " names it), or give this one a folder of its own.");
}

bool DataFolder::is_in_use(const std::filesystem::path& folder) {
  const int file = ::open((folder / "lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return errno != ENOENT;   // one that may not look does not know better
  const bool is_free = ::flock(file, LOCK_SH | LOCK_NB) == 0;
  ::close(file);
  return !is_free;
}

DataFolder::~DataFolder() {
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace holdfast
