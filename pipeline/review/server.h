// SPDX-License-Identifier: Apache-2.0
// The review as a page on loopback: an address with a token, Host and Origin checked, nothing from
// outside.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "pipeline/review/desk.h"

namespace tilewright::pipeline {

/// Listens on 127.0.0.1 only. Who does not know the token of the address gets 404 and learns
/// nothing; a request whose Host is another name (a web page that rebinds its own) or that another
/// page sends (Origin, Sec-Fetch-Site) gets 403. There are no CORS headers. Verdicts need an Origin
/// and a JSON body.
class ReviewServer {
 public:
  /// Takes the port (0: a free one). Throws Error::failed if it is in use.
  ReviewServer(ReviewDesk& desk, int port);
  ReviewServer(const ReviewServer&) = delete;
  ReviewServer& operator=(const ReviewServer&) = delete;
  ~ReviewServer();

  [[nodiscard]] int port() const;
  [[nodiscard]] const std::string& token() const;  ///< 32 hex digits, new for each server
  [[nodiscard]] std::string address() const;       ///< http://127.0.0.1:PORT/TOKEN/
  /// Serves until `stop`; requests in hand are answered first.
  void run(const std::stop_token& stop);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tilewright::pipeline
