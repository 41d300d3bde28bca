// SPDX-License-Identifier: Apache-2.0
// Entry of `tilewright`: the command table does the work, errors become messages and exit codes here.
#include <csignal>
#include <exception>
#include <iostream>
#include <new>

#include "geometry/error.h"
#include "pipeline/commands/command.h"

int main(int argc, char** argv) {
  using tilewright::Error;
  using tilewright::ErrorKind;
  std::signal(SIGXFSZ, SIG_IGN);  // a file over the limit is a write that fails, with a message
  tilewright::pipeline::Invocation invocation;
  try {
    return tilewright::pipeline::run_command(argc, argv, invocation);
  } catch (const Error& error) {
    return tilewright::pipeline::report_failure(invocation, static_cast<int>(error.kind()), error.what());
  } catch (const std::bad_alloc&) {
    return tilewright::pipeline::report_failure(invocation, static_cast<int>(ErrorKind::failed),
                                                "out of memory; lower --memory, or give the machine more");
  } catch (const std::exception& error) {
    return tilewright::pipeline::report_failure(invocation, static_cast<int>(ErrorKind::failed), error.what());
  }
}
