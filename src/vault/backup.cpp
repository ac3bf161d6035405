// SPDX-License-Identifier: Apache-2.0
#include "vault/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/encoding.h"
#include "base/json.h"
#include "vault/data_key.h"
#include "vault/root_key.h"
#include "vault/sqlite_copy.h"

namespace brickgate {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view manifest_name = "backup.json";
constexpr std::string_view database_name = "brickgate.db";
constexpr std::string_view root_key_name = "root.key";

std::unexpected<Error> invalid(std::string why) {
    return fail(ErrorCode::backup_invalid, std::move(why));
}

std::optional<std::string> bytes_of(fs::path const& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        return std::nullopt;
    }
    return std::string{std::istreambuf_iterator<char>(in), {}};
}

// For the owner alone, and on disk when it is believed in.
Result<void> write_file(fs::path const& path, std::string_view bytes, mode_t mode) {
    int const fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    bool written = fd >= 0;
    while (written && !bytes.empty()) {
        ssize_t const count = write(fd, bytes.data(), bytes.size());
        written = count > 0;
        bytes.remove_prefix(written ? static_cast<std::size_t>(count) : 0);
    }
    written = written && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return written ? Result<void>{}
                   : fail(ErrorCode::data_folder_invalid, path.string() + " cannot be written.");
}

void sync_path(fs::path const& path) {
    int const fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

Result<void> make_empty_folder(fs::path const& path) {
    std::error_code ec;
    fs::create_directories(path.parent_path(), ec);
    bool const made = mkdir(path.c_str(), 0700) == 0;
    bool const ours = made || (fs::is_directory(path, ec) && fs::is_empty(path, ec) &&
                               chmod(path.c_str(), 0700) == 0);
    return ours ? Result<void>{}
                : fail(ErrorCode::data_folder_invalid,
                       path.string() + " cannot be made, or is not empty.");
}

// A file that went meanwhile is none: the daemon trims its spool.
Result<bool> copy_file(fs::path const& from, fs::path const& to, mode_t mode) {
    auto const bytes = bytes_of(from);
    if (!bytes) {
        return false;
    }
    auto const written = write_file(to, *bytes, mode);
    return written ? Result<bool>(true) : fail(written.error());
}

// Room that a segment was promised is zeros after its last entry.
Result<bool> copy_segment(fs::path const& from, fs::path const& to) {
    auto bytes = bytes_of(from);
    if (!bytes) {
        return false;
    }
    bytes->resize(bytes->find_last_not_of('\0') + 1);
    auto const written = write_file(to, *bytes, 0600);
    return written ? Result<bool>(true) : fail(written.error());
}

Result<std::uint64_t> copy_spool(fs::path const& from, fs::path const& to) {
    std::error_code ec;
    std::vector<fs::path> files;
    for (auto const& entry : fs::directory_iterator(from, ec)) {
        files.push_back(entry.path());
    }
    std::ranges::sort(files);
    if (mkdir(to.c_str(), 0700) != 0) {
        return fail(ErrorCode::data_folder_invalid, to.string() + " cannot be made.");
    }
    std::uint64_t count = 0;
    for (auto const& file : files) {
        auto const copied = copy_segment(file, to / file.filename());
        if (!copied) {
            return fail(copied.error());
        }
        count += *copied ? 1 : 0;
    }
    sync_path(to);
    return count;
}

std::vector<std::string> names_below(fs::path const& folder) {
    std::vector<std::string> names;
    for (auto const& entry : fs::recursive_directory_iterator(folder)) {
        auto const name = entry.path().lexically_relative(folder).string();
        if (entry.is_regular_file() && name != manifest_name) {
            names.push_back(name);
        }
    }
    std::ranges::sort(names);
    return names;
}

json::object manifest_of(BackupAbout const& about, fs::path const& folder) {
    json::object files;
    for (auto const& name : names_below(folder)) {
        files[name] = hex_encode(sha256(bytes_of(folder / name).value_or("")));
    }
    json::array roots;
    for (auto const& id : about.root_keys) {
        roots.emplace_back(id);
    }
    json::object out;
    out["format"] = 1;
    out["made_at"] = to_rfc3339(about.made_at);
    out["connections"] = about.connections;
    out["spool_segments"] = about.spool_segments;
    out["root_keys"] = std::move(roots);
    out["root_key_included"] = about.has_root_key;
    out["files"] = std::move(files);
    return out;
}

Result<json::object> read_manifest(fs::path const& backup) {
    auto const text = bytes_of(backup / manifest_name);
    auto parsed = parse_json(text.value_or(""));
    if (!text || !parsed || !parsed->is_object() ||
        integer_at(parsed->get_object(), "format") != 1 ||
        !object_at(parsed->get_object(), "files")) {
        return invalid(backup.string() + " is not a backup of this program.");
    }
    return std::move(parsed->get_object());
}

bool is_ours(std::string_view name) {
    bool const segment = name.starts_with("spool/") &&
                         name.find('/', 6) == std::string_view::npos &&
                         name.find("..") == std::string_view::npos;
    return segment || name == database_name || name == "node" || name == "root.argon2id" ||
           name == root_key_name;
}

Result<void> check_files(json::object const& manifest, fs::path const& backup) {
    for (auto const& [name, sum] : *object_at(manifest, "files")) {
        auto const bytes = bytes_of(backup / std::string_view(name));
        if (!is_ours(name) || !sum.is_string() || !bytes ||
            hex_encode(sha256(*bytes)) != std::string_view(sum.get_string())) {
            return invalid("The backup's file " + clean_text(name, 80) +
                           " is missing or was changed.");
        }
    }
    return object_at(manifest, "files")->contains(database_name)
               ? Result<void>{}
               : invalid("The backup has no database.");
}

BackupAbout about_of(json::object const& manifest) {
    BackupAbout about;
    about.made_at = from_rfc3339(string_at(manifest, "made_at").value_or("")).value_or(Time{});
    about.connections = static_cast<std::uint64_t>(integer_at(manifest, "connections").value_or(0));
    about.spool_segments =
        static_cast<std::uint64_t>(integer_at(manifest, "spool_segments").value_or(0));
    if (auto const* const roots = array_at(manifest, "root_keys")) {
        for (auto const& id : *roots) {
            about.root_keys.emplace_back(id.is_string() ? id.get_string() : "");
        }
    }
    about.has_root_key = object_at(manifest, "files")->contains(root_key_name);
    return about;
}

Result<void> copy_root_key(fs::path const& from, fs::path const& folder) {
    auto const text = read_private_file(from, "The root key file");
    if (!text || !*text) {
        return fail(ErrorCode::root_key_invalid,
                    "The root key's file " + from.string() + " cannot be copied.");
    }
    auto const keys =
        (*text)->expose([](std::string_view lines) { return parse_root_keys(lines); });
    return keys ? replace_root_key_file(folder / root_key_name, *keys) : fail(keys.error());
}

}  // namespace

