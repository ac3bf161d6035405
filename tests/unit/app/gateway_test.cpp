// SPDX-License-Identifier: Apache-2.0
// The composition root: what opens in which order, what is refused, what a command in this process
// gets, and that an end is an end.
#include "app/gateway.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>
#include <future>
#include <thread>

#include "app/process.h"
#include "base/json.h"
#include "net/task_group.h"
#include "support/child.h"
#include "support/loopback.h"
#include "support/temp_folder.h"

namespace brickgate {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::uint16_t port_of_server(testing::ScriptedServer const& server) {
    return server.port();
}

// A gateway on threads of its own, ended with the object.
class Running {
 public:
    explicit Running(std::string const& folder, ConfigValues flags = {},
                     GatewayOptions options = {})
        : runtime_(RuntimeOptions{.http_threads = 1, .handle_signals = false}) {
        flags["data.dir"] = folder;
        flags["log.level"] = "error";
        ConfigSources sources;
        sources.flags = std::move(flags);
        auto loaded = load_config(sources);
        if (!loaded) {
            error_.emplace(ErrorCode::config_invalid, loaded.error().front());
            return;
        }
        auto gateway = Gateway::create(std::move(*loaded), std::move(options), runtime_);
        if (!gateway) {
            error_ = gateway.error();
            return;
        }
        gateway_ = std::move(*gateway);
        thread_ = std::thread([this] { runtime_.run(); });
        std::promise<Result<void>> started;
        auto future = started.get_future();
        spawn(runtime_.control(), start(*gateway_, started));
        if (auto const result = future.get(); !result) {
            error_ = result.error();
        }
    }
    ~Running() { stop(); }
    Running(Running const&) = delete;
    Running& operator=(Running const&) = delete;

    void stop() {
        runtime_.request_stop();
        if (thread_.joinable()) {
            thread_.join();
        }
        gateway_.reset();
    }
    Gateway& operator*() { return *gateway_; }
    Gateway* operator->() { return gateway_.get(); }
    std::optional<Error> const& error() const { return error_; }

    json::object ask(std::string const& method, std::string const& target,
                     std::string const& body = {}) {
        auto const response = gateway_->dispatch(method, target, body);
        EXPECT_LT(response.status, 400) << response.body;
        return parse_json(response.body).value().get_object();
    }

 private:
    static Task<void> start(Gateway& gateway, std::promise<Result<void>>& out) {
        out.set_value(co_await gateway.start());
    }

