// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "app/gateway.h"
#include "app/process.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/sandbox_server.h"
#include "net/task_group.h"
#include "server/pages.h"

namespace brickgate::cli {

namespace {

constexpr int ports_tried = 20;

bool is_free(int port) {
    int const fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int const on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool const free = bind(fd, reinterpret_cast<sockaddr const*>(&address), sizeof(address)) == 0;
    close(fd);
    return free;
}

int port_of(std::string const& address) {
    return std::stoi("0" + address.substr(address.rfind(':') + 1));
}

// The same every time, so that the sandbox's state file still fits after a restart.
std::string remembered(std::filesystem::path const& file, std::string const& otherwise) {
    std::ifstream in(file);
    std::string text;
    if (in >> text && !text.empty()) {
        return text;
    }
    std::ofstream(file) << otherwise << '\n';
    return otherwise;
}

std::string here() {
    // Inside ./run the shell's command is shorter than the program's path.
    return std::filesystem::exists("run") ? "./run brickgate" : "brickgate";
}

void print_welcome(Gateway const& gateway, std::string const& sandbox) {
    std::string const url = gateway.settings().public_url;
    std::cout << "\n  Open  " << url << "/auth\n\n"
              << "  Sign in as anybody, approve, and a fresh Databricks token is yours.\n"
              << "  The practice Databricks is at " << sandbox << "; no account is needed.\n";
    if (getenv("SSH_CONNECTION")) {
        std::string const port = std::to_string(port_of(gateway.listen_address()));
        std::string const other = std::to_string(port_of(sandbox));
        std::cout << "  You are here over SSH; on your own machine run:\n    ssh -L " << port
                  << ":127.0.0.1:" << port << " -L " << other << ":127.0.0.1:" << other
                  << " <this machine>\n";
    }
    std::cout << "  Stop with Ctrl-C.\n" << std::endl;
}

void print_connected(Gateway const& gateway, std::string const& connection,
                     std::string const& sandbox) {
    std::cout << "\n  Connected: " << connection << "\n\n"
              << "  Take a fresh token:\n    " << demo_curl(gateway.settings(), connection)
              << "\n    " << here() << " token\n\n"
              << "  Three things to try:\n"
              << "    1. " << gateway.settings().public_url << "/auth again, and choose Deny.\n"
              << "    2. Let it expire: curl -X POST " << sandbox << "/_sandbox/expire; then "
              << here() << " token --force-refresh\n"
              << "    3. In another terminal: kill -9 " << getpid() << "; start the demo again; "
              << here() << " token\n"
              << std::endl;
}

Task<void> start(Gateway& gateway, Runtime& runtime, std::string sandbox,
                 std::optional<Error>& failure) {
    auto const started = co_await gateway.start();
    if (started) {
        print_welcome(gateway, sandbox);
        co_return;
    }
    failure = started.error();
    runtime.request_stop();
}

}  // namespace

int run_demo(Common const& common, DemoOptions const& options) {
    harden_process();
    Common own = common;
    auto& flags = own.flags;
    char const* const environment = getenv("BRICKGATE_DATA_DIR");
    if (!flags.contains("data.dir")) {
        flags["data.dir"] = environment
                                ? environment
                                : (std::filesystem::current_path() / ".brickgate/demo").string();
    }
    std::filesystem::path const folder = flags["data.dir"];
    std::error_code ignored;
    std::filesystem::create_directories(folder.parent_path(), ignored);
    std::filesystem::create_directory(folder, ignored);
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, ignored);

    std::string listen =
        flags.contains("server.listen") ? flags["server.listen"] : "127.0.0.1:3000";
    int const wanted = port_of(listen);
    int port = wanted;
    for (int i = 0; wanted != 0 && !options.listen_given && i < ports_tried && !is_free(port);
         ++i) {
        port += 1;
    }
    if (port != wanted) {
        std::cout << "Port " << wanted << " is taken; the demo uses " << port
                  << " and registers that redirect URI with its sandbox.\n";
        listen = listen.substr(0, listen.rfind(':') + 1) + std::to_string(port);
    }
    flags["server.listen"] = listen;

    Runtime runtime;
    SandboxServer sandbox(runtime);
    std::string const redirect = "http://localhost:" + std::to_string(port) + "/callback";
    std::string sandbox_listen = options.sandbox_listen;
    if (sandbox_listen.ends_with(":0")) {
        int const before = std::stoi(remembered(folder / "sandbox.port", "0"));
        int free_port = before > 0 && is_free(before) ? before : port + 1;
        while (!is_free(free_port)) {
            free_port += 1;
        }
        std::ofstream(folder / "sandbox.port") << free_port << '\n';
        sandbox_listen = "127.0.0.1:" + std::to_string(free_port);
    }
    SystemRandom random;
    std::string const secret = remembered(folder / "sandbox.secret", "dose" + random.hex(16));
    auto const origin = sandbox.listen(
        sandbox_listen, {sandbox::demo_app(redirect, secret), sandbox::databricks_cli_app()},
        (folder / "sandbox.json").string());
    if (!origin) {
        return complain(origin.error());
    }
    flags["databricks.host"] = *origin;
    flags["databricks.client_id"] = "brickgate-demo";
    flags["databricks.client_secret"] = secret;
    flags["databricks.redirect_uri"] = redirect;
    auto loaded = load(own);
    if (!loaded) {
        return loaded.error();
    }
    loaded->warnings.clear();  // plain http to the sandbox is the point here
    GatewayOptions gateway_options;
    gateway_options.demo_sandbox = *origin;
    auto gateway = Gateway::create(std::move(*loaded), std::move(gateway_options), runtime);
    if (!gateway) {
        return complain(gateway.error());
    }
    (*gateway)->on_connected([&](std::string const& connection, std::string const&) {
        print_connected(**gateway, connection, *origin);
    });
    std::optional<Error> failure;
    spawn(runtime.control(), start(**gateway, runtime, *origin, failure));
    runtime.run();
    gateway->reset();
    return failure ? complain(*failure) : Exit::ok;
}

}  // namespace brickgate::cli
