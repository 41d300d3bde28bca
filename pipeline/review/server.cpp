// SPDX-License-Identifier: Apache-2.0
// Routes of the review and what they refuse.
#include "pipeline/review/server.h"

#include <httplib.h>
#include <sys/socket.h>

#include <charconv>
#include <chrono>
#include <random>
#include <thread>

#include "geometry/error.h"
#include "pipeline/review/page_files.h"

namespace tilewright::pipeline {
namespace {

using httplib::Request, httplib::Response;

constexpr const char* kLoopback = "127.0.0.1";
constexpr std::size_t kLargestBody = std::size_t{64} << 10;
constexpr std::size_t kThreads = 16;
constexpr const char* kJson = "application/json";
/// Only this server's own files; no frame of another page around it.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src "
    "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string random_token() {
  std::random_device source;  // the kernel's generator
  std::string token;
  for (int n = 0; n < 4; ++n) {
    char text[9];
    std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(source()));
    token += text;
  }
  return token;
}

/// Takes the same time wherever the texts differ.
bool is_equal(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  return difference == 0;
}

void answer_json(Response& response, int status, const ReviewJson& json) {
  response.status = status;
  response.set_content(json.dump(-1, ' ', false, ReviewJson::error_handler_t::replace), kJson);
}

void answer_error(Response& response, int status, const std::string& text) {
  answer_json(response, status, {{"error", text}});
}

void answer(Response& response, const ReviewAnswer& found) {
  answer_json(response, found.status, found.json);
}

/// Pictures have the content's hash in their address: a browser may keep them.
void answer_bytes(Response& response, const ReviewBytes& found, const char* type) {
  if (found.status != 200) return answer_error(response, found.status, found.error);
  if (found.width > 0)
    response.set_header("X-Size", std::to_string(found.width) + "x" + std::to_string(found.height));
  response.headers.erase("Cache-Control");  // set_header adds
  response.set_header("Cache-Control", "private, max-age=3600");
  response.set_content(std::string(found.bytes.begin(), found.bytes.end()), type);
}

