// decree: the command line.
#include <unistd.h>

#include <iostream>

#include "client/cli/context.h"
#include "client/cli/interrupt.h"

int main(int argc, char** argv) {
  decree::cli::CatchInterrupts();
  std::ios::sync_with_stdio(false);
  decree::cli::Context context(std::cin, std::cout, std::cerr);
  context.out_is_terminal = decree::cli::IsTerminal(STDOUT_FILENO);
  context.err_is_terminal = decree::cli::IsTerminal(STDERR_FILENO);
  return decree::cli::RunCli(std::vector<std::string>(argv + 1, argv + argc), context);
}
