// SPDX-License-Identifier: Apache-2.0
// brickgate databricks-shim --install DIR: this program again, under the name that SDKs look for. A
// hard link where the file system allows it, else a copy; never a symbolic link, because the Python
// SDK follows it and then calls `brickgate auth token`, which is no command of ours.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/command.h"
#include "cli/terminal.h"

namespace brickgate::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view name = "databricks";
// Below it every SDK takes a CLI for the legacy one (databricks-facts 5.3).
constexpr std::uintmax_t least_bytes = 1024 * 1024;
// In every version of this program, and in no other: the first words of what the stand-in says.
constexpr std::string_view mark = "This is Brickgate's stand-in for the Databricks CLI.";

bool is_ours(fs::path const& file) {
    std::ifstream in(file, std::ios::binary);
    std::string window;
    std::string piece(least_bytes, '\0');
    while (in) {
        in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        window.append(piece, 0, static_cast<std::size_t>(in.gcount()));
        if (window.find(mark) != std::string::npos) {
            return true;
        }
        window.erase(0, window.size() - std::min(window.size(), mark.size()));
    }
    return false;
}

int refuse(std::string const& sentence) {
    std::cerr << "brickgate: " << sentence << '\n';
    return Exit::failed;
}

// Under another name first: whoever looks meanwhile finds the old one, or the new one, whole.
std::error_code put(fs::path const& program, fs::path const& place, bool& linked) {
    std::error_code ec;
    fs::path const draft = place.string() + "." + std::to_string(getpid());
    fs::remove(draft, ec);
    fs::create_hard_link(program, draft, ec);
    linked = !ec;
    if (ec) {
        fs::copy_file(program, draft, ec);
    }
    if (!ec && !linked) {
        fs::permissions(draft,
                        fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                            fs::perms::others_read | fs::perms::others_exec,
                        ec);
    }
    if (!ec) {
        fs::rename(draft, place, ec);
    }
    std::error_code ignored;
    fs::remove(draft, ignored);  // a rename of one link of a file onto another does nothing
    return ec;
}

}  // namespace

int run_shim_install(ShimInstallOptions const& options) {
    std::error_code ec;
    fs::path const program = fs::read_symlink("/proc/self/exe", ec);
    if (ec || fs::file_size(program, ec) < least_bytes || ec) {
        return refuse(
            "this program's file is gone, or smaller than 1 MiB: SDKs would take it for "
            "the legacy CLI.");
    }
    fs::path const folder = options.folder;
    if (!fs::is_directory(folder, ec)) {
        return refuse(folder.string() + " is no folder.");
    }
    fs::path const place = folder / name;
    auto const there = fs::symlink_status(place, ec);
    if (fs::is_directory(there)) {
        return refuse(place.string() + " is a folder.");
    }
    if (fs::exists(there) && !options.force && !is_ours(place)) {
        return refuse(place.string() +
                      " is there already and is not ours, so probably Databricks' own CLI. Choose "
                      "another folder, which stands before it on the PATH; --force replaces it.");
    }
    bool linked = false;
    if (auto const failed = put(program, place, linked)) {
        return refuse(place.string() + " cannot be written: " + failed.message() + ".");
    }
    std::cout << place.string() << " is now " << (linked ? "a hard link to " : "a copy of ")
              << program.string() << ".\nSDKs find it where " << folder.string()
              << " is the first folder with a databricks on the PATH, or by DATABRICKS_CLI_PATH="
              << shell_word(fs::absolute(place).string())
              << "\nAfter an update of brickgate, install it again.\n";
    return Exit::ok;
}

}  // namespace brickgate::cli
