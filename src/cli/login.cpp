// SPDX-License-Identifier: Apache-2.0
// Signing in from a terminal, as RFC 8252 has it: the system's browser, a listener on loopback only
// that is closed right after, PKCE, and the public client that Databricks' own tools use
// (databricks-facts 2.1).
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <future>
#include <iostream>
#include <thread>

#include "base/log.h"
#include "cli/command.h"
#include "net/http_server.h"
#include "net/runtime.h"
#include "net/system_ports.h"

namespace brickgate::cli {

namespace {

using namespace std::chrono_literals;
constexpr int first_port = 8020;  // the ports that the client databricks-cli is registered with
constexpr int last_port = 8040;
constexpr Seconds patience = 600s;

// Waits for one callback that carries code or error; favicons, probes and stray requests get a 404.
class Receiver {
 public:
    Receiver() : runtime_(RuntimeOptions{.http_threads = 1, .handle_signals = false}) {}
    ~Receiver() {
        runtime_.request_stop();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    Result<int> listen() {
        ServerOptions options;
        options.executors = runtime_.workers();
        options.handler = [this](ServerRequest const& request) { return handle(request); };
        for (int port = first_port; port <= last_port; ++port) {
            server_ = std::make_unique<HttpServer>(options, clock_);
            // localhost may mean either; a program on the other one could take the code.
            auto const v4 =
                server_->listen_tcp(ListenerKind::public_, "127.0.0.1:" + std::to_string(port));
            auto const v6 =
                server_->listen_tcp(ListenerKind::public_, "[::1]:" + std::to_string(port));
            bool const no_ipv6 = !v6 && v6.error().code() != ErrorCode::address_in_use;
            if (!v4 || (!v6 && !no_ipv6)) {
                continue;
            }
            server_->start();
            thread_ = std::thread([this] { runtime_.run(); });
            return port;
        }
        return fail(Error(ErrorCode::address_in_use, "All ports from 8020 to 8040 are taken.")
                        .with_hint("Close what uses them, and try again."));
    }

    std::optional<std::string> wait() {
        auto future = query_.get_future();
        auto const end = std::chrono::duration_cast<Seconds>(patience).count();
        for (std::int64_t waited = 0; waited < end; ++waited) {
            if (future.wait_for(1s) == std::future_status::ready) {
                return future.get();
            }
            if (waited > 0 && waited % 60 == 0) {
                std::cerr << "Still waiting for the browser (" << (end - waited) / 60
                          << " minutes left) ...\n";
            }
        }
        return std::nullopt;
    }

 private:
    Task<ServerResponse> handle(ServerRequest const& request) {
        ServerResponse response;
        response.headers.add("Content-Type", "text/html; charset=utf-8");
        response.headers.add("Cache-Control", "no-store");
        response.headers.add("Referrer-Policy", "no-referrer");
        response.headers.add("Content-Security-Policy",
                             "default-src 'none'; frame-ancestors 'none'");
        bool const answer = request.method == "GET" && request.path == "/" &&
                            request.query.find("state=") != std::string_view::npos;
        if (!answer || taken_.exchange(true)) {
            response.status = 404;
            response.body = "<!doctype html><title>Nothing here</title><p>There is nothing here.";
            co_return response;
        }
        query_.set_value(std::string(request.query));
        response.close = true;
        response.body =
            "<!doctype html><meta name=\"viewport\" content=\"width=device-width\"><title>Back to "
            "the terminal</title>"
            "<h1>Thank you</h1><p>Go back to your terminal; you can close this page.";
        co_return response;
    }

    SystemClock clock_;
    Runtime runtime_;
    std::unique_ptr<HttpServer> server_;
    std::thread thread_;
    std::promise<std::string> query_;
    std::atomic<bool> taken_ = false;
};

bool open_browser(std::string const& url) {
    char const* const browser = getenv("BROWSER");
    if (browser && std::string_view(browser) == "none") {
        return false;
    }
    bool const desktop = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY") || browser;
    if (!desktop) {
        return false;
    }
    std::string const program = browser ? browser : "xdg-open";
    std::string argument = url;
    std::string name = program;
    char* const arguments[] = {name.data(), argument.data(), nullptr};
    pid_t child = 0;
    if (posix_spawnp(&child, program.c_str(), nullptr, nullptr, arguments, environ) != 0) {
        return false;
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string text_at(json::object const& object, std::string_view key) {
    return std::string(string_at(object, key).value_or(""));
}

}  // namespace

int run_login(Common const& common, LoginOptions const& options) {
    auto loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    set_up_log(LogLevel::error, LogFormat::human);
    auto admin = connect_admin(std::move(*loaded));
    if (!admin) {
        return complain(admin.error());
    }
    Receiver receiver;
    auto const port = receiver.listen();
    if (!port) {
        return complain(port.error());
    }
    json::object wish{{"workspace", options.host},
                      {"subject", options.subject},
                      {"redirect_uri", "http://localhost:" + std::to_string(*port)}};
    auto const start = ask(**admin, "POST", "/v1/logins", std::move(wish));
    if (!start) {
        return complain(start.error());
    }
    std::string const url = text_at(*start, "authorize_url");
    if (options.no_browser || !open_browser(url)) {
        std::cerr << "Open this link in a browser on this machine:\n\n  " << url << "\n\n";
        if (getenv("SSH_CONNECTION")) {
            std::cerr << "You are here over SSH; on your own machine run first:\n  ssh -L " << *port
                      << ":127.0.0.1:" << *port << " <this machine>\n\n";
        }
    }
    std::cerr << "Waiting for " << text_at(*start, "workspace") << " ...\n";
    auto const query = receiver.wait();
    if (!query) {
        return complain(Error(ErrorCode::login_expired, "Nobody signed in within ten minutes."));
    }
    auto const finished = ask(**admin, "POST", "/v1/logins/finish",
                              {{"query", *query}, {"cookie", text_at(*start, "cookie")}});
    if (!finished) {
        return complain(finished.error());
    }
    if (common.json) {
        std::cout << json::serialize(*finished) << '\n';
    } else {
        std::cerr << "Signed in as " << text_at(finished->at("principal").as_object(), "user_name")
                  << " at " << text_at(*finished, "workspace")
                  << ".\nA fresh token, any time: brickgate token\n";
    }
    return Exit::ok;
}

}  // namespace brickgate::cli
