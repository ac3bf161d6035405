// SPDX-License-Identifier: Apache-2.0
// Signing in from a terminal, as RFC 8252 has it: the system's browser, a listener on loopback only
// that is closed right after, PKCE, and the public client that Databricks' own tools use
// (databricks-facts 2.1).
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <thread>

#include "app/process.h"
#include "cli/command.h"
#include "cli/receiver.h"
#include "cli/terminal.h"
#include "server/host_guard.h"

namespace brickgate::cli {

namespace {

using namespace std::chrono_literals;
constexpr int first_port = 8020;  // the ports that the client databricks-cli is registered with
constexpr int last_port = 8040;
constexpr Seconds patience = 600s;

// A browser that stays in the foreground was opened all the same.
bool ends_badly(pid_t child) {
    int status = 0;
    for (int tries = 0; tries < 20; ++tries) {
        if (waitpid(child, &status, WNOHANG) == child) {
            return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
        }
        std::this_thread::sleep_for(100ms);
    }
    return false;
}

bool open_browser(std::string url) {
    std::string program = environment_variable("BROWSER");
    if (program.find_first_of(":% ") != std::string::npos) {
        program = "xdg-open";  // a list, which xdg-open knows how to read
    }
    bool const desktop = !environment_variable("DISPLAY").empty() ||
                         !environment_variable("WAYLAND_DISPLAY").empty();
    if (program.empty() && !desktop) {
        return false;
    }
    if (program.empty()) {
        program = "xdg-open";
    }
    posix_spawn_file_actions_t quiet{};
    posix_spawn_file_actions_init(&quiet);
    for (int const fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        posix_spawn_file_actions_addopen(&quiet, fd, "/dev/null", O_RDWR, 0);
    }
    std::string name = program;
    char* const arguments[] = {name.data(), url.data(), nullptr};
    pid_t child = 0;
    int const failed = posix_spawnp(&child, program.c_str(), &quiet, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&quiet);
    return failed == 0 && !ends_badly(child);
}

std::string state_of(std::string_view url) {
    auto const query = url.find('?');
    auto const fields = form_decode(query == std::string_view::npos ? "" : url.substr(query + 1));
    for (auto const& [name, value] : fields.value_or(FormFields())) {
        if (name == "state") {
            return value;
        }
    }
    return {};
}

// What this machine itself answers, such as the practice Databricks, speaks plain http.
std::string with_scheme(std::string const& host) {
    bool const bare = host.find("://") == std::string::npos;
    bool const here = bare && is_loopback_name(HostAndPort::parse(host).name);
    return here ? "http://" + host : host;
}

void show_link(std::string const& url, int port, bool opened) {
    std::cerr << (opened ? "Your browser should open. If it does not, open this link on this "
                           "machine:\n\n  "
                         : "Open this link in a browser on this machine:\n\n  ")
              << url << "\n\n";
    if (auto const line = ssh_line({port}); !line.empty()) {
        std::cerr << "You are here over SSH. On your own machine run this first, and open the "
                     "link there:\n\n  "
                  << line << "\n\n";
    }
}

// The data folder is held for this one question only: the sign-in between the two takes minutes,
// and other commands, or a daemon, may want it then. No answer: what is wrong was said already.
std::expected<json::object, int> ask_once(Common const& common, LoadedConfig const& first,
                                          std::string target, json::object body) {
    auto loaded = load(common, &first);
    if (!loaded) {
        return std::unexpected(loaded.error());
    }
    auto admin = connect_admin(std::move(*loaded), WhenNew::make_vault);
    if (!admin) {
        return std::unexpected(complain(admin.error()));
    }
    auto answer = ask(**admin, "POST", std::move(target), std::move(body));
    if (!answer) {
        return std::unexpected(complain(answer.error()));
    }
    return std::move(*answer);
}

// The data folder, where the command to copy must name it to find this sign-in again.
std::string data_option(LoadedConfig const& loaded) {
    std::string const& source = loaded.source.at("data.dir");
    bool const of_this_call = source == "flag" || source.starts_with("environment");
    return of_this_call ? " --data " + shell_word(loaded.config.data.dir) : "";
}

void tell_result(Common const& common, json::object const& connection, std::string const& options) {
    if (common.json) {
        std::cout << json::serialize(connection) << '\n';
        return;
    }
    auto const* const principal = object_at(connection, "principal");
    std::cerr << "Signed in as " << (principal ? text_at(*principal, "user_name") : "") << " at "
              << text_at(connection, "workspace") << ".\n";
    if (bool_at(connection, "session_only").value_or(false)) {
        std::cerr << "Databricks gave no refresh token: this ends with its first token.\n";
    }
    // With its id, which is needed as soon as there is a second one.
    std::cout << "A fresh token, any time: " << command_name(common.program) << " token "
              << text_at(connection, "id") << options << '\n';
}

}  // namespace

int run_login(Common const& common, LoginOptions const& options) {
    auto loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    std::string const again = data_option(*loaded);
    Receiver receiver;
    auto const port = receiver.listen(first_port, last_port);
    if (!port) {
        return complain(port.error());
    }
    // localhost, not 127.0.0.1: it must be as it is registered, byte for byte (B62).
    json::object wish{{"workspace", with_scheme(options.host)},
                      {"subject", options.subject},
                      {"redirect_uri", "http://localhost:" + std::to_string(*port)},
                      {"public_client", true}};
    auto const start = ask_once(common, *loaded, "/v1/logins", std::move(wish));
    if (!start) {
        return start.error();
    }
    std::string const url = text_at(*start, "authorize_url");
    receiver.expect(state_of(url));
    show_link(url, *port, !options.no_browser && open_browser(url));
    std::cerr << "Waiting for the sign-in at " << text_at(*start, "workspace")
              << " (Ctrl-C gives up) ...\n";
    auto const query = receiver.wait(patience, [](Seconds left) {
        std::cerr << "Still waiting; " << left.count() / 60 << " minutes left ...\n";
    });
    receiver.close();
    if (!query) {
        return complain(Error(ErrorCode::login_expired, "Nobody signed in within ten minutes."));
    }
    std::signal(SIGINT, SIG_IGN);  // the code is spent with the next line: see it through
    auto const finished = ask_once(common, *loaded, "/v1/logins/finish",
                                   {{"query", *query}, {"cookie", text_at(*start, "cookie")}});
    if (!finished) {
        return finished.error();
    }
    tell_result(common, *finished, again);
    return Exit::ok;
}

}  // namespace brickgate::cli
