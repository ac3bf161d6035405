// SPDX-License-Identifier: Apache-2.0
// The commands for the vault itself: its keys, its backups.
#include "cli/argument_helpers.h"

namespace brickgate::cli {

void add_vault_commands(CLI::App& app, Arguments& arguments) {
    auto* const keys = app.add_subcommand("keys", "the vault's own keys: list, rotate, retire");
    keys->require_subcommand(1);
    add_common(keys->add_subcommand("list", "ids, states, and how many records need each"),
               arguments);
    auto* const rotate = keys->add_subcommand(
        "rotate", "make new data keys and seal every record anew, while the daemon goes on");
    add_common(rotate, arguments);
    rotate->add_flag("--root", arguments.vault_keys.root,
                     "the root key instead: a new one leads its file and wraps the data keys");
    auto* const retire =
        keys->add_subcommand("retire", "end a former key; refused while anything needs it");
    add_common(retire, arguments);
    option(retire, "id", arguments.vault_keys.id, "", "id of the data key or of the root key")
        ->required();
    auto* const backup =
        app.add_subcommand("backup", "copy the data folder, while the daemon goes on");
    add_common(backup, arguments);
    option(backup, "folder", arguments.backup.folder, "", "made by it, or empty")->required();
    backup->add_flag("--with-root-key", arguments.backup.with_root_key,
                     "put the root key beside what it opens (better kept apart)");
    auto* const restore = app.add_subcommand(
        "restore", "put a backup into an empty data folder; its connections are held back");
    add_common(restore, arguments);
    option(restore, "folder", arguments.backup.folder, "", "the backup")->required();
}

}  // namespace brickgate::cli
