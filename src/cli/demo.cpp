// SPDX-License-Identifier: Apache-2.0
// Gateway and practice Databricks in one process. What both know is kept in the data folder, so
// that a kill -9 and a new start find everything again.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "app/gateway.h"
#include "app/process.h"
#include "cli/command.h"
#include "cli/sandbox_server.h"
#include "cli/terminal.h"
#include "net/task_group.h"
#include "server/demo_steps.h"

namespace brickgate::cli {

namespace {

namespace fs = std::filesystem;
constexpr int ports_tried = 50;
constexpr int usual_port = 3000;

// Where both listen, and the secret that the one registered with the other.
struct Plan {
    std::string listen;
    int port = 0;
    int port_taken = 0;  // the one that was wanted, where it was not free
    int sandbox_port = 0;
    std::string sandbox_listen;
    bool usual_sandbox = true;
    std::string secret;

    std::string url() const { return "http://localhost:" + std::to_string(port); }
    std::string sandbox() const { return origin_of_listener(sandbox_listen); }
    std::string redirect_uri() const { return url() + "/callback"; }
};

std::string first_word(fs::path const& file) {
    std::ifstream in(file);
    std::string word;
    in >> word;
    return word;
}

int next_free(int port, int kept = 0) {
    for (int i = 0; i < ports_tried && (port == kept || !port_is_free(port)); ++i) {
        port += 1;
    }
    return port;
}

Plan make_plan(fs::path const& folder, std::string const& listen, bool listen_given,
               std::string const& sandbox_listen) {
    Plan plan;
    plan.listen = listen;
    int const wanted = port_number(listen);
    // The connections that are kept know the practice Databricks by its address.
    int const before = port_number(":" + first_word(folder / "sandbox.port"));
    plan.port = wanted == 0 ? free_port() : listen_given ? wanted : next_free(wanted, before);
    if (plan.port != wanted) {
        plan.port_taken = wanted;
        plan.listen = listen.substr(0, listen.rfind(':') + 1) + std::to_string(plan.port);
    }
    plan.sandbox_port = port_number(sandbox_listen);
    plan.sandbox_listen = sandbox_listen;
    plan.usual_sandbox = sandbox_listen == DemoOptions().sandbox_listen;
    if (plan.sandbox_port == 0) {
        bool const usable = before > 0 && before != plan.port && port_is_free(before);
        plan.sandbox_port = usable ? before : next_free(plan.port + 1);
        plan.sandbox_listen = sandbox_listen.substr(0, sandbox_listen.rfind(':') + 1) +
                              std::to_string(plan.sandbox_port);
    }
    plan.secret = first_word(folder / "sandbox.secret");
    if (plan.secret.empty()) {
        SystemRandom random;
        plan.secret = "dose" + random.hex(16);
    }
    return plan;
}

// What a .env or a file of somebody's real workspace says must not reach the practice one.
void put_flags(ConfigValues& flags, Plan const& plan) {
    flags["server.listen"] = plan.listen;
    flags["server.public_url"] = plan.url();
    flags["databricks.host"] = plan.sandbox();
    flags["databricks.client_id"] = "brickgate-demo";
    flags["databricks.client_secret"] = plan.secret;
    flags["databricks.redirect_uri"] = plan.redirect_uri();
    flags["databricks.client_authentication"] = "automatic";
    for (auto const* const name :
         {"server.private_listen", "databricks.authorization_endpoint", "databricks.token_endpoint",
          "databricks.jwks_uri", "databricks.hosts"}) {
        flags[name] = "";
    }
}

DemoInfo demo_info(Common const& common, Plan const& plan, std::string const& data,
                   bool usual_listen) {
    DemoInfo info;
    info.sandbox = plan.sandbox();
    info.command = command_name(common.program);
    info.process = getpid();
    std::string const script = calling_script();
    bool const by_run = !script.empty();
    info.restart = by_run ? shell_word(script) + " demo" : info.command + " demo";
    // Where the caller has settings of its own, the script leaves its commands alone.
    bool const own_settings = fs::exists(".env") || fs::exists("brickgate.toml");
    fs::path const usual = fs::current_path() / ".brickgate/demo";
    bool const is_usual = fs::weakly_canonical(data) == fs::weakly_canonical(usual);
    if (!by_run || !is_usual || own_settings) {
        info.options = " --data " + shell_word(data);
        info.restart += info.options;
    }
    if (!usual_listen) {
        info.restart += " --listen " + plan.listen;
    }
    if (!plan.usual_sandbox) {
        info.restart += " --sandbox-listen " + plan.sandbox_listen;
    }
    return info;
}

std::string indented(DemoStep const& step, std::string const& before) {
    std::string out = "  " + before + step.text + "\n";
    for (auto const& command : step.commands) {
        out += "      " + command + "\n";
    }
    return out;
}

void print_connected(ServerSettings const& settings, std::string const& connection) {
    auto const steps = demo_steps(settings, connection);
    std::string out = "\n  Connected: " + connection + "\n\n" + indented(steps.front(), "");
    out += "\n  Three things to try:\n";
    for (std::size_t i = 1; i < steps.size(); ++i) {
        out += indented(steps[i], std::to_string(i) + ". ");
    }
    std::cout << out << std::endl;
}

void print_welcome(Plan const& plan) {
    std::ostringstream out;
    out << "\n  Open  " << plan.url() << "/auth\n\n"
        << "  Sign in as anybody, approve, and a fresh Databricks token is yours.\n"
        << "  The practice Databricks is at " << plan.sandbox() << "; no account is needed.\n";
    if (auto const line = ssh_line({plan.port, plan.sandbox_port}); !line.empty()) {
        out << "  You are here over SSH. On your own machine run this first:\n      " << line
            << '\n';
    }
    out << "  Stop with Ctrl-C.\n";
    std::cout << out.str() << std::endl;
}

Task<void> start(Gateway& gateway, Runtime& runtime, Plan const& plan,
                 std::optional<Error>& failure) {
    auto const started = co_await gateway.start();
    if (started) {
        print_welcome(plan);
        co_return;
    }
    failure = started.error();
    runtime.request_stop();
}

int run_both(Common const& common, Plan const& plan, fs::path const& folder, DemoInfo info) {
    auto loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    loaded->warnings.clear();  // plain http to the practice Databricks is the point here
    Runtime runtime;
    GatewayOptions options;
    options.demo = std::move(info);
    options.reread = [common] {
        std::vector<std::string> ignored;
        return read_sources(common.flags, common.config_file, ignored).value_or(ConfigSources{});
    };
    // First the gateway, which locks the folder: a second demo must not touch the first one's
    // files.
    auto gateway = Gateway::create(std::move(*loaded), std::move(options), runtime);
    if (!gateway && gateway.error().code() == ErrorCode::in_use) {
        return complain(Error(ErrorCode::in_use, gateway.error().message())
                            .with_hint("The demo runs already: use the link that it printed, or "
                                       "stop it first."));
    }
    if (!gateway) {
        return complain(gateway.error());
    }
    if (plan.port_taken != 0) {
        std::cout << "Port " << plan.port_taken << " is taken; the demo uses " << plan.port
                  << " and registers " << plan.redirect_uri() << " with its practice Databricks.\n";
    }
    std::ofstream(folder / "sandbox.port") << plan.sandbox_port << '\n';
    std::ofstream(folder / "sandbox.secret") << plan.secret << '\n';
    SandboxServer sandbox(runtime);
    auto const origin = sandbox.listen(
        plan.sandbox_listen,
        {sandbox::demo_app(plan.redirect_uri(), plan.secret), sandbox::databricks_cli_app()},
        (folder / "sandbox.json").string(), plan.sandbox());
    if (!origin) {
        return complain(origin.error());
    }
    (*gateway)->on_connected(
        [&settings = (*gateway)->settings()](std::string const& connection, std::string const&) {
            print_connected(settings, connection);
        });
    std::optional<Error> failure;
    spawn(runtime.control(), start(**gateway, runtime, plan, failure));
    runtime.run();
    gateway->reset();
    return failure ? complain(*failure) : Exit::ok;
}

}  // namespace

int run_demo(Common const& common, DemoOptions const& options) {
    Common own = common;
    auto& flags = own.flags;
    if (!flags.contains("data.dir")) {
        std::string const wanted = environment_variable("BRICKGATE_DATA_DIR");
        flags["data.dir"] =
            wanted.empty() ? (fs::current_path() / ".brickgate/demo").string() : wanted;
    }
    fs::path const folder = fs::absolute(flags["data.dir"]);
    std::string const usual = "127.0.0.1:" + std::to_string(usual_port);
    std::string const listen = flags.contains("server.listen") ? flags["server.listen"] : usual;
    auto const plan = make_plan(folder, listen, options.listen_given, options.sandbox_listen);
    if (plan.port == 0) {
        return complain(Error(ErrorCode::address_in_use, "There is no free port on this machine."));
    }
    put_flags(flags, plan);
    std::error_code ignored;
    fs::create_directories(folder.parent_path(), ignored);
    return run_both(own, plan, folder,
                    demo_info(common, plan, folder.string(), !options.listen_given));
}

}  // namespace brickgate::cli
