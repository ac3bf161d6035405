// SPDX-License-Identifier: Apache-2.0
#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <optional>
#include <thread>

#include "app/gateway.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/daemon_socket.h"
#include "cli/interrupt.h"
#include "net/task_group.h"

namespace brickgate::cli {

namespace {

constexpr std::chrono::seconds patience{10};

Result<Admin::Answer> read_answer(int status, std::string_view body) {
    if (body.empty()) {
        return Admin::Answer{status, {}};
    }
    auto parsed = parse_json(body);
    if (!parsed || !parsed->is_object()) {
        return fail(ErrorCode::internal, "The gateway's answer cannot be read.");
    }
    return Admin::Answer{status, std::move(parsed->get_object())};
}

constexpr std::size_t answer_bytes_max = 16UL << 20;  // a page of a list has a hundred rows

std::size_t collect(char* bytes, std::size_t, std::size_t count, void* out) {
    auto& answer = *static_cast<std::string*>(out);
    if (answer.size() + count > answer_bytes_max) {
        return CURL_WRITEFUNC_ERROR;
    }
    answer.append(bytes, count);
    return count;
}

// Asked by libcurl once a second, and oftener while bytes come.
int give_up(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return interrupted() ? 1 : 0;
}

// The other end of a request's own connection, looked at before anything is sent.
struct OtherEnd {
    std::string const& folder;
    int socket = -1;
    std::optional<Error> refusal = std::nullopt;
};
curl_socket_t open_socket(void* out, curlsocktype, curl_sockaddr* to) {
    int const fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
    return static_cast<OtherEnd*>(out)->socket = fd;
}
int look_first(void* out, char*, char*, int, int) {
    auto& other = *static_cast<OtherEnd*>(out);
    auto const checked = check_daemon(other.socket, other.folder);
    if (!checked) {
        other.refusal = checked.error();
    }
    return checked ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

// HTTP over the data folder's Unix socket; the daemon knows us by our user id.
class SocketAdmin final : public Admin {
 public:
    explicit SocketAdmin(std::string folder) : folder_(std::move(folder)) {}

    Result<Answer> call(std::string method, std::string target, json::object body) override {
        std::string const path = socket_of(folder_);
        OtherEnd other{folder_};
        std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> const curl(curl_easy_init(),
                                                                       curl_easy_cleanup);
        std::string const url = "http://localhost" + target;
        std::string const text = body.empty() ? "" : json::serialize(body);
        std::string answer;
        curl_easy_setopt(curl.get(), CURLOPT_UNIX_SOCKET_PATH, path.c_str());
        curl_easy_setopt(curl.get(), CURLOPT_OPENSOCKETFUNCTION, open_socket);
        curl_easy_setopt(curl.get(), CURLOPT_OPENSOCKETDATA, &other);
        curl_easy_setopt(curl.get(), CURLOPT_PREREQFUNCTION, look_first);
        curl_easy_setopt(curl.get(), CURLOPT_PREREQDATA, &other);
        curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
        curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
        curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
        // A daemon that refreshes first may take as long as the workspace does.
        curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 60L);
        curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, give_up);
        curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, collect);
        curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer);
        if (!text.empty()) {
            curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, text.c_str());
            curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(text.size()));
        }
        CURLcode const done = curl_easy_perform(curl.get());
        if (other.refusal) {
            return fail(*other.refusal);
        }
        if (done != CURLE_OK) {
            return fail(ErrorCode::upstream_unreachable,
                        "The running gateway does not answer on " + path + ".");
        }
        long status = 0;
        curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
        auto read = read_answer(static_cast<int>(status), answer);
        wipe(answer);
        return read;
    }
    bool is_daemon() const override { return true; }
    std::string folder() const override { return folder_; }

 private:
    std::string folder_;
};

