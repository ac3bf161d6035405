// SPDX-License-Identifier: Apache-2.0
// backup and restore work on the folders themselves: SQLite lets a copy be taken beside a daemon.
#include "vault/backup.h"

#include <filesystem>
#include <iostream>

#include "app/root_source.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "net/system_ports.h"

namespace brickgate::cli {

namespace {

json::object about_json(BackupAbout const& about) {
    json::array roots;
    for (auto const& id : about.root_keys) {
        roots.emplace_back(id);
    }
    return {{"made_at", to_rfc3339(about.made_at)},
            {"connections", about.connections},
            {"spool_segments", about.spool_segments},
            {"root_keys", std::move(roots)},
            {"root_key_included", about.has_root_key}};
}

std::string roots_of(BackupAbout const& about) {
    std::string out;
    for (auto const& id : about.root_keys) {
        out += (out.empty() ? "" : ", ") + id;
    }
    return out;
}

int tell(BackupAbout const& about, bool as_json, std::string const& sentence) {
    if (as_json) {
        std::cout << json::serialize(about_json(about)) << '\n';
    } else {
        std::cout << about.connections << " connections, as of " << to_rfc3339(about.made_at)
                  << ".\n"
                  << as_typed(sentence);
    }
    return Exit::ok;
}

}  // namespace

int run_backup(Common const& common, BackupOptions const& options) {
    auto const loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    std::filesystem::path const folder = loaded->config.data.dir;
    auto const root_key = root_key_file_of(loaded->config, folder);
    if (options.with_root_key && root_key.empty()) {
        return complain(Error(ErrorCode::invalid_request,
                              "The root key does not come from a file: there is none to copy."));
    }
    BackupWish const wish{folder, std::filesystem::absolute(options.folder),
                          options.with_root_key ? root_key : std::filesystem::path(),
                          SystemClock().now()};
    auto const about = back_up(wish);
    if (!about) {
        return complain(about.error());
    }
    return tell(*about, common.json,
                about->has_root_key
                    ? "The root key is in it: whoever has this folder has every token.\n"
                    : "It opens with the root key " + roots_of(*about) + ", which is not in it.\n");
}

int run_restore(Common const& common, BackupOptions const& options) {
    auto const loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    auto const about = restore(std::filesystem::absolute(options.folder), loaded->config.data.dir);
    if (!about) {
        return complain(about.error());
    }
    return tell(*about, common.json,
                (about->has_root_key ? std::string()
                                     : "Put the root key " + roots_of(*about) +
                                           " where it is looked for, then start.\n") +
                    "Its connections are held back at the start: if nothing was refreshed after "
                    "the backup, brickgate connections release --all.\n");
}

}  // namespace brickgate::cli