std::size_t number_of(const Request& request, const char* name, std::size_t otherwise) {
  const auto text = request.get_param_value(name);
  std::size_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

index::ReviewQuery query_of(const Request& request) {
  index::ReviewQuery query;
  query.layer = request.get_param_value("layer");
  query.sort = request.has_param("sort") ? request.get_param_value("sort") : "location";
  query.is_ascending = request.get_param_value("direction") != "descending";
  query.where = request.get_param_value("where");
  if (request.has_param("verdict")) query.verdict = request.get_param_value("verdict");
  query.subset = request.get_param_value("subset");
  query.who = request.get_param_value("who");
  return query;
}

/// Text of a member of a request's body; "" if it is not there or no text.
std::string text_of(const ReviewJson& body, const char* name) {
  const auto found = body.find(name);
  return found != body.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

}  // namespace

struct ReviewServer::State {
  ReviewDesk& desk;
  httplib::Server server;
  std::string token = random_token();
  int port = 0;

  explicit State(ReviewDesk& of) : desk(of) {}

  [[nodiscard]] bool is_own_name(const std::string& text) const {
    const auto end = ":" + std::to_string(port);
    return text == kLoopback + end || text == "localhost" + end;
  }
  [[nodiscard]] bool is_own_page(const std::string& origin) const {
    constexpr std::string_view kScheme = "http://";
    return origin.starts_with(kScheme) && is_own_name(origin.substr(kScheme.size()));
  }

  /// "" if the request comes from this page, else why not.
  [[nodiscard]] std::string foreign(const Request& request) const {
    if (!is_own_name(request.get_header_value("Host")))
      return "the Host of the request is not " + std::string(kLoopback) + ":" +
             std::to_string(port);
    const bool changes = request.method != "GET" && request.method != "HEAD";
    if ((changes || request.has_header("Origin")) &&
        !is_own_page(request.get_header_value("Origin")))
      return "the request comes from another page (Origin)";
    const auto site = request.get_header_value("Sec-Fetch-Site");
    if (changes && !site.empty() && site != "same-origin")
      return "the request comes from another page (Sec-Fetch-Site)";
    return "";
  }

  /// The body of a refused request stays unread: the connection cannot go on.
  static httplib::Server::HandlerResponse turn_away(Response& response, int status,
                                                    const std::string& why) {
    answer_error(response, status, why);
    response.set_header("Connection", "close");
    return httplib::Server::HandlerResponse::Handled;
  }

  httplib::Server::HandlerResponse guard(const Request& request, Response& response) const {
    response.set_header("Cache-Control", "no-store");
    response.set_header("Content-Security-Policy", kPolicy);
    response.set_header("Referrer-Policy", "same-origin");
    response.set_header("X-Content-Type-Options", "nosniff");
    response.set_header("Cross-Origin-Resource-Policy", "same-origin");
    const auto& path = request.path;
    const bool knows = path.size() > token.size() + 1 && path[0] == '/' &&
                       path[token.size() + 1] == '/' &&
                       is_equal(std::string_view(path).substr(1, token.size()), token);
    if (!knows)
      return turn_away(response, 404, "not found: open the address that tilewright review printed");
    if (const auto why = foreign(request); !why.empty()) return turn_away(response, 403, why);
    return httplib::Server::HandlerResponse::Unhandled;
  }

  /// The body as an object; nullopt after an answer that says what is wrong.
  static std::optional<ReviewJson> body_of(const Request& request, Response& response) {
    if (!request.get_header_value("Content-Type").starts_with(kJson)) {
      answer_error(response, 415, "the body must be application/json");
      return std::nullopt;
    }
    auto body = ReviewJson::parse(request.body, nullptr, false);
    if (body.is_object()) return body;
    answer_error(response, 400, "the body is no JSON object");
    return std::nullopt;
  }

  void give(const Request& request, Response& response) {
    const auto body = body_of(request, response);
    if (!body) return;
    index::VerdictRow row;
    row.location_id = text_of(*body, "location");
    row.layer = text_of(*body, "layer");
    row.verdict = text_of(*body, "verdict");
    row.who = trimmed(text_of(*body, "who"));
    row.note = text_of(*body, "note");
    answer(response, desk.give(row));
  }

  void take_back(const Request& request, Response& response) {
    const auto body = body_of(request, response);
    if (!body) return;
    const auto id = body->find("id");
    if (id == body->end() || !id->is_number_integer())
      return answer_error(response, 400, "id: the number of a verdict is missing");
    answer(response, desk.take_back(id->get<std::int64_t>(), trimmed(text_of(*body, "who"))));
  }

  void add_file(const std::string& path, std::string_view text, const char* type) {
    server.Get(path, [text, type](const Request&, Response& response) {
      response.set_content(text.data(), text.size(), type);
    });
  }

  void add_routes() {
    const auto base = "/" + token + "/";
    add_file(base, review_page(), "text/html; charset=utf-8");
    add_file(base + "review\\.js", review_script(), "text/javascript; charset=utf-8");
    add_file(base + "review\\.css", review_style(), "text/css; charset=utf-8");
    server.Get(base + "api/state",
               [this](const Request&, Response& response) { answer(response, desk.state()); });
    server.Get(base + "api/list", [this](const Request& request, Response& response) {
      answer(response, desk.list(query_of(request), request.get_param_value("edition"),
                                 number_of(request, "from", 0), number_of(request, "count", 100),
                                 request.get_param_value("find")));
    });
    server.Get(base + "api/place", [this](const Request& request, Response& response) {
      answer(response,
             desk.place(request.get_param_value("layer"), request.get_param_value("location")));
    });
    server.Get(base + "api/latest", [this](const Request& request, Response& response) {
      answer(response,
             desk.latest(request.get_param_value("layer"), request.get_param_value("who")));
    });
    server.Get(base + "api/thumbnail", [this](const Request& request, Response& response) {
      answer_bytes(
          response,
          desk.thumbnail(request.get_param_value("layer"), request.get_param_value("location")),
          "image/png");
    });
    server.Get(base + "api/picture", [this](const Request& request, Response& response) {
      answer_bytes(response,
                   desk.picture(request.get_param_value("location"),
                                request.get_param_value("tile"), request.get_param_value("show")),
                   "image/png");
    });
    server.Get(base + "api/mask", [this](const Request& request, Response& response) {
      answer_bytes(response,
                   desk.mask(request.get_param_value("location"), request.get_param_value("layer"),
                             request.get_param_value("valid_from")),
                   "application/octet-stream");
    });
    server.Get(base + "api/prediction", [this](const Request& request, Response& response) {
      answer_bytes(response,
                   desk.prediction(request.get_param_value("location"),
                                   request.get_param_value("tile"), request.get_param_value("run")),
                   "application/octet-stream");
    });
    server.Post(base + "api/verdict",
                [this](const Request& request, Response& response) { give(request, response); });
    server.Post(base + "api/undo", [this](const Request& request, Response& response) {
      take_back(request, response);
    });
  }

  void set_up() {
    server.new_task_queue = [] {
      return std::make_unique<httplib::ThreadPool>(kThreads).release();
    };                             // the library owns it
    server.set_tcp_nodelay(true);  // else head and body of an answer wait for each other, 40 ms
    server.set_keep_alive_timeout(2);
    server.set_read_timeout(5);
    server.set_payload_max_length(kLargestBody);
    // The library's default, SO_REUSEPORT, lets two servers share a port.
    server.set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    server.set_pre_routing_handler(
        [this](const Request& request, Response& response) { return guard(request, response); });
    server.set_exception_handler([](const Request&, Response& response,
                                    std::exception_ptr problem) {
      try {
        std::rethrow_exception(problem);
      } catch (
          const std::exception& error) {  // the library's border: the page shows what went wrong
        answer_error(response, 500, error.what());
      }
    });
    server.set_error_handler([](const Request&, Response& response) {
      if (response.body.empty())
        answer_error(response, response.status, "status " + std::to_string(response.status));
    });
  }
};

ReviewServer::ReviewServer(ReviewDesk& desk, int port) : state_(std::make_unique<State>(desk)) {
  state_->set_up();
  if (port == 0)
    state_->port = state_->server.bind_to_any_port(kLoopback);
  else
    state_->port = state_->server.bind_to_port(kLoopback, port) ? port : -1;
  if (state_->port <= 0)
    throw Error::failed("the port " +
                        (port == 0 ? std::string("(a free one)") : std::to_string(port)) + " of " +
                        kLoopback +
                        " cannot be taken: another program uses it, or it may not be used; name "
                        "another with --port, or leave --port out for a free one");
  state_->add_routes();
}

ReviewServer::~ReviewServer() = default;
int ReviewServer::port() const { return state_->port; }
const std::string& ReviewServer::token() const { return state_->token; }
std::string ReviewServer::address() const {
  return std::string("http://") + kLoopback + ":" + std::to_string(state_->port) + "/" +
         state_->token + "/";
}

void ReviewServer::run(const std::stop_token& stop) {
  using namespace std::chrono_literals;
  const std::jthread stopper([this, &stop](const std::stop_token& ended) {
    while (!stop.stop_requested() && !ended.stop_requested()) std::this_thread::sleep_for(50ms);
    while (!state_->server.is_running() && !ended.stop_requested())
      std::this_thread::sleep_for(10ms);
    state_->server.stop();
  });
  if (!state_->server.listen_after_bind() && !stop.stop_requested())
    throw Error::failed("the server on " + address() +
                        " ended unexpectedly; start it again, verdicts are kept");
}

}  // namespace tilewright::pipeline