    Runtime runtime_;
    std::unique_ptr<Gateway> gateway_;
    std::thread thread_;
    std::optional<Error> error_;
};

GatewayOptions in_process() {
    GatewayOptions options;
    options.listen = false;
    return options;
}

// A free port, since the redirect URI must name it beforehand.
ConfigValues on_free_port() {
    std::uint16_t port = 0;
    {
        testing::ScriptedServer const server([](int, int) {});
        port = port_of_server(server);
    }
    return {{"server.listen", "127.0.0.1:" + std::to_string(port)},
            {"databricks.client_id", "app"}};
}

std::uint16_t port_in(std::string const& address) {
    return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

std::string get(std::string const& address, std::string const& path) {
    testing::RawClient client(port_in(address));
    client.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    return client.receive_all();
}

TEST(Gateway, a_command_in_this_process_goes_through_the_same_routes_as_the_daemons) {
    testing::TempFolder folder;
    Running gateway(folder / "data", {}, in_process());
    ASSERT_FALSE(gateway.error()) << gateway.error()->message();
    auto const key = gateway.ask("POST", "/v1/api-keys",
                                 R"({"name":"ci","rights":["token:read","connections"]})");
    EXPECT_THAT(std::string(key.at("key").as_string()), StartsWith("bg_"));
    EXPECT_EQ(gateway.ask("GET", "/v1/api-keys").at("items").as_array().size(), 1U);
    EXPECT_TRUE(gateway.ask("GET", "/v1/connections").at("items").as_array().empty());
    EXPECT_EQ(gateway->dispatch("GET", "/v1/connections/con_x", "").status, 404);
    EXPECT_EQ(gateway->dispatch("GET", "/nowhere", "").status, 404);
}

TEST(Gateway, what_was_made_is_there_after_a_restart) {
    testing::TempFolder folder;
    {
        Running gateway(folder / "data", {}, in_process());
        EXPECT_TRUE(gateway->root_key_made());
        gateway.ask("POST", "/v1/api-keys", R"({"name":"ci","rights":["admin"]})");
    }
    Running gateway(folder / "data", {}, in_process());
    EXPECT_FALSE(gateway->root_key_made());
    EXPECT_EQ(gateway.ask("GET", "/v1/api-keys").at("items").as_array().size(), 1U);
}

TEST(Gateway, T70_a_second_one_on_the_folder_is_refused_and_names_the_first) {
    testing::TempFolder folder;
    Running first(folder / "data", {}, in_process());
    Running second(folder / "data", {}, in_process());
    ASSERT_TRUE(second.error());
    EXPECT_EQ(second.error()->code(), ErrorCode::in_use);
    EXPECT_THAT(second.error()->message(), HasSubstr(std::to_string(getpid())));
}

TEST(Gateway, who_may_wait_gets_the_folder_when_the_first_is_done) {
    testing::TempFolder folder;
    auto first = std::make_unique<Running>(folder / "data", ConfigValues{}, in_process());
    auto options = in_process();
    int asked = 0;
    options.wait_for_folder = [&] {
        if (++asked == 3) {
            first.reset();
        }
        return asked < 10;
    };
    Running second(folder / "data", {}, std::move(options));
    EXPECT_FALSE(second.error());
    EXPECT_EQ(asked, 3);
}

TEST(Gateway, a_database_without_its_root_key_is_refused_and_kept) {
    testing::TempFolder folder;
    {
        Running gateway(folder / "data", {}, in_process());
    }
    std::filesystem::remove(folder / "data" / "root.key");
    Running gateway(folder / "data", {}, in_process());
    ASSERT_TRUE(gateway.error());
    EXPECT_EQ(gateway.error()->code(), ErrorCode::root_key_invalid);
    EXPECT_THAT(gateway.error()->message(), HasSubstr("root.key"));
    EXPECT_FALSE(std::filesystem::exists(folder / "data" / "root.key")) << "no wrong one was made";
}

TEST(Gateway, a_root_key_that_others_can_read_is_refused) {
    testing::TempFolder folder;
    {
        Running gateway(folder / "data", {}, in_process());
    }
    auto const key = folder / "data" / "root.key";
    chmod(key.c_str(), 0444);
    Running gateway(folder / "data", {}, in_process());
    ASSERT_TRUE(gateway.error());
    EXPECT_EQ(gateway.error()->code(), ErrorCode::root_key_invalid);
}

TEST(Gateway, on_loopback_one_listener_serves_everything_on_both_addresses) {
    testing::TempFolder folder;
    Running gateway(folder / "data", on_free_port());
    ASSERT_FALSE(gateway.error()) << gateway.error()->message();
    auto const address = gateway->listen_address();
    EXPECT_EQ(gateway->private_address(), "");
    EXPECT_THAT(get(address, "/readyz"), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(get(address, "/"), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(get(address, "/v1/connections"), StartsWith("HTTP/1.1 401"));
    int const fd = socket(AF_INET6, SOCK_STREAM, 0);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = in6addr_loopback;
    v6.sin6_port = htons(port_in(address));
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&v6), sizeof(v6)), 0);
    close(fd);
}

TEST(Gateway, elsewhere_programs_have_their_own_listener_and_browsers_no_api) {
    testing::TempFolder folder;
    auto flags = on_free_port();
    flags["server.listen"] = "0.0.0.0:" + std::to_string(port_in(flags["server.listen"]));
    flags["server.public_url"] = "https://gate.example.com";
    flags["tls.terminated_upstream"] = "true";
    Running gateway(folder / "data", flags);
    ASSERT_FALSE(gateway.error()) << gateway.error()->message();
    auto const open = gateway->listen_address();
    auto const closed = gateway->private_address();
    EXPECT_THAT(closed, StartsWith("127.0.0.1:"));
    EXPECT_THAT(get(open, "/"), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(get(open, "/v1/connections"), StartsWith("HTTP/1.1 404"));
    EXPECT_THAT(get(open, "/metrics"), StartsWith("HTTP/1.1 404"));
    EXPECT_THAT(get(closed, "/v1/connections"), StartsWith("HTTP/1.1 401"));
    EXPECT_THAT(get(closed, "/metrics"), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(get(closed, "/auth"), StartsWith("HTTP/1.1 404"));
}

TEST(Gateway, programs_need_not_know_the_browsers_base_path) {
    testing::TempFolder folder;
    auto flags = on_free_port();
    flags["server.private_listen"] = "127.0.0.1:0";
    flags["server.public_url"] = "https://corp.example/gate";
    Running gateway(folder / "data", flags);
    ASSERT_FALSE(gateway.error()) << gateway.error()->message();
    EXPECT_THAT(get(gateway->listen_address(), "/gate/healthz"), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(get(gateway->listen_address(), "/healthz"), StartsWith("HTTP/1.1 404"));
    EXPECT_THAT(get(gateway->private_address(), "/healthz"), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(get(gateway->private_address(), "/gate/healthz"), StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(gateway->dispatch("GET", "/v1/connections?limit=1", "").status, 200);
    EXPECT_EQ(gateway->dispatch("GET", "/gate/v1/connections", "").status, 200);
}

TEST(Gateway, a_taken_port_is_named_and_nothing_is_left_locked) {
    testing::TempFolder folder;
    testing::ScriptedServer const other([](int, int) {});
    std::string const address = "127.0.0.1:" + std::to_string(other.port());
    {
        Running gateway(folder / "data", {{"server.listen", address}});
        ASSERT_TRUE(gateway.error());
        EXPECT_EQ(gateway.error()->code(), ErrorCode::address_in_use);
        EXPECT_THAT(gateway.error()->message(), HasSubstr(std::to_string(other.port())));
    }
    Running gateway(folder / "data", {}, in_process());
    EXPECT_FALSE(gateway.error());
}

TEST(Gateway, a_socket_may_be_the_private_listener) {
    testing::TempFolder folder;
    auto flags = on_free_port();
    std::string const path = folder / "api.sock";
    flags["server.private_listen"] = "unix:" + path;
    Running gateway(folder / "data", flags);
    ASSERT_FALSE(gateway.error()) << gateway.error()->message();
    struct stat about{};
    ASSERT_EQ(stat(path.c_str(), &about), 0);
    EXPECT_TRUE(S_ISSOCK(about.st_mode));
    EXPECT_EQ(about.st_mode & 0777, 0600U);
    EXPECT_THAT(get(gateway->listen_address(), "/v1/connections"), StartsWith("HTTP/1.1 404"));
}

TEST(Gateway, the_end_closes_listeners_and_removes_the_socket) {
    testing::TempFolder folder;
    Running gateway(folder / "data", on_free_port());
    auto const port = port_in(gateway->listen_address());
    EXPECT_TRUE(std::filesystem::exists(folder / "data" / "brickgate.sock"));
    gateway.stop();
    EXPECT_FALSE(testing::RawClient(port).connected());
    EXPECT_FALSE(std::filesystem::exists(folder / "data" / "brickgate.sock"));
}

TEST(Gateway, the_demos_key_outlives_a_restart_and_has_few_rights) {
    testing::TempFolder folder;
    GatewayOptions options;
    options.demo = DemoInfo{};
    auto const flags = on_free_port();
    std::string key;
    {
        Running gateway(folder / "data", flags, options);
        key = gateway->settings().demo->api_key;
        EXPECT_THAT(key, StartsWith("bg_"));
    }
    Running gateway(folder / "data", flags, options);
    EXPECT_EQ(gateway->settings().demo->api_key, key);
    auto const items = gateway.ask("GET", "/v1/api-keys").at("items").as_array();
    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(json::serialize(items[0].at("rights")), R"(["connections","token:read"])");
    struct stat about{};
    ASSERT_EQ(stat((folder / "data" / "demo.key").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0077, 0U);
}

TEST(Process, DISABLED_T65_child) {
    harden_process();
    rlimit core{};
    getrlimit(RLIMIT_CORE, &core);
    bool const hard = prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 &&
                      core.rlim_max == 0 && umask(0) == 0077;
    _exit(hard ? 0 : 1);
}

TEST(Process, T65_leaves_no_core_takes_no_ptrace_and_writes_for_nobody_else) {
    EXPECT_TRUE(testing::went_well(testing::run_child("Process.DISABLED_T65_child", {})));
}

}  // namespace
}  // namespace brickgate
