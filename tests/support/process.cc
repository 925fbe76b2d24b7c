#include "support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

extern char** environ;

namespace holdfast::test {
namespace {

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

std::vector<std::string> environment_of_child(const std::map<std::string, std::string>& more) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("HOLDFAST_")) all.emplace_back(*entry);
  }
  for (const auto& [name, value] : more) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

int open_output(const std::filesystem::path& file) {
  const char* path = file.empty() ? "/dev/null" : file.c_str();
  const int descriptor = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor < 0) fail(path);
  return descriptor;
}

// Runs in the child between fork and exec: only system calls from here on.
[[noreturn]] void become(const std::vector<char*>& arguments, const std::vector<char*>& environment, const char* folder, int out, int err,
                         pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(126);   // the parent ended before the line above
  const int in = ::open("/dev/null", O_RDONLY);
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);   // a connection of ours must not stay open because the child has it too
  if (*folder != '\0' && ::chdir(folder) != 0) ::_exit(126);
  ::execve(arguments[0], arguments.data(), environment.data());
  ::_exit(127);
}

}  // namespace

TempFolder::TempFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "holdfast-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) fail(name);
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;   // a folder that cannot be removed is no reason to fail
  std::filesystem::remove_all(path_, ignored);
}

std::string read_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream content;
  content << in.rdbuf();
  return content.str();
}

void write_file(const std::filesystem::path& file, std::string_view content) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
}

std::string to_string(const Ending& ending) {
  return ending.signal != 0 ? "signal " + std::to_string(ending.signal) : "status " + std::to_string(ending.status);
}

Process::Process(const ProcessSettings& settings) {
  std::vector<std::string> arguments = settings.arguments;
  std::vector<std::string> environment = environment_of_child(settings.environment);
  const std::vector<char*> argument_pointers = pointers_to(arguments);
  const std::vector<char*> environment_pointers = pointers_to(environment);
  const int out = open_output(settings.stdout_file);
  const int err = open_output(settings.stderr_file);
  const pid_t parent = ::getpid();
  id_ = ::fork();
  if (id_ == 0) become(argument_pointers, environment_pointers, settings.folder.c_str(), out, err, parent);
  ::close(out);
  ::close(err);
  if (id_ < 0) {
    id_ = 0;
    fail("fork");
  }
}

Process::~Process() {
  if (!runs()) return;
  signal(SIGKILL);
  int status = 0;
  ::waitpid(id_, &status, 0);
}

Process::Process(Process&& other) noexcept : id_(std::exchange(other.id_, 0)), ending_(std::exchange(other.ending_, std::nullopt)) {}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(id_, other.id_);
  std::swap(ending_, other.ending_);
  return *this;
}

bool Process::runs() { return id_ != 0 && !ending(); }

void Process::signal(int number) const { ::kill(id_, number); }

std::optional<Ending> Process::ending() {
  if (id_ == 0 || ending_) return ending_;
  int status = 0;
  if (::waitpid(id_, &status, WNOHANG) != id_) return std::nullopt;
  ending_ = WIFSIGNALED(status) ? Ending{.status = 0, .signal = WTERMSIG(status)} : Ending{.status = WEXITSTATUS(status), .signal = 0};
  return ending_;
}

Ending Process::wait(milliseconds patience) {
  if (id_ == 0) throw std::runtime_error("there is no process to wait for");
  if (eventually([&] { return ending().has_value(); }, patience)) return *ending_;
  signal(SIGKILL);
  int status = 0;
  ::waitpid(id_, &status, 0);
  ending_ = Ending{.status = 0, .signal = SIGKILL};
  throw std::runtime_error("a process did not end in " + std::to_string(patience.count()) + " ms");
}

Finished run_holdfast(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment) {
  return run_program(HOLDFAST_BINARY, arguments, environment);
}

Finished run_program(const std::string& program, const std::vector<std::string>& arguments,
                     const std::map<std::string, std::string>& environment) {
  const TempFolder folder;
  ProcessSettings settings;
  settings.arguments = {program};
  settings.arguments.insert(settings.arguments.end(), arguments.begin(), arguments.end());
  settings.environment = environment;
  settings.stdout_file = folder / "out";
  settings.stderr_file = folder / "err";
  const Ending ending = Process(settings).wait();
  const Finished finished{ending.status, read_file(settings.stdout_file), read_file(settings.stderr_file)};
  if (ending.signal != 0)
    throw std::runtime_error(program + " " + arguments.at(0) + " ended by " + to_string(ending) + ": " + finished.err);
  return finished;
}

}  // namespace holdfast::test