// No daemon: the same gateway without listeners, in this process, for this one command.
class InProcessAdmin final : public Admin {
 public:
    static Result<std::unique_ptr<Admin>> open(LoadedConfig loaded,
                                               std::function<bool()> wait_for_folder) {
        auto admin = std::unique_ptr<InProcessAdmin>(new InProcessAdmin);
        admin->folder_ = loaded.config.data.dir;
        loaded.config.log.level = "error";
        GatewayOptions options;
        options.listen = false;
        options.wait_for_folder = std::move(wait_for_folder);
        auto gateway = Gateway::create(std::move(loaded), std::move(options), admin->runtime_);
        if (!gateway) {
            return fail(gateway.error());
        }
        admin->gateway_ = std::move(*gateway);
        admin->thread_ = std::thread([raw = admin.get()] { raw->runtime_.run(); });
        std::promise<Result<void>> started;
        auto future = started.get_future();
        auto const start = [](Gateway& the_gateway, std::promise<Result<void>>& out) -> Task<void> {
            out.set_value(co_await the_gateway.start());
        };
        spawn(admin->runtime_.control(), start(*admin->gateway_, started));
        if (auto const result = future.get(); !result) {
            return fail(result.error());
        }
        return std::unique_ptr<Admin>(std::move(admin));
    }
    ~InProcessAdmin() override {
        runtime_.request_stop();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    Result<Answer> call(std::string method, std::string target, json::object body) override {
        auto const response =
            gateway_->dispatch(method, target, body.empty() ? "" : json::serialize(body));
        return read_answer(response.status, response.body);
    }
    bool is_daemon() const override { return false; }
    std::string folder() const override { return folder_; }

 private:
    InProcessAdmin() : runtime_(RuntimeOptions{.http_threads = 1, .handle_signals = false}) {}
    std::string folder_;
    Runtime runtime_;
    std::unique_ptr<Gateway> gateway_;
    std::thread thread_;
};

// Neither a vault nor a daemon: lists are empty, and nothing is there to be shown or changed.
class NoVault final : public Admin {
 public:
    explicit NoVault(std::string folder) : folder_(std::move(folder)) {}

    Result<Answer> call(std::string method, std::string target, json::object) override {
        bool const list = method == "GET" &&
                          (target == "/v1/api-keys" || target.starts_with("/v1/connections?") ||
                           target.starts_with("/v1/capabilities"));
        if (list) {
            return Answer{200, {{"items", json::array()}, {"next_cursor", nullptr}}};
        }
        auto const code = target.starts_with("/v1/api-keys") ? ErrorCode::not_found
                                                             : ErrorCode::connection_unknown;
        return fail(Error(code, "There is no vault in " + folder_ + ".")
                        .with_hint("Sign in first: brickgate login HOST, or brickgate serve and "
                                   "/auth in a browser. --data or BRICKGATE_DATA_DIR names "
                                   "another folder."));
    }
    bool is_daemon() const override { return false; }
    std::string folder() const override { return folder_; }

 private:
    std::string folder_;
};

}  // namespace

bool daemon_runs(Config const& config) {
    return daemon_listens(config.data.dir);
}

bool has_vault(Config const& config) {
    return access((config.data.dir + "/brickgate.db").c_str(), F_OK) == 0;
}

Result<std::unique_ptr<Admin>> connect_admin(LoadedConfig loaded, WhenNew when_new) {
    std::string const folder = loaded.config.data.dir;
    auto const found = find_daemon(folder);
    if (!found) {
        return fail(found.error());
    }
    if (*found) {
        return std::make_unique<SocketAdmin>(folder);
    }
    if (when_new == WhenNew::make_nothing && !has_vault(loaded.config)) {
        return std::make_unique<NoVault>(folder);
    }
    // Another command has the folder for a moment, or a daemon is about to listen.
    auto const end = std::chrono::steady_clock::now() + patience;
    auto wait = [&folder, end] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return !daemon_listens(folder) && std::chrono::steady_clock::now() < end;
    };
    auto opened = InProcessAdmin::open(std::move(loaded), std::move(wait));
    if (!opened && opened.error().code() == ErrorCode::in_use && daemon_listens(folder)) {
        return std::make_unique<SocketAdmin>(folder);
    }
    return opened;
}

Result<json::object> ask(Admin& admin, std::string method, std::string target, json::object body) {
    auto answer = admin.call(std::move(method), std::move(target), std::move(body));
    if (!answer) {
        return fail(std::move(answer.error()));
    }
    if (answer->status < 400) {
        return std::move(answer->body);
    }
    auto const* const error = object_at(answer->body, "error");
    auto const code =
        error ? error_code_from(string_at(*error, "code").value_or("")) : std::nullopt;
    auto const text = [&](std::string_view name) {
        return std::string(error ? string_at(*error, name).value_or("") : "");
    };
    auto told = Error(code.value_or(ErrorCode::internal), text("message"))
                    .with_hint(text("hint"))
                    .with_reason(text("reason"));
    auto const wait = error ? integer_at(*error, "retry_after") : std::nullopt;
    return fail(wait ? std::move(told).with_retry_after(Seconds(*wait)) : std::move(told));
}

}  // namespace brickgate::cli
