// SPDX-License-Identifier: Apache-2.0
#include "cli/receiver.h"

#include "base/encoding.h"
#include "server/assets.h"
#include "server/html.h"

namespace brickgate::cli {

namespace {

using namespace std::chrono_literals;

// A code must not stay in the address bar, nor in what the browser remembers.
constexpr std::string_view clean_path = "/signed-in";

// All in one answer: the listener is closed as soon as it is given.
ServerResponse page(int status, std::string_view title, std::string_view text) {
    ServerResponse response;
    response.status = status;
    response.close = true;
    response.headers.add("Content-Type", "text/html; charset=utf-8");
    response.headers.add("Cache-Control", "no-store");
    response.headers.add("Referrer-Policy", "no-referrer");
    response.headers.add("X-Content-Type-Options", "nosniff");
    response.headers.add("Content-Security-Policy",
                         "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    response.body =
        fill(
            R"(<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{}</title><style>{}</style></head><body><main class="narrow"><p class="brand">{}Brickgate</p><h1>{}</h1><p>{}</p></main></body></html>)",
            {title, Html::of(find_asset("style.css").value_or("")),
             Html::of(find_asset("logo.svg").value_or("")), title, text})
            .text();
    return response;
}

}  // namespace

Receiver::Receiver() : runtime_(RuntimeOptions{.http_threads = 1, .handle_signals = false}) {}

Receiver::~Receiver() {
    close();
}

Result<int> Receiver::listen(int first_port, int last_port) {
    ServerOptions options;
    options.executors = runtime_.workers();
    options.handler = [this](ServerRequest const& request) { return handle(request); };
    for (int port = first_port; port <= last_port; ++port) {
        auto server = std::make_unique<HttpServer>(options, clock_);
        auto const number = std::to_string(port);
        auto const v4 = server->listen_tcp(ListenerKind::public_, "127.0.0.1:" + number);
        auto const v6 = server->listen_tcp(ListenerKind::public_, "[::1]:" + number);
        bool const no_ipv6 = !v6 && v6.error().code() != ErrorCode::address_in_use;
        if (!v4 || (!v6 && !no_ipv6)) {
            continue;
        }
        server_ = std::move(server);
        server_->start();
        thread_ = std::thread([this] { runtime_.run(); });
        return port;
    }
    return fail(Error(ErrorCode::address_in_use, "All ports from " + std::to_string(first_port) +
                                                     " to " + std::to_string(last_port) +
                                                     " are taken.")
                    .with_hint("Close what uses them, and try again."));
}

void Receiver::expect(std::string state) {
    state_ = std::move(state);
    expecting_ = true;
}

std::optional<std::string> Receiver::wait(Seconds patience,
                                          std::function<void(Seconds left)> const& tell) {
    auto future = query_.get_future();
    for (Seconds waited{0}; waited < patience; ++waited) {
        if (future.wait_for(1s) == std::future_status::ready) {
            shown_.get_future().wait_for(1s);
            return future.get();
        }
        if (waited > 0s && waited % 60s == 0s) {
            tell(patience - waited);
        }
    }
    return std::nullopt;
}

void Receiver::close() {
    if (!thread_.joinable()) {
        return;
    }
    runtime_.on_shutdown("listener", [this]() -> Task<void> { co_await server_->drain(1s); });
    runtime_.request_stop();
    thread_.join();
}

bool Receiver::is_answer(ServerRequest const& request) const {
    if (!expecting_ || request.method != "GET" || request.path != "/") {
        return false;
    }
    auto const fields = form_decode(request.query);
    if (!fields) {
        return false;
    }
    bool ours = false;
    bool outcome = false;
    for (auto const& [name, value] : *fields) {
        ours = ours || (name == "state" && value == state_);
        outcome = outcome || name == "code" || name == "error";
    }
    return ours && outcome;
}

Task<ServerResponse> Receiver::handle(ServerRequest const& request) {
    if (taken_ && request.method == "GET" && request.path == clean_path) {
        if (!thanked_.exchange(true)) {
            shown_.set_value();
        }
        co_return page(200, "Thank you",
                       "Go back to your terminal; it says how it went. You can close this page.");
    }
    if (!is_answer(request) || taken_.exchange(true)) {
        co_return page(404, "Nothing here", "The sign-in waits for Databricks' answer only.");
    }
    query_.set_value(std::string(request.query));
    auto response = page(303, "Thank you", "Go back to your terminal.");
    response.headers.add("Location", std::string(clean_path));
    co_return response;
}

}  // namespace brickgate::cli
