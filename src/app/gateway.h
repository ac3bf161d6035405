// SPDX-License-Identifier: Apache-2.0
#pragma once
// The composition root: constructs everything once, in order, and knows the order of starting and
// stopping. With listeners it is the daemon; without, the same routes serve one command (dispatch).
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "app/load_config.h"
#include "base/result.h"
#include "net/runtime.h"
#include "net/server_message.h"
#include "server/settings.h"

namespace brickgate {

struct LoginFinished;

struct GatewayOptions {
    bool listen = true;
    std::optional<DemoInfo> demo;           // makes this a demo; its key is filled in here
    std::function<ConfigSources()> reread;  // SIGHUP: the configuration as it is now
    // Asked again and again while another process has the data folder; false: give up (in_use).
    std::function<bool()> wait_for_folder;
};

class Gateway {
 public:
    // Opens the data folder, the keys, the store, the spool and the listeners. Errors:
    // data_folder_invalid, in_use, root_key_invalid, keyring_invalid, store_unavailable,
    // address_in_use, config_invalid.
    static Result<std::unique_ptr<Gateway>> create(LoadedConfig loaded, GatewayOptions options,
                                                   Runtime& runtime);
    ~Gateway();

    // Recovers what the last run left, then answers. Spawn it on the runtime before run().
    Task<Result<void>> start();
    std::string listen_address() const;
    std::string private_address() const;  // empty where one listener serves everything
    ServerSettings const& settings() const;
    // Whether there is anything to serve without an app: a connection that was made at a terminal,
    // or one of a service principal. Before start() only.
    Result<bool> serves_without_app() const;
    bool root_key_made() const;
    std::filesystem::path root_key_file() const;
    void on_connected(
        std::function<void(std::string const& connection, std::string const& workspace)> tell);

    // One request as a process of our own user on the local socket would make it. Any thread but
    // the runtime's; start() must have finished.
    ServerResponse dispatch(std::string const& method, std::string const& target,
                            std::string const& body);

 private:
    struct Parts;
    explicit Gateway(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace brickgate
