// The one program: `holdfast serve`, and the tools beside it.
#include <cstdio>
#include <exception>

#include "cli/command_line.h"
#include "cli/options.h"

int main(int argc, char** argv) {
  try {
    return holdfast::cli::CommandLine().run(argc, argv);
  } catch (const holdfast::cli::UsageError& error) {
    std::fprintf(stderr, "holdfast: %s\nTry --help.\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "holdfast: %s\n", error.what());
    return 1;
  }
}
