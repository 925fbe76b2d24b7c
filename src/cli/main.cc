// The program: `holdfast serve`, and the tools for its data.
#include <exception>
#include <string>

#include "cli/command_line.h"
#include "cli/log_writer.h"
#include "cli/options.h"

int main(int argc, char** argv) {
  try {
    return holdfast::cli::CommandLine().run(argc, argv);
  } catch (const holdfast::cli::UsageError& error) {
    holdfast::cli::say_on_stderr("holdfast: " + std::string(error.what()) + "\nTry --help.\n");
    return 2;
  } catch (const std::exception& error) {
    holdfast::cli::say_on_stderr("holdfast: " + std::string(error.what()) + "\n");
    return 1;
  }
}