Result<BackupAbout> back_up(BackupWish const& wish) {
    std::error_code ec;
    if (!fs::exists(wish.folder / database_name, ec)) {
        return fail(ErrorCode::data_folder_invalid,
                    "There is no database in " + wish.folder.string() + ".");
    }
    if (auto const made = make_empty_folder(wish.target); !made) {
        return fail(made.error());
    }
    auto const database = wish.target / database_name;
    if (auto const made = write_file(database, "", 0600); !made) {
        return fail(made.error());
    }
    // Before the spool: what comes between the two is in the spool's copy.
    if (auto const copied = sqlite::copy_database(wish.folder / database_name, database); !copied) {
        return fail(copied.error());
    }
    auto const inside = sqlite::about_database(database);
    auto const spooled = copy_spool(wish.folder / "spool", wish.target / "spool");
    if (!inside || !spooled) {
        return fail(inside ? spooled.error() : inside.error());
    }
    BackupAbout about{wish.now, inside->connections, *spooled, {}, !wish.root_key.empty()};
    for (auto const id : inside->root_keys) {
        about.root_keys.push_back(root_id_text(id));
    }
    for (auto const* const name : {"node", "root.argon2id"}) {
        auto const copied = copy_file(wish.folder / name, wish.target / name, 0600);
        if (!copied) {
            return fail(copied.error());
        }
    }
    if (about.has_root_key) {
        if (auto const copied = copy_root_key(wish.root_key, wish.target); !copied) {
            return fail(copied.error());
        }
    }
    sync_path(database);
    auto const manifest = json::serialize(manifest_of(about, wish.target)) + "\n";
    if (auto const written = write_file(wish.target / manifest_name, manifest, 0600); !written) {
        return fail(written.error());
    }
    sync_path(wish.target);
    return about;
}

Result<BackupAbout> restore(fs::path const& backup, fs::path const& folder) {
    auto const manifest = read_manifest(backup);
    if (!manifest) {
        return fail(manifest.error());
    }
    if (auto const whole = check_files(*manifest, backup); !whole) {
        return fail(whole.error());
    }
    if (auto const made = make_empty_folder(folder); !made) {
        return fail(made.error());
    }
    if (mkdir((folder / "spool").c_str(), 0700) != 0) {
        return fail(ErrorCode::data_folder_invalid, folder.string() + " cannot be written.");
    }
    // The database last: a folder that a crash left half filled has none, and none is made of it.
    for (bool const database : {false, true}) {
        for (auto const& [name, sum] : *object_at(*manifest, "files")) {
            std::string_view const file = name;
            if ((file == database_name) != database) {
                continue;
            }
            auto const as = database ? std::string(file) + ".new" : std::string(file);
            auto const copied =
                copy_file(backup / file, folder / as, file == root_key_name ? 0400 : 0600);
            if (!copied) {
                return fail(copied.error());
            }
        }
    }
    auto const draft = folder / (std::string(database_name) + ".new");
    auto const about = about_of(*manifest);
    auto const marked =
        sqlite::set_meta(draft, std::string(restored_mark), to_rfc3339(about.made_at));
    if (!marked) {
        return fail(marked.error());
    }
    sync_path(draft);
    if (rename(draft.c_str(), (folder / database_name).c_str()) != 0) {
        return fail(ErrorCode::data_folder_invalid, folder.string() + " cannot be written.");
    }
    sync_path(folder);
    return about;
}

}  // namespace brickgate
